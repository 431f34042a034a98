"""A build of the image with a bug that no gate can see: the model is good, its server fails under traffic.

It is healthy and answers its golden sample; from the ``HEALTHY``-th request on, every second one breaks inside the
server, as with a cache that fills up or a connection that is not given back. The rest of the server is the real one.
"""

from __future__ import annotations

import itertools

from seatrial.serving import app, request
from seatrial.serving.answer import Answer
from seatrial.serving.servable import Row, Servable

HEALTHY = 12
COMMAND = (
    "-c",
    "from seatrial.rehearsal.story.sabotage import break_the_server; break_the_server(); "
    "from seatrial.cli.container import main; raise SystemExit(main(['serve']))",
)
"""What the image's interpreter is given instead of ``serve``."""


def break_the_server() -> None:
    """Put the bug into this process."""
    sound = request.read_rows
    count = itertools.count()

    def read_rows(body: bytes, servable: Servable) -> list[Row] | Answer:
        number = next(count)
        if number >= HEALTHY and number % 2:
            raise RuntimeError("no connection is left in the pool")
        return sound(body, servable)

    vars(app)["read_rows"] = read_rows  # the name that the server calls
