"""Buckets, keys and repositories."""

from __future__ import annotations

import json

from seatrial.rehearsal.infra.provider.base import Props
from tests.rehearsal.infra.provider.conftest import Cloud
from tests.rehearsal.infra.provider.example import Example, policy


def _bucket_policy(cloud: Cloud) -> Props:
    bucket = cloud.bucket()
    deny = {"Condition": {"Bool": {"aws:SecureTransport": "false"}}, "Principal": "*", "Effect": "Deny"}
    text = policy("s3:*", resource=f"arn:aws:s3:::{bucket}/*", **deny)
    return {"bucket": bucket, "policy": text}


def _log_bucket(cloud: Cloud) -> str:
    """One that may be emptied: the offline AWS delivers access logs into it."""
    bucket = str(cloud.made("aws:s3/bucket:Bucket", forceDestroy=True)["id"])
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


def _images(days: int) -> str:
    selection = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days}
    return json.dumps({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]})


ECR = (
    Example(
        "aws:ecr/repository:Repository",
        lambda cloud: {
            "name": "trial/images",
            "imageTagMutability": "IMMUTABLE",
            "imageScanningConfiguration": {"scanOnPush": True},
            "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": cloud.key()}],
            "forceDelete": True,
            "tags": {"owner": "trial"},
        },
        {
            "imageTagMutability": "MUTABLE",
            "imageScanningConfiguration": {"scanOnPush": False},
            "tags": {"owner": "others", "a": "b"},
        },
    ),
    Example(
        "aws:ecr/lifecyclePolicy:LifecyclePolicy",
        lambda cloud: {
            "repository": cloud.made("aws:ecr/repository:Repository", name=cloud.name("images"))["id"],
            "policy": _images(7),
        },
        {"policy": _images(14)},
    ),
)
