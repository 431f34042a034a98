"""Does the endpoint answer what the package answered when it was built?"""

from __future__ import annotations

from dataclasses import dataclass

from components.deploy import serving
from seatrial import clouds, project
from seatrial.component import component, observes, say


@dataclass(frozen=True)
class VerifyResult:
    """Rows of the golden sample, all answered alike."""

    rows: int
    largest_difference: float


@component(
    job="release",
    role="release",
    uses=("registry:read", "endpoint:verify"),
)
def verify(model: str, version: int) -> VerifyResult:
    """Replay the golden sample through the live endpoint; raises when an answer differs."""
    opened = project.load()
    cloud = clouds.load(opened.target, opened.state)
    replay = cloud.endpoints.verify(model, str(version))
    observes(serving, target=opened.target, state=str(opened.state), model=model)
    say(f"golden sample {replay.rows}/{replay.rows} equal (largest difference {replay.largest_difference:.0e})")
    return VerifyResult(rows=replay.rows, largest_difference=replay.largest_difference)
