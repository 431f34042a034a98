"""A rehearsal of the flights, and one of the infrastructure alone, beside one plain run, in turn, on this machine.

The rehearsal trains twice, runs five pipelines in eight jobs, and moves an endpoint under live traffic; how many times
a plain run's time that takes says more about it than its seconds, which the machine's other work changes. Each run
starts without a cache. ``python benchmarks/rehearsal.py [ROUNDS]``
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from statistics import median
from typing import Any

RUN = ("run", "flights")
REHEARSE = ("rehearse", "flights")
INFRA = ("rehearse", "--infra")


def timed(command: tuple[str, ...]) -> tuple[float, float, dict[str, Any]]:
    """(seconds, processor seconds of everything that it started and waited for, what it printed)."""
    with tempfile.TemporaryDirectory(prefix="seatrial-bench-") as home:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.perf_counter()
        environment = {**os.environ, "SEATRIAL_HOME": home}
        program = [sys.executable, "-m", "seatrial.cli.main"]
        done = subprocess.run(
            [*program, *command, "--json"], env=environment, capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            sys.exit(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        subprocess.run([*program, "endpoint", "stop", "--all"], env=environment, capture_output=True, check=True)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, used, json.loads(done.stdout)


def main() -> None:
    """Measure, print, and say how much of a rehearsal each stage took."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    plain: list[tuple[float, float]] = []
    rehearsed: list[tuple[float, float]] = []
    infra: list[tuple[float, float]] = []
    stages: dict[str, float] = {}
    for _ in range(rounds):
        seconds, used, _ = timed(RUN)
        plain.append((seconds, used))
        seconds, used, report = timed(REHEARSE)
        rehearsed.append((seconds, used))
        infra.append(timed(INFRA)[:2])
        at = 0.0
        for moment in report["moments"]:
            stages[moment["stage"]] = stages.get(moment["stage"], 0.0) + moment["at"] - at
            at = moment["at"]
    print(f"{'':<22}{'seconds':>9}{'CPU s':>9}")
    for name, measured in (("seatrial run", plain), ("seatrial rehearse", rehearsed), ("  --infra", infra)):
        print(f"{name:<22}{median(m[0] for m in measured):>9.1f}{median(m[1] for m in measured):>9.1f}")
    ratios = [r[0] / p[0] for r, p in zip(rehearsed, plain, strict=True)]
    print(f"{'ratio':<22}{median(ratios):>9.2f}")
    print(f"{'each rehearsal':<22}" + " ".join(f"{seconds:>8.1f}" for seconds, _ in rehearsed))
    for name, total in stages.items():
        print(f"  {name:<20}{total / rounds:>9.1f}")


if __name__ == "__main__":
    main()
