"""SageMaker Pipelines that run: a definition is checked, then its steps start real jobs in their real order."""
