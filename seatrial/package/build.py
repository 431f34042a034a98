"""Builds a model package, in the order that makes skew impossible: export features, train on what the export gives.

::

    columns ─ fit ─▶ feature graph ─▶ float32 features ─▶ candidate.fit ─▶ estimator graph
                          └───────────────── merge ──────────────────────────────┘
                                               ▼
        parity on the holdout, golden sample, metrics on validation ─▶ files, manifest ─▶ rename into place

Everything is in memory until it is complete. A build that fails or is interrupted leaves nothing behind.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from pydantic import BaseModel, JsonValue
from threadpoolctl import threadpool_limits

from seatrial.errors import DataError, PackageError, ResourceError
from seatrial.package import graph
from seatrial.package.candidate import (
    Candidate,
    FloatVector,
    LabelVector,
    Progress,
    TrainingData,
    Transformer,
    silent,
)
from seatrial.package.features import Features
from seatrial.package.golden import golden, select
from seatrial.package.lineage import Lineage
from seatrial.package.manifest import MANIFEST, MODEL, Manifest, canonical
from seatrial.package.parity import Parity
from seatrial.package.read import Metrics, Package, Rows
from seatrial.package.session import Graph
from seatrial.package.signature import Packed, Signature
from seatrial.project import Model

if TYPE_CHECKING:
    import pyarrow as pa

Score = Callable[[LabelVector, FloatVector], Mapping[str, JsonValue]]
"""(labels, probabilities), shape (n,) each -> metrics by name."""


@dataclass(frozen=True)
class Labelled:
    """Packed rows with their labels."""

    packed: Packed
    y: LabelVector
    """Shape (n,), 0 or 1."""

    @classmethod
    def of(cls, table: pa.Table, model: Model) -> Self:
        """Pack a dataset table with its label column.

        Raises:
            DataError: a column is missing or cannot be packed, or a label is neither 0 nor 1.
        """
        packed = Signature.of(model).pack(table)
        labels = table.column(model.label).to_pylist() if model.label in table.column_names else [None]
        wrong = next((i for i, v in enumerate(labels) if v not in (0, 1)), None)
        if wrong is not None:
            raise DataError(
                f"label '{model.label}' is {labels[wrong]!r} in row {wrong}",
                why="A binary model learns from labels 0 and 1.",
                todo="Correct dataset.sql so that every row has a label.",
            )
        return cls(packed, np.array(labels, np.int8))


@dataclass(frozen=True)
class Built:
    """A finished package and what its making was like. None of the timings are in the package."""

    package: Package
    parity: Parity
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall time of each stage: features, fit, export, parity, write."""


