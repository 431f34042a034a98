"""Grants for what adapters declare to ask (``seatrial.clouds.aws.calls``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from seatrial.clouds.aws import endpoints, pipelines, registry
from seatrial.clouds.aws.calls import Call, action
from seatrial.clouds.aws.permissions.grants import Condition, Grant, Place, Role

SERVICE = "sagemaker.amazonaws.com"
USES: Mapping[str, tuple[Call, ...]] = {
    "registry:read": registry.READS,
    "registry:register": registry.REGISTERS,
    "registry:promote": registry.PROMOTES,
    "endpoint:deploy": endpoints.DEPLOYS,
    "endpoint:verify": endpoints.VERIFIES,
}
"""What components use -> what the adapters ask for that."""
LAUNCH = (*pipelines.LAUNCHES, *registry.DECIDES, *endpoints.ASKS)
"""What `seatrial launch`, `models` and `predict` ask."""


@dataclass(frozen=True)
class Scope:
    """What the names in declarations stand for."""

    place: Place
    endpoints: tuple[str, ...]
    """The models' endpoints and package groups."""
    pipelines: tuple[str, ...]
    alarms: tuple[str, ...]
    """Of the models' guardrails."""

    def arns(self, template: str) -> Iterator[str]:
        """One resource of a declaration, for each model and each pipeline that it is about."""
        if template == "*":
            yield template
            return
        service, _, resource = template.partition(":")
        named = {"{endpoint}": self.endpoints, "{pipeline}": self.pipelines, "{alarm}": self.alarms}
        field = next((each for each in named if each in resource), None)
        for name in ("",) if field is None else named[field]:
            yield self._arn(service, resource if field is None else resource.replace(field, name))

    def _arn(self, service: str, resource: str) -> str:
        place = self.place
        if service == "s3":
            return place.objects(resource)
        if service == "role":
            return f"arn:{place.partition}:iam::{place.account}:role/{place.prefix}-{resource}"
        if service == "service-role":
            linked = f"aws-service-role/{resource}.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_*"
            return f"arn:{place.partition}:iam::{place.account}:role/{linked}"
        return place.arn(service, resource)


def declared(role: Role, calls: Iterable[Call], scope: Scope) -> Iterator[Grant]:
    """What a role needs for the calls that are made as it; calls on the same resources become one grant."""
    together: dict[tuple[tuple[str, ...], str, str, str], list[Call]] = {}
    calls = tuple(dict.fromkeys(calls))
    for call in calls:
        kind = action(call.operation) if _condition(action(call.operation)) else ""
        together.setdefault((call.resources, call.star_reason, call.unused_reason, kind), []).append(call)
    for (resources, star_reason, unused_reason, _), alike in together.items():
        named = tuple(dict.fromkeys(arn for each in resources for arn in scope.arns(each)))
        if not named:
            continue
        actions = tuple(dict.fromkeys(action(call.operation) for call in alike))
        yield Grant(
            role,
            actions,
            named,
            _condition(actions[0]),
            why="; ".join(dict.fromkeys(call.why for call in alike)),
            star_reason=star_reason,
            unused_reason=unused_reason,
        )
    missing = [call.why for call in calls if call.may_be_missing]
    if missing:
        yield missing_objects(role, missing, scope.place)


def missing_objects(role: Role, why: Sequence[str], place: Place) -> Grant:
    """Who may not list a bucket is told "denied" where an object is missing, and has to know the two apart."""
    reasons = "; ".join(dict.fromkeys(why))
    return Grant(role, ("s3:ListBucket",), (place.bucket_arn,), why=f"be told what is missing ({reasons})")


def _condition(permitted: str) -> Condition:
    if permitted == "iam:PassRole":
        return {"StringEquals": {"iam:PassedToService": (SERVICE,)}}
    if permitted == "iam:CreateServiceLinkedRole":
        return {"StringEquals": {"iam:AWSServiceName": ("sagemaker.application-autoscaling.amazonaws.com",)}}
    return {}
