"""Which permissions S3's operations take, and the keys that encrypted objects take besides."""

from __future__ import annotations

from typing import Any

from seatrial.rehearsal.aws.asked import Asked
from seatrial.rehearsal.aws.iam.authority import Need
from seatrial.rehearsal.aws.iam.conditions import Context

_OBJECT = {
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "DeleteObject": "s3:DeleteObject",
}
_BUCKET = {"ListObjectsV2": "s3:ListBucket", "ListObjects": "s3:ListBucket", "HeadBucket": "s3:ListBucket"}
_READS = ("GetObject", "HeadObject")
_WRITES = ("PutObject", "CreateMultipartUpload")


def needs(asked: Asked) -> list[Need] | None:
    """What a request takes; None: nobody wrote that down."""
    bucket, key = asked.parameters["Bucket"], asked.parameters["Key"]
    if asked.operation in _BUCKET:
        listed = asked.operation != "HeadBucket"
        context = {"s3:prefix": asked.query.get("prefix", "")} if listed else {}
        return [Need(_BUCKET[asked.operation], _bucket(bucket), context)]
    action = _OBJECT.get(asked.operation)
    if action is None:
        return None
    found = [Need(action, f"{_bucket(bucket)}/{key}")]
    if asked.operation in _WRITES:
        found += _encrypts(asked, bucket)
        if "x-amz-copy-source" in asked.headers:
            return None
    if asked.operation in _READS:
        found += _decrypts(asked, bucket, key)
    return found


def listing(asked: Asked) -> Need | None:
    """What decides whether S3 says that an object is missing, or only that access is denied; None: it is there."""
    bucket, key = asked.parameters["Bucket"], asked.parameters["Key"]
    if asked.operation not in _READS or _stored(bucket, key) is not None:
        return None
    return Need("s3:ListBucket", _bucket(bucket))


def _bucket(name: str) -> str:
    return f"arn:aws:s3:::{name}"


def _encrypts(asked: Asked, bucket: str) -> list[Need]:
    key = asked.headers.get("x-amz-server-side-encryption-aws-kms-key-id") or _default_key(bucket)
    return [Need("kms:GenerateDataKey", key, _via(asked))] if key.startswith("arn:") else []


def _decrypts(asked: Asked, bucket: str, key: str) -> list[Need]:
    stored = _stored(bucket, key)
    used = str(getattr(stored, "kms_key_id", None) or "")
    return [Need("kms:Decrypt", used, _via(asked))] if used.startswith("arn:") else []


def _via(asked: Asked) -> Context:
    return {"kms:ViaService": f"s3.{asked.region}.amazonaws.com"}


def _stored(bucket: str, key: str) -> Any:
    found = _moto_bucket(bucket)
    return None if found is None else found.keys.get(key)


def _default_key(bucket: str) -> str:
    rules = (getattr(_moto_bucket(bucket), "encryption", None) or {}).get("Rule", [])
    for rule in rules if isinstance(rules, list) else [rules]:
        default = rule.get("ApplyServerSideEncryptionByDefault", {})
        if default.get("KMSMasterKeyID"):
            return str(default["KMSMasterKeyID"])
    return ""


def _moto_bucket(name: str) -> Any:
    from moto.s3.models import s3_backends

    buckets = (backend.buckets.get(name) for account in s3_backends.values() for backend in account.values())
    return next((each for each in buckets if each is not None), None)
