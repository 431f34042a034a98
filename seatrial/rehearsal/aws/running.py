"""A program that was started isolated: how to ask it to end, how to end it, and whether its memory was too small."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from pathlib import Path


def children(pid: int) -> list[int]:
    """The processes that ``pid`` started itself."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def family(pid: int) -> list[int]:
    """``pid`` and every process below it; none when it has ended."""
    found = [pid] if Path(f"/proc/{pid}").exists() else []
    for each in found:
        found.extend(children(each))
    return found


YIELDING = ("nice", "-n", "10")
"""Before a job's command: on AWS no endpoint shares its processors with a job."""


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
    def programs(self) -> list[int]:
        """The program and every process that it started; none once it has ended."""

    @abstractmethod
    def out_of_memory(self) -> bool:
        """Whether the kernel killed it, or a process that it started, for memory. Asked when it has ended."""
