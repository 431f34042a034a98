"""AWS: SageMaker Pipelines from pipeline documents.

``pipeline`` compiles a plan to a definition: ``jobsteps`` makes a step of each job, ``conditions`` of each choice,
``channels`` decides which folders pass between them, ``jobfile`` writes what a job reads, and ``parameters`` and
``settings`` hold what the start and the deployment give. ``check`` holds any definition, ours or the SDK's,
against botocore: ``shapes`` judges requests, ``scope`` and ``references`` what refers to what, ``steptypes`` and
``limits`` say what the service knows.
"""
