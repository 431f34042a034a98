"""From source tables to checked train, validation and holdout tables."""
