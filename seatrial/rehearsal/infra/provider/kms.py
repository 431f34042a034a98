"""Keys and their aliases. A key is never deleted at once: from the day its deletion is scheduled it counts as gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from seatrial.rehearsal.infra.provider.base import UNKNOWN, Props
from seatrial.rehearsal.infra.provider.forms import DOCUMENT, Field, Fields, Map, Pairs, Reference
from seatrial.rehearsal.infra.provider.resource import Change, Known, ResourceType, Tagging

_PAIRS = Pairs("TagKey", "TagValue")
_TAGGING = Tagging("kms", ("ListResourceTags", "Tags"), "TagResource", "UntagResource", "KeyId", form=_PAIRS)
_GONE = ("PendingDeletion", "PendingReplicaDeletion")


class Key(ResourceType):
    """A key that AWS makes the material of."""

    type: ClassVar[str] = "aws:kms/key:Key"
    service: ClassVar[str] = "kms"
    creates: ClassVar[str] = "CreateKey"
    gone: ClassVar[tuple[str, ...]] = ("NotFoundException",)
    fields: ClassVar[Fields] = {
        "description": Field(),
        "policy": Field(form=DOCUMENT, computed=True),
        "tags": Field(form=_PAIRS),
        "enableKeyRotation": Field(apart=True, default=False),
        "deletionWindowInDays": Field(local="says how long a deletion waits"),
        "arn": Field(output=True),
        "keyId": Field(output=True),
        "tagsAll": Field(output=True, form=Map()),
    }

    def problems(self, inputs: Props) -> Iterator[str]:
        """A waiting period that AWS does not have."""
        days = inputs.get("deletionWindowInDays", 30)
        if days != UNKNOWN and not 7 <= days <= 30:
            yield "deletionWindowInDays: has to be between 7 and 30 days"

    def create(self, inputs: Props) -> str:
        """Make a key."""
        return str(self.send(inputs)["KeyMetadata"]["KeyId"])

    def complete(self, id: str, inputs: Props) -> None:
        """Have it rotated."""
        if inputs.get("enableKeyRotation"):
            self._rotate(id, inputs)

    def _rotate(self, id: str, inputs: Props) -> None:
        self.call("EnableKeyRotation" if inputs["enableKeyRotation"] else "DisableKeyRotation", KeyId=id)

    def find(self, id: str) -> Props | None:
        """The key, its policy, its rotation."""
        answer = self.ask("DescribeKey", KeyId=id)
        if answer is None or answer["KeyMetadata"]["KeyState"] in _GONE:
            return None
        key = answer["KeyMetadata"]
        rotation = self.call("GetKeyRotationStatus", KeyId=id)
        return self.told(
            key,
            description=key.get("Description") or None,
            policy=self.call("GetKeyPolicy", KeyId=id, PolicyName="default")["Policy"],
            enableKeyRotation=rotation["KeyRotationEnabled"],
            tags=(tags := _TAGGING.of(self.session, id)),
            tagsAll=tags,
            arn=key["Arn"],
            keyId=id,
        )

    def update(self, change: Change) -> None:
        """Each property has an operation of its own."""
        id, inputs, changed = change.id, change.inputs, change.properties
        if "description" in changed:
            self.call("UpdateKeyDescription", KeyId=id, Description=inputs.get("description", ""))
        if "policy" in changed and inputs.get("policy"):
            self.call("PutKeyPolicy", KeyId=id, PolicyName="default", Policy=inputs["policy"])
        if "enableKeyRotation" in changed:
            self._rotate(id, inputs)
        if "tags" in changed:
            _TAGGING.put(self.session, id, inputs.get("tags"))

    def delete(self, known: Known) -> None:
        """Schedule its deletion, unless that is done."""
        if self.find(known.id) is not None:
            days = int(known.outputs.get("deletionWindowInDays") or 30)
            self.call("ScheduleKeyDeletion", KeyId=known.id, PendingWindowInDays=days)

    def ids(self) -> Iterable[str]:
        """Keys of the account's own that nobody scheduled for deletion."""
        for each in self.session.pages("kms", "ListKeys", "Keys"):
            key = self.call("DescribeKey", KeyId=each["KeyId"])["KeyMetadata"]
            if key["KeyState"] not in _GONE and key["KeyManager"] == "CUSTOMER":
                yield each["KeyId"]


class Alias(ResourceType):
    """A name for a key."""

    type: ClassVar[str] = "aws:kms/alias:Alias"
    service: ClassVar[str] = "kms"
    creates: ClassVar[str] = "CreateAlias"
    identity: ClassVar[tuple[str, ...]] = ("name",)
    gone: ClassVar[tuple[str, ...]] = ("NotFoundException",)
    fields: ClassVar[Fields] = {
        "name": Field("AliasName", replaces=True, required=True),
        "targetKeyId": Field(form=Reference(), required=True),
        "arn": Field("AliasArn", output=True),
        "targetKeyArn": Field(output=True),
    }

    def problems(self, inputs: Props) -> Iterator[str]:
        """A name that AWS keeps for itself."""
        if inputs["name"] != UNKNOWN and not inputs["name"].startswith("alias/"):
            yield "name: has to begin with 'alias/'"
        if inputs["name"].startswith("alias/aws/"):
            yield "name: 'alias/aws/' is kept for AWS's own keys"

    def create(self, inputs: Props) -> str:
        """Make it; its name is its id."""
        self.send(inputs)
        return str(inputs["name"])

    def find(self, id: str) -> Props | None:
        """The alias among all."""
        found = next(
            (each for each in self.session.pages("kms", "ListAliases", "Aliases") if each["AliasName"] == id), None
        )
        if found is None or "TargetKeyId" not in found:
            return None
        return self.told(found, targetKeyArn=self.session.arn("kms", f"key/{found['TargetKeyId']}"))

    def update(self, change: Change) -> None:
        """Have it name another key."""
        self.call("UpdateAlias", AliasName=change.id, TargetKeyId=change.inputs["targetKeyId"])

    def delete(self, known: Known) -> None:
        """Forget the name."""
        self.call("DeleteAlias", AliasName=known.id)

    def ids(self) -> Iterable[str]:
        """Aliases of the account's own."""
        for each in self.session.pages("kms", "ListAliases", "Aliases"):
            if "TargetKeyId" in each and not each["AliasName"].startswith("alias/aws/"):
                yield each["AliasName"]


TYPES = (Key, Alias)
