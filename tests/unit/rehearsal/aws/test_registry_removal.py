"""Versions and their groups can be removed, and a number means one version for good."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.rehearsal.aws.test_events import _version


def _numbers(bench: Any, group: str) -> list[int]:
    listed = bench.sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    return sorted(each["ModelPackageVersion"] for each in listed)


def test_a_number_is_not_given_twice(bench: Any) -> None:
    bench.sagemaker.create_model_package_group(ModelPackageGroupName="numbered")
    first, second = _version(bench, "numbered"), _version(bench, "numbered")
    bench.sagemaker.delete_model_package(ModelPackageName=first)
    third = _version(bench, "numbered")
    assert third.endswith("/numbered/3")
    assert _numbers(bench, "numbered") == [2, 3]
    assert bench.sagemaker.describe_model_package(ModelPackageName=second)["ModelPackageVersion"] == 2
    with pytest.raises(ClientError, match="not found"):
        bench.sagemaker.describe_model_package(ModelPackageName=first)
    with pytest.raises(ClientError, match="not found"):
        bench.sagemaker.delete_model_package(ModelPackageName=first)


def test_a_group_goes_when_it_is_empty(bench: Any) -> None:
    bench.sagemaker.create_model_package_group(ModelPackageGroupName="passing")
    arn = _version(bench, "passing")
    with pytest.raises(ClientError, match=r"ConflictException.*it holds 1 model package"):
        bench.sagemaker.delete_model_package_group(ModelPackageGroupName="passing")
    bench.sagemaker.delete_model_package(ModelPackageName=arn)
    bench.sagemaker.delete_model_package_group(ModelPackageGroupName="passing")
    with pytest.raises(ClientError, match="does not exist"):
        bench.sagemaker.describe_model_package_group(ModelPackageGroupName="passing")
