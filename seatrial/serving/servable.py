"""What the server can serve: a name, a version, a check of rows and a prediction.

A model package becomes a ``Servable`` in ``clouds/``, which may import both; here nothing is known of packages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Row = Mapping[str, Any]
"""One instance as the caller sent it: column name -> decoded JSON value, not yet checked."""


class RowProblem(Protocol):
    """One thing wrong with one row."""

    @property
    def row(self) -> int | None:
        """Position in the rows that were checked, from 0; None when it concerns all of them."""

    @property
    def column(self) -> str | None:
        """Column name as the caller wrote it; None when it concerns the whole row."""

    @property
    def message(self) -> str:
        """What is wrong and what is accepted."""


@dataclass(frozen=True, slots=True)
class Golden:
    """Rows with the predictions that were computed when the model was packaged.

    Attributes:
        rows: instances as a caller would send them.
        expected: one prediction per row.
        tolerance: largest absolute difference that counts as equal.
    """

    rows: Sequence[Row]
    expected: Sequence[float]
    tolerance: float


class Servable(Protocol):
    """A model that is loaded and ready. ``check`` and ``predict`` are called from several threads at once."""

    @property
    def name(self) -> str:
        """The model's name."""

    @property
    def version(self) -> str:
        """The version, as the registry writes it."""

    @property
    def digest(self) -> str:
        """SHA-256 of the model package, hexadecimal."""

    @property
    def signature(self) -> Mapping[str, Any]:
        """What a row must look like, as JSON values: shown by ``GET /metadata``."""

    @property
    def golden(self) -> Golden:
        """The sample that a deployment replays."""

    @property
    def max_rows(self) -> int:
        """Most rows in one request."""

    @property
    def max_body_bytes(self) -> int:
        """Largest request body, bytes."""

    def check(self, rows: Sequence[Row]) -> Sequence[RowProblem]:
        """Name every problem of these rows. Never raises, whatever JSON values they hold."""

    def predict(self, rows: Sequence[Row]) -> Sequence[float]:
        """Predict rows that ``check`` found nothing wrong with: one finite number per row, in order."""
