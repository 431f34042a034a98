"""What the offline AWS does for a registry as AWS does, where moto alone would not."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.rehearsal.aws.conftest import Bench


def code_of(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def at_once(workers: int, work: Any) -> list[Any]:
    outcome: list[Any] = [None] * workers
    barrier = threading.Barrier(workers)

    def run(index: int) -> None:
        barrier.wait()
        try:
            outcome[index] = work(index)
        except ClientError as exc:
            outcome[index] = code_of(exc)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcome


def test_a_conditional_write_happens_once(bench: Bench) -> None:
    for turn in range(5):
        place = {"Bucket": bench.bucket, "Key": f"conditional/{turn}"}
        made = at_once(
            6, lambda i, place=place: bench.s3.put_object(**place, Body=b"%d" % i, IfNoneMatch="*") and "made"
        )
        assert sorted(made) == ["PreconditionFailed"] * 5 + ["made"]
        etag = bench.s3.head_object(**place)["ETag"]
        changed = at_once(6, lambda i, p=place, e=etag: bench.s3.put_object(**p, Body=b"x%d" % i, IfMatch=e) and "made")
        assert sorted(changed) == ["PreconditionFailed"] * 5 + ["made"]


@pytest.fixture
def group(bench: Bench) -> str:
    name = f"group-{time.monotonic_ns()}"
    bench.sagemaker.create_model_package_group(ModelPackageGroupName=name)
    return name


def test_one_client_token_is_one_version(bench: Bench, group: str) -> None:
    def create(token: str) -> str:
        request = {"ModelPackageGroupName": group, "ClientToken": token}
        return str(bench.sagemaker.create_model_package(**request)["ModelPackageArn"])

    same = at_once(5, lambda _: create("token"))
    assert len(set(same)) == 1
    others = at_once(5, lambda i: create(f"other-{i}"))
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
