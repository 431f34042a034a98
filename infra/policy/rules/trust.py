"""Who may become a role: a service for this account only, a workflow of one repository only."""

from __future__ import annotations

from collections.abc import Iterator

from rules.documents import KEYS, SHARED, TRUST, Statement, statements
from rules.resources import Resource, Settings, resource_rule, strings

_SOURCE = ("aws:SourceAccount", "aws:SourceArn", "aws:SourceOrgID", "aws:SourceOrgPaths")
_TOPICS = ("aws:sns/topicPolicy:TopicPolicy", "aws:sns/topic:Topic")
_EVENTBRIDGE = "events.amazonaws.com"
_LAMBDA = "lambda.amazonaws.com"
"""No page of AWS's says that it tells a function's role where it comes from. It need not: a function is given a role of
its own account only, and by nobody without iam:PassRole for it.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html"""
_KEY_SOURCE = (
    *_SOURCE,
    "kms:CallerAccount",
    "kms:ViaService",
    "kms:EncryptionContext:aws:logs:arn",
    "kms:EncryptionContext:aws:sns:topicArn",
)


@resource_rule(
    "trust-confused-deputy",
    "A service becomes a role on behalf of this account only.",
    *TRUST,
    settings={
        "exempt": strings(
            (_LAMBDA,), "Services that say neither aws:SourceAccount nor aws:SourceArn when they assume a role."
        )
    },
)
def trust_confused_deputy(role: Resource, settings: Settings) -> Iterator[str]:
    """Without it, another account's resource can have the service act with this role."""
    for statement in statements(role, TRUST):
        services = [each for each in _services(statement) if each not in settings["exempt"]]
        if statement.allows and services and not statement.condition(*_SOURCE):
            yield f"{statement.label} trusts {', '.join(services)} without aws:SourceAccount or aws:SourceArn"


@resource_rule(
    "service-access-pinned",
    "A service uses a resource on behalf of this account only.",
    *SHARED,
    "aws:lambda/permission:Permission",
)
def service_access_pinned(resource: Resource, _settings: Settings) -> Iterator[str]:
    """Services call a key for others in turn, and say so in an encryption context."""
    keys = _KEY_SOURCE if resource.type in KEYS else _SOURCE
    for statement in statements(resource, SHARED):
        # of EventBridge a topic learns nothing that it could compare: see eventbridge-let-in
        services = [each for each in _services(statement) if each != _EVENTBRIDGE or resource.type not in _TOPICS]
        if statement.allows and services and not statement.condition(*keys):
            yield f"{statement.label} lets {', '.join(services)} in without aws:SourceAccount or aws:SourceArn"
    if resource.type == "aws:lambda/permission:Permission":
        principal = resource.props.get("principal")
        pinned = resource.given("sourceAccount") or resource.given("sourceArn")
        if isinstance(principal, str) and principal.endswith(".amazonaws.com") and not pinned:
            yield f"it lets {principal} call the function without sourceArn or sourceAccount"


@resource_rule(
    "eventbridge-let-in",
    "EventBridge publishes on a topic as it comes: its events arrive.",
    *_TOPICS,
    *KEYS,
)
def eventbridge_let_in(resource: Resource, _settings: Settings) -> Iterator[str]:
    """EventBridge tells neither a topic nor its key on whose behalf it publishes. A condition on that lets nothing in.

    Rules count failed invocations then, and nobody hears of what failed.
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sns-permissions
    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
    """
    for statement in statements(resource, SHARED):
        asked = sorted({key for _, key, _ in statement.conditions} & {each.lower() for each in _SOURCE})
        if statement.allows and _EVENTBRIDGE in _services(statement) and asked:
            yield f"{statement.label} lets {_EVENTBRIDGE} in by {', '.join(asked)}: it says none, so nothing arrives"


@resource_rule(
    "oidc-trust-pinned",
    "A workflow becomes a role from one repository, and from a branch or an environment of it.",
    *TRUST,
)
def oidc_trust_pinned(role: Resource, _settings: Settings) -> Iterator[str]:
    """GitHub signs tokens for everybody's repositories alike; only the conditions tell them apart."""
    for statement in statements(role, TRUST):
        for provider in statement.principals.get("Federated", ()):
            host = provider.partition("oidc-provider/")[2]
            if statement.allows and host:
                yield from (f"{statement.label}: {problem}" for problem in _unpinned(statement, host.lower()))


@resource_rule(
    "oidc-audience",
    "Tokens are accepted that were made for AWS's STS, and no others.",
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
)
def oidc_audience(provider: Resource, _settings: Settings) -> Iterator[str]:
    """A token for another audience was meant for somebody else."""
    listed = provider.props.get("clientIdLists")
    if isinstance(listed, list) and set(listed) != {"sts.amazonaws.com"}:
        yield f"clientIdLists is {', '.join(map(str, listed)) or 'empty'} and not sts.amazonaws.com"


def _unpinned(statement: Statement, host: str) -> Iterator[str]:
    audiences = _compared(statement, f"{host}:aud")
    subjects = _compared(statement, f"{host}:sub")
    if not audiences or any("*" in each for each in audiences):
        yield f"{host}:aud is not compared"
    if not subjects:
        yield f"{host}:sub is not compared"
    for subject in subjects:
        _, _, rest = subject.partition("repo:")
        repository, _, place = rest.partition(":")
        if "*" in repository or "?" in repository or repository.count("/") != 1:
            yield f"'{subject}' names no single repository"
        elif not place.strip("*") or place.split(":")[-1] in ("*", "refs/*", "refs/heads/*") or place.startswith("*"):
            yield f"'{subject}' names no branch and no environment"


def _compared(statement: Statement, key: str) -> list[str]:
    return [
        value
        for operator, name, values in statement.conditions
        if name == key
        and operator in ("StringEquals", "StringLike", "ForAnyValue:StringEquals", "ForAnyValue:StringLike")
        for value in values
    ]


def _services(statement: Statement) -> tuple[str, ...]:
    return statement.principals.get("Service", ())


POLICIES = (trust_confused_deputy, service_access_pinned, eventbridge_let_in, oidc_trust_pinned, oidc_audience)
