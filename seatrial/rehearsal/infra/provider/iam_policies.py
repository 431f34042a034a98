"""Policies that stand on their own, and the roles that have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from seatrial.rehearsal.infra.provider.base import Props
from seatrial.rehearsal.infra.provider.forms import DOCUMENT, TAGS, Field, Fields
from seatrial.rehearsal.infra.provider.resource import Change, Known, ResourceType, Tagging

_GONE = ("NoSuchEntity",)
_TAGGING = Tagging("iam", ("ListPolicyTags", "Tags"), "TagPolicy", "UntagPolicy", "PolicyArn")
_VERSIONS = 5
"""AWS keeps so many of each policy."""


class Policy(ResourceType):
    """A managed policy of the account's own; its ARN is its id."""

    type: ClassVar[str] = "aws:iam/policy:Policy"
    service: ClassVar[str] = "iam"
    creates: ClassVar[str] = "CreatePolicy"
    identity: ClassVar[tuple[str, ...]] = ("name", "path")
    named: ClassVar[str] = "name"
    gone: ClassVar[tuple[str, ...]] = _GONE
    fields: ClassVar[Fields] = {
        "name": Field("PolicyName", replaces=True),
        "path": Field(replaces=True, default="/"),
        "description": Field(replaces=True),
        "policy": Field("PolicyDocument", DOCUMENT, required=True),
        "arn": Field(output=True),
        "policyId": Field(output=True),
        **TAGS,
    }

    def create(self, inputs: Props) -> str:
        """Make it."""
        return str(self.send(inputs)["Policy"]["Arn"])

    def find(self, id: str) -> Props | None:
        """The policy and the document of its default version."""
        answer = self.ask("GetPolicy", PolicyArn=id)
        if answer is None:
            return None
        policy = answer["Policy"]
        version = self.call("GetPolicyVersion", PolicyArn=id, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
        document = self.fields["policy"].form.to_program(version["Document"])
        return self.told(policy, policy=document, description=policy.get("Description") or None)

    def update(self, change: Change) -> None:
        """A new default version; the oldest goes where there are too many."""
        if "policy" in change.properties:
            spare = self._spare_versions(change.id)
            if len(spare) + 1 >= _VERSIONS:
                self.call("DeletePolicyVersion", PolicyArn=change.id, VersionId=spare[0])
            document = change.inputs["policy"]
            self.call("CreatePolicyVersion", PolicyArn=change.id, PolicyDocument=document, SetAsDefault=True)
        if "tags" in change.properties:
            _TAGGING.put(self.session, change.id, change.inputs.get("tags"))

    def _spare_versions(self, id: str) -> list[str]:
        versions = self.session.pages("iam", "ListPolicyVersions", "Versions", PolicyArn=id)
        spare = [each["VersionId"] for each in versions if not each["IsDefaultVersion"]]
        return sorted(spare, key=lambda version: int(version[1:]))

    def delete(self, known: Known) -> None:
        """Delete it with its older versions; AWS refuses while a role has it."""
        for version in self._spare_versions(known.id):
            self.call("DeletePolicyVersion", PolicyArn=known.id, VersionId=version)
        self.call("DeletePolicy", PolicyArn=known.id)

    def ids(self) -> Iterator[str]:
        """Every policy that is not AWS's."""
        return (each["Arn"] for each in self.session.pages("iam", "ListPolicies", "Policies", Scope="Local"))


class RolePolicyAttachment(ResourceType):
    """That a role has a managed policy. Its id is ``role:arn``."""

    type: ClassVar[str] = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    service: ClassVar[str] = "iam"
    creates: ClassVar[str] = "AttachRolePolicy"
    identity: ClassVar[tuple[str, ...]] = ("role", "policyArn")
    gone: ClassVar[tuple[str, ...]] = _GONE
    fields: ClassVar[Fields] = {
        "role": Field("RoleName", replaces=True, required=True),
        "policyArn": Field(replaces=True, required=True),
    }

    def create(self, inputs: Props) -> str:
        """Attach it."""
        self.send(inputs)
        return f"{inputs['role']}:{inputs['policyArn']}"

    def _of(self, role: str) -> list[str]:
        answer = self.ask("ListAttachedRolePolicies", RoleName=role)
        return [each["PolicyArn"] for each in (answer or {}).get("AttachedPolicies", ())]

    def find(self, id: str) -> Props | None:
        """The policy among those of the role."""
        role, _, policy = id.partition(":")
        return {"role": role, "policyArn": policy} if policy in self._of(role) else None

    def delete(self, known: Known) -> None:
        """Detach it."""
        role, _, policy = known.id.partition(":")
        self.call("DetachRolePolicy", RoleName=role, PolicyArn=policy)

    def ids(self) -> Iterator[str]:
        """Of every role, every managed policy."""
        for role in self.session.pages("iam", "ListRoles", "Roles"):
            for policy in self._of(role["RoleName"]):
                yield f"{role['RoleName']}:{policy}"


TYPES = (Policy, RolePolicyAttachment)
