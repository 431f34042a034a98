"""The model server: HTTP in, JSON out, the contracts of SageMaker and of Vertex AI at once.

It serves anything that is a ``Servable``; what a model package is, it does not know. Endpoints, versions and switching
traffic between them live in ``clouds``.
"""
