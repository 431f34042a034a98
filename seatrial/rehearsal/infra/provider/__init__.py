"""What applies resources to a cloud; `base` says what the engine expects of it."""
