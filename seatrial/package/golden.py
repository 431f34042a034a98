"""The golden sample: holdout rows as a caller would send them, with the answers that were measured at build time.

``verify`` replays it through a live endpoint. It therefore holds what breaks deployments: missing values, a category
that training never saw, the smallest and largest value of each column, besides rows spread over the whole holdout.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, JsonValue, model_validator

from seatrial.package.candidate import FloatVector
from seatrial.package.check import check_rows
from seatrial.package.signature import Packed, Signature
from seatrial.project import Settings

ROWS = 256

TOLERANCE = 1e-6
"""Absolute, of a probability. Processors round float32 differently in the last digits; nothing else may differ."""


class Replay(Settings):
    """The outcome of sending the golden sample through something."""

    rows: int
    equal: int
    """Rows within the tolerance."""
    max_abs: float
    worst_row: int

    @property
    def passed(self) -> bool:
        """Whether every row agreed."""
        return self.equal == self.rows


class Golden(Settings):
    """The content of ``golden.json``."""

    tolerance: float = Field(default=TOLERANCE, gt=0)
    rows: list[dict[str, JsonValue]] = Field(min_length=1)
    expected: list[float]
    """float32 values, one for each row."""

    @model_validator(mode="after")
    def _one_answer_a_row(self) -> Self:
        if len(self.rows) != len(self.expected):
            raise ValueError("rows and expected must be equally long")
        return self

    def compare(self, answers: Sequence[float] | FloatVector) -> Replay:
        """Judge the answers to ``rows``; too few, too many or NaN never count as equal."""
        rows = len(self.rows)
        given = np.full(rows, np.nan)
        usable = np.asarray(answers, np.float64).reshape(-1)[:rows]
        if len(answers) == rows:
            given[:] = usable
        difference = np.abs(given - np.asarray(self.expected))
        difference[np.isnan(difference)] = np.inf
        worst = int(difference.argmax())
        finite = float(min(difference[worst], 1.0))
        return Replay(rows=rows, equal=int((difference <= self.tolerance).sum()), max_abs=finite, worst_row=worst)


def select(signature: Signature, holdout: Packed, known: Packed) -> Packed:
    """Choose the rows, the same ones each time.

    Args:
        signature: rows that a caller could not send (a null where that is refused) are not chosen.
        holdout: at least one row.
        known: the training rows, to be sure that the never-seen category was never seen.

    Returns: at most ``ROWS`` rows; empty when a caller could send none of them.
    """
    sendable = np.flatnonzero(_sendable(signature, holdout))
    if not len(sendable):
        return holdout.take(slice(0, 0))
    chosen: dict[int, None] = {}
    for row in _telling(signature, holdout.take(sendable)):
        chosen.setdefault(int(sendable[row]))
    chosen = dict.fromkeys(list(chosen)[: ROWS // 2])
    made_up = [made for made in (_never_seen(signature, holdout, known, sendable), _all_missing(signature)) if made]
    spread = sendable[np.linspace(0, len(sendable) - 1, min(ROWS, len(sendable))).astype(np.intp)]
    for row in _from_the_outside_in(spread):
        if len(chosen) < ROWS - len(made_up):
            chosen.setdefault(int(row))
    rows = holdout.take(np.array(sorted(chosen), np.intp))
    parts = [rows, *made_up]
    return Packed(np.concatenate([p.numeric for p in parts]), np.concatenate([p.text for p in parts]))


def golden(signature: Signature, rows: Packed, expected: FloatVector) -> Golden:
    """The sample with its answers, the rows written as a caller would send them."""
    unpacked: list[dict[str, JsonValue]] = [dict(row) for row in signature.unpack(rows)]
    return Golden(rows=unpacked, expected=[float(p) for p in expected])


def _sendable(signature: Signature, packed: Packed) -> npt.NDArray[np.bool_]:
    good = np.ones(packed.rows, np.bool_)
    for column in signature.columns:
        if column.missing == "refuse":
            if column.numeric:
                good &= ~np.isnan(packed.numeric[:, signature.numeric.index(column.name)])
            else:
                good &= packed.text[:, signature.text.index(column.name)] != ""
    return good


def _telling(signature: Signature, packed: Packed) -> list[int]:
    """Rows with something special about them: most missing, first missing of each column, extremes of each column."""
    missing = np.concatenate([np.isnan(packed.numeric), packed.text == ""], axis=1)
    rows = [int(missing.sum(axis=1).argmax())]
    rows += [int(missing[:, c].argmax()) for c in range(missing.shape[1]) if missing[:, c].any()]
    for c in range(len(signature.numeric)):
        values = packed.numeric[:, c]
        if not np.isnan(values).all():
            rows += [int(np.nanargmin(values)), int(np.nanargmax(values))]
    return rows


def _from_the_outside_in(values: npt.NDArray[np.intp]) -> list[int]:
    """An order in which any prefix is spread over the whole: ends first, then repeatedly the middles."""
    order: dict[int, None] = {}
    step = len(values)
    while step >= 1:
        order.update(dict.fromkeys(values[::step].tolist()))
        step //= 2
    return list(order)


def _never_seen(signature: Signature, holdout: Packed, known: Packed, sendable: npt.NDArray[np.intp]) -> Packed | None:
    if not signature.text:
        return None
    row = holdout.take(sendable[:1])
    text = row.text.copy()
    for c in range(len(signature.text)):
        word, seen = "never seen", set(known.text[:, c])
        while word in seen:
            word += "~"
        text[0, c] = word
    return Packed(row.numeric, text)


def _all_missing(signature: Signature) -> Packed | None:
    row: dict[str, None] = dict.fromkeys(signature.by_name)
    return None if check_rows(signature, [row]) else signature.pack([row])
