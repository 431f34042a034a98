"""Networks, security groups and endpoints."""

from __future__ import annotations

from seatrial.rehearsal.infra.provider.base import Props
from tests.rehearsal.infra.provider.conftest import Cloud
from tests.rehearsal.infra.provider.example import Example, policy


def _vpc(cloud: Cloud) -> str:
    return str(cloud.made("aws:ec2/vpc:Vpc", cidrBlock="10.0.0.0/16")["id"])


def _subnet(cloud: Cloud, vpc: str, part: int = 1) -> str:
    return str(cloud.made("aws:ec2/subnet:Subnet", vpcId=vpc, cidrBlock=f"10.0.{part}.0/24")["id"])


def _table(cloud: Cloud, vpc: str) -> str:
    return str(cloud.made("aws:ec2/routeTable:RouteTable", vpcId=vpc)["id"])


def _security(cloud: Cloud, vpc: str) -> str:
    return str(cloud.made("aws:ec2/securityGroup:SecurityGroup", vpcId=vpc)["id"])


def _gateway(cloud: Cloud) -> Props:
    vpc = _vpc(cloud)
    service = "com.amazonaws.us-east-1.s3"
    return {"vpcId": vpc, "serviceName": service, "policy": policy("s3:*"), "routeTableIds": [_table(cloud, vpc)]}


def _interface(cloud: Cloud) -> Props:
    vpc = _vpc(cloud)
    return {
        "vpcId": vpc,
        "serviceName": "com.amazonaws.us-east-1.sagemaker.api",
        "vpcEndpointType": "Interface",
        "subnetIds": [_subnet(cloud, vpc, 1), _subnet(cloud, vpc, 2)],
        "securityGroupIds": [_security(cloud, vpc), _security(cloud, vpc)],
        "privateDnsEnabled": True,
        "tags": {"owner": "trial"},
    }


def _association(cloud: Cloud) -> Props:
    vpc = _vpc(cloud)
    return {"subnetId": _subnet(cloud, vpc), "routeTableId": _table(cloud, vpc)}


def _network(cloud: Cloud) -> str:
    """The one that the example stands in."""
    return next(str(outputs["id"]) for token, outputs in cloud.standing if token == "aws:ec2/vpc:Vpc")


def _table_beside(cloud: Cloud) -> str:
    return _table(cloud, _network(cloud))


def _security_beside(cloud: Cloud) -> str:
    return _security(cloud, _network(cloud))


def _ingress(cloud: Cloud) -> Props:
    group = _security(cloud, _vpc(cloud))
    https = {"ipProtocol": "tcp", "fromPort": 443.0, "toPort": 443.0}
    return {"securityGroupId": group, **https, "cidrIpv4": "10.0.0.0/16", "description": "https", "tags": {"a": "b"}}


def _addresses(cloud: Cloud, vpc: str, service: str) -> str:
    """The prefix list of a service that is reached through a gateway."""
    name = f"com.amazonaws.us-east-1.{service}"
    return str(cloud.made("aws:ec2/vpcEndpoint:VpcEndpoint", vpcId=vpc, serviceName=name)["prefixListId"])


def _to_s3(cloud: Cloud) -> Props:
    vpc = _vpc(cloud)
    https = {"ipProtocol": "tcp", "fromPort": 443.0, "toPort": 443.0, "description": "S3"}
    return {"securityGroupId": _security(cloud, vpc), "prefixListId": _addresses(cloud, vpc, "s3"), **https}


def _anywhere(cloud: Cloud) -> Props:
    return {"securityGroupId": _security(cloud, _vpc(cloud)), "ipProtocol": "-1", "cidrIpv6": "::/0"}


def _between(cloud: Cloud) -> Props:
    vpc = _vpc(cloud)
    groups = {"securityGroupId": _security(cloud, vpc), "referencedSecurityGroupId": _security(cloud, vpc)}
    return {**groups, "ipProtocol": "tcp", "fromPort": 0.0, "toPort": 65535.0}


_RULE_CHANGES: Props = {
    "ipProtocol": "udp",
    "fromPort": 53.0,
    "toPort": 54.0,
    "cidrIpv4": "10.1.0.0/16",
    "description": None,
    "tags": {"a": "c"},
}
_TO_ANOTHER: Props = {
    "description": None,
    "prefixListId": lambda cloud: _addresses(cloud, _network(cloud), "dynamodb"),
}
_INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
_EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"

NETWORK = (
    Example(
        "aws:ec2/vpc:Vpc",
        lambda _: {
            "cidrBlock": "10.7.0.0/16",
            "instanceTenancy": "default",
            "enableDnsSupport": True,
            "enableDnsHostnames": True,
            "tags": {"owner": "trial"},
        },
        {"enableDnsHostnames": False, "enableDnsSupport": False, "tags": {"owner": "others"}},
    ),
    Example(
        "aws:ec2/subnet:Subnet",
        lambda cloud: {
            "vpcId": _vpc(cloud),
            "cidrBlock": "10.0.3.0/24",
            "availabilityZone": "us-east-1b",
            "mapPublicIpOnLaunch": True,
            "tags": {"owner": "trial"},
        },
        {"mapPublicIpOnLaunch": False, "tags": {"owner": "others", "a": "b"}},
    ),
    Example(
        "aws:ec2/routeTable:RouteTable",
        lambda cloud: {"vpcId": _vpc(cloud), "tags": {"owner": "trial"}},
        {"tags": {"others": "trial"}},
    ),
    Example("aws:ec2/routeTableAssociation:RouteTableAssociation", _association, {"routeTableId": _table_beside}),
    Example(
        "aws:ec2/securityGroup:SecurityGroup",
        lambda cloud: {
            "name": "trial-endpoints",
            "description": "endpoints",
            "vpcId": _vpc(cloud),
            "tags": {"owner": "trial"},
        },
        {"tags": None},
    ),
    Example(_INGRESS, _ingress, _RULE_CHANGES),
    Example(_INGRESS, _between, {"description": "others", "referencedSecurityGroupId": _security_beside}),
    Example(_INGRESS, _to_s3, _TO_ANOTHER),
    Example(_INGRESS, _anywhere, {"cidrIpv6": "2001:db8::/32"}),
    Example(_EGRESS, _ingress, _RULE_CHANGES),
    Example(_EGRESS, _between, {"description": "others", "referencedSecurityGroupId": _security_beside}),
    Example(_EGRESS, _to_s3, _TO_ANOTHER),
    Example(_EGRESS, _anywhere, {"cidrIpv6": "2001:db8::/32"}),
    Example("aws:ec2/vpcEndpoint:VpcEndpoint", _gateway, {"policy": policy("s3:GetObject")}),
    Example("aws:ec2/vpcEndpoint:VpcEndpoint", _interface, {"privateDnsEnabled": False, "tags": {"owner": "others"}}),
)
