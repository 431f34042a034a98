"""A registered version behind the model's endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seatrial import clouds, project
from seatrial.component import component, observes, say


@dataclass(frozen=True)
class DeployResult:
    """What serves now, and where."""

    version: int
    url: str


@component(job="release")
def deploy(model: str, version: int, champion_version: int) -> DeployResult:
    """Bring the version up, check it, make it champion and move the traffic to it, in this order.

    A version that does not come up, or answers its golden sample wrong, changes nothing: the champion keeps serving.
    ``champion_version`` is the version that the gate compared with (0: none). When another one became champion since,
    the promotion is refused.
    """
    opened = project.load()
    settings = opened.model(model)
    cloud = clouds.load(opened.target, opened.state)
    chosen = cloud.registry.version(model, version)

    def promote() -> None:
        cloud.registry.promote(model, version, expected_champion=champion_version or None)

    served = cloud.endpoints.deploy(
        model,
        str(version),
        cloud.registry.package_path(chosen),
        digest=chosen.digest,
        settings=settings.endpoint,
        rollout=settings.rollout,
        before_switch=promote,
    )
    observes(serving, target=opened.target, state=str(opened.state), model=model)
    say(f"{served.url}   {model} v{version} is champion")
    return DeployResult(version=version, url=served.url)


def serving(target: str, state: str, model: str) -> dict[str, Any]:
    """What the result depends on besides its inputs: who serves, and who is champion."""
    cloud = clouds.load(target, Path(state))
    champion = cloud.registry.champion(model)
    return {
        "endpoint": cloud.endpoints.fingerprint(model),
        "champion": None if champion is None else champion.number,
    }
