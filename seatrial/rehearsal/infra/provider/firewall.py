"""Security groups and their rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from seatrial.rehearsal.infra.provider.base import Props
from seatrial.rehearsal.infra.provider.forms import TAGS, Field, Fields
from seatrial.rehearsal.infra.provider.network import OfNetwork
from seatrial.rehearsal.infra.provider.resource import Change, Known

_TAGS: Fields = {"tags": Field("Tags", TAGS["tags"].form, apart=True), "tagsAll": TAGS["tagsAll"]}


class SecurityGroup(OfNetwork):
    """A group that lets nothing in and nothing out. Its rules are resources of their own."""

    type: ClassVar[str] = "aws:ec2/securityGroup:SecurityGroup"
    creates: ClassVar[str] = "CreateSecurityGroup"
    describes: ClassVar[str] = "DescribeSecurityGroups"
    listed: ClassVar[str] = "SecurityGroups"
    key: ClassVar[str] = "GroupId"
    noun: ClassVar[str] = "security-group"
    deletes: ClassVar[str] = "DeleteSecurityGroup"
    identity: ClassVar[tuple[str, ...]] = ("name", "vpcId")
    named: ClassVar[str] = "name"
    gone: ClassVar[tuple[str, ...]] = ("InvalidGroup.NotFound",)
    fields: ClassVar[Fields] = {
        "name": Field("GroupName", replaces=True),
        "description": Field(replaces=True, default="Managed by Pulumi"),
        "vpcId": Field(replaces=True, required=True),
        "arn": Field(output=True),
        "ownerId": Field(output=True),
        **_TAGS,
    }

    def counts(self, entry: dict[str, Any]) -> bool:
        """Not the one that each network has."""
        return bool(entry["GroupName"] != "default")

    def create(self, inputs: Props) -> str:
        """Make it."""
        return str(self.send(inputs)["GroupId"])

    def complete(self, id: str, inputs: Props) -> None:  # noqa: ARG002 it is the same for every group
        """Take away the rule that AWS gives each new group: everything may go out."""
        entry = self.entry(id) or {}
        if entry.get("IpPermissionsEgress"):
            self.call("RevokeSecurityGroupEgress", GroupId=id, IpPermissions=entry["IpPermissionsEgress"])


class _Rule(OfNetwork):
    """One rule of a group."""

    describes: ClassVar[str] = "DescribeSecurityGroupRules"
    listed: ClassVar[str] = "SecurityGroupRules"
    key: ClassVar[str] = "SecurityGroupRuleId"
    noun: ClassVar[str] = "security-group-rule"
    gone: ClassVar[tuple[str, ...]] = (
        "InvalidSecurityGroupRuleId.NotFound",
        "InvalidPermission.NotFound",
        "InvalidGroup.NotFound",
    )
    egress: ClassVar[bool]
    fields: ClassVar[Fields] = {
        "securityGroupId": Field("GroupId", replaces=True, required=True),
        "ipProtocol": Field(required=True),
        "fromPort": Field(),
        "toPort": Field(),
        "cidrIpv4": Field(),
        "cidrIpv6": Field(),
        "prefixListId": Field(),
        "referencedSecurityGroupId": Field(),
        "description": Field(),
        "arn": Field(output=True),
        "securityGroupRuleId": Field(output=True),
        **_TAGS,
    }

    def request(self, inputs: Props) -> dict[str, Any]:
        """A permission for one peer."""
        described = {"Description": inputs["description"]} if inputs.get("description") else {}
        permission: dict[str, Any] = {
            key: inputs[name]
            for name, key in (("ipProtocol", "IpProtocol"), ("fromPort", "FromPort"), ("toPort", "ToPort"))
            if inputs.get(name) is not None
        }
        for name, (many, one) in _PEERS.items():
            if inputs.get(name) is not None:
                permission[many] = [{one: inputs[name], **described}]
        base = {"GroupId": inputs["securityGroupId"], "IpPermissions": [permission]}
        tags = super().request(inputs).get("TagSpecifications")
        return base | ({"TagSpecifications": tags} if tags else {})

    def problems(self, inputs: Props) -> Iterator[str]:
        """More or fewer peers than one."""
        if sum(each in inputs for each in _PEERS) != 1:
            yield f"{next(iter(_PEERS))}: exactly one of {', '.join(_PEERS)} has to be given"

    def counts(self, entry: dict[str, Any]) -> bool:
        """A rule of this direction, and not of the group that each network has."""
        return bool(entry["IsEgress"] is self.egress) and entry["GroupId"] not in self._defaults()

    def _defaults(self) -> set[str]:
        named = [{"Name": "group-name", "Values": ["default"]}]
        return {
            each["GroupId"]
            for each in self.session.pages("ec2", "DescribeSecurityGroups", "SecurityGroups", Filters=named)
        }

    def more(self, entry: dict[str, Any]) -> Props:
        """The other group, and ports, which -1 stands for where there are none."""
        other = entry.get("ReferencedGroupInfo", {}).get("GroupId")
        ports = {name: None if entry.get(key, -1) == -1 else entry[key] for name, key in _PORTS.items()}
        described = entry.get("Description") or None
        return super().more(entry) | ports | {"referencedSecurityGroupId": other, "description": described}

    def create(self, inputs: Props) -> str:
        """Add it."""
        return str(self.send(inputs)["SecurityGroupRules"][0]["SecurityGroupRuleId"])

    def update(self, change: Change) -> None:
        """The whole rule, and its tags."""
        inputs = change.inputs
        if change.properties - {"tags"}:
            rule = {
                self.fields[name].called(name): inputs[name]
                for name in ("ipProtocol", *_PORTS, "cidrIpv4", "cidrIpv6", "prefixListId")
                if inputs.get(name) is not None
            }
            rule["Description"] = inputs.get("description", "")
            rule = {"FromPort": -1, "ToPort": -1, **rule}
            if inputs.get("referencedSecurityGroupId"):
                rule["ReferencedGroupId"] = inputs["referencedSecurityGroupId"]
            operation = "ModifySecurityGroupRules"
            asked = {
                "GroupId": inputs["securityGroupId"],
                "SecurityGroupRules": [{"SecurityGroupRuleId": change.id, "SecurityGroupRule": rule}],
            }
            self.call(operation, **self.whole(asked, operation))
        self.retag(change)

    def delete(self, known: Known) -> None:
        """Take it out of its group."""
        group = known.outputs["securityGroupId"]
        self.call(self.deletes, GroupId=group, SecurityGroupRuleIds=[known.id])


_PORTS = {"fromPort": "FromPort", "toPort": "ToPort"}
_PEERS = {
    "cidrIpv4": ("IpRanges", "CidrIp"),
    "cidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
    "prefixListId": ("PrefixListIds", "PrefixListId"),
    "referencedSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
}


class IngressRule(_Rule):
    """What may come in."""

    type: ClassVar[str] = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    creates: ClassVar[str] = "AuthorizeSecurityGroupIngress"
    deletes: ClassVar[str] = "RevokeSecurityGroupIngress"
    egress: ClassVar[bool] = False


class EgressRule(_Rule):
    """What may go out."""

    type: ClassVar[str] = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    creates: ClassVar[str] = "AuthorizeSecurityGroupEgress"
    deletes: ClassVar[str] = "RevokeSecurityGroupEgress"
    egress: ClassVar[bool] = True


TYPES = (SecurityGroup, IngressRule, EgressRule)
