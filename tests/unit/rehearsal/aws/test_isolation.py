"""A job that is asked to end hears of it, whenever that is."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from seatrial.errors import ResourceError
from seatrial.rehearsal.aws import Image
from seatrial.rehearsal.aws.isolation import require_namespaces, start_isolated
from seatrial.rehearsal.aws.process import Watched


@pytest.mark.parametrize("after_s", [0.0, 0.002, 0.003, 0.004, 0.005, 0.01, 0.03, 0.1, 0.3])
def test_a_request_to_end_is_never_lost(tmp_path: Path, after_s: float) -> None:
    """Not before there is a process 1 either, nor before it can hand the request on; nobody else ends this job."""
    try:
        require_namespaces()
    except ResourceError as refusal:
        pytest.skip(refusal.what)
    running = start_isolated(
        ["sleep", "60"],
        image=Image(uri="any", python=Path(sys.executable), workdir=tmp_path),
        folder=tmp_path / "job",
        environment={},
        instance="ml.m5.large",
    )
    watched = Watched(running, log=lambda _: None, limit_s=120, grace_s=600)
    time.sleep(after_s)
    watched.stop("enough")
    begun = time.monotonic()
    assert watched.wait().why == "enough"
    assert time.monotonic() - begun < 50
