"""Policy documents against what cfn-lint knows of IAM: which actions there are, what they are about, how to compare.

IAM accepts an action that does not exist and a resource that the action is not about, and then denies. Documents are
found by what they look like, so that a new resource type with a policy needs no line here.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

from seatrial.errors import MissingExtra
from seatrial.rehearsal.infra.proof.finding import Finding, nearest
from seatrial.rehearsal.infra.provider.base import UNKNOWN
from seatrial.rehearsal.infra.registered import Registration

Statement = Mapping[str, Any]

_GLOBAL_KEYS = frozenset(
    f"aws:{name}".lower()
    for name in (
        *("CalledVia", "CalledViaFirst", "CalledViaLast", "CurrentTime", "EpochTime", "FederatedProvider"),
        *("MultiFactorAuthAge", "MultiFactorAuthPresent", "PrincipalAccount", "PrincipalArn", "PrincipalIsAWSService"),
        *("PrincipalOrgID", "PrincipalOrgPaths", "PrincipalServiceName", "PrincipalServiceNamesList", "PrincipalType"),
        *("Referer", "RequestedRegion", "ResourceAccount", "ResourceOrgID", "ResourceOrgPaths", "SecureTransport"),
        *("SourceAccount", "SourceArn", "SourceIdentity", "SourceIp", "SourceOrgID", "SourceOrgPaths", "SourceVpc"),
        *(
            "SourceVpcArn",
            "SourceVpce",
            "TagKeys",
            "TokenIssueTime",
            "UserAgent",
            "userid",
            "username",
            "ViaAWSService",
        ),
        *(
            "VpcSourceIp",
            "VpceAccount",
            "VpceOrgID",
            "VpceOrgPaths",
            "Ec2InstanceSourceVpc",
            "AssumedRoot",
            "ChatbotSourceArn",
        ),
    )
)
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html; cfn-lint lists only keys of
resources. Keys with a name in them (``aws:ResourceTag/x``) are known by what stands before it."""
_TAG_KEYS = ("aws:principaltag/", "aws:requesttag/", "aws:resourcetag/")
_ELEMENTS = (
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
)
_S3 = {"bucket": r"arn:[^:]*:s3:::[^/]+", "object": r"arn:[^:]*:s3:::[^/]+/.+"}
"""cfn-lint has one form for both; that they differ is what policies get wrong."""


def check(registration: Registration) -> Iterator[Finding]:
    """Every statement of every policy document among the properties.

    Raises:
        MissingExtra: cfn-lint is not installed.
    """
    for path, document in _documents(registration.inputs, ""):
        listed = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
        for index, statement in enumerate(listed):
            for element, problem in _statement(statement):
                yield Finding(registration.urn, f"{path}.Statement[{index}]{element}", "permission", problem)


