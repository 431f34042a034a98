"""What the offline AWS does for a registry as AWS does, where moto alone would not."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.racing import race
from tests.unit.rehearsal.aws.conftest import Bench


def said(outcome: list[Any]) -> list[str]:
    return sorted(o.response["Error"]["Code"] if isinstance(o, ClientError) else str(o) for o in outcome)


def put(bench: Bench, key: str, condition: dict[str, str], index: int) -> str:
    body = f"{condition} {index}".encode()  # no two the same: an entity tag is of the content
    bench.s3.put_object(Bucket=bench.bucket, Key=key, Body=body, **condition)
    return "made"


def test_a_conditional_write_happens_once(bench: Bench) -> None:
    for turn in range(5):
        key = f"conditional/{turn}"
        made = race(6, partial(put, bench, key, {"IfNoneMatch": "*"}))
        assert said(made) == ["PreconditionFailed"] * 5 + ["made"]
        etag = bench.s3.head_object(Bucket=bench.bucket, Key=key)["ETag"]
        changed = race(6, partial(put, bench, key, {"IfMatch": etag}))
        assert said(changed) == ["PreconditionFailed"] * 5 + ["made"]


@pytest.fixture
def group(bench: Bench) -> str:
    name = f"group-{time.monotonic_ns()}"
    bench.sagemaker.create_model_package_group(ModelPackageGroupName=name)
    return name


def test_one_client_token_is_one_version(bench: Bench, group: str) -> None:
    def create(token: str) -> str:
        request = {"ModelPackageGroupName": group, "ClientToken": token}
        return str(bench.sagemaker.create_model_package(**request)["ModelPackageArn"])

    same = race(5, lambda _: create("token"))
    assert len(set(same)) == 1
    others = race(5, lambda i: create(f"other-{i}"))
    assert sorted(arn.rpartition("/")[2] for arn in {*same, *others}) == ["1", "2", "3", "4", "5", "6"]


def test_an_update_keeps_what_it_does_not_mention(bench: Bench, group: str) -> None:
    arn = bench.sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelApprovalStatus="PendingManualApproval",
        CustomerMetadataProperties={"kept": "yes", "changed": "no"},
    )["ModelPackageArn"]
    bench.sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"changed": "yes"})
    bench.sagemaker.update_model_package(ModelPackageArn=arn, ApprovalDescription="seen")
    found = bench.sagemaker.describe_model_package(ModelPackageName=arn)
    assert found["ModelApprovalStatus"] == "PendingManualApproval"
    assert found["ApprovalDescription"] == "seen"
    assert found["CustomerMetadataProperties"] == {"kept": "yes", "changed": "yes"}
