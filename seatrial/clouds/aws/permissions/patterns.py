"""How IAM compares: ``*`` stands for any characters, ``?`` for one."""

from __future__ import annotations

import functools
import re


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    text = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(text, re.DOTALL)


def like(pattern: str, value: str) -> bool:
    """Whether a value is what a pattern says, capitals included."""
    return _compiled(pattern).fullmatch(value) is not None


def action_like(pattern: str, action: str) -> bool:
    """The same for actions, which IAM compares without regard to capitals."""
    return like(pattern.lower(), action.lower())


def resource_like(pattern: str, resource: str) -> bool:
    """The same for ARNs: a wildcard stays within its part, and only the last part may hold colons."""
    if pattern == "*":
        return True
    wanted, given = pattern.split(":", 5), resource.split(":", 5)
    return len(wanted) == len(given) and all(like(w, g) for w, g in zip(wanted, given, strict=True))
