"""What data looks like, and whether it still does."""
