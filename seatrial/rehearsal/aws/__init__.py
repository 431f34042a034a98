"""An offline AWS: moto for what only has to be remembered, and a SageMaker that executes.

Processing and training jobs are real processes with their own ``/opt/ml``; they read from and write to the S3 of
the same server. Each SageMaker operation is *executed* (the real code ran), *stored* (moto accepted and remembers
it) or *unsupported* (an error that says so, never a made-up success); `seatrial.rehearsal.aws.operations` holds the
table.

``with OfflineAws(images=[...]) as aws: boto3.client("sagemaker", **aws.client_settings())`` starts one;
``python -m seatrial.rehearsal.aws --port 5000`` keeps one up for any other client.
"""

from seatrial.rehearsal.aws.image import Image
from seatrial.rehearsal.aws.offline import OfflineAws

__all__ = ["Image", "OfflineAws"]
