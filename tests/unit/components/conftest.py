"""The components, called as functions one after the other, on the small project."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from seatrial.component import Artifact, Dataset, Metrics, Model


@dataclass
class Line:
    """Artifacts of a production line, made on demand, each once."""

    root: Path
    folder: Path
    made: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        return self.folder / name

    def raw(self) -> Dataset:
        if "raw" not in self.made:
            from components.ingest import ingest

            self.made["raw"] = Dataset(self.path("raw"))
            self.results["ingest"] = ingest("parcels", self.made["raw"])
        return self.made["raw"]  # type: ignore[no-any-return]

    def parts(self) -> tuple[Dataset, Dataset, Dataset]:
        if "parts" not in self.made:
            from components.split import split

            self.made["parts"] = tuple(Dataset(self.path(name)) for name in ("train", "validation", "holdout"))
            self.results["split"] = split("parcels", self.raw(), *self.made["parts"])
        return self.made["parts"]  # type: ignore[no-any-return]

    def findings(self) -> Artifact:
        if "findings" not in self.made:
            from components.validate import validate

            self.made["findings"] = Artifact(self.path("findings"))
            self.results["validate"] = validate("parcels", self.raw(), self.made["findings"])
        return self.made["findings"]  # type: ignore[no-any-return]

    def profile(self) -> Artifact:
        if "profile" not in self.made:
            from components.profile import profile

            self.made["profile"] = Artifact(self.path("profile"))
            profile("parcels", self.parts()[0], self.made["profile"])
        return self.made["profile"]  # type: ignore[no-any-return]

    def package(self, candidate: str) -> Model:
        if candidate not in self.made:
            from components.train import train

            self.made[candidate] = Model(self.path(f"package-{candidate}"))
            self.results[candidate] = train("parcels", candidate, *self.parts(), self.profile(), self.made[candidate])
        return self.made[candidate]  # type: ignore[no-any-return]

    def evaluated(self) -> tuple[Dataset, Metrics, Model]:
        if "evaluated" not in self.made:
            from components.evaluate import evaluate

            outputs = (Dataset(self.path("scores")), Metrics(self.path("evaluation")), Model(self.path("challenger")))
            packages = [self.package("logistic"), self.package("lightgbm")]
            _, validation, holdout = self.parts()
            self.results["evaluate"] = evaluate("parcels", packages, validation, holdout, *outputs)
            self.made["evaluated"] = outputs
        return self.made["evaluated"]  # type: ignore[no-any-return]

    def decision(self) -> Artifact:
        if "decision" not in self.made:
            from components.gate import gate

            self.made["decision"] = Artifact(self.path("decision"))
            scores, evaluation, _ = self.evaluated()
            self.results["gate"] = gate("parcels", scores, evaluation, self.findings(), self.made["decision"])
        return self.made["decision"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, repository: Path, write_parcels: Any) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("line")
    root = folder / "project"
    shutil.copytree(repository / "tests" / "projects" / "tiny", root)
    write_parcels(root / "data" / "parcels.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEATRIAL_PROJECT", str(root))
        patch.setenv("SEATRIAL_HOME", str(folder / "state"))
        patch.syspath_prepend(str(root))
        yield Line(root, folder)
        for name in [m for m in sys.modules if m == "recipes" or m.startswith("recipes.")]:
            del sys.modules[name]
