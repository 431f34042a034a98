"""The model registry's HTTP side: moto keeps the versions; each change of one is an event, as on AWS."""

from __future__ import annotations

from typing import Any, ClassVar

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


class RegistryOperations(SageMakerResponse):  # type: ignore[misc]  # moto counts as Any
    """Creating a version and changing its approval."""

    world: ClassVar[World]

    @executed
    def create_model_package(self) -> Any:
        """Add a version, and say so."""
        answer = super().create_model_package()
        self._tell(answer.result["ModelPackageArn"])
        return answer

    @executed
    def update_model_package(self) -> Any:
        """Approve, reject or annotate a version, and say so."""
        answer = super().update_model_package()
        self._tell(answer.result["ModelPackageArn"])
        return answer

    def _tell(self, arn: str) -> None:
        said = self.sagemaker_backend.describe_model_package(model_package_name=arn).gen_response_object()
        detail = {key: said[key] for key in _TOLD if said.get(key) is not None}
        self.world.events.put(sagemaker_event("SageMaker Model Package State Change", arn=arn, detail=detail))
