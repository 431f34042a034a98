"""A build of the image with a bug that no gate can see: the model is good, its server fails under traffic.

It is healthy and answers its golden sample, which comes as one request of many rows; callers ask for one row, and that
breaks inside the server, as a wrong shape does that only a batch hides. The rest of the server is the real one.
"""

from __future__ import annotations

from seatrial.serving import app, request
from seatrial.serving.answer import Answer
from seatrial.serving.servable import Row, Servable

COMMAND = (
    "-c",
    "from seatrial.rehearsal.story.sabotage import break_the_server; break_the_server(); "
    "from seatrial.cli.container import main; raise SystemExit(main(['serve']))",
)
"""What the image's interpreter is given instead of ``serve``."""


def break_the_server() -> None:
    """Put the bug into this process."""
    sound = request.read_rows

    def read_rows(body: bytes, servable: Servable) -> list[Row] | Answer:
        rows = sound(body, servable)
        if isinstance(rows, list) and len(rows) == 1:
            raise IndexError("tuple index out of range")
        return rows

    vars(app)["read_rows"] = read_rows  # the name that the server calls
