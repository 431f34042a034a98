"""The model registry's HTTP side: moto keeps the versions; each change of one is an event, as on AWS.

Where moto forgets what an update does not mention, and makes two versions of one ClientToken, this does as AWS does.
"""

from __future__ import annotations

import threading
from typing import Any, ClassVar

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.responses import SageMakerResponse

from seatrial.rehearsal.aws.events import sagemaker_event
from seatrial.rehearsal.aws.operations import executed
from seatrial.rehearsal.aws.refusals import Refused
from seatrial.rehearsal.aws.world import World

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

_one_at_a_time = threading.Lock()


class RegistryOperations(SageMakerResponse):  # type: ignore[misc]  # moto counts as Any
    """Creating a version, changing its approval, and removing it."""

    world: ClassVar[World]

    @executed
    def create_model_package(self) -> Any:
        """Add a version, and say so. The same ClientToken again means the same request, sent twice.

        Numbers count on over versions that were deleted; moto would give them again.
        """
        token = self.params.get("ClientToken")
        name = self.params.get("ModelPackageGroupName")
        with _one_at_a_time:
            before = dict(self.sagemaker_backend.model_packages)
            twin = next(
                (p for p in before.values() if token and (p.client_token, p.model_package_group_name) == (token, name)),
                None,
            )
            if twin is not None:
                return ActionResult({"ModelPackageArn": twin.arn})
            answer = super().create_model_package()
            group = self.sagemaker_backend.model_package_groups.get(name)
            if group is not None:
                group.last_version = getattr(group, "last_version", 0) + 1
                answer.result["ModelPackageArn"] = self._renumber(before, answer.result["ModelPackageArn"], group)
        self._tell(answer.result["ModelPackageArn"])
        return answer

    def _renumber(self, before: dict[str, Any], arn: str, group: Any) -> str:
        backend = self.sagemaker_backend
        made = backend.model_packages[arn]
        if made.model_package_version != group.last_version:
            backend.model_packages = before  # with the version whose place the new one took
            made.model_package_version = group.last_version
            made.arn = f"{arn.rpartition('/')[0]}/{group.last_version}"
            backend.model_packages[made.arn] = made
            backend.model_package_name_mapping[made.arn] = made.arn
        return str(made.arn)

    @executed
    def update_model_package(self) -> Any:
        """Approve, reject or annotate a version. What is left out stays; a new approval status is an event."""
        package = self.sagemaker_backend.model_packages.get(self.params["ModelPackageArn"])
        before = None if package is None else package.model_approval_status
        if package is not None:
            self.params.setdefault("ModelApprovalStatus", package.model_approval_status)
            self.params.setdefault("ApprovalDescription", package.approval_description)
            properties = self.params.get("CustomerMetadataProperties") or {}
            self.params["CustomerMetadataProperties"] = {**(package.customer_metadata_properties or {}), **properties}
        answer = super().update_model_package()
        if self.params.get("ModelApprovalStatus") != before:
            self._tell(answer.result["ModelPackageArn"])
        return answer

    @executed
    def delete_model_package(self) -> Any:
        """Remove a version."""
        backend, name = self.sagemaker_backend, self.params["ModelPackageName"]
        found = backend.describe_model_package(model_package_name=name)
        backend.model_packages = {k: v for k, v in backend.model_packages.items() if v is not found}
        backend.model_package_name_mapping = {
            k: v for k, v in backend.model_package_name_mapping.items() if v in backend.model_packages
        }
        return EmptyResult()

    @executed
    def delete_model_package_group(self) -> Any:
        """Remove a group that holds no version any more."""
        backend, name = self.sagemaker_backend, self.params["ModelPackageGroupName"].rpartition("/")[2]
        backend.describe_model_package_group(model_package_group_name=name)
        held = sum(each.model_package_group_name == name for each in backend.model_packages.values())
        if held:
            raise Refused(
                "ConflictException",
                f"Model Package Group {name} cannot be deleted: it still contains {held} Model Package(s).",
            )
        del backend.model_package_groups[name]
        return EmptyResult()

    def _tell(self, arn: str) -> None:
        said = self.sagemaker_backend.describe_model_package(model_package_name=arn).gen_response_object()
        detail = {key: said[key] for key in _TOLD if said.get(key) is not None}
        self.world.events.put(sagemaker_event("SageMaker Model Package State Change", arn=arn, detail=detail))
