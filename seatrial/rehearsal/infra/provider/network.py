"""A private network: VPC, subnets, route tables and endpoints. AWS's default network does not count."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from seatrial.rehearsal.infra.provider.base import Props
from seatrial.rehearsal.infra.provider.forms import DOCUMENT, SET, TAGS, Field, Fields
from seatrial.rehearsal.infra.provider.resource import Change, Known, ResourceType

_TAGS: Fields = {"tags": Field("Tags", TAGS["tags"].form, apart=True), "tagsAll": TAGS["tagsAll"]}


class OfNetwork(ResourceType):
    """What EC2 lists under an id of its own, and tags like everything else that it has."""

    service: ClassVar[str] = "ec2"
    describes: ClassVar[str]
    listed: ClassVar[str]
    """The member of the answer that holds the list: ``Vpcs``."""
    key: ClassVar[str]
    """The member of an entry that is its id: ``VpcId``."""
    noun: ClassVar[str]
    """How requests about tags call it: ``vpc``."""
    deletes: ClassVar[str]

    def request(self, inputs: Props) -> dict[str, Any]:
        """With its tags from the start."""
        tags = self.fields["tags"].form.to_cloud(inputs.get("tags") or {})
        tagged = {"TagSpecifications": [{"ResourceType": self.noun, "Tags": tags}]} if tags else {}
        return super().request(inputs) | tagged

    def entry(self, id: str) -> dict[str, Any] | None:
        """What EC2 has under this id."""
        answer = self.ask(self.describes, **{f"{self.key}s": [id]})
        entries = (answer or {}).get(self.listed) or [None]
        found: dict[str, Any] | None = entries[0]
        return found

    def find(self, id: str) -> Props | None:
        """The entry."""
        entry = self.entry(id)
        return None if entry is None or not self.counts(entry) else self.told(entry, **self.more(entry))

    def counts(self, entry: dict[str, Any]) -> bool:  # noqa: ARG002 for those that need it
        """Whether a program could have made it, and it is still there."""
        return True

    def more(self, entry: dict[str, Any]) -> Props:
        """What the entry does not say under the name of the property."""
        return {"arn": self.session.arn("ec2", f"{self.noun}/{entry[self.key]}")}

    def retag(self, change: Change) -> None:
        """Have exactly the tags that are asked for."""
        if "tags" not in change.properties:
            return
        entry, wanted = self.entry(change.id) or {}, change.inputs.get("tags") or {}
        stale = [{"Key": each["Key"]} for each in entry.get("Tags", ()) if each["Key"] not in wanted]
        if stale:
            self.call("DeleteTags", Resources=[change.id], Tags=stale)
        if wanted:
            self.call("CreateTags", Resources=[change.id], Tags=self.fields["tags"].form.to_cloud(wanted))

    def update(self, change: Change) -> None:
        """Its tags."""
        self.retag(change)

    def delete(self, known: Known) -> None:
        """Delete it; AWS refuses while something is in it or hangs on it."""
        self.call(self.deletes, **{self.key: known.id})

    def ids(self) -> Iterator[str]:
        """All that AWS did not make on its own."""
        for entry in self.session.pages("ec2", self.describes, self.listed):
            if self.counts(entry):
                yield entry[self.key]


class Vpc(OfNetwork):
    """A network."""

    type: ClassVar[str] = "aws:ec2/vpc:Vpc"
    creates: ClassVar[str] = "CreateVpc"
    describes: ClassVar[str] = "DescribeVpcs"
    listed: ClassVar[str] = "Vpcs"
    key: ClassVar[str] = "VpcId"
    noun: ClassVar[str] = "vpc"
    deletes: ClassVar[str] = "DeleteVpc"
    gone: ClassVar[tuple[str, ...]] = ("InvalidVpcID.NotFound",)
    fields: ClassVar[Fields] = {
        "cidrBlock": Field(replaces=True, required=True),
        "instanceTenancy": Field(replaces=True, default="default"),
        "enableDnsSupport": Field(apart=True, default=True),
        "enableDnsHostnames": Field(apart=True, default=False),
        "arn": Field(output=True),
        "ownerId": Field(output=True),
        "defaultSecurityGroupId": Field(output=True),
        "mainRouteTableId": Field(output=True),
        **_TAGS,
    }

    def counts(self, entry: dict[str, Any]) -> bool:
        """Not AWS's own."""
        return not entry["IsDefault"]

    def create(self, inputs: Props) -> str:
        """Make it."""
        return str(self.send(inputs)["Vpc"]["VpcId"])

    def complete(self, id: str, inputs: Props) -> None:
        """How names are resolved in it. AWS takes one attribute at a time."""
        for name in ("EnableDnsSupport", "EnableDnsHostnames"):
            wanted = inputs[name[0].lower() + name[1:]]
            self.call("ModifyVpcAttribute", VpcId=id, **{name: {"Value": wanted}})

    def more(self, entry: dict[str, Any]) -> Props:
        """What came with it, and how names are resolved in it."""
        id = entry["VpcId"]
        inside = {"Name": "vpc-id", "Values": [id]}
        default = {"Name": "group-name", "Values": ["default"]}
        main = {"Name": "association.main", "Values": ["true"]}
        groups = self.call("DescribeSecurityGroups", Filters=[inside, default])["SecurityGroups"]
        tables = self.call("DescribeRouteTables", Filters=[inside, main])["RouteTables"]
        return super().more(entry) | {
            "enableDnsSupport": self._attribute(id, "EnableDnsSupport"),
            "enableDnsHostnames": self._attribute(id, "EnableDnsHostnames"),
            "defaultSecurityGroupId": groups[0]["GroupId"] if groups else None,
            "mainRouteTableId": tables[0]["RouteTableId"] if tables else None,
        }

    def _attribute(self, id: str, name: str) -> bool:
        asked = name[0].lower() + name[1:]
        return bool(self.call("DescribeVpcAttribute", VpcId=id, Attribute=asked)[name]["Value"])

    def update(self, change: Change) -> None:
        """Its attributes and its tags."""
        if change.properties - {"tags"}:
            self.complete(change.id, change.inputs)
        self.retag(change)


