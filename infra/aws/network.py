"""A network from which nothing leaves."""

from __future__ import annotations

import ipaddress

import pulumi
import pulumi_aws as aws

from infra.aws.scope import Scope

_INTERFACES = (
    "application-autoscaling",
    "ecr.api",
    "ecr.dkr",
    "events",
    "kms",
    "logs",
    "monitoring",
    "sagemaker.api",
    "sagemaker.runtime",
    "sts",
)
"""Services that jobs and model servers talk to. Each costs by the hour and zone: one more is a decision."""
_HTTPS = 443


class Network(pulumi.ComponentResource):
    """Where jobs and model servers run when the stack has the setting ``network``.

    Owns: the VPC, a private subnet in each zone, a route table without a way out, the endpoints of the services that
    are needed (S3 through a gateway, which costs nothing; the others through interfaces), and two security groups that
    let jobs reach those endpoints over HTTPS, one another not, and nothing else.

    Does not own: an internet gateway, NAT, peering or a way in. Sources outside AWS have to be copied into the bucket
    by somebody else; whoever calls endpoints from another network brings a way of their own.
    """

    def __init__(self, scope: Scope, cidr: str, zones: tuple[str, ...]) -> None:
        """``zones``: letters of the region's availability zones, one subnet in each."""
        super().__init__("seatrial:aws:Network", "network")
        self._scope = scope
        self._vpc = aws.ec2.Vpc(
            "vpc",
            cidr_block=cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags={"Name": scope.prefix},
            opts=self._below(),
        )
        table = aws.ec2.RouteTable(
            "routes", vpc_id=self._vpc.id, tags={"Name": scope.name("private")}, opts=self._below()
        )
        blocks = ipaddress.ip_network(cidr).subnets(prefixlen_diff=2)
        self.subnets = [self._subnet(zone, str(block), table).id for zone, block in zip(zones, blocks, strict=False)]
        jobs = self._group("jobs", "Jobs and model servers: out to the endpoints of services, nothing in")
        services = self._group("services", "Endpoints of services: HTTPS from jobs and model servers")
        self.security_groups = [jobs.id]
        self._endpoints(table, jobs, services)
        self.register_outputs({"subnets": self.subnets, "security_groups": self.security_groups})

    def _subnet(self, zone: str, block: str, table: aws.ec2.RouteTable) -> aws.ec2.Subnet:
        subnet = aws.ec2.Subnet(
            f"private-{zone}",
            vpc_id=self._vpc.id,
            cidr_block=block,
            availability_zone=f"{self._scope.region}{zone}",
            map_public_ip_on_launch=False,
            tags={"Name": self._scope.name("private", zone)},
            opts=self._below(),
        )
        aws.ec2.RouteTableAssociation(
            f"private-{zone}-routes", subnet_id=subnet.id, route_table_id=table.id, opts=self._below()
        )
        return subnet

    def _group(self, name: str, description: str) -> aws.ec2.SecurityGroup:
        return aws.ec2.SecurityGroup(
            name,
            name=self._scope.name(name),
            description=description,
            vpc_id=self._vpc.id,
            tags={"Name": self._scope.name(name)},
            opts=self._below(),
        )

    def _endpoints(
        self, table: aws.ec2.RouteTable, jobs: aws.ec2.SecurityGroup, services: aws.ec2.SecurityGroup
    ) -> None:
        region = self._scope.region
        s3 = aws.ec2.VpcEndpoint(
            "s3",
            vpc_id=self._vpc.id,
            service_name=f"com.amazonaws.{region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[table.id],
            tags={"Name": self._scope.name("s3")},
            opts=self._below(),
        )
        for service in _INTERFACES:
            aws.ec2.VpcEndpoint(
                service.replace(".", "-"),
                vpc_id=self._vpc.id,
                service_name=f"com.amazonaws.{region}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=self.subnets,
                security_group_ids=[services.id],
                tags={"Name": self._scope.name(service.replace(".", "-"))},
                opts=self._below(),
            )
        aws.vpc.SecurityGroupEgressRule(
            "jobs-to-services",
            security_group_id=jobs.id,
            referenced_security_group_id=services.id,
            description="Endpoints of services",
            ip_protocol="tcp",
            from_port=_HTTPS,
            to_port=_HTTPS,
            opts=self._below(),
        )
        aws.vpc.SecurityGroupEgressRule(
            "jobs-to-s3",
            security_group_id=jobs.id,
            prefix_list_id=s3.prefix_list_id,
            description="S3 through its gateway",
            ip_protocol="tcp",
            from_port=_HTTPS,
            to_port=_HTTPS,
            opts=self._below(),
        )
        aws.vpc.SecurityGroupIngressRule(
            "services-from-jobs",
            security_group_id=services.id,
            referenced_security_group_id=jobs.id,
            description="Jobs and model servers",
            ip_protocol="tcp",
            from_port=_HTTPS,
            to_port=_HTTPS,
            opts=self._below(),
        )

    def _below(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)
