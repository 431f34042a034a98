"""Writes the operations table into a page: ``python -m seatrial.rehearsal.aws.documentation docs/rehearsal.md``."""

from __future__ import annotations

import sys
from pathlib import Path

from seatrial.rehearsal.aws.operations import operations_table
from seatrial.rehearsal.aws.responses import SageMaker

_BEGIN, _END = "<!-- operations: begin -->\n", "<!-- operations: end -->\n"


def with_table(page: str) -> str:
    """The page with the table that the code gives now."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{operations_table(SageMaker)}\n{_END}{after}"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(with_table(Path(name).read_text()))
