"""Answers as AWS words them, where moto's differ: no empty structures, and no error inside an error's message."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult

from seatrial.rehearsal.aws.strictness import output_shape

_PREFIX = re.compile(r"^An error occ?urred \(\w+\) when calling the \w+ operation: ")


def as_aws_answers(operation: str, answer: ActionResult) -> ActionResult:
    """The same answer, ready for the wire. ``operation`` as in botocore (``DescribeModel``)."""
    said = answer.result
    if isinstance(said, ServiceException):
        said.message = _PREFIX.sub("", str(said.message))
        return answer
    shape = output_shape(operation)
    return answer if shape is None or not isinstance(said, Mapping) else ActionResult(_without_unset(shape, said))


def _without_unset(shape: Any, value: Any) -> Any:
    """``value`` without structures that hold nothing though they would have to: they stand for members never set."""
    if shape.type_name == "structure" and isinstance(value, Mapping):
        return {
            key: _without_unset(shape.members[key], each) if key in shape.members else each
            for key, each in value.items()
            if each != {} or key not in shape.members or not _has_required(shape.members[key])
        }
    if shape.type_name == "list" and isinstance(value, list):
        return [_without_unset(shape.member, each) for each in value]
    return value


def _has_required(shape: Any) -> bool:
    return shape.type_name == "structure" and bool(shape.required_members)
