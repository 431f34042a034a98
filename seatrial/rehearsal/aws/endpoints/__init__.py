"""SageMaker endpoints that serve: real processes behind a split of traffic that deployments shift and roll back."""