class Subnet(OfNetwork):
    """A part of a network in one zone."""

    type: ClassVar[str] = "aws:ec2/subnet:Subnet"
    creates: ClassVar[str] = "CreateSubnet"
    describes: ClassVar[str] = "DescribeSubnets"
    listed: ClassVar[str] = "Subnets"
    key: ClassVar[str] = "SubnetId"
    noun: ClassVar[str] = "subnet"
    deletes: ClassVar[str] = "DeleteSubnet"
    identity: ClassVar[tuple[str, ...]] = ("vpcId", "cidrBlock")
    gone: ClassVar[tuple[str, ...]] = ("InvalidSubnetID.NotFound",)
    fields: ClassVar[Fields] = {
        "vpcId": Field(replaces=True, required=True),
        "cidrBlock": Field(replaces=True, required=True),
        "availabilityZone": Field(replaces=True, computed=True),
        "mapPublicIpOnLaunch": Field(apart=True, default=False),
        "arn": Field(output=True),
        "ownerId": Field(output=True),
        **_TAGS,
    }

    def counts(self, entry: dict[str, Any]) -> bool:
        """Not AWS's own."""
        return not entry["DefaultForAz"]

    def create(self, inputs: Props) -> str:
        """Make it."""
        return str(self.send(inputs)["Subnet"]["SubnetId"])

    def complete(self, id: str, inputs: Props) -> None:
        """Whether machines in it get public addresses."""
        if inputs["mapPublicIpOnLaunch"]:
            self._public(id, True)

    def _public(self, id: str, wanted: bool) -> None:
        self.call("ModifySubnetAttribute", SubnetId=id, MapPublicIpOnLaunch={"Value": wanted})

    def update(self, change: Change) -> None:
        """Its attribute and its tags."""
        if "mapPublicIpOnLaunch" in change.properties:
            self._public(change.id, change.inputs["mapPublicIpOnLaunch"])
        self.retag(change)


