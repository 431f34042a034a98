"""EC2: moto's, with what it forgets of rules of security groups and of endpoints of a VPC."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError, InvalidParameterValueError, InvalidSecurityGroupRuleIdNotFoundError
from moto.ec2.responses import EC2Response

_PEERS = ("CidrIpv4", "CidrIpv6", "PrefixListId", "ReferencedGroupId")
_NO_PORT = -1


class Network(EC2Response):  # type: ignore[misc]  # moto counts as Any
    """One request."""

    def create_vpc_endpoint(self) -> Any:
        """moto's, which lets a second gateway take the first one's routes."""
        service, tables = self._get_param("ServiceName"), set(self._get_param("RouteTableIds", []))
        for each in self.ec2_backend.vpc_end_points.values():
            taken = tables & set(each.route_table_ids or ())
            if taken and each.service_name == service and each.state == "available":
                told = f"route table {', '.join(sorted(taken))} already has a route with destination-prefix-list-id"
                raise EC2ClientError("RouteAlreadyExists", f"{told} {each.destination_prefix_list_id}")
        return super().create_vpc_endpoint()

    def associate_route_table(self) -> Any:
        """moto's, which says yes to a second table of a subnet and keeps the first."""
        table, subnet = self._get_param("RouteTableId"), self._get_param("SubnetId")
        for each in self.ec2_backend.describe_route_tables(filters={"association.subnet-id": [subnet]}):
            if each.id != table:
                told = f"the specified association for route table {table} conflicts with an existing association"
                raise EC2ClientError("Resource.AlreadyAssociated", told)
        return super().associate_route_table()

    def delete_security_group(self) -> Any:
        """moto's, which deletes a group that another one's rules name."""
        id = self._get_param("GroupId")
        for groups in self.ec2_backend.groups.values():
            for each in groups.values():
                named = {rule.source_group.get("GroupId") for rule in (*each.ingress_rules, *each.egress_rules)}
                if each.id != id and id in named:
                    raise EC2ClientError("DependencyViolation", f"resource {id} has a dependent object")
        return super().delete_security_group()

    def modify_vpc_endpoint(self) -> Any:
        """moto's, which does not know of private names."""
        answer = super().modify_vpc_endpoint()
        private = self._get_param("PrivateDnsEnabled")
        if private is not None:
            self._endpoint(self._get_param("VpcEndpointId")).private_dns_enabled = private in (True, "true")
        return answer

    def _endpoint(self, id: str) -> Any:
        return self.ec2_backend.describe_vpc_endpoints(vpc_end_point_ids=[id])[0]

    def modify_security_group_rules(self) -> Any:
        """Replace what each rule says. A rule keeps its kind of peer, as on AWS."""
        group = self.ec2_backend.get_security_group_from_id(self._get_param("GroupId"))
        for asked in self._get_param("SecurityGroupRules", []):
            rule = group.get_rule(asked["SecurityGroupRuleId"]) if group else None
            if rule is None:
                raise InvalidSecurityGroupRuleIdNotFoundError(asked["SecurityGroupRuleId"])
            _rewrite(rule, asked["SecurityGroupRule"])
        return ActionResult({"Return": True})


def _rewrite(rule: Any, wanted: dict[str, Any]) -> None:
    peers = [each for each in _PEERS if wanted.get(each) is not None]
    if len(peers) != 1 or peers[0] != _peer(rule):
        given = ", ".join(peers) or "none"
        raise InvalidParameterValueError(f"The rule is about {_peer(rule)}, and has to stay so; given: {given}")
    kind, peer = peers[0], wanted[peers[0]]
    if kind == "ReferencedGroupId":
        rule.source_group = {**rule.source_group, "GroupId": peer}
    elif kind == "PrefixListId":
        rule.prefix_list_id = peer
    else:
        rule.ip_range = {"CidrIp" if kind == "CidrIpv4" else kind: peer}
    rule.ip_protocol = str(wanted["IpProtocol"])
    ports = (wanted.get("FromPort"), wanted.get("ToPort"))
    rule.from_port, rule.to_port = (None if port in (None, _NO_PORT, str(_NO_PORT)) else int(port) for port in ports)
    rule.described = wanted.get("Description") or None


def _peer(rule: Any) -> str:
    if rule.source_group:
        return "ReferencedGroupId"
    if rule.prefix_list_id:
        return "PrefixListId"
    return "CidrIpv6" if "CidrIpv6" in rule.ip_range else "CidrIpv4"


def remembering(initialise: Callable[..., None]) -> Callable[..., None]:
    """A rule's ``__init__`` that keeps the description, whatever the rule's peer is."""

    def keep(rule: Any, *positional: Any, **named: Any) -> None:
        initialise(rule, *positional, **named)
        peers = [each for each in (*positional, *named.values()) if isinstance(each, dict)]
        rule.described = next((each["Description"] for each in peers if each.get("Description")), None)
        # two descriptions of one rule are one rule
        rule.source_group = {key: value for key, value in rule.source_group.items() if key != "Description"}

    return keep


def described(rule: Any) -> str | None:
    """What the rule is for."""
    told: str | None = rule.described
    return told
