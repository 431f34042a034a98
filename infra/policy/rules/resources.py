"""How rules see a program: resources with plain properties, and who belongs to whom.

Pulumi hands over proxies that raise where preview does not know a value yet. A rule would stop there, and say nothing
about the rest; here such a value is `UNKNOWN`, which satisfies "is given" and nothing else. It is judged at ``up``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

MANDATORY = EnforcementLevel.MANDATORY
ADVISORY = EnforcementLevel.ADVISORY


class Unknown(Enum):
    """The type of `UNKNOWN`."""

    UNKNOWN = "known after the update"


UNKNOWN = Unknown.UNKNOWN


@dataclass(frozen=True)
class Resource:
    """One resource of the program."""

    urn: str
    type: str
    """Without the ``V2`` of the bucket types' older names."""
    name: str
    props: Mapping[str, Any]
    protect: bool
    property_dependencies: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """URNs per property; only where a rule looks at the whole stack."""

    @property
    def stack(self) -> str:
        """Of the URN ``urn:pulumi:<stack>::…``."""
        return self.urn.split("::")[0].rpartition(":")[2]

    def given(self, name: str) -> bool:
        """Whether a property has a value, known or not."""
        return self.props.get(name) not in (None, "", [], {})

    def says(self, name: str, value: object) -> bool:
        """Whether a property has this value, or may have it."""
        return self.props.get(name) in (value, UNKNOWN)

    def each(self, name: str) -> list[Mapping[str, Any]]:
        """The objects in a property that holds one of them, or several."""
        value = self.props.get(name)
        found = value if isinstance(value, list) else [value]
        return [each for each in found if isinstance(each, dict)]

    def inside(self, name: str, key: str) -> list[Any]:
        """What those objects have under a key; `UNKNOWN` where the property is."""
        return [UNKNOWN] if self.props.get(name) is UNKNOWN else [each.get(key) for each in self.each(name)]

    def refers_to(self, other: Resource, name: str) -> bool:
        """Whether a property is the other's name or comes from it."""
        if other.urn in self.property_dependencies.get(name, ()):
            return True
        value = self.props.get(name)
        own = [other.props.get(each) for each in ("bucket", "name", "arn", "modelPackageGroupName", "id")]
        return isinstance(value, str) and value in own


@dataclass(frozen=True)
class Stack:
    """All resources of the program."""

    resources: Sequence[Resource]

    def of(self, *types: str) -> list[Resource]:
        """Those of the types."""
        return [each for each in self.resources if each.type in types]

    def belonging(self, type: str, to: Resource, by: str) -> list[Resource]:
        """Those of a type whose property ``by`` names the resource."""
        return [each for each in self.of(type) if each.refers_to(to, by)]


Settings = Mapping[str, Any]
ResourceRule = Callable[[Resource, Settings], Iterator[str]]
StackRule = Callable[[Stack, Settings], Iterator[tuple[Resource | None, str]]]


def strings(default: Sequence[str], description: str) -> dict[str, Any]:
    """A setting of a rule: a list of texts."""
    return {"type": "array", "items": {"type": "string"}, "default": list(default), "description": description}


def number(default: int, description: str) -> dict[str, Any]:
    """A setting of a rule: a whole number."""
    return {"type": "integer", "default": default, "description": description}


def resource_rule(
    name: str,
    why: str,
    *types: str,
    level: EnforcementLevel = MANDATORY,
    settings: Mapping[str, dict[str, Any]] | None = None,
) -> Callable[[ResourceRule], ResourceValidationPolicy]:
    """Make a policy of a function that looks at one resource of the types, and yields what is wrong with it."""

    def made(rule: ResourceRule) -> ResourceValidationPolicy:
        def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
            kind = _type(args.resource_type)
            if types and kind not in types:
                return
            resource = Resource(args.urn, kind, args.name, plain(args.props), args.opts.protect)
            for message in rule(resource, _settings(settings, args.get_config())):
                report(message, args.urn)

        return ResourceValidationPolicy(name, why, validate, level, _schema(settings))

    return made


def stack_rule(
    name: str, why: str, *, level: EnforcementLevel = MANDATORY, settings: Mapping[str, dict[str, Any]] | None = None
) -> Callable[[StackRule], StackValidationPolicy]:
    """Make a policy of a function that looks at all resources, and yields whose problem it is and what is wrong."""

    def made(rule: StackRule) -> StackValidationPolicy:
        def validate(args: StackValidationArgs, report: ReportViolation) -> None:
            stack = Stack([_resource(each) for each in args.resources])
            for resource, message in rule(stack, _settings(settings, args.get_config())):
                report(message, resource.urn if resource else None)

        return StackValidationPolicy(name, why, validate, level, _schema(settings))

    return made


def plain(props: Mapping[str, Any]) -> dict[str, Any]:
    """The properties as plain JSON, `UNKNOWN` where Pulumi's proxy raises."""
    return {name: _at(props, name) for name in props}


def _at(proxy: Any, key: Any) -> Any:
    try:
        value = proxy[key]
    except UnknownValueError:
        return UNKNOWN
    if isinstance(value, Mapping):
        return plain(value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_at(value, index) for index in range(len(value))]
    return value


def _resource(resource: PolicyResource) -> Resource:
    dependencies = {name: frozenset(each.urn for each in of) for name, of in resource.property_dependencies.items()}
    return Resource(
        resource.urn,
        _type(resource.resource_type),
        resource.name,
        plain(resource.props),
        resource.opts.protect,
        dependencies,
    )


def _type(token: str) -> str:
    return token.replace("V2", "") if token.startswith("aws:s3/bucket") else token


def _schema(settings: Mapping[str, dict[str, Any]] | None) -> PolicyConfigSchema | None:
    return PolicyConfigSchema(dict(settings)) if settings else None


def _settings(settings: Mapping[str, dict[str, Any]] | None, given: Mapping[str, Any]) -> Settings:
    """The defaults are filled in here: Pulumi's command line does so, but not everyone who runs a pack."""
    return {**{name: each["default"] for name, each in (settings or {}).items()}, **given}