class RouteTable(OfNetwork):
    """Where packets go. Its routes are those that AWS and the gateway endpoints give it."""

    type: ClassVar[str] = "aws:ec2/routeTable:RouteTable"
    creates: ClassVar[str] = "CreateRouteTable"
    describes: ClassVar[str] = "DescribeRouteTables"
    listed: ClassVar[str] = "RouteTables"
    key: ClassVar[str] = "RouteTableId"
    noun: ClassVar[str] = "route-table"
    deletes: ClassVar[str] = "DeleteRouteTable"
    gone: ClassVar[tuple[str, ...]] = ("InvalidRouteTableID.NotFound",)
    fields: ClassVar[Fields] = {
        "vpcId": Field(replaces=True, required=True),
        "arn": Field(output=True),
        "ownerId": Field(output=True),
        **_TAGS,
    }

    def counts(self, entry: dict[str, Any]) -> bool:
        """Not the one that each network has."""
        return not any(each.get("Main") for each in entry.get("Associations", ()))

    def create(self, inputs: Props) -> str:
        """Make it."""
        return str(self.send(inputs)["RouteTable"]["RouteTableId"])


class RouteTableAssociation(ResourceType):
    """The one route table of a subnet. Its id is the subnet's: AWS's own changes with every change of the table."""

    type: ClassVar[str] = "aws:ec2/routeTableAssociation:RouteTableAssociation"
    service: ClassVar[str] = "ec2"
    creates: ClassVar[str] = "AssociateRouteTable"
    identity: ClassVar[tuple[str, ...]] = ("subnetId",)
    gone: ClassVar[tuple[str, ...]] = ("InvalidAssociationID.NotFound",)
    fields: ClassVar[Fields] = {
        "subnetId": Field(replaces=True, required=True),
        "routeTableId": Field(required=True),
    }

    def create(self, inputs: Props) -> str:
        """Make it."""
        self.send(inputs)
        return str(inputs["subnetId"])

    def _all(self) -> Iterator[dict[str, Any]]:
        for table in self.session.pages("ec2", "DescribeRouteTables", "RouteTables"):
            for each in table.get("Associations", ()):
                if each.get("SubnetId"):
                    yield each

    def _of(self, subnet: str) -> dict[str, Any] | None:
        return next((each for each in self._all() if each["SubnetId"] == subnet), None)

    def find(self, id: str) -> Props | None:
        """The association."""
        found = self._of(id)
        return None if found is None else self.told(found)

    def update(self, change: Change) -> None:
        """Have the subnet use another table."""
        table, found = change.inputs["routeTableId"], self._of(change.id) or {}
        self.call(
            "ReplaceRouteTableAssociation",
            AssociationId=found["RouteTableAssociationId"],
            RouteTableId=table,
        )

    def delete(self, known: Known) -> None:
        """Have the subnet use the network's own table."""
        found = self._of(known.id)
        if found is not None:
            self.call("DisassociateRouteTable", AssociationId=found["RouteTableAssociationId"])

    def ids(self) -> Iterator[str]:
        """Every subnet with a table of its own choice."""
        return (each["SubnetId"] for each in self._all())


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
        "policy": Field("PolicyDocument", DOCUMENT, computed=True),
        "privateDnsEnabled": Field(default=False),
        **{name: Field(cloud, SET) for cloud, name in _PARTS.items()},
        "arn": Field(output=True),
        "ownerId": Field(output=True),
        "state": Field(output=True),
        "prefixListId": Field(output=True),
        **_TAGS,
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


TYPES = (Vpc, Subnet, RouteTable, RouteTableAssociation, VpcEndpoint)
