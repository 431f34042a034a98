"""A registry with two real packages, endpoints beside it, and the way a pipeline deploys."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seatrial.clouds.base import Endpoints, Registry, Served
from seatrial.package.manifest import MANIFEST, Manifest, canonical
from seatrial.package.read import Package
from seatrial.project import Endpoint, Rollout

MODEL = "parcels"


@dataclass
class Harbour:
    """A target with versions 1 and 2 registered."""

    registry: Registry
    endpoints: Endpoints
    packages: tuple[Path, ...]

    def deploy(
        self, number: int, *, rollout: Rollout | None = None, before_switch: Callable[[], None] | None = None
    ) -> Served:
        """As ``components/deploy.py`` does."""
        version = self.registry.version(MODEL, number)
        champion = self.registry.champion(MODEL)
        expected = None if champion is None else champion.number

        def promote() -> None:
            self.registry.promote(MODEL, number, expected_champion=expected)

        return self.endpoints.deploy(
            MODEL,
            str(number),
            self.registry.package_path(version),
            digest=version.digest,
            settings=Endpoint(),
            rollout=rollout,
            before_switch=before_switch or promote,
        )

    def rollback(self) -> Served:
        """As ``seatrial endpoint rollback`` does."""
        leaving = self.endpoints.get(MODEL).version

        def give_way() -> None:
            self.registry.rollback(MODEL, int(leaving))

        return self.endpoints.rollback(MODEL, settings=Endpoint(), leaving=leaving, before_switch=give_way)

    @property
    def champion(self) -> int | None:
        found = self.registry.champion(MODEL)
        return None if found is None else found.number

    def register(self, package: Path) -> int:
        digest = Package.open(package).digest
        return self.registry.register(MODEL, package, digest, run="r", tags={}).number

    def rows(self, count: int = 3) -> list[Any]:
        return list(Package.open(self.packages[0]).golden.rows[:count])


def wrong_golden(package: Path, target: Path) -> Path:
    """The same model, with a golden sample that it does not fulfil."""
    shutil.copytree(package, target)
    golden = json.loads((target / "golden.json").read_text())
    golden["expected"][0] = 1 - golden["expected"][0]
    (target / "golden.json").write_bytes(canonical(golden))
    files = {p.name: p.read_bytes() for p in target.iterdir() if p.name != MANIFEST}
    (target / MANIFEST).write_bytes(Manifest.of(files).to_bytes())
    return target
