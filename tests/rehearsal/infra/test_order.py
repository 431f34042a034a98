"""What no dependency orders can be made in any order, and a rehearsal makes it in the other one."""

from __future__ import annotations

import threading
import time

from seatrial.rehearsal.infra.deployment import Turn
from seatrial.rehearsal.infra.lifecycle import Infra
from seatrial.rehearsal.infra.order import Turns, latest_first
from tests.rehearsal.infra.conftest import Stage, failing


def backwards(infra: Infra) -> Turn:
    """The other order of the program's text. The one in which registrations arrived at the preview is nobody's."""
    written = sorted(infra.preview().registered, key=lambda each: ("Box" in each.urn, each.urn))
    return Turns(latest_first(written), patience_s=60.0).turn


def test_what_comes_last_is_made_first(stage: Stage) -> None:
    infra = stage.stack("store", boxes=6)
    infra.up(turn=backwards(infra))
    shelf, *others = stage.cloud.log
    assert shelf == "create main"
    assert [each for each in others if "box" in each] == [f"create box-{number}" for number in reversed(range(6))]


def test_what_is_made_in_time_by_luck_is_found(stage: Stage) -> None:
    lucky = stage.stack("lucky")
    failed = failing(lucky, turn=backwards(lucky))
    assert failed.problems[0].what == "box (mem:box:Box) could not be created: there is no shelf main"
    lucky.destroy()
    ordered = stage.stack("ordered")
    assert ordered.up(turn=backwards(ordered)).counts["create"] == 3


def test_a_resource_that_never_comes_holds_nobody_for_long() -> None:
    turns, went = Turns(["a", "b", "c", "d"], patience_s=0.2), list[str]()

    def go(urn: str) -> None:
        with turns.turn(urn):
            went.append(urn)

    threads = [threading.Thread(target=go, args=(urn,), daemon=True) for urn in ("d", "c", "b", "z")]
    with turns.turn("y"):  # while it has its turn, nobody else does
        for each in threads:
            each.start()
        while len(turns._waiting) < len(threads):
            time.sleep(0.01)
        begun = time.monotonic()
    for each in threads:
        each.join(30)
    assert went == ["z", "b", "c", "d"]
    assert time.monotonic() - begun >= 0.2
