"""A registered version behind the model's endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.register import COMPARED_WITH
from seatrial import clouds, project
from seatrial.clouds.base import Version
from seatrial.component import component, observes, say
from seatrial.errors import RegistryError


@dataclass(frozen=True)
class DeployResult:
    """What serves now, and where."""

    version: int
    url: str


@component(
    job="release",
    role="release",
    uses=("registry:promote", "endpoint:deploy"),
)
def deploy(model: str, version: int, champion_version: int | None = None, again: bool = False) -> DeployResult:
    """Bring the version up, check it, make it champion and move the traffic to it, in this order.

    A version that does not come up, or answers its golden sample wrong, changes nothing: the champion keeps serving.
    ``champion_version`` is the version that the gate compared with (0: none); left out, the version's registration
    says so. When another one became champion since, the promotion is refused. So it is when the version was rolled
    back before, unless ``again`` says that what was wrong with it, such as its image, has been mended.
    """
    opened = project.load()
    settings = opened.model(model)
    cloud = clouds.load(opened.target, opened.state)
    chosen = cloud.registry.version(model, version)

    expected = compared_with(chosen) if champion_version is None else champion_version

    def promote() -> None:
        cloud.registry.promote(model, version, expected_champion=expected or None, again=again)

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


def compared_with(version: Version) -> int:
    """The champion that a version's evidence compared it with; 0: there was none.

    Raises:
        RegistryError: its registration does not say.
    """
    kept = version.tags.get(COMPARED_WITH)
    if kept is None:
        raise RegistryError(
            f"{version.model} v{version.number} does not say which champion it was compared with",
            why="Without that nobody knows whether its evidence still holds.",
            todo="Train it again: a version that this project's pipeline registers says so.",
        )
    return int(kept)


def serving(target: str, state: str, model: str) -> dict[str, Any]:
    """What the result depends on besides its inputs: who serves, and who is champion."""
    cloud = clouds.load(target, Path(state))
    champion = cloud.registry.champion(model)
    return {
        "endpoint": cloud.endpoints.fingerprint(model),
        "champion": None if champion is None else champion.number,
    }
