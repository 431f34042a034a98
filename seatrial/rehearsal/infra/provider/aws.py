"""The AWS provider of the rehearsal: applies resources to the offline AWS through plain boto3."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from seatrial.errors import RehearsalError
from seatrial.rehearsal.infra.provider import (
    budgets,
    cloudwatch,
    ecr,
    events,
    firewall,
    functions,
    iam,
    iam_policies,
    kms,
    network,
    s3,
    s3_settings,
    sagemaker,
    sns,
)
from seatrial.rehearsal.infra.provider.base import Diff, Props, Unfinished, UnsupportedType, is_blob
from seatrial.rehearsal.infra.provider.forms import Fields, agree, required, unhandled
from seatrial.rehearsal.infra.provider.resource import Change, Known, ResourceType, refused, request_problems
from seatrial.rehearsal.infra.provider.session import PARTITION, Session

_MODULES = (
    budgets,
    cloudwatch,
    ecr,
    events,
    firewall,
    functions,
    iam,
    iam_policies,
    kms,
    network,
    s3,
    s3_settings,
    sagemaker,
    sns,
)
TYPES: dict[str, type[ResourceType]] = {each.type: each for module in _MODULES for each in module.TYPES}
"""Every type that a program may use here."""
INVOKES = (
    "aws:index/getCallerIdentity:getCallerIdentity",
    "aws:index/getPartition:getPartition",
    "aws:index/getRegion:getRegion",
)
_REFUSED = (ClientError, BotoCoreError)


class AwsProvider:
    """See `base.Provider`. Several threads may use it."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        """``settings``: keyword arguments of ``boto3.client``, as `OfflineAws.client_settings` gives them."""
        self._session = Session(settings)
        self._types = {token: each(self._session) for token, each in TYPES.items()}

    def configure(self, package: str, settings: Props) -> list[str]:
        """The region is followed, where it is this provider's own; nothing else is."""
        if package != "aws":
            return [f"{package} is not applied here"]
        region = settings.get("region", self._session.region)
        elsewhere = [f"its region {region} is not {self._session.region}"] if region != self._session.region else []
        return elsewhere + [f"{key} is not followed" for key in sorted(settings) if key != "region"]

    def check(self, type: str, name: str, inputs: Props, olds: Props | None) -> tuple[Props, list[str]]:
        """Complete and examine inputs; every problem at once."""
        resource = self._type(type)
        inputs = {key: value for key, value in inputs.items() if value is not None}
        if resource.named and resource.named not in inputs:
            known = (olds or {}).get(resource.named)
            inputs[resource.named] = known or f"{name}-{secrets.token_hex(4)[:7]}"
        for key, field in resource.fields.items():
            if field.default is not None and not field.output:
                inputs.setdefault(key, field.default)
        return inputs, [f"{type}: {each}" for each in _problems(resource, inputs)]

    def diff(self, type: str, olds: Props, news: Props) -> Diff:
        """What would change, and what of it cannot change in place."""
        resource = self._type(type)
        changed = tuple(sorted(_differing(resource.fields, olds, news)))
        replaces = tuple(key for key in changed if resource.fields[key].replaces)
        taken = bool(resource.identity) and not set(resource.identity) & set(changed)
        return Diff(changed, replaces, delete_first=bool(replaces) and taken)

    def create(self, type: str, inputs: Props) -> tuple[str, Props]:
        """Create it, all of it or with `Unfinished`."""
        resource = self._type(type)
        with _refusals(f"{type} was not created"):
            id = resource.create(inputs)
        try:
            resource.complete(id, inputs)
            return id, _outputs(resource.find(id), inputs)
        except _REFUSED as error:
            raise Unfinished(id, self._known(resource, id, inputs), _told(error)) from error

    def read(self, type: str, id: str, outputs: Props) -> Props | None:  # noqa: ARG002 an id says where to look
        """Ask the cloud. A property that is None is one that the cloud could have and has not."""
        with _refusals(f"{type} '{id}' cannot be read"):
            return self._type(type).find(id)

    def unseen(self, type: str) -> Mapping[str, str]:
        """The provider's own settings of a type, each with why AWS cannot tell it."""
        return {key: each.local for key, each in self._type(type).fields.items() if each.local}

    def update(self, type: str, id: str, outputs: Props, inputs: Props) -> Props:
        """Change it in place."""
        resource = self._type(type)
        before = resource.find(id)
        if before is None:
            raise RehearsalError(
                f"{type} '{id}' was not changed: it is gone",
                why="Somebody or something else deleted it since it was last looked at.",
                todo="Refresh the state, then update again.",
            )
        fields = {key: each for key, each in resource.fields.items() if not (each.output or each.local)}
        changed = _differing(fields, before, inputs)
        try:
            if changed:
                resource.update(Change(id, inputs, frozenset(changed)))
        except _REFUSED as error:
            after = self._known(resource, id, outputs)
            if _differing(fields, before, after):
                raise Unfinished(id, after, _told(error)) from error
            with _refusals(f"{type} '{id}' was not changed"):
                raise
        return _outputs(resource.find(id), inputs)

    def delete(self, type: str, id: str, outputs: Props) -> None:
        """Delete it, if it is there."""
        resource = self._type(type)
        with _refusals(f"{type} '{id}' was not deleted"):
            try:
                resource.delete(Known(id, outputs))
            except ClientError as error:
                if error.response["Error"]["Code"] not in resource.gone:
                    raise

    def invoke(self, token: str, args: Props) -> Props:
        """Answer a function; ``args`` that would change the answer are refused."""
        if token not in INVOKES:
            raise UnsupportedType(token, (*INVOKES, *TYPES))
        if given := sorted(key for key, value in args.items() if value is not None):
            raise RehearsalError(
                f"{token}: {', '.join(given)} is not applied by the rehearsal",
                why="An answer that leaves it out could be the wrong one.",
                todo="Call it without arguments.",
            )
        with _refusals(f"{token} was not answered"):
            return self._answer(token.rpartition(":")[2])

    def inventory(self) -> set[tuple[str, str]]:
        """Everything of these types that exists."""
        with _refusals("The cloud's inventory cannot be read"):
            return {(token, id) for token, each in self._types.items() for id in each.ids()}

    def _answer(self, function: str) -> Props:
        region = self._session.region
        if function == "getCallerIdentity":
            caller = self._session.caller
            account = caller["Account"]
            return {"id": account, "accountId": account, "arn": caller["Arn"], "userId": caller["UserId"]}
        if function == "getRegion":
            return {"id": region, "name": region, "region": region, "endpoint": f"ec2.{region}.amazonaws.com"}
        return {
            "id": PARTITION,
            "partition": PARTITION,
            "dnsSuffix": "amazonaws.com",
            "reverseDnsPrefix": "com.amazonaws",
        }

    def _type(self, token: str) -> ResourceType:
        if token not in self._types:
            raise UnsupportedType(token, TYPES)
        return self._types[token]

    @staticmethod
    def _known(resource: ResourceType, id: str, otherwise: Props) -> Props:
        try:
            return _outputs(resource.find(id), {}) or dict(otherwise)
        except _REFUSED:
            return dict(otherwise)


