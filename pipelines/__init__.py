"""The project's pipelines: ordinary KFP v2 graphs of its components. They are compiled; nothing here runs."""
