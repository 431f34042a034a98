"""A port for a program that binds it later."""

from __future__ import annotations

import contextlib
import random
import socket


def free_port() -> int:
    """One that nobody is given in between: neither by the kernel nor by a search for a free one from 8080 on."""
    for port in random.SystemRandom().sample(range(20_000, 30_000), 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("there is no free port")