def _problems(resource: ResourceType, inputs: Props) -> Iterator[str]:
    fields = resource.fields
    formal = [*unhandled(fields, inputs), *required(fields, inputs)]
    for key, value in inputs.items():
        if key in fields and not fields[key].output:
            formal += fields[key].form.problems(value, key)
    yield from formal
    if not formal:  # a request can be written from them
        yield from request_problems(resource, inputs)
        yield from resource.problems(inputs)


def _differing(fields: Fields, olds: Props, news: Props) -> set[str]:
    """Names of the fields that differ. What AWS decides where the program says nothing does not."""
    return {
        key
        for key in {*olds, *news} & {*fields}
        if not (fields[key].computed and key not in news) and not agree(fields[key], olds.get(key), news.get(key))
    }


def _outputs(found: Props | None, inputs: Props) -> Props:
    """What the state records: the cloud's answer where it is set, under it the program's own words."""
    told = {key: value for key, value in (found or {}).items() if value is not None}
    return told | {key: _recorded(value) for key, value in inputs.items()}


def _recorded(value: Any) -> Any:
    return {key: each for key, each in value.items() if key != "content"} if is_blob(value) else value


def _told(error: Exception) -> str:
    return refused(error) if isinstance(error, ClientError) else str(error)


@contextmanager
def _refusals(what: str) -> Iterator[None]:
    try:
        yield
    except _REFUSED as error:
        raise RehearsalError(
            f"{what}: {_told(error)}",
            why="The offline AWS refused it as AWS would.",
            todo="Change what the message names in the program, then run it again.",
        ) from error
