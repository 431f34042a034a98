"""Private ways from a network to services."""

from __future__ import annotations

from typing import Any, ClassVar

from seatrial.rehearsal.infra.provider.base import Props
from seatrial.rehearsal.infra.provider.fields import Field, Fields
from seatrial.rehearsal.infra.provider.forms import POLICY, SET
from seatrial.rehearsal.infra.provider.network import NETWORK_TAGS, OfNetwork
from seatrial.rehearsal.infra.provider.resource import Change, Known

_PARTS = {"RouteTableIds": "routeTableIds", "SubnetIds": "subnetIds", "SecurityGroupIds": "securityGroupIds"}


class VpcEndpoint(OfNetwork):
    """A private way to a service."""

    type: ClassVar[str] = "aws:ec2/vpcEndpoint:VpcEndpoint"
    creates: ClassVar[str] = "CreateVpcEndpoint"
    describes: ClassVar[str] = "DescribeVpcEndpoints"
    listed: ClassVar[str] = "VpcEndpoints"
    key: ClassVar[str] = "VpcEndpointId"
    noun: ClassVar[str] = "vpc-endpoint"
    gone: ClassVar[tuple[str, ...]] = ("InvalidVpcEndpointId.NotFound",)
    fields: ClassVar[Fields] = {
        "vpcId": Field(replaces=True, required=True),
        "serviceName": Field(replaces=True, required=True),
        "vpcEndpointType": Field(replaces=True, default="Gateway"),
        "policy": Field("PolicyDocument", POLICY, computed=True),
        "privateDnsEnabled": Field(default=False),
        **{name: Field(cloud, SET) for cloud, name in _PARTS.items()},
        "arn": Field(output=True),
        "ownerId": Field(output=True),
        "state": Field(output=True),
        "prefixListId": Field(output=True),
        **NETWORK_TAGS,
    }

    def counts(self, entry: dict[str, Any]) -> bool:
        """Not one that is gone."""
        return entry["State"].lower() not in ("deleting", "deleted")

    def create(self, inputs: Props) -> str:
        """Make it."""
        return str(self.send(inputs)["VpcEndpoint"]["VpcEndpointId"])

    def more(self, entry: dict[str, Any]) -> Props:
        """Its groups, which the answer calls otherwise, and the list of addresses behind a gateway."""
        groups = [each["GroupId"] for each in entry.get("Groups", ())]
        named = [{"Name": "prefix-list-name", "Values": [entry["ServiceName"]]}]
        lists = self.call("DescribePrefixLists", Filters=named)["PrefixLists"]
        behind = lists[0]["PrefixListId"] if lists and entry["VpcEndpointType"] == "Gateway" else None
        return super().more(entry) | {"securityGroupIds": groups or None, "prefixListId": behind}

    def update(self, change: Change) -> None:
        """What is new is added, what is no longer wanted is removed."""
        asked: dict[str, Any] = {}
        found = self.find(change.id) or {}
        for cloud, name in _PARTS.items():
            present, wanted = set(found.get(name) or ()), set(change.inputs.get(name) or ())
            asked |= {f"Add{cloud}": sorted(wanted - present), f"Remove{cloud}": sorted(present - wanted)}
        if "policy" in change.properties:
            asked["PolicyDocument"] = change.inputs["policy"]
        if "privateDnsEnabled" in change.properties:
            asked["PrivateDnsEnabled"] = change.inputs["privateDnsEnabled"]
        asked = {key: value for key, value in asked.items() if value != []}
        if asked:
            self.call("ModifyVpcEndpoint", VpcEndpointId=change.id, **asked)
        self.retag(change)

    def delete(self, known: Known) -> None:
        """Delete it, if it is there. What is refused is refused in an answer of its own."""
        if self.find(known.id) is None:
            return
        answer = self.call("DeleteVpcEndpoints", VpcEndpointIds=[known.id])
        for each in answer.get("Unsuccessful", ()):
            raise self.session.refusal("DeleteVpcEndpoints", each["Error"]["Code"], each["Error"]["Message"])


TYPES = (VpcEndpoint,)
