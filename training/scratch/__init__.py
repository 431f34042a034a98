"""The project's models: one folder each."""
