"""Groups of model versions, and who else may read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from botocore.exceptions import ClientError

from seatrial.rehearsal.infra.provider.base import Props
from seatrial.rehearsal.infra.provider.fields import TAGS, Field, Fields
from seatrial.rehearsal.infra.provider.forms import POLICY
from seatrial.rehearsal.infra.provider.resource import Change, Known, ResourceType, Tagging

_TAGGING = Tagging("sagemaker", ("ListTags", "Tags"), "AddTags", "DeleteTags", "ResourceArn")
_GROUPS = ("ListModelPackageGroups", "ModelPackageGroupSummaryList")
_ABSENT = ("does not exist", "Cannot find resource policy")


class _OfSageMaker(ResourceType):
    """SageMaker says with one code that a request is wrong and that a thing is not there."""

    service: ClassVar[str] = "sagemaker"

    def _groups(self) -> list[str]:
        return [each["ModelPackageGroupName"] for each in self.session.pages("sagemaker", *_GROUPS)]

    def _asked(self, operation: str, id: str) -> Props | None:
        try:
            return self.call(operation, ModelPackageGroupName=id)
        except ClientError as error:
            told = error.response["Error"]
            if told["Code"] == "ResourceNotFound" or any(each in told.get("Message", "") for each in _ABSENT):
                return None
            raise


class ModelPackageGroup(_OfSageMaker):
    """A group; its name is its id."""

    type: ClassVar[str] = "aws:sagemaker/modelPackageGroup:ModelPackageGroup"
    creates: ClassVar[str] = "CreateModelPackageGroup"
    identity: ClassVar[tuple[str, ...]] = ("modelPackageGroupName",)
    fields: ClassVar[Fields] = {
        "modelPackageGroupName": Field(replaces=True, required=True),
        "modelPackageGroupDescription": Field(replaces=True),
        "arn": Field("ModelPackageGroupArn", output=True),
        **TAGS,
    }

    def create(self, inputs: Props) -> str:
        """Make it."""
        self.send(inputs)
        return str(inputs["modelPackageGroupName"])

    def find(self, id: str) -> Props | None:
        """The group and its tags."""
        group = self._asked("DescribeModelPackageGroup", id)
        if group is None:
            return None
        tags = self.call("ListTags", ResourceArn=group["ModelPackageGroupArn"])["Tags"]
        return self.told(group | {"Tags": tags})

    def update(self, change: Change) -> None:
        """Its tags."""
        group = self.call("DescribeModelPackageGroup", ModelPackageGroupName=change.id)
        _TAGGING.put(self.session, group["ModelPackageGroupArn"], change.inputs.get("tags"))

    def delete(self, known: Known) -> None:
        """Delete it, if it is there; AWS refuses one that holds versions."""
        if self.find(known.id) is not None:
            self.call("DeleteModelPackageGroup", ModelPackageGroupName=known.id)

    def ids(self) -> Iterable[str]:
        """Every group."""
        return self._groups()


class ModelPackageGroupPolicy(_OfSageMaker):
    """Who of other accounts may read a group. Its id is the group's name."""

    type: ClassVar[str] = "aws:sagemaker/modelPackageGroupPolicy:ModelPackageGroupPolicy"
    creates: ClassVar[str] = "PutModelPackageGroupPolicy"
    identity: ClassVar[tuple[str, ...]] = ("modelPackageGroupName",)
    fields: ClassVar[Fields] = {
        "modelPackageGroupName": Field(replaces=True, required=True),
        "resourcePolicy": Field(form=POLICY, required=True),
    }

    def create(self, inputs: Props) -> str:
        """Put it."""
        self.send(inputs)
        return str(inputs["modelPackageGroupName"])

    def find(self, id: str) -> Props | None:
        """The document."""
        answer = self._asked("GetModelPackageGroupPolicy", id)
        return None if answer is None else self.told(answer | {"ModelPackageGroupName": id})

    def update(self, change: Change) -> None:
        """Put it again."""
        self.send(change.inputs)

    def delete(self, known: Known) -> None:
        """Take it away, if it is there."""
        if self.find(known.id) is not None:
            self.call("DeleteModelPackageGroupPolicy", ModelPackageGroupName=known.id)

    def ids(self) -> Iterator[str]:
        """The groups that have one."""
        return (each for each in self._groups() if self.find(each) is not None)


TYPES = (ModelPackageGroup, ModelPackageGroupPolicy)
