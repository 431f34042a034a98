"""Conditional writes to S3 are atomic: moto compares and then writes, and another thread may come in between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

_Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def with_atomic_conditions(app: _Wsgi) -> _Wsgi:
    """``app``, letting one conditional PUT through at a time."""
    one_at_a_time = threading.Lock()

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        conditional = "HTTP_IF_MATCH" in environ or "HTTP_IF_NONE_MATCH" in environ
        if environ["REQUEST_METHOD"] != "PUT" or not conditional:
            return app(environ, start_response)
        with one_at_a_time:
            return list(app(environ, start_response))

    return answer
