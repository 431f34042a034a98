"""Opens a model package: verify every digest first, then parse, then load the graph when it is first needed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pydantic import BaseModel, Field, JsonValue, ValidationError

from seatrial.errors import DataError, PackageError
from seatrial.package.check import check_rows
from seatrial.package.golden import Golden, Replay
from seatrial.package.lineage import Lineage
from seatrial.package.manifest import MANIFEST, MODEL, Manifest, verified
from seatrial.package.parity import Parity
from seatrial.package.signature import Packed, Signature
from seatrial.project import Settings

if TYPE_CHECKING:
    from seatrial.package.candidate import FloatVector
    from seatrial.package.session import Graph

T = TypeVar("T", bound=BaseModel)


class Rows(Settings):
    """How many rows each part of the data has."""

    train: int = Field(ge=0)
    validation: int = Field(ge=0)
    holdout: int = Field(ge=0)


class Metrics(Settings):
    """The content of ``metrics.json``: what was measured at build time. The gate measures the holdout afresh."""

    rows: Rows
    features: int = Field(ge=0)
    """Columns of the matrix between features and estimator."""
    validation: dict[str, JsonValue]
    """Metrics of the package's answers on the validation rows, as the caller's function computes them."""
    parity: Parity
    """On the whole holdout."""


class Package:
    """A verified model package. It cannot change after it was opened: what was hashed is what is used."""

    def __init__(self, path: Path, manifest: Manifest, files: Mapping[str, bytes], *, threads: int) -> None:
        """Parse verified files; ``Package.open`` is the way in."""
        self.path = path
        self.manifest = manifest
        self.signature = _parsed(Signature, path, "signature.json", files)
        self.golden = _parsed(Golden, path, "golden.json", files)
        self.metrics = _parsed(Metrics, path, "metrics.json", files)
        self.lineage = _parsed(Lineage, path, "lineage.json", files)
        self.profile = _object(path, "profile.json", files)
        self.size_bytes = sum(map(len, files.values())) + len(manifest.to_bytes())
        self._model: bytes = files[MODEL]
        self._threads = threads
        self._graph: Graph | None = None

    @classmethod
    def open(cls, path: Path, *, digest: str | None = None, threads: int = 1) -> Self:
        """Open a package.

        Args:
            path: its folder.
            digest: what the registry says it must be. The manifest guards against damage and half copies; only a
                digest from elsewhere guards against a forged package.
            threads: of onnxruntime, for one call.

        Raises:
            PackageError: it is not there, damaged (the file is named), not the one that ``digest`` asks for, or its
                content breaks the contract.
        """
        manifest, files = verified(path)
        if digest is not None and digest != manifest.digest:
            raise PackageError(
                f"{path} holds the package {manifest.digest}, not {digest}",
                why="It is complete, but it is another package than the one that was asked for.",
                todo="Fetch the version again from the registry.",
            )
        return cls(path, manifest, files, threads=threads)

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest: the same digest is the same package, byte for byte."""
        return self.manifest.digest

    @property
    def graph(self) -> Graph:
        """The loaded graph; the first use takes the time of loading."""
        if self._graph is None:
            self._graph = self._load()
        return self._graph

    def predict(self, packed: Packed) -> FloatVector:
        """Probability of the positive class, shape (n,), float32.

        Args:
            packed: from ``signature.pack``.
        """
        return self.graph.run(packed)

    def predict_rows(self, rows: Sequence[Mapping[str, Any]]) -> FloatVector:
        """Check, pack and predict rows as callers send them.

        Raises:
            DataError: any row has a problem; all are listed.
        """
        problems = check_rows(self.signature, rows)
        if problems:
            raise DataError(
                f"{len(problems)} problem{'s' if len(problems) > 1 else ''} in the rows for model "
                f"'{self.signature.model}'\n" + "\n".join(f"  {p}" for p in problems),
                why="A prediction for a row that the model cannot read would be made up.",
                todo="Correct the rows; signature.json in the package lists the columns and their types.",
            )
        return self.predict(self.signature.pack(rows))

    def replay_golden(self) -> Replay:
        """Predict the golden sample here and compare with the answers measured at build time."""
        return self.golden.compare(self.predict_rows(self.golden.rows))

    def _load(self) -> Graph:
        from seatrial.package.session import Graph

        graph = Graph(self._model, threads=self._threads)
        expected: dict[str, tuple[str, int]] = {}
        if self.signature.numeric:
            expected["numeric"] = ("tensor(float)", len(self.signature.numeric))
        if self.signature.text:
            expected["text"] = ("tensor(string)", len(self.signature.text))
        inputs = {name: (kind, shape[-1] if len(shape) == 2 else None) for name, (kind, shape) in graph.inputs.items()}
        outputs = {name: (kind, len(shape)) for name, (kind, shape) in graph.outputs.items()}
        if inputs != expected or outputs != {"probability": ("tensor(float)", 1)}:
            raise PackageError(
                f"the model package {self.path} is refused: {MODEL} does not fit signature.json",
                why=f"The graph takes {inputs} and gives {outputs}; the signature says {expected} and one probability.",
                todo="Build the package again.",
            )
        return graph


def _parsed(kind: type[T], path: Path, name: str, files: Mapping[str, bytes]) -> T:
    try:
        return kind.model_validate_json(files[name])
    except ValidationError as exc:
        problems = [f"{'.'.join(map(str, e['loc'])) or 'content'}: {e['msg']}" for e in exc.errors()[:5]]
        raise _malformed(path, name, "; ".join(problems)) from exc


def _object(path: Path, name: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    try:
        content = json.loads(files[name])
    except (ValueError, RecursionError) as exc:
        raise _malformed(path, name, str(exc)) from exc
    if not isinstance(content, dict):
        raise _malformed(path, name, "it is not a JSON object")
    return content


def _malformed(path: Path, name: str, what: str) -> PackageError:
    return PackageError(
        f"the model package {path} is refused: {name} breaks its contract: {what}",
        why=f"Its digest agrees with {MANIFEST}, so it was written by another program or another version.",
        todo="Build the package again with this version.",
    )
