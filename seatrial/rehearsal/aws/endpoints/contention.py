"""What of a request's time is this machine's other work, and not the server's.

On AWS an instance has its processors for itself. Here jobs, servers, callers and the cloud share a few, and a
percentile of a handful of requests, which is all that an accelerated minute holds, would be that of the busiest moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_OWN = Path("/proc/thread-self/schedstat")


class Contention:
    """From here on: how long the machine kept whoever serves, and whoever asks, from a processor.

    What a server computes, waits for or sleeps is its own time. Of each process the first thread counts; where the
    kernel keeps no such account, nothing does.

    Source: https://docs.kernel.org/scheduler/sched-stats.html, ``/proc/<pid>/schedstat``.
    """

    def __init__(self, servers: Iterable[int]) -> None:
        """``servers``: process ids of the server."""
        self._before = {path: _waited_s(path) for path in (_OWN, *(Path(f"/proc/{pid}/schedstat") for pid in servers))}

    def seconds(self) -> float:
        """So far: this thread's, and that of the server's process that waited longest."""
        waited = {path: max(0.0, _waited_s(path) - before) for path, before in self._before.items()}
        return waited.pop(_OWN) + max(waited.values(), default=0.0)


def _waited_s(path: Path) -> float:
    """Seconds on a run queue: the second number, in ns."""
    try:
        return int(path.read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
