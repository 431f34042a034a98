"""Buckets, read: what ``s3://`` and ``gs://`` URIs name, copied to this machine in exactly the version looked up.

A URI names one object, or everything below it as a folder. The clients find credentials and addresses in their own
ways (``AWS_PROFILE``, ``AWS_ENDPOINT_URL``, application default credentials, ``STORAGE_EMULATOR_HOST``).
"""

from seatrial.clouds.buckets.found import Found, look_up

__all__ = ["Found", "look_up"]
