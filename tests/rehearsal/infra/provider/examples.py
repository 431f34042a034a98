"""For each resource type one full program's worth of properties, and what of them is then changed in place."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from seatrial.rehearsal.infra.provider.base import Props
from tests.rehearsal.infra.provider.conftest import Cloud


@dataclass(frozen=True)
class Example:
    token: str
    inputs: Callable[[Cloud], Props]
    changes: dict[str, Any] = field(default_factory=dict)
    """Property -> its next value, or a function of the cloud that gives it. None takes it away."""


def policy(*actions: str, resource: str = "*", **more: Any) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _bucket_policy(cloud: Cloud) -> Props:
    bucket = cloud.bucket()
    deny = {"Condition": {"Bool": {"aws:SecureTransport": "false"}}, "Principal": "*", "Effect": "Deny"}
    text = policy("s3:*", resource=f"arn:aws:s3:::{bucket}/*", **deny)
    return {"bucket": bucket, "policy": text}


def _log_bucket(cloud: Cloud) -> str:
    bucket = cloud.bucket()
    service = {"Principal": {"Service": "logging.s3.amazonaws.com"}}
    text = policy("s3:PutObject", resource=f"arn:aws:s3:::{bucket}/*", **service)
    cloud.made("aws:s3/bucketPolicy:BucketPolicy", bucket=bucket, policy=text)
    return bucket


def _encrypted(algorithm: str, key: str, bucket_key: bool) -> list[Props]:
    return [
        {
            "applyServerSideEncryptionByDefault": {"sseAlgorithm": algorithm, "kmsMasterKeyId": key},
            "bucketKeyEnabled": bucket_key,
        }
    ]


_RULES = [
    {
        "id": "all",
        "status": "Enabled",
        "filter": {},
        "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7.0},
        "noncurrentVersionExpiration": {"noncurrentDays": 30.0},
        "noncurrentVersionTransitions": [
            {"noncurrentDays": 10.0, "newerNoncurrentVersions": 2.0, "storageClass": "STANDARD_IA"}
        ],
    },
    {
        "id": "scratch",
        "status": "Disabled",
        "filter": {"prefix": "scratch/"},
        "expiration": {"days": 14.0},
        "transitions": [{"days": 3.0, "storageClass": "GLACIER"}],
    },
    {
        "id": "tagged",
        "status": "Enabled",
        "filter": {"tag": {"key": "kept", "value": "no"}},
        "expiration": {"days": 1.0},
    },
    {
        "id": "both",
        "status": "Enabled",
        "filter": {"and": {"prefix": "a/", "tags": {"kept": "no"}}},
        "expiration": {"expiredObjectDeleteMarker": True},
    },
]

S3 = (
    Example(
        "aws:s3/bucket:Bucket",
        lambda _: {"bucket": "trial-full", "forceDestroy": True, "tags": {"owner": "trial"}},
        {"tags": {"owner": "others", "cost": "7"}},
    ),
    Example(
        "aws:s3/bucketVersioning:BucketVersioning",
        lambda cloud: {"bucket": cloud.bucket(), "versioningConfiguration": {"status": "Enabled"}},
    ),
    Example(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        lambda cloud: {"bucket": cloud.bucket(), "rules": _encrypted("aws:kms", cloud.key(), True)},
        {"rules": lambda cloud: _encrypted("aws:kms:dsse", cloud.key(), False)},
    ),
    Example(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        lambda cloud: {
            "bucket": cloud.bucket(),
            "blockPublicAcls": True,
            "blockPublicPolicy": True,
            "ignorePublicAcls": True,
            "restrictPublicBuckets": True,
        },
        {
            "blockPublicAcls": False,
            "blockPublicPolicy": False,
            "ignorePublicAcls": False,
            "restrictPublicBuckets": False,
        },
    ),
    Example(
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        lambda cloud: {"bucket": cloud.bucket(), "rule": {"objectOwnership": "BucketOwnerEnforced"}},
        {"rule": {"objectOwnership": "BucketOwnerPreferred"}},
    ),
    Example(
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        lambda cloud: {"bucket": cloud.bucket(), "rules": _RULES},
        {"rules": _RULES[:1]},
    ),
    Example(
        "aws:s3/bucketLogging:BucketLogging",
        lambda cloud: {
            "bucket": cloud.bucket(),
            "targetBucket": _log_bucket(cloud),
            "targetPrefix": "access/",
        },
        {"targetBucket": _log_bucket, "targetPrefix": "a/"},
    ),
    Example(
        "aws:s3/bucketPolicy:BucketPolicy",
        _bucket_policy,
        {"policy": policy("s3:GetObject", resource="arn:aws:s3:::trial/*", Principal="*")},
    ),
)

KMS = (
    Example(
        "aws:kms/key:Key",
        lambda _: {
            "description": "artifacts",
            "policy": policy("kms:*", Principal={"AWS": "arn:aws:iam::123456789012:root"}),
            "enableKeyRotation": True,
            "deletionWindowInDays": 7.0,
            "tags": {"owner": "trial", "stage": "dev"},
        },
        {
            "description": None,
            "policy": policy("kms:*", "kms:Get*", Principal={"AWS": "arn:aws:iam::123456789012:root"}),
            "enableKeyRotation": False,
            "tags": {"owner": "others"},
        },
    ),
    Example(
        "aws:kms/alias:Alias",
        lambda cloud: {"name": "alias/trial", "targetKeyId": cloud.key()},
        {"targetKeyId": lambda cloud: cloud.key()},
    ),
)

EXAMPLES = (*S3, *KMS)
