"""Settings of buckets, each a resource of its own whose id is the bucket's name."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from seatrial.rehearsal.infra.provider.base import UNKNOWN, Props
from seatrial.rehearsal.infra.provider.fields import Block, Field, Fields
from seatrial.rehearsal.infra.provider.forms import POLICY, Many, Only, Pairs
from seatrial.rehearsal.infra.provider.resource import Change, Known, ResourceType


class _Setting(ResourceType):
    """One setting of a bucket: a Put, a Get and a Delete."""

    service: ClassVar[str] = "s3"
    identity: ClassVar[tuple[str, ...]] = ("bucket",)
    reads: ClassVar[str]
    deletes: ClassVar[str]
    unset: ClassVar[str]
    """The code by which Get says that the bucket has no such setting."""

    @abstractmethod
    def from_answer(self, answer: dict[str, Any]) -> Props | None:
        """The answer of Get under the program's names; None for what a bucket has from the start."""

    def create(self, inputs: Props) -> str:
        """Put it."""
        self.send(inputs)
        return str(inputs["bucket"])

    def find(self, id: str) -> Props | None:
        """Get it."""
        answer = self.session.ask("s3", self.reads, (self.unset, "NoSuchBucket"), Bucket=id)
        found = None if answer is None else self.from_answer(answer)
        return None if found is None else {**found, "bucket": id}

    def update(self, change: Change) -> None:
        """Put it again."""
        self.send(change.inputs)

    gone: ClassVar[tuple[str, ...]] = ("NoSuchBucket",)

    def delete(self, known: Known) -> None:
        """Take it away."""
        self.call(self.deletes, Bucket=known.id)

    def ids(self) -> Iterable[str]:
        """The buckets that have it."""
        buckets = [each["Name"] for each in self.call("ListBuckets").get("Buckets", ())]
        return [each for each in buckets if self.find(each) is not None]


_BUCKET = Field(replaces=True, required=True)


class Versioning(_Setting):
    """Versions, which cannot be given up again: deleting the setting suspends them."""

    type: ClassVar[str] = "aws:s3/bucketVersioning:BucketVersioning"
    creates: ClassVar[str] = "PutBucketVersioning"
    reads: ClassVar[str] = "GetBucketVersioning"
    unset: ClassVar[str] = ""
    fields: ClassVar[Fields] = {
        "bucket": _BUCKET,
        "versioningConfiguration": Field(form=Block({"status": Field(required=True)}), required=True),
    }

    def problems(self, inputs: Props) -> Iterator[str]:
        """What cannot be told from a deleted setting."""
        if inputs["versioningConfiguration"] != UNKNOWN:
            status = inputs["versioningConfiguration"]["status"]
            if status not in ("Enabled", UNKNOWN):
                yield f"versioningConfiguration.status: '{status}' is not applied by the rehearsal, only 'Enabled' is"

    def from_answer(self, answer: dict[str, Any]) -> Props | None:
        """Suspended is what is left of a deleted setting."""
        if answer.get("Status") != "Enabled":
            return None
        return {"versioningConfiguration": self.fields["versioningConfiguration"].form.to_program(answer)}

    def delete(self, known: Known) -> None:
        """Suspend them."""
        self.call(self.creates, Bucket=known.id, VersioningConfiguration={"Status": "Suspended"})


_ENCRYPTION = Many(
    Block(
        {
            "applyServerSideEncryptionByDefault": Field(
                form=Block(
                    {"sseAlgorithm": Field("SSEAlgorithm", required=True), "kmsMasterKeyId": Field("KMSMasterKeyID")}
                )
            ),
            "bucketKeyEnabled": Field(default=False),
        }
    )
)


class Encryption(_Setting):
    """What new objects are encrypted with."""

    type: ClassVar[str] = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    creates: ClassVar[str] = "PutBucketEncryption"
    reads: ClassVar[str] = "GetBucketEncryption"
    deletes: ClassVar[str] = "DeleteBucketEncryption"
    unset: ClassVar[str] = "ServerSideEncryptionConfigurationNotFoundError"
    fields: ClassVar[Fields] = {"bucket": _BUCKET, "rules": Field(form=_ENCRYPTION, required=True)}

    def request(self, inputs: Props) -> dict[str, Any]:
        """The rules lie one level deeper."""
        rules = _ENCRYPTION.to_cloud(inputs["rules"])
        return {"Bucket": inputs["bucket"], "ServerSideEncryptionConfiguration": {"Rules": rules}}

    def from_answer(self, answer: dict[str, Any]) -> Props | None:
        """The rules."""
        return {"rules": _ENCRYPTION.to_program(answer["ServerSideEncryptionConfiguration"]["Rules"])}


_BLOCKED = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


class PublicAccessBlock(_Setting):
    """Four refusals of public access."""

    type: ClassVar[str] = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    creates: ClassVar[str] = "PutPublicAccessBlock"
    reads: ClassVar[str] = "GetPublicAccessBlock"
    deletes: ClassVar[str] = "DeletePublicAccessBlock"
    unset: ClassVar[str] = "NoSuchPublicAccessBlockConfiguration"
    fields: ClassVar[Fields] = {"bucket": _BUCKET, **{each: Field(default=False) for each in _BLOCKED}}

    def request(self, inputs: Props) -> dict[str, Any]:
        """All four lie one level deeper."""
        blocked = {self.fields[each].called(each): inputs.get(each, False) for each in _BLOCKED}
        return {"Bucket": inputs["bucket"], "PublicAccessBlockConfiguration": blocked}

    def from_answer(self, answer: dict[str, Any]) -> Props | None:
        """All four."""
        return self.told(answer["PublicAccessBlockConfiguration"])


