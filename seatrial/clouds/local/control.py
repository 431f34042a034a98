"""Both ends of an endpoint's control channel: one JSON object per line, each way, on a Unix socket in its folder.

A deployment keeps one connection open from start to switch. The server that it started belongs to that connection: when
the deployment is killed, the kernel closes the connection and the supervisor ends what nobody waits for any more.
Light to import, since the supervisor does.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from seatrial.errors import EndpointError

Json = Any
SOCKET = "control"
_LINE_BYTES = 1 << 20
_ANSWER_S = 1.0


class Control:
    """The deployment's end."""

    def __init__(self, folder: Path, patience_s: float) -> None:
        """Connect to the supervisor of an endpoint's folder, which may lie deeper than a socket's path may be long.

        Raises:
            OSError: nobody listens there.
        """
        self._folder = folder
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(patience_s)
        self._read = b""
        try:
            directory = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            try:
                self._socket.connect(f"/proc/self/fd/{directory}/{SOCKET}")
            finally:
                os.close(directory)
        except OSError:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go, also of a challenger that was not told to take over."""
        self._socket.close()

    def ask(self, do: str, **arguments: Json) -> dict[str, Json]:
        """Send one command and wait for its answer.

        Raises:
            EndpointError: the supervisor says no, went away, or does not answer in time.
        """
        try:
            told = self._asked(json.dumps({"do": do, **arguments}).encode())
        except (OSError, ValueError) as exc:
            raise EndpointError(
                f"the supervisor of endpoint '{self._folder.name}' does not answer: {exc}",
                why=f"Its log is {self._folder}/supervisor.log.",
                todo="Run the same command again; a dead supervisor is replaced.",
            ) from exc
        if "error" in told:
            raise EndpointError(
                f"endpoint '{self._folder.name}': {told['error']}",
                why=f"The logs are in {self._folder}.",
                todo="Run the same command again.",
            )
        return told

    def _asked(self, line: bytes) -> dict[str, Json]:
        self._socket.sendall(line + b"\n")
        while b"\n" not in self._read:
            part = self._socket.recv(65536)
            if not part:
                raise ConnectionResetError("it ended without an answer")
            self._read += part
        answer, _, self._read = self._read.partition(b"\n")
        told: dict[str, Json] = json.loads(answer)
        return told


class Caller:
    """The supervisor's end. It never waits for more than an instant, whatever the other end does."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(_ANSWER_S)
        self.socket = connection
        self._read = b""

    def commands(self) -> list[bytes] | None:
        """The complete lines that have arrived; None when the other end is gone. Call it when there is something."""
        try:
            part = self.socket.recv(65536)
        except OSError:
            return None
        self._read += part
        if not part or len(self._read) > _LINE_BYTES:
            return None
        *lines, self._read = self._read.split(b"\n")
        return lines

    def answer(self, told: Mapping[str, Json]) -> None:
        """Send one answer. A caller that does not read it is its own problem."""
        with contextlib.suppress(OSError):
            self.socket.sendall(json.dumps(told).encode() + b"\n")
