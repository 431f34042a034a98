"""A server's latency is its own: what the machine's other work takes is not counted, what the server does is."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from seatrial.rehearsal.aws.endpoints.contention import Contention

WORKS = "while sum(range(50_000)) and time.process_time() - begun < 0.2: pass"
SLEEPS = "time.sleep(0.2)"
_SERVER = """
import sys, time
print(flush=True)
for _ in sys.stdin:
    begun = time.process_time()
    {}
    print(flush=True)
"""


@contextmanager
def started(program: str, core: int) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        os.sched_setaffinity(process.pid, {core})
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("does", [WORKS, SLEEPS])
def test_what_others_take_is_told_from_what_the_server_does(does: str) -> None:
    core = min(os.sched_getaffinity(0))
    with ExitStack() as stack:
        server = stack.enter_context(started(_SERVER.format(does), core))
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdout.readline()
        for _ in range(4):
            stack.enter_context(started("while True: pass", core))
        begun = time.monotonic()
        contention = Contention([server.pid])
        server.stdin.write("go\n")
        server.stdin.flush()
        server.stdout.readline()
        others = contention.seconds()
        took = time.monotonic() - begun
        own = took - others
    assert own >= 0.1  # not 0.2: this process and the server may have waited at the same time
    if does == WORKS:
        assert own < took / 2


def test_a_process_that_is_gone_took_nothing() -> None:
    process = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    assert min(Contention([int(process.stdout)]).seconds() for _ in range(10)) < 0.1