def _documents(value: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(value, str) and '"Statement"' in value:
        try:
            found = json.loads(value)
        except json.JSONDecodeError:
            return  # the policy pack's `documents-readable`
        if isinstance(found, dict) and "Statement" in found:
            yield path, found
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _documents(each, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _documents(each, f"{path}[{index}]")


def _statement(statement: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(statement, dict):
        yield "", "a statement is an object"
        return
    for name in statement:
        if name not in _ELEMENTS:
            yield f".{name}", f"a statement has no such element{nearest(name, _ELEMENTS)}"
    if statement.get("Effect") not in ("Allow", "Deny"):
        yield ".Effect", f"'{statement.get('Effect')}' is neither Allow nor Deny"
    for name in ("Action", "NotAction"):
        for action in _texts(statement.get(name)):
            if problem := _action(action):
                yield f".{name}", problem
    for resource in _texts(statement.get("Resource")):
        if not re.match(_definitions()["AwsArn"]["pattern"], resource):
            yield ".Resource", f"'{resource}' is no ARN"
    yield from _fit(statement)
    yield from _principals(statement.get("Principal"))
    yield from _conditions(statement)


def _action(action: str) -> str:
    service, _, name = action.partition(":")
    if action == "*":
        return ""
    known = _services().get(service.lower())
    if known is None:
        return f"'{action}': there is no service '{service}'{nearest(service, _services())}"
    pattern = re.escape(name.lower()).replace(r"\*", ".*").replace(r"\?", ".")
    if not any(re.fullmatch(pattern, each) for each in known["Actions"]):
        return f"'{action}': {service} has no such action{nearest(name, known['Actions'])}"
    return ""


def _fit(statement: Statement) -> Iterator[tuple[str, str]]:
    """Actions and resources of a statement have to be about each other."""
    resources = _texts(statement.get("Resource"))
    actions = [each for each in _texts(statement.get("Action")) if not set("*?") & set(each) and not _action(each)]
    if not resources or "*" in resources or not actions or len(actions) != len(_texts(statement.get("Action"))):
        return
    forms = {action: _forms(action) for action in actions}
    for action, each in forms.items():
        if not each:
            yield ".Resource", f"'{action}' knows no resources: it is only ever allowed on '*'"
        elif not any(re.fullmatch(form, resource) for form in each for resource in resources):
            yield ".Resource", f"'{action}' is about {_readable(action)}, and no resource of the statement is one"
    for resource in resources:
        if not any(re.fullmatch(form, resource) for each in forms.values() for form in each):
            yield ".Resource", f"no action of the statement is about '{resource}'"


def _forms(action: str) -> list[str]:
    """Patterns of the ARNs that an action is about; none: it is about nothing in particular."""
    service, _, name = action.lower().partition(":")
    found = []
    for kind in _services()[service]["Actions"][name].get("Resources", ()):
        if service == "s3" and kind in _S3:
            found.append(_S3[kind])
            continue
        for form in _services()[service]["Resources"].get(kind.lower(), {}).get("ARNFormats", ()):
            # what AWS leaves open (${Region}) and cfn-lint writes as .* stay open; a resource may have a * there, too
            parts = [re.escape(part) for part in re.sub(r"\$\{\w+\}", "\0", form).replace(".*", "\1").split("\0")]
            found.append("[^:]*".join(parts).replace("\1", ".*"))
    return found


def _readable(action: str) -> str:
    service, _, name = action.lower().partition(":")
    kinds = _services()[service]["Actions"][name]["Resources"]
    return f"{', '.join(kinds[:4])}{' …' if len(kinds) > 4 else ''} of {service}"


def _principals(principal: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(principal, dict):
        return
    for service in _texts(principal.get("Service")):
        labels = service.removesuffix(".cn").removesuffix(".amazonaws.com").split(".")
        if not service.endswith((".amazonaws.com", ".amazonaws.com.cn")) or not set(labels) & set(_services()):
            yield ".Principal.Service", f"there is no service '{service}'{nearest(labels[0], _services())}"
    for who in _texts(principal.get("AWS")):
        forms = [each.get("pattern") or re.escape(each["const"]) for each in _definitions()["AwsPrincipalArn"]["anyOf"]]
        if not any(re.match(form, who) for form in forms):
            yield ".Principal.AWS", f"'{who}' is no account, role or user"


def _conditions(statement: Statement) -> Iterator[tuple[str, str]]:
    services = {each.partition(":")[0].lower() for each in _texts(statement.get("Action"))}
    condition = statement.get("Condition")
    for operator, compared in condition.items() if isinstance(condition, dict) else ():
        if operator not in _operators()[1] and not any(re.match(form, operator) for form in _operators()[0]):
            names = (
                "StringEquals",
                "StringLike",
                "ArnEquals",
                "ArnLike",
                "NumericLessThan",
                "Bool",
                "Null",
                "IpAddress",
            )
            yield f".Condition.{operator}", f"there is no such comparison{nearest(operator, names)}"
        for key in compared if isinstance(compared, dict) else ():
            if problem := _key(key.lower(), services):
                yield f".Condition.{operator}.{key}", problem


def _key(key: str, services: set[str]) -> str:
    prefix = key.partition(":")[0]
    if prefix == "aws":
        known = key in _GLOBAL_KEYS or key.startswith(_TAG_KEYS)
        return "" if known else f"there is no such global condition key{nearest(key, _GLOBAL_KEYS)}"
    if "." in prefix or "/" in prefix or "*" in services or prefix in services:
        return ""  # a token issuer's claim, or a key of a service that the statement is about
    if prefix in _services():
        return f"it is a key of {prefix}, and no action of the statement is: it is never there"
    return f"there is no service '{prefix}'{nearest(prefix, _services())}"


@functools.cache
def _services() -> dict[str, Any]:
    """Service prefix -> its actions (in lower case) and resources."""
    return dict(_data("AdditionalSpecs", "Policies.json"))


@functools.cache
def _definitions() -> dict[str, Any]:
    return dict(_data("schemas/other/iam", "policy.json")["definitions"])


@functools.cache
def _operators() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Patterns of comparisons, and those that are named outright."""
    condition = _definitions()["Condition"]
    return tuple(condition["patternProperties"]), tuple(condition["properties"])


def _data(folder: str, name: str) -> Any:
    """A file of cfn-lint's. Importing its code instead would take a second."""
    if find_spec("cfnlint") is None:
        raise MissingExtra("Checking policies against what IAM knows", "cfn-lint", "infra")
    return json.loads(files("cfnlint").joinpath("data", *folder.split("/"), name).read_text())


def _texts(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [each for each in listed if isinstance(each, str) and each != UNKNOWN]
