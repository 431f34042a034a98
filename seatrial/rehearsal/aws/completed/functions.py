"""Lambda: moto's, where a function's key can change, and no two permissions of it have one name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.awslambda.exceptions import LambdaClientError


def once(add: Callable[..., Any]) -> Callable[..., Any]:
    """``Policy.add_statement`` that refuses a name that the policy has."""

    def add_once(policy: Any, raw: str, *more: Any, **named: Any) -> Any:
        name = json.loads(raw).get("StatementId")
        if any(each.get("Sid") == name for each in policy.statements):
            told = f"The statement id ({name}) provided already exists. Please provide a new statement id."
            raise LambdaClientError("ResourceConflictException", told)
        return add(policy, raw, *more, **named)

    return add_once


def keyed(update: Callable[..., Any]) -> Callable[..., Any]:
    """``LambdaFunction.update_configuration`` that changes the key, too."""

    def update_keyed(function: Any, updates: dict[str, Any]) -> Any:
        if "KMSKeyArn" in updates:
            function.kms_key_arn = updates["KMSKeyArn"] or None
        return update(function, updates)

    return update_keyed
