"""The scores table: what several models predicted for the rows of one sample, in Parquet.

Columns, in this order: ``label`` (int8, 0 or 1), the slice columns (text, an empty text is a missing value), and one
``probability:<model>`` per model (float32 or float64, as the model answered). It holds no features: whoever may read
scores need not be allowed to read people's data. Equal tables give equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seatrial.errors import EvaluationError, MissingExtra
from seatrial.evaluation.sample import Outcome, Probability, outcome_problems, probability_problems

LABEL = "label"
PREFIX = "probability:"


@dataclass(frozen=True, eq=False)
class Scores:
    """Outcome, slice columns and each model's probabilities, all of shape (n,) and in the same order of rows.

    Raises:
        EvaluationError: lengths differ, a value is not what its column says, or a slice column has a reserved name.
    """

    outcome: Outcome
    slices: Mapping[str, npt.NDArray[Any]]
    probabilities: Mapping[str, Probability]
    """By model name."""

    def __post_init__(self) -> None:
        n = np.shape(self.outcome)
        problems = outcome_problems(self.outcome)
        problems += [f"{m}: {problem}" for m, p in self.probabilities.items() for problem in probability_problems(p)]
        columns = {**self.slices, **{PREFIX + model: p for model, p in self.probabilities.items()}}
        problems += [f"{c} has shape {np.shape(v)}, the label {n}" for c, v in columns.items() if np.shape(v) != n]
        problems += [f"'{c}' cannot name a slice" for c in self.slices if c == LABEL or c.startswith(PREFIX)]
        if problems:
            raise EvaluationError(
                "this is not a scores table: " + "; ".join(problems),
                why="Every later number is computed from these columns.",
                todo="Correct what scored the models.",
            )


def write_scores(scores: Scores, path: Path) -> None:
    """Write the table to ``path``."""
    pa, parquet = _arrow()
    columns = {
        LABEL: pa.array(np.asarray(scores.outcome).astype(np.int8)),
        **{c: pa.array([str(v) for v in values], pa.string()) for c, values in scores.slices.items()},
        **{PREFIX + model: pa.array(p) for model, p in scores.probabilities.items()},
    }
    parquet.write_table(pa.table(columns), path, compression="zstd")


def read_scores(path: Path) -> Scores:
    """Read what ``write_scores`` wrote; a NULL slice value is an empty text.

    Raises:
        EvaluationError: the file is missing, is not Parquet, or is not a scores table.
    """
    pa, parquet = _arrow()
    try:
        table = parquet.read_table(path)
    except (OSError, pa.ArrowInvalid) as exc:
        raise _unreadable(path, str(exc)) from exc
    problems = [] if LABEL in table.column_names else [f"there is no column '{LABEL}'"]
    for name in table.column_names:
        if name == LABEL or name.startswith(PREFIX):
            if table.column(name).null_count:
                problems.append(f"column '{name}' has NULLs")
        elif not pa.types.is_string(table.schema.field(name).type):
            problems.append(f"column '{name}' is {table.schema.field(name).type}, a slice is text")
    if problems:
        raise _unreadable(path, "; ".join(problems))
    slices = [c for c in table.column_names if c != LABEL and not c.startswith(PREFIX)]
    return Scores(
        outcome=table.column(LABEL).to_numpy(),
        slices={c: np.array([v or "" for v in table.column(c).to_pylist()], dtype=np.str_) for c in slices},
        probabilities={
            c.removeprefix(PREFIX): table.column(c).to_numpy() for c in table.column_names if c.startswith(PREFIX)
        },
    )


def _unreadable(path: Path, problem: str) -> EvaluationError:
    return EvaluationError(
        f"{path} is not a scores table: {problem}",
        why="The gate decides on the scores that evaluation wrote, and on nothing else.",
        todo="Run the evaluation again.",
    )


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ImportError as exc:
        raise MissingExtra("Reading and writing scores", "pyarrow", "train") from exc
    return pa, parquet