def build(
    candidate: Candidate,
    *,
    model: Model,
    transformer: Transformer,
    train: Labelled,
    validation: Labelled,
    holdout: Packed,
    out: Path,
    profile: bytes,
    lineage: Lineage,
    score: Score,
    threads: int = 1,
    progress: Progress = silent,
) -> Built:
    """Fit a candidate and write its package.

    Args:
        candidate: how to fit. When it brings its own features they replace ``transformer``.
        model: the model's settings.
        transformer: from the model's ``features.py``, not fitted.
        train: the only rows that transformer and candidate learn from.
        validation: for early stopping and for ``metrics.json``.
        holdout: without labels, so that nothing here can learn from them: for parity and the golden sample.
        out: the package's folder; it must not exist, or be empty.
        profile: ``profile.json``, a JSON object, as monitoring wrote it for the training rows.
        lineage: where the data and the code came from; its ``seed`` is the candidate's.
        score: metrics of the package's answers on the validation rows.
        threads: for the candidate's own use. Linear algebra (BLAS) runs on one thread while it fits, so that the
            same inputs give the same package on any number of cores; so do the package's own answers.
        progress: handed to the candidate.

    Raises:
        DataError: a part is empty, or the training labels are all the same.
        PackageError: something cannot be exported or does not answer probabilities, or ``out`` is not empty.
        ResourceError: the package cannot be written.
    """
    _require_rows(train, validation, holdout)
    _require_vacant(out)
    _require_object(profile)
    signature = Signature.of(model)
    seconds: dict[str, float] = {}

    with _timed(seconds, "features"):
        chosen = candidate.features(model) if candidate.features else transformer
        features = Features.fit(chosen, signature, train.packed)
        data = TrainingData(
            x=features.apply(train.packed),
            y=train.y,
            x_validation=features.apply(validation.packed),
            y_validation=validation.y,
            feature_names=features.names,
            seed=lineage.seed,
            threads=threads,
            progress=progress,
        )
    with _timed(seconds, "fit"), threadpool_limits(1, user_api="blas"):  # sums of several threads differ by core count
        fitted = candidate.fit(data)
    del data
    with _timed(seconds, "export"):
        onnx_bytes = graph.to_bytes(graph.merge(features.model, fitted.to_onnx()))
        merged = Graph(onnx_bytes)
    with _timed(seconds, "parity"):
        parity = Parity.measure(fitted.probability(features.apply(holdout)), _vector(merged, holdout))
    with _timed(seconds, "write"):
        sample = select(signature, holdout, train.packed)
        if not sample.rows:
            raise DataError(
                "no row of the holdout could be sent by a caller: each lacks a value that model.toml refuses to miss",
                why="The golden sample, which proves a deployment, is made of rows that callers could send.",
                todo="Choose missing = 'impute' for such columns, or correct dataset.sql.",
            )
        sizes = Rows(train=train.packed.rows, validation=validation.packed.rows, holdout=holdout.rows)
        scores = score(validation.y, _vector(merged, validation.packed))
        files = {
            MODEL: onnx_bytes,
            "signature.json": canonical(signature.model_dump(mode="json")),
            "profile.json": profile,
            "golden.json": canonical(golden(signature, sample, _vector(merged, sample)).model_dump(mode="json")),
            "metrics.json": _reported(
                lambda: Metrics(rows=sizes, features=len(features.names), validation=dict(scores), parity=parity),
                "the score function",
            ),
            "lineage.json": _reported(lambda: lineage.of_candidate(candidate.name, fitted.parameters), candidate.name),
        }
        _write(out, {**files, MANIFEST: Manifest.of(files).to_bytes()})
        package = Package.open(out)
    return Built(package, parity, seconds)


def _vector(merged: Graph, packed: Packed) -> FloatVector:
    return merged.run(packed)


def _reported(content: Callable[[], BaseModel], who: str) -> bytes:
    """Write what project code reported, which may be anything: NaN, arrays, objects."""
    try:
        return canonical(content().model_dump(mode="json"))
    except ValueError as exc:
        raise PackageError(
            f"{who} reported a value that JSON cannot hold: {exc}",
            why="Metrics and parameters are part of the package; NaN, infinity, arrays and objects are not JSON.",
            todo="Report numbers, texts, booleans or null.",
        ) from exc


def _require_rows(train: Labelled, validation: Labelled, holdout: Packed) -> None:
    sizes = {"train": train.packed.rows, "validation": validation.packed.rows, "holdout": holdout.rows}
    problems = [f"'{name}' has no rows" for name, rows in sizes.items() if not rows]
    if train.packed.rows and train.y.min() == train.y.max():
        problems.append(f"every training label is {train.y[0]}")
    if problems:
        raise DataError(
            "nothing can be learned or measured: " + "; ".join(problems),
            why="A model is trained on both labels, tuned on validation and measured on the holdout.",
            todo="Check [split] in model.toml against the range of the time column, and dataset.sql.",
        )


def _require_vacant(out: Path) -> None:
    if out.is_symlink() or (out.exists() and not (out.is_dir() and not any(out.iterdir()))):
        raise PackageError(
            f"{out} already exists",
            why="A package never changes once it is written: its digest is known elsewhere.",
            todo="Choose another folder, or remove this one.",
        )


def _require_object(profile: bytes) -> None:
    try:
        fine = isinstance(json.loads(profile), dict)
    except ValueError:
        fine = False
    if not fine:
        raise PackageError(
            "the training profile is not a JSON object",
            why="Monitoring compares production with it.",
            todo="Hand over the file that the profile step wrote.",
        )


def _write(out: Path, files: Mapping[str, bytes]) -> None:
    """Write the folder beside its place and rename it: it is there whole, or not at all."""
    partial = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        partial.chmod(0o755)
        for name, content in files.items():
            with (partial / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        partial.rename(out)
        partial = None
    except OSError as exc:
        raise ResourceError(
            f"the package cannot be written to {out}: {exc.strerror}",
            why="It is written whole or not at all; nothing was left behind.",
            todo="Free space on that disk, or choose another folder.",
        ) from exc
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = round(time.perf_counter() - start, 3)
