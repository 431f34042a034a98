"""Roles, what they may do, and who else says who somebody is. IAM has no region."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from seatrial.rehearsal.infra.provider.base import Props
from seatrial.rehearsal.infra.provider.forms import DOCUMENT, SET, TAGS, Field, Fields, Form
from seatrial.rehearsal.infra.provider.resource import Change, Known, ResourceType, Tagging

_GONE = ("NoSuchEntity",)
_ROLE_TAGS = Tagging("iam", ("ListRoleTags", "Tags"), "TagRole", "UntagRole", "RoleName")
_PROVIDER_TAGS = Tagging(
    "iam",
    ("ListOpenIDConnectProviderTags", "Tags"),
    "TagOpenIDConnectProvider",
    "UntagOpenIDConnectProvider",
    "OpenIDConnectProviderArn",
)
_SERVICE_LINKED = "/aws-service-role/"


class Role(ResourceType):
    """A role, with nothing that it may do."""

    type: ClassVar[str] = "aws:iam/role:Role"
    service: ClassVar[str] = "iam"
    creates: ClassVar[str] = "CreateRole"
    identity: ClassVar[tuple[str, ...]] = ("name",)
    named: ClassVar[str] = "name"
    gone: ClassVar[tuple[str, ...]] = _GONE
    fields: ClassVar[Fields] = {
        "name": Field("RoleName", replaces=True),
        "assumeRolePolicy": Field("AssumeRolePolicyDocument", DOCUMENT, required=True),
        "description": Field(),
        "maxSessionDuration": Field(default=3600),
        "path": Field(replaces=True, default="/"),
        "permissionsBoundary": Field(),
        "forceDetachPolicies": Field(local="says whether a deletion takes policies away first", default=False),
        "arn": Field(output=True),
        "uniqueId": Field("RoleId", output=True),
        **TAGS,
    }

    def create(self, inputs: Props) -> str:
        """Make it; its name is its id."""
        return str(self.send(inputs)["Role"]["RoleName"])

    def find(self, id: str) -> Props | None:
        """The role."""
        answer = self.ask("GetRole", RoleName=id)
        if answer is None:
            return None
        role = answer["Role"]
        boundary = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        return self.told(role, description=role.get("Description") or None, permissionsBoundary=boundary)

    def update(self, change: Change) -> None:
        """Each property has an operation of its own."""
        id, inputs, changed = change.id, change.inputs, change.properties
        if "assumeRolePolicy" in changed:
            self.call("UpdateAssumeRolePolicy", RoleName=id, PolicyDocument=inputs["assumeRolePolicy"])
        if changed & {"description", "maxSessionDuration"}:
            duration, described = int(inputs["maxSessionDuration"]), inputs.get("description", "")
            self.call("UpdateRole", RoleName=id, Description=described, MaxSessionDuration=duration)
        if "permissionsBoundary" in changed:
            boundary = inputs.get("permissionsBoundary")
            if boundary is None:
                self.call("DeleteRolePermissionsBoundary", RoleName=id)
            else:
                self.call("PutRolePermissionsBoundary", RoleName=id, PermissionsBoundary=boundary)
        if "tags" in changed:
            _ROLE_TAGS.put(self.session, id, inputs.get("tags"))

    def delete(self, known: Known) -> None:
        """Delete it; policies that others gave it keep it alive, unless ``forceDetachPolicies``."""
        id = known.id
        if known.outputs.get("forceDetachPolicies"):
            for policy in self.session.pages("iam", "ListRolePolicies", "PolicyNames", RoleName=id):
                self.call("DeleteRolePolicy", RoleName=id, PolicyName=policy)
            for policy in self.session.pages("iam", "ListAttachedRolePolicies", "AttachedPolicies", RoleName=id):
                self.call("DetachRolePolicy", RoleName=id, PolicyArn=policy["PolicyArn"])
        self.call("DeleteRole", RoleName=id)

    def ids(self) -> Iterable[str]:
        """Roles that no service made for itself."""
        for each in self.session.pages("iam", "ListRoles", "Roles"):
            if not each["Path"].startswith(_SERVICE_LINKED):
                yield each["RoleName"]


class RolePolicy(ResourceType):
    """What a role may do, written into the role. Its id is ``role:policy``."""

    type: ClassVar[str] = "aws:iam/rolePolicy:RolePolicy"
    service: ClassVar[str] = "iam"
    creates: ClassVar[str] = "PutRolePolicy"
    identity: ClassVar[tuple[str, ...]] = ("role", "name")
    named: ClassVar[str] = "name"
    gone: ClassVar[tuple[str, ...]] = _GONE
    fields: ClassVar[Fields] = {
        "name": Field("PolicyName", replaces=True),
        "role": Field("RoleName", replaces=True, required=True),
        "policy": Field("PolicyDocument", DOCUMENT, required=True),
    }

    def create(self, inputs: Props) -> str:
        """Put it."""
        self.send(inputs)
        return f"{inputs['role']}:{inputs['name']}"

    @staticmethod
    def _address(id: str) -> dict[str, str]:
        role, _, name = id.partition(":")
        return {"RoleName": role, "PolicyName": name}

    def find(self, id: str) -> Props | None:
        """The document."""
        answer = self.ask("GetRolePolicy", **self._address(id))
        return None if answer is None else self.told(answer)

    def update(self, change: Change) -> None:
        """Put it again."""
        self.send(change.inputs)

    def delete(self, known: Known) -> None:
        """Take it out of the role."""
        self.call("DeleteRolePolicy", **self._address(known.id))

    def ids(self) -> Iterable[str]:
        """Of every role, every policy."""
        for role in self.session.pages("iam", "ListRoles", "Roles"):
            name = role["RoleName"]
            for policy in self.session.pages("iam", "ListRolePolicies", "PolicyNames", RoleName=name):
                yield f"{name}:{policy}"


class _Url(Form):
    """An address that IAM gives back without its scheme."""

    def to_program(self, value: Any) -> Any:
        """With it."""
        return value if value is None or value.startswith("https://") else f"https://{value}"


class OpenIdConnectProvider(ResourceType):
    """Somebody whose word on who somebody is counts, such as GitHub."""

    type: ClassVar[str] = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"
    service: ClassVar[str] = "iam"
    creates: ClassVar[str] = "CreateOpenIDConnectProvider"
    identity: ClassVar[tuple[str, ...]] = ("url",)
    gone: ClassVar[tuple[str, ...]] = _GONE
    fields: ClassVar[Fields] = {
        "url": Field(form=_Url(), replaces=True, required=True),
        "clientIdLists": Field("ClientIDList", SET, required=True),
        "thumbprintLists": Field("ThumbprintList", SET, computed=True),
        "arn": Field(output=True),
        **TAGS,
    }

    def create(self, inputs: Props) -> str:
        """Make it; its ARN is its id."""
        return str(self.send(inputs)["OpenIDConnectProviderArn"])

    def find(self, id: str) -> Props | None:
        """The provider."""
        answer = self.ask("GetOpenIDConnectProvider", OpenIDConnectProviderArn=id)
        return None if answer is None else self.told(answer, arn=id)

    def update(self, change: Change) -> None:
        """Audiences one by one, fingerprints together."""
        address = {"OpenIDConnectProviderArn": change.id}
        if "clientIdLists" in change.properties:
            present = set(self.call("GetOpenIDConnectProvider", **address)["ClientIDList"])
            wanted = set(change.inputs["clientIdLists"])
            for audience in sorted(wanted - present):
                self.call("AddClientIDToOpenIDConnectProvider", **address, ClientID=audience)
            for audience in sorted(present - wanted):
                self.call("RemoveClientIDFromOpenIDConnectProvider", **address, ClientID=audience)
        if "thumbprintLists" in change.properties:
            wanted_prints = change.inputs["thumbprintLists"]
            self.call("UpdateOpenIDConnectProviderThumbprint", **address, ThumbprintList=wanted_prints)
        if "tags" in change.properties:
            _PROVIDER_TAGS.put(self.session, change.id, change.inputs.get("tags"))

    def delete(self, known: Known) -> None:
        """Delete it."""
        self.call("DeleteOpenIDConnectProvider", OpenIDConnectProviderArn=known.id)

    def ids(self) -> Iterable[str]:
        """All of them."""
        listed = self.call("ListOpenIDConnectProviders")["OpenIDConnectProviderList"]
        return [each["Arn"] for each in listed]


TYPES = (Role, RolePolicy, OpenIdConnectProvider)
