"""What an example of a resource type is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from seatrial.rehearsal.infra.provider.base import Props
from tests.rehearsal.infra.provider.conftest import Cloud


@dataclass(frozen=True)
class Example:
    token: str
    inputs: Callable[[Cloud], Props]
    changes: dict[str, Any] = field(default_factory=dict)
    """Property -> its next value, or a function of the cloud that gives it. None takes it away."""


def policy(*actions: str, resource: str = "*", **more: Any) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
