"""``python -m seatrial.rehearsal.aws``: the offline AWS as a process of its own.

Says where it listens and what a client needs in its environment, as lines for a shell or, with ``--json``, as one
JSON object for a program. Then it serves until SIGTERM, SIGINT or, with ``--until-eof``, the end of its standard input,
which comes when the process that started it has gone, however it went. Everything that it started ends with it.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import signal
import sys
import threading
import warnings

from pydantic import ValidationError

from seatrial.errors import SeatrialError
from seatrial.rehearsal.aws.choice import CHOICES, settled
from seatrial.rehearsal.aws.greeting import environment, greeting
from seatrial.rehearsal.aws.image import Image
from seatrial.rehearsal.aws.server import serving
from seatrial.rehearsal.aws.world import World

_COLLECT_AFTER = (2_000, 10, 1_000)
"""New objects, and rounds, until Python looks for cycles. Of moto's heap each whole look takes a tenth of a second and
more, in which no request is answered: as often as Python does it by itself, a latency guardrail sees it."""


def main() -> int:
    """Serve; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m seatrial.rehearsal.aws", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--image", action="append", default=[], help="JSON: uri, container, and what else Image knows")
    parser.add_argument("--engine", default="auto", choices=CHOICES, help="what runs containers; none: namespaces")
    parser.add_argument("--speed", type=float, default=1.0, help="divides the service's own waits")
    parser.add_argument("--every-role", action="store_true", help="hold roles without any policy to having none, too")
    parser.add_argument("--json", action="store_true", help="say it in one line of JSON, for programs")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input ends")
    chosen = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # UnsupportedOperation is no error of SageMaker's, on purpose; moto warns about that.
    warnings.filterwarnings("ignore", message=r"Exception\(Refused\)")
    try:
        images = [Image.model_validate_json(each) for each in chosen.image]
    except ValidationError as wrong:
        parser.error(str(wrong))
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    if chosen.until_eof:
        threading.Thread(target=_wait_for_end_of_input, args=(over,), daemon=True).start()
    try:
        world = World(settled(images, chosen.engine), speed=chosen.speed, every_role=chosen.every_role)
        with serving(world, port=chosen.port) as url:
            gc.freeze()
            gc.set_threshold(*_COLLECT_AFTER)
            settings = environment(url)
            _say(json.dumps({"endpoint_url": url, "environment": settings}) if chosen.json else greeting(settings))
            over.wait()
    except BrokenPipeError:  # whoever started it has gone before it listened
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to say at exit, either
    except SeatrialError as told:
        error = {"kind": type(told).__name__, "what": told.what, "why": told.why, "todo": told.todo}
        if chosen.json:
            _say(json.dumps({"error": error}))
        else:
            sys.stderr.write(f"{told}\n")
        return told.exit_code
    return 0


def _wait_for_end_of_input(over: threading.Event) -> None:
    sys.stdin.buffer.read()
    over.set()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    ended = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(ended)  # everything is closed; Python would take seconds to take moto's heap apart
