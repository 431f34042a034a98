"""Whether S3 may deliver access logs: moto looks at one way of writing a policy, and fails on the others."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

_DELIVERY = "logging.s3.amazonaws.com"


def may_deliver(target_bucket: Any, target_prefix: str | None) -> bool:
    """Whether a statement of the bucket's policy lets the log delivery write below the prefix.

    Conditions and Deny are not looked at.
    """
    if not target_bucket.policy:
        return False
    written = f"arn:{target_bucket.partition}:s3:::{target_bucket.name}/{target_prefix or ''}log"
    return any(
        statement.get("Effect") == "Allow"
        and isinstance(statement.get("Principal"), dict)
        and _DELIVERY in _listed(statement["Principal"].get("Service", ()))
        and any(fnmatchcase("s3:PutObject", each) for each in _listed(statement.get("Action", ())))
        and any(fnmatchcase(written, each) for each in _listed(statement.get("Resource", ())))
        for statement in _listed(json.loads(target_bucket.policy)["Statement"])
    )


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
