"""Several threads that do something at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

_PATIENCE_S = 300.0


def race(workers: int, work: Callable[[int], object]) -> list[Any]:
    """What ``work`` returned or raised, for each worker's number; all begin at once."""
    outcome: list[Any] = [None] * workers
    ready = threading.Barrier(workers)

    def run(index: int) -> None:
        try:
            ready.wait(_PATIENCE_S)
            outcome[index] = work(index)
        except Exception as raised:
            outcome[index] = raised

    threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_PATIENCE_S)
        assert not thread.is_alive(), "it has not come to its end"
    return outcome
