"""A bucket's own policy: conditions are heeded, and everybody is told from somebody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from seatrial.rehearsal.aws import OfflineAws

BUCKET = "trial-policies"


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    with OfflineAws() as aws:
        client = boto3.client("s3", **aws.client_settings())
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="a", Body=b"1")
        yield client


def put(s3: Any, **statement: Any) -> None:
    told = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{BUCKET}/*", **statement}
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [told]}))


@pytest.mark.parametrize(
    "statement",
    [
        {"Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        {"Action": "s3:PutObject"},
        {"Resource": f"arn:aws:s3:::{BUCKET}/b*"},
        {"Principal": {"AWS": "arn:aws:iam::123456789012:role/somebody"}},
    ],
    ids=["clear text alone", "another action", "another object", "somebody else"],
)
def test_what_a_policy_is_not_about_is_allowed(s3: Any, statement: dict[str, Any]) -> None:
    put(s3, **statement)
    assert s3.get_object(Bucket=BUCKET, Key="a")["Body"].read() == b"1"


@pytest.mark.parametrize(
    "statement",
    [
        {},
        {"Principal": {"AWS": "*"}},
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        {"Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}},
        {"Condition": {"Phase": {"aws:Moon": "full"}}},
    ],
    ids=["all", "everybody", "this connection", "not from there", "an operator that is not understood"],
)
def test_what_a_policy_denies_is_refused(s3: Any, statement: dict[str, Any]) -> None:
    put(s3, **statement)
    with pytest.raises(ClientError, match=r"AccessDenied|403|Forbidden"):
        s3.get_object(Bucket=BUCKET, Key="a")
