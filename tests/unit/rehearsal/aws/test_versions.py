"""The registry: names once, versions that can be deleted, numbers that are not given twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def _version(bench: Any, group: str) -> str:
    specification = {
        "Containers": [{"Image": bench.uri, "ModelDataUrl": f"s3://{bench.bucket}/model.tar.gz"}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    made = bench.sagemaker.create_model_package(ModelPackageGroupName=group, InferenceSpecification=specification)
    return str(made["ModelPackageArn"])


def test_a_group_that_exists_is_not_made_again(bench: Any) -> None:
    """moto puts an empty one in its place, and the description of the first is lost."""
    bench.sagemaker.create_model_package_group(ModelPackageGroupName="once", ModelPackageGroupDescription="first")
    with pytest.raises(ClientError, match="already exists"):
        bench.sagemaker.create_model_package_group(ModelPackageGroupName="once")
    said = bench.sagemaker.describe_model_package_group(ModelPackageGroupName="once")
    assert said["ModelPackageGroupDescription"] == "first"


def test_a_version_that_was_deleted_is_gone_and_its_number_stays_used(bench: Any) -> None:
    """Counting what is left would give version 2 to two different models."""
    bench.sagemaker.create_model_package_group(ModelPackageGroupName="numbers")
    first, second = _version(bench, "numbers"), _version(bench, "numbers")
    bench.sagemaker.delete_model_package(ModelPackageName=first)
    calls: tuple[Callable[[], Any], ...] = (
        lambda: bench.sagemaker.describe_model_package(ModelPackageName=first),
        lambda: bench.sagemaker.update_model_package(ModelPackageArn=first, ModelApprovalStatus="Approved"),
        lambda: bench.sagemaker.delete_model_package(ModelPackageName=first),
    )
    for call in calls:
        with pytest.raises(ClientError, match="does not exist"):
            call()
    third = _version(bench, "numbers")
    assert third.endswith("/3")
    listed = bench.sagemaker.list_model_packages(ModelPackageGroupName="numbers")["ModelPackageSummaryList"]
    assert [each["ModelPackageArn"] for each in listed] == [second, third]


def test_a_group_goes_only_when_it_is_empty(bench: Any) -> None:
    """And a new one of the same name counts from 1."""
    bench.sagemaker.create_model_package_group(ModelPackageGroupName="going")
    version = _version(bench, "going")
    with pytest.raises(ClientError) as refusal:
        bench.sagemaker.delete_model_package_group(ModelPackageGroupName="going")
    assert refusal.value.response["Error"]["Code"] == "ConflictException"
    bench.sagemaker.delete_model_package(ModelPackageName=version)
    bench.sagemaker.delete_model_package_group(ModelPackageGroupName="going")
    with pytest.raises(ClientError, match="does not exist"):
        bench.sagemaker.describe_model_package_group(ModelPackageGroupName="going")
    bench.sagemaker.create_model_package_group(ModelPackageGroupName="going")
    assert _version(bench, "going").endswith("/1")
