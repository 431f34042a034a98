"""A program that was started isolated: how to ask it to end, how to end it, and whether its memory was too small."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod


class Running(ABC):
    """The process that stands for the program; its output and exit code are the program's."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """Standard output of ``process`` is a pipe."""
        self.process = process

    @property
    def pid(self) -> int:
        """The process's number."""
        return self.process.pid

    @abstractmethod
    def ask_to_end(self) -> None:
        """Let the program know, with SIGTERM."""

    def end_now(self) -> None:
        """Kill the program and everything that it started."""
        self.process.kill()

    @abstractmethod
    def out_of_memory(self) -> bool:
        """Whether the kernel killed it, or a process that it started, for memory. Asked when it has ended."""
