"""AWS: SageMaker Pipelines from pipeline documents.

``limits`` holds what the service allows and botocore's shapes do not say, ``shapes`` validates requests against those
shapes, ``steptypes`` says what each step type's arguments and properties are, ``references`` reads ``Get``
expressions, and ``check`` puts them together: it takes any pipeline definition, ours or the ``sagemaker`` SDK's.
"""
