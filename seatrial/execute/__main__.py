"""``python -m seatrial.execute``: the program of a job."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from seatrial.errors import SeatrialError
from seatrial.execute import job, vertex


def main(argv: Sequence[str] | None = None) -> int:
    """Run one job; the exit code is 0 when all of its tasks succeeded."""
    parser = argparse.ArgumentParser(prog="python -m seatrial.execute", description=__doc__)
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--job", type=Path, metavar="FILE", help="the job's specification")
    way.add_argument("--part", metavar="TEXT", help="the job's part of the document, as `seatrial compile` writes it")
    parser.add_argument("--executor-input", metavar="JSON", help="KFP's ExecutorInput, with --part")
    given = parser.parse_args(argv)
    if (given.part is None) != (given.executor_input is None):
        parser.error("--part and --executor-input belong together")
    try:
        if given.part is not None:
            return vertex.run(given.part, given.executor_input)
        return job.run_file(given.job)
    except SeatrialError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
