"""Latency of one row through a package on one core. A measurement of this machine, so it is not part of the package.

It is the processor's time of this process, not the clock's: on a machine that others use as well, such as a laptop or a
job's host, the slowest calls by the clock are those that had to wait for a core, and the gate would decide on that.
"""

from __future__ import annotations

import time

import numpy as np

from seatrial.package.read import Package
from seatrial.project import Settings


class Latency(Settings):
    """Percentiles of one call with one row, milliseconds of processor time."""

    calls: int
    p50: float
    p95: float
    p99: float


def measure(package: Package, *, calls: int = 1000, warm_up: int = 100) -> Latency:
    """Time ``predict_rows`` with one row: check, pack and predict, as an endpoint does it, without the network.

    Args:
        package: opened with ``threads=1``, so that one core does the work.
        calls: timed calls, cycling through the golden sample.
        warm_up: calls before, not timed: the graph is loaded and memory allocated in the first ones.
    """
    rows = [[row] for row in package.golden.rows]
    for i in range(warm_up):
        package.predict_rows(rows[i % len(rows)])
    nanoseconds = np.empty(calls, np.int64)
    for i in range(calls):
        row = rows[i % len(rows)]
        start = time.process_time_ns()
        package.predict_rows(row)
        nanoseconds[i] = time.process_time_ns() - start
    p50, p95, p99 = (float(p) / 1e6 for p in np.percentile(nanoseconds, [50, 95, 99]))
    return Latency(calls=calls, p50=round(p50, 6), p95=round(p95, 6), p99=round(p99, 6))
