"""The model registry's HTTP side: moto keeps the versions; each change of one is an event, as on AWS.

Where moto forgets what an update does not mention, and makes two versions of one ClientToken, this does as AWS does.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.responses import SageMakerResponse

from seatrial.rehearsal.aws.events import sagemaker_event
from seatrial.rehearsal.aws.listing import ListOperations
from seatrial.rehearsal.aws.operations import executed
from seatrial.rehearsal.aws.refusals import Refused, invalid
from seatrial.rehearsal.aws.world import World

_DELETED = "Deleted"
_TOLD = (
    "ModelPackageGroupName",
    "ModelPackageName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "CustomerMetadataProperties",
)


class RegistryOperations(ListOperations):
    """Groups, versions and their approval."""

    world: ClassVar[World]

    def create_model_package_group(self) -> Any:
        """Remember a group, once."""
        group = self.sagemaker_backend.model_package_groups.get(self.params["ModelPackageGroupName"])
        if group is not None:
            raise invalid(f"Model Package Group already exists: {group.arn}")
        return super().create_model_package_group()

    @executed
    def delete_model_package_group(self) -> Any:
        """Forget a group that holds no versions."""
        packages, name = self.sagemaker_backend.model_packages, self.params["ModelPackageGroupName"].rpartition("/")[2]
        group = self.sagemaker_backend.describe_model_package_group(name)
        versions = [each for each in packages.values() if each.model_package_group_name == name]
        held = sum(each.model_package_status != _DELETED for each in versions)
        if held:
            raise Refused("ConflictException", f"{group.arn} cannot be deleted: it holds {held} model package(s)")
        for each in versions:
            del packages[each.arn]
        del self.sagemaker_backend.model_package_groups[name]
        return EmptyResult()

    def put_model_package_group_policy(self) -> Any:
        """Remember who else may read a group."""
        group = self._group()
        try:
            json.loads(self.params["ResourcePolicy"])
        except ValueError as unreadable:
            raise invalid(f"Invalid resource policy for {group.arn}: {unreadable}") from unreadable
        group.resource_policy = self.params["ResourcePolicy"]
        return ActionResult({"ModelPackageGroupArn": group.arn})

    def get_model_package_group_policy(self) -> Any:
        """The policy, as it was put."""
        return ActionResult({"ResourcePolicy": self._policy_of(self._group())})

    def delete_model_package_group_policy(self) -> Any:
        """Forget the policy."""
        group = self._group()
        self._policy_of(group)
        del group.resource_policy
        return EmptyResult()

    def _group(self) -> Any:
        return self.sagemaker_backend.describe_model_package_group(self.params["ModelPackageGroupName"])

    @staticmethod
    def _policy_of(group: Any) -> str:
        policy: str | None = getattr(group, "resource_policy", None)
        if policy is None:
            raise invalid(f"Cannot find resource policy for model package group {group.arn}.")
        return policy

    @executed
    def delete_model_package(self) -> Any:
        """Forget a version. Its record stays behind the scenes: moto counts records to number the next version."""
        package = self._package(self.params["ModelPackageName"])
        package.model_package_status = _DELETED
        self._tell(package.arn)
        return EmptyResult()

    def _package(self, name: str) -> Any:
        backend = self.sagemaker_backend
        arn = name if ":" in name else f"arn:aws:sagemaker:{self.region}:{self.current_account}:model-package/{name}"
        package = backend.model_packages.get(backend.model_package_name_mapping.get(name, name))
        if package is None or package.model_package_status == _DELETED:
            raise invalid(f"ModelPackage {arn} does not exist.")
        return package

    def describe_model_package(self) -> Any:
        """One version, as it is now."""
        self._package(self.params["ModelPackageName"])
        return super().describe_model_package()

    def list_model_packages(self) -> Any:
        """The versions that have not been deleted."""
        return self._listed("list_model_packages", self._kept_packages)

    def _kept_packages(self) -> Any:
        answer = SageMakerResponse.list_model_packages(self)
        summaries = answer.result["ModelPackageSummaryList"]
        answer.result["ModelPackageSummaryList"] = [e for e in summaries if e["ModelPackageStatus"] != _DELETED]
        return answer

    def search(self) -> Any:
        """moto's, without the versions that have been deleted."""
        answer = super().search()
        results = answer.result["Results"]
        answer.result["Results"] = [
            each for each in results if each.get("ModelPackage", {}).get("ModelPackageStatus") != _DELETED
        ]
        return answer

    @executed
    def create_model_package(self) -> Any:
        """Add a version, and say so. The same ClientToken again means the same request, sent twice."""
        token = self.params.get("ClientToken")
        known = self.sagemaker_backend.model_packages.values()
        group = self.params.get("ModelPackageGroupName")
        twin = next(
            (p for p in known if token and (p.client_token, p.model_package_group_name) == (token, group)), None
        )
        if twin is not None:
            return ActionResult({"ModelPackageArn": twin.arn})
        answer = super().create_model_package()
        self._tell(answer.result["ModelPackageArn"])
        return answer

    @executed
    def update_model_package(self) -> Any:
        """Approve, reject or annotate a version. What is left out stays; every update is an event that says of what."""
        package = self._package(self.params["ModelPackageArn"])
        changed = sorted(set(self.params) - {"ModelPackageArn"})
        self.params.setdefault("ModelApprovalStatus", package.model_approval_status)
        self.params.setdefault("ApprovalDescription", package.approval_description)
        properties = self.params.get("CustomerMetadataProperties") or {}
        self.params["CustomerMetadataProperties"] = {**(package.customer_metadata_properties or {}), **properties}
        answer = super().update_model_package()
        self._tell(answer.result["ModelPackageArn"], UpdatedModelPackageFields=changed)
        return answer

    def _tell(self, arn: str, **more: Any) -> None:
        said = self.sagemaker_backend.describe_model_package(model_package_name=arn).gen_response_object()
        detail = {key: said[key] for key in _TOLD if said.get(key) is not None} | more
        self.world.events.put(sagemaker_event("SageMaker Model Package State Change", arn=arn, detail=detail))
