"""Refuses what AWS refuses and moto lets through: values outside botocore's own shapes, and roles nobody can assume."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

import botocore.session

from seatrial.rehearsal.aws.iam.authority import Authority
from seatrial.rehearsal.aws.iam.conditions import NotUnderstood

_SERVICE = "sagemaker.amazonaws.com"


@functools.cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def shape_problems(operation: str, parameters: Any, *, service: str = "sagemaker") -> list[str]:
    """Every constraint of the operation's input shape that the parameters break, in AWS's words. Empty when none."""
    return list(_problems(_model(service).operation_model(operation).input_shape, parameters, ""))


def output_shape(operation: str, *, service: str = "sagemaker") -> Any:
    """The shape of what the operation gives back; None where it gives nothing, or is no operation."""
    model = _model(service)
    return model.operation_model(operation).output_shape if operation in model.operation_names else None


def as_message(problems: list[str]) -> str:
    """The message of a ValidationException, all problems at once."""
    return f"{len(problems)} validation error{'s' * (len(problems) > 1)} detected: {'; '.join(problems)}"


def _problems(shape: Any, value: Any, path: str) -> Iterator[str]:
    kind = shape.type_name
    if kind == "structure":
        for name in shape.required_members:
            if value.get(name) is None:
                yield _refusal(None, _member(path, name), "Member must not be null")
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield from _problems(member, value[name], _member(path, name))
    elif kind == "list":
        yield from _bounds(shape, value, len(value), path, "length")
        for index, each in enumerate(value):
            yield from _problems(shape.member, each, f"{path}.{index + 1}.member")
    elif kind == "map":
        yield from _bounds(shape, value, len(value), path, "length")
        for key, each in value.items():
            yield from _problems(shape.key, key, f"{path}.key")
            yield from _problems(shape.value, each, f"{path}.{key}.member")
    elif kind == "string":
        yield from _bounds(shape, value, len(value), path, "length")
        if shape.enum and value not in shape.enum:
            yield _refusal(value, path, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
        pattern = shape.metadata.get("pattern")
        if pattern and not _matches(pattern, value):
            yield _refusal(value, path, f"Member must satisfy regular expression pattern: {pattern}")
    elif kind in ("integer", "long", "float", "double"):
        yield from _bounds(shape, value, value, path, "value")


def _bounds(shape: Any, value: Any, size: float, path: str, what: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        yield _refusal(value, path, f"Member must have {what} greater than or equal to {low}")
    if high is not None and size > high:
        yield _refusal(value, path, f"Member must have {what} less than or equal to {high}")


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern)
    except re.error:
        return None  # written for Java (\p{L}, possessive quantifiers): not checked rather than wrongly refused


def _matches(pattern: str, value: str) -> bool:
    compiled = _compiled(pattern)
    return compiled is None or compiled.fullmatch(value) is not None


def _member(path: str, name: str) -> str:
    name = name[0].lower() + name[1:]
    return f"{path}.{name}" if path else name


def _refusal(value: Any, path: str, constraint: str) -> str:
    shown = "null" if value is None else f"'{str(value)[:100]}'"
    return f"Value {shown} at '{path}' failed to satisfy constraint: {constraint}"


def role_problem(iam: Authority, arn: str, source: str) -> str | None:
    """Why SageMaker could not assume the role for ``source``, or None when it could."""
    refusal = (
        f"Could not assume role {arn}. Please ensure that the role exists and allows principal "
        f"'{_SERVICE}' to assume the role."
    )
    try:
        trusted = iam.trusts_service(arn, _SERVICE, source)
    except NotUnderstood as unknown:
        return f"{refusal} (The rehearsal does not understand {unknown}.)"
    return None if trusted else refusal
