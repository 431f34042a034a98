"""Operations of the other services that moto lacks: an error that says so, at once.

moto raises, the server answers 500, and every client takes that for a passing fault and tries again, five times.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from seatrial.rehearsal.aws import wire
from seatrial.rehearsal.aws.asked import asked

_LOG = logging.getLogger(__name__)
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def saying_unsupported(app: Wsgi) -> Wsgi:
    """``app``, whose missing operations answer with UnsupportedOperation, in the protocol of the request."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            return app(environ, start_response)
        except NotImplementedError as missing:
            told = f"The rehearsal does not support this operation: {missing}. See docs/rehearsal.md."
            _LOG.info("%s", told)
        line, headers, body = wire.error(asked(environ).style, 400, "UnsupportedOperation", told)
        start_response(line, headers)
        return [body]

    return answer
