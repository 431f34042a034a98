"""Errors that a client receives."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class Refused(ServiceException):  # type: ignore[misc]  # moto counts as Any
    """An error that the client receives as AWS would have sent it."""


def unsupported(what: str) -> Refused:
    """An error for what AWS does and this rehearsal does not: never a made-up success."""
    return Refused(
        "UnsupportedOperation",
        f"The rehearsal does not support {what}. AWS would; this offline server answers with an error "
        "rather than with a success that nothing stands behind. See docs/rehearsal.md.",
    )


def invalid(message: str) -> Refused:
    """A request that AWS refuses too."""
    return Refused("ValidationException", message)