_OWNERSHIP = Block({"objectOwnership": Field(required=True)})


class OwnershipControls(_Setting):
    """Who owns what others put into the bucket."""

    type: ClassVar[str] = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
    creates: ClassVar[str] = "PutBucketOwnershipControls"
    reads: ClassVar[str] = "GetBucketOwnershipControls"
    deletes: ClassVar[str] = "DeleteBucketOwnershipControls"
    unset: ClassVar[str] = "OwnershipControlsNotFoundError"
    fields: ClassVar[Fields] = {"bucket": _BUCKET, "rule": Field(form=Only(_OWNERSHIP), required=True)}

    def request(self, inputs: Props) -> dict[str, Any]:
        """One rule."""
        return {
            "Bucket": inputs["bucket"],
            "OwnershipControls": {"Rules": self.fields["rule"].form.to_cloud(inputs["rule"])},
        }

    def from_answer(self, answer: dict[str, Any]) -> Props | None:
        """One rule."""
        return {"rule": self.fields["rule"].form.to_program(answer["OwnershipControls"]["Rules"])}


_TAG = Block({"key": Field(required=True), "value": Field(required=True)})
_AND = Block({"prefix": Field(default=""), "tags": Field(form=Pairs())})
_NONCURRENT = {"noncurrentDays": Field(required=True)}
_MOVED = {**_NONCURRENT, "newerNoncurrentVersions": Field(), "storageClass": Field(required=True)}
_RULE = Block(
    {
        "id": Field("ID", required=True),
        "status": Field(required=True),
        "filter": Field(
            form=Block({"prefix": Field(default=""), "tag": Field(form=_TAG), "and": Field(form=_AND)}), default={}
        ),
        "expiration": Field(form=Block({"days": Field(), "expiredObjectDeleteMarker": Field(default=False)})),
        "noncurrentVersionExpiration": Field(form=Block(_NONCURRENT)),
        "abortIncompleteMultipartUpload": Field(form=Block({"daysAfterInitiation": Field(required=True)})),
        "transitions": Field(form=Many(Block({"days": Field(), "storageClass": Field(required=True)}))),
        "noncurrentVersionTransitions": Field(form=Many(Block(_MOVED))),
    }
)


class LifecycleConfiguration(_Setting):
    """When objects move, and when they go."""

    type: ClassVar[str] = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    creates: ClassVar[str] = "PutBucketLifecycleConfiguration"
    reads: ClassVar[str] = "GetBucketLifecycleConfiguration"
    deletes: ClassVar[str] = "DeleteBucketLifecycle"
    unset: ClassVar[str] = "NoSuchLifecycleConfiguration"
    fields: ClassVar[Fields] = {"bucket": _BUCKET, "rules": Field(form=Many(_RULE), required=True)}

    def request(self, inputs: Props) -> dict[str, Any]:
        """The rules lie one level deeper; one without a filter is for all objects."""
        rules = self.fields["rules"].form.to_cloud(inputs["rules"])
        if isinstance(rules, list):
            rules = [{"Filter": {"Prefix": ""}} | each if isinstance(each, dict) else each for each in rules]
        return {"Bucket": inputs["bucket"], "LifecycleConfiguration": {"Rules": rules}}

    def from_answer(self, answer: dict[str, Any]) -> Props | None:
        """The rules."""
        return {"rules": self.fields["rules"].form.to_program(answer["Rules"])}


class Logging(_Setting):
    """Where the log of requests goes."""

    type: ClassVar[str] = "aws:s3/bucketLogging:BucketLogging"
    creates: ClassVar[str] = "PutBucketLogging"
    reads: ClassVar[str] = "GetBucketLogging"
    unset: ClassVar[str] = ""
    fields: ClassVar[Fields] = {
        "bucket": _BUCKET,
        "targetBucket": Field(required=True),
        "targetPrefix": Field(required=True),
    }

    def request(self, inputs: Props) -> dict[str, Any]:
        """All but the bucket lies one level deeper."""
        enabled = super().request(inputs)
        return {"Bucket": enabled.pop("Bucket"), "BucketLoggingStatus": {"LoggingEnabled": enabled}}

    def from_answer(self, answer: dict[str, Any]) -> Props | None:
        """The target, if there is one."""
        return self.told(answer["LoggingEnabled"]) if answer.get("LoggingEnabled") else None

    def delete(self, known: Known) -> None:
        """An empty status ends it."""
        self.call(self.creates, Bucket=known.id, BucketLoggingStatus={})


class Policy(_Setting):
    """Who may do what with the bucket."""

    type: ClassVar[str] = "aws:s3/bucketPolicy:BucketPolicy"
    creates: ClassVar[str] = "PutBucketPolicy"
    reads: ClassVar[str] = "GetBucketPolicy"
    deletes: ClassVar[str] = "DeleteBucketPolicy"
    unset: ClassVar[str] = "NoSuchBucketPolicy"
    fields: ClassVar[Fields] = {"bucket": _BUCKET, "policy": Field(form=POLICY, required=True)}

    def from_answer(self, answer: dict[str, Any]) -> Props | None:
        """The document."""
        return {"policy": answer["Policy"]}


TYPES = (
    Versioning,
    Encryption,
    PublicAccessBlock,
    OwnershipControls,
    LifecycleConfiguration,
    Logging,
    Policy,
)
