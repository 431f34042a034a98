"""Policy documents: which property of which resource holds one, and its statements."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rules.resources import UNKNOWN, Resource

IDENTITY = {
    "aws:iam/rolePolicy:RolePolicy": "policy",
    "aws:iam/policy:Policy": "policy",
    "aws:iam/groupPolicy:GroupPolicy": "policy",
    "aws:iam/userPolicy:UserPolicy": "policy",
}
"""What someone may do. A role's ``inlinePolicies`` are read, too."""
TRUST = {"aws:iam/role:Role": "assumeRolePolicy"}
"""Who may become a role."""
SHARED = {
    "aws:s3/bucketPolicy:BucketPolicy": "policy",
    "aws:sns/topicPolicy:TopicPolicy": "policy",
    "aws:sns/topic:Topic": "policy",
    "aws:sqs/queuePolicy:QueuePolicy": "policy",
    "aws:sqs/queue:Queue": "policy",
    "aws:kms/key:Key": "policy",
    "aws:kms/keyPolicy:KeyPolicy": "policy",
    "aws:ecr/repositoryPolicy:RepositoryPolicy": "policy",
    "aws:sagemaker/modelPackageGroupPolicy:ModelPackageGroupPolicy": "resourcePolicy",
    "aws:cloudwatch/eventBusPolicy:EventBusPolicy": "policy",
    "aws:cloudwatch/logResourcePolicy:LogResourcePolicy": "policyDocument",
    "aws:secretsmanager/secretPolicy:SecretPolicy": "policy",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "policy",
}
"""Who else may use a resource."""
KEYS = ("aws:kms/key:Key", "aws:kms/keyPolicy:KeyPolicy")


@dataclass(frozen=True)
class Statement:
    """One statement. Lists everywhere, also where the document has a single text."""

    sid: str
    allows: bool
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    principals: Mapping[str, tuple[str, ...]]
    """Kind (``AWS``, ``Service``, ``Federated``, ``*``) -> who."""
    not_principals: bool
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...]
    """(operator, key in lower case, values)."""

    @property
    def label(self) -> str:
        """How messages call it."""
        return f"statement '{self.sid}'" if self.sid else "a statement without Sid"

    def condition(
        self, *keys: str, operators: tuple[str, ...] = ("StringEquals", "ArnEquals", "StringLike", "ArnLike")
    ) -> bool:
        """Whether one of the keys is compared to something that is not just ``*``."""
        wanted = {key.lower() for key in keys}
        return any(
            key in wanted and operator.rpartition(":")[2] in operators and values and not {"*", "arn:*"} & set(values)
            for operator, key, values in self.conditions
            if not operator.endswith("IfExists")
        )


class Unreadable(ValueError):
    """A policy document is not one."""


def documents(resource: Resource, where: Mapping[str, str]) -> list[Any]:
    """The documents of a resource, as they are written; what preview does not know is left out."""
    found = [resource.props.get(where[resource.type])] if resource.type in where else []
    if where is IDENTITY and resource.type == "aws:iam/role:Role":
        found = [each.get("policy") for each in resource.each("inlinePolicies")]
    return [each for each in found if each not in (None, UNKNOWN)]


def statements(resource: Resource, where: Mapping[str, str]) -> Iterator[Statement]:
    """The statements of a resource's documents. Documents that nobody can read are `documents-readable`'s business."""
    for document in documents(resource, where):
        try:
            yield from parsed(document)
        except Unreadable:
            continue


def parsed(document: Any) -> list[Statement]:
    """The statements of a document.

    Raises:
        Unreadable: it is no JSON, or not of a policy's shape.
    """
    try:
        content = json.loads(document) if isinstance(document, str) else document
    except json.JSONDecodeError as wrong:
        raise Unreadable(f"it is not JSON: {wrong}") from wrong
    if not isinstance(content, dict) or "Statement" not in content:
        raise Unreadable("it has no Statement")
    listed = content["Statement"] if isinstance(content["Statement"], list) else [content["Statement"]]
    if not all(isinstance(each, dict) for each in listed):
        raise Unreadable("a statement is not an object")
    return [_statement(each) for each in listed]


def _statement(raw: Mapping[str, Any]) -> Statement:
    principal = raw.get("Principal", {})
    return Statement(
        sid=str(raw.get("Sid", "")),
        allows=raw.get("Effect") == "Allow",
        actions=_texts(raw.get("Action")),
        not_actions=_texts(raw.get("NotAction")),
        resources=_texts(raw.get("Resource")),
        not_resources=_texts(raw.get("NotResource")),
        principals={kind: _texts(who) for kind, who in principal.items()}
        if isinstance(principal, dict)
        else {"*": _texts(principal)},
        not_principals="NotPrincipal" in raw,
        conditions=tuple(
            (operator, key.lower(), _texts(values))
            for operator, compared in (raw.get("Condition") or {}).items()
            for key, values in compared.items()
        ),
    )


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(str(each) for each in value) if isinstance(value, list) else (str(value),)
