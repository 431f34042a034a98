"""Repositories of images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from seatrial.rehearsal.infra.provider.base import Props
from seatrial.rehearsal.infra.provider.forms import DOCUMENT, TAGS, Block, Field, Fields, Only
from seatrial.rehearsal.infra.provider.resource import Change, Known, ResourceType, Tagging

_TAGGING = Tagging(
    "ecr", ("ListTagsForResource", "tags"), "TagResource", "UntagResource", "resourceArn", "tags", "tagKeys"
)
_GONE = ("RepositoryNotFoundException",)
_ENCRYPTION = Block({"encryptionType": Field("encryptionType", default="AES256"), "kmsKey": Field("kmsKey")})


class Repository(ResourceType):
    """A repository; its name is its id."""

    type: ClassVar[str] = "aws:ecr/repository:Repository"
    service: ClassVar[str] = "ecr"
    creates: ClassVar[str] = "CreateRepository"
    identity: ClassVar[tuple[str, ...]] = ("name",)
    named: ClassVar[str] = "name"
    gone: ClassVar[tuple[str, ...]] = _GONE
    fields: ClassVar[Fields] = {
        "name": Field("repositoryName", replaces=True),
        "imageTagMutability": Field("imageTagMutability", default="MUTABLE"),
        "imageScanningConfiguration": Field(
            "imageScanningConfiguration", Block({"scanOnPush": Field("scanOnPush", required=True)}), computed=True
        ),
        "encryptionConfigurations": Field(
            "encryptionConfiguration", Only(_ENCRYPTION, program_list=True), replaces=True, computed=True
        ),
        "forceDelete": Field(local="says whether a deletion takes the images with it", default=False),
        "arn": Field("repositoryArn", output=True),
        "registryId": Field("registryId", output=True),
        "repositoryUrl": Field("repositoryUri", output=True),
        "tags": Field("tags", TAGS["tags"].form),
        "tagsAll": TAGS["tagsAll"],
    }

    def create(self, inputs: Props) -> str:
        """Make it."""
        return str(self.send(inputs)["repository"]["repositoryName"])

    def find(self, id: str) -> Props | None:
        """The repository and its tags."""
        answer = self.ask("DescribeRepositories", repositoryNames=[id])
        if answer is None:
            return None
        found: dict[str, Any] = answer["repositories"][0]
        return self.told(found | {"tags": self._tags(found["repositoryArn"])})

    def _tags(self, arn: str) -> Any:
        return self.call("ListTagsForResource", resourceArn=arn)["tags"]

    def update(self, change: Change) -> None:
        """Each property has an operation of its own."""
        id, inputs, changed = change.id, change.inputs, change.properties
        if "imageTagMutability" in changed:
            mutability = inputs["imageTagMutability"]
            self.call("PutImageTagMutability", repositoryName=id, imageTagMutability=mutability)
        if "imageScanningConfiguration" in changed:
            scanning = inputs["imageScanningConfiguration"]
            self.call("PutImageScanningConfiguration", repositoryName=id, imageScanningConfiguration=scanning)
        if "tags" in changed:
            arn = self.call("DescribeRepositories", repositoryNames=[id])["repositories"][0]["repositoryArn"]
            _TAGGING.put(self.session, arn, inputs.get("tags"))

    def delete(self, known: Known) -> None:
        """Delete it; with its images only where ``forceDelete`` says so."""
        self.call("DeleteRepository", repositoryName=known.id, force=bool(known.outputs.get("forceDelete")))

    def ids(self) -> Iterable[str]:
        """Every repository."""
        return [each["repositoryName"] for each in self.session.pages("ecr", "DescribeRepositories", "repositories")]


class LifecyclePolicy(ResourceType):
    """Which images go by themselves. Its id is the repository's name."""

    type: ClassVar[str] = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
    service: ClassVar[str] = "ecr"
    creates: ClassVar[str] = "PutLifecyclePolicy"
    identity: ClassVar[tuple[str, ...]] = ("repository",)
    gone: ClassVar[tuple[str, ...]] = (*_GONE, "LifecyclePolicyNotFoundException")
    fields: ClassVar[Fields] = {
        "repository": Field("repositoryName", replaces=True, required=True),
        "policy": Field("lifecyclePolicyText", DOCUMENT, required=True),
        "registryId": Field("registryId", output=True),
    }

    def create(self, inputs: Props) -> str:
        """Put it."""
        return str(self.send(inputs)["repositoryName"])

    def find(self, id: str) -> Props | None:
        """The document."""
        answer = self.ask("GetLifecyclePolicy", repositoryName=id)
        return None if answer is None else self.told(answer)

    def update(self, change: Change) -> None:
        """Put it again."""
        self.send(change.inputs)

    def delete(self, known: Known) -> None:
        """Take it away."""
        self.call("DeleteLifecyclePolicy", repositoryName=known.id)

    def ids(self) -> Iterator[str]:
        """The repositories that have one."""
        for each in self.session.pages("ecr", "DescribeRepositories", "repositories"):
            if self.find(each["repositoryName"]) is not None:
                yield each["repositoryName"]


TYPES = (Repository, LifecyclePolicy)
