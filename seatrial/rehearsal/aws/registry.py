"""The model registry's HTTP side: moto keeps the versions; each change of one is an event, as on AWS.

Where moto forgets what an update does not mention, and makes two versions of one ClientToken, this does as AWS does.
"""

from __future__ import annotations

import threading
from typing import Any, ClassVar

from moto.core.responses import ActionResult
from moto.sagemaker.responses import SageMakerResponse

from seatrial.rehearsal.aws.events import sagemaker_event
from seatrial.rehearsal.aws.operations import executed
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
    """Creating a version and changing its approval."""

    world: ClassVar[World]

    @executed
    def create_model_package(self) -> Any:
        """Add a version, and say so. The same ClientToken again means the same request, sent twice."""
        token = self.params.get("ClientToken")
        with _one_at_a_time:  # moto counts the versions that there are to number the next one
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
        """Approve, reject or annotate a version, and say so. What the request leaves out stays as it is."""
        package = self.sagemaker_backend.model_packages.get(self.params["ModelPackageArn"])
        if package is not None:
            self.params.setdefault("ModelApprovalStatus", package.model_approval_status)
            self.params.setdefault("ApprovalDescription", package.approval_description)
            properties = self.params.get("CustomerMetadataProperties") or {}
            self.params["CustomerMetadataProperties"] = {**(package.customer_metadata_properties or {}), **properties}
        answer = super().update_model_package()
        self._tell(answer.result["ModelPackageArn"])
        return answer

    def _tell(self, arn: str) -> None:
        said = self.sagemaker_backend.describe_model_package(model_package_name=arn).gen_response_object()
        detail = {key: said[key] for key in _TOLD if said.get(key) is not None}
        self.world.events.put(sagemaker_event("SageMaker Model Package State Change", arn=arn, detail=detail))
