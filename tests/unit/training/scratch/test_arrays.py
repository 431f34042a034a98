"""What a fit refuses, and that it says everything at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from seatrial.errors import DataError, UsageError
from training.scratch.linear import fit_linear, fit_linear_by_descent
from training.scratch.logistic import fit_logistic
from training.scratch.network import fit_network

Table = npt.NDArray[Any]
X = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int8)


def network(x: Table, y: Table) -> object:
    return fit_network(x, y, X, Y, epochs=1)


BINARY = [fit_logistic, network]
EVERY = [*BINARY, fit_linear, fit_linear_by_descent]


def with_value(array: Table, value: float) -> Table:
    changed = array.astype(np.float32)
    changed.flat[4] = value
    return changed


@pytest.mark.parametrize("fit", EVERY)
def test_good_data_is_accepted(fit: Callable[[Table, Table], object]) -> None:
    """The control of everything below: what is refused is the fault that was seeded."""
    fit(X, Y)


@pytest.mark.parametrize("fit", EVERY)
@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (with_value(X, np.nan), Y, r"x holds NaN or infinity in 1 of 3 columns \(position 1\)"),
        (with_value(X, np.inf), Y, r"x holds NaN or infinity in 1 of 3 columns \(position 1\)"),
        (with_value(X, np.inf).astype(np.float64), Y, r"x holds NaN or infinity"),
        (X, with_value(Y, np.nan), "y holds NaN or infinity in 1 rows"),
        (X, Y[:-1], "x has 40 rows, but y has 39"),
        (X[:0], Y[:0], "x has no rows"),
        (X[:, :0], Y, "x has no columns"),
        (X[:, 0], Y, r"x must have shape \(rows, columns\), not \(40,\)"),
        (X, Y[:, None], r"y must have shape \(rows,\), not \(40, 1\)"),
        (X.astype(str), Y, "x must be numeric, not <U32"),
    ],
)
def test_unusable_data_is_refused(fit: Callable[[Table, Table], object], x: Table, y: Table, message: str) -> None:
    """One NaN makes every weight NaN in one step, and numpy broadcasts a wrong shape without a word."""
    with pytest.raises(DataError, match=message):
        fit(x, y)


@pytest.mark.parametrize("fit", BINARY)
@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.where(np.arange(40) == 7, 2, Y), "1 rows hold something else, such as 2"),
        (Y - 0.5, "40 rows hold something else"),
        (np.ones(40), "y is 1 in every row"),
    ],
)
def test_a_label_that_is_not_binary_is_refused(fit: Callable[[Table, Table], object], y: Table, message: str) -> None:
    """The log loss of a label 2 has no minimum, and training on it does not fail by itself."""
    with pytest.raises(DataError, match=message):
        fit(X, y)


def test_infinities_that_cancel_are_found() -> None:
    """The check looks at a sum: plus and minus infinity must not hide each other."""
    x = with_value(X, np.inf)
    x.flat[8] = -np.inf
    with pytest.raises(DataError, match="NaN or infinity in 2 of 3"):
        fit_logistic(x, Y)


def test_large_float32_values_are_not_taken_for_infinite() -> None:
    """Their sum leaves float32's range; each of them is fine."""
    x = np.full((40, 1), 3e38, dtype=np.float32)
    fit_linear(x, np.ones(40))


def test_every_problem_is_named_at_once() -> None:
    """Somebody who mends one problem per run of a pipeline mends three in an hour."""
    with pytest.raises(DataError) as caught:
        fit_network(with_value(X, np.nan), Y + 1, X[:, :2], Y[:-1])
    for problem in (
        "training: x holds NaN",
        "training: y must be 0 or 1",
        "validation: x has 40 rows, but y has 39",
        "validation: x has 2 columns, but training has 3",
    ):
        assert problem in caught.value.what


def test_every_wrong_setting_is_named_at_once() -> None:
    """Settings come from a search: a trial that cannot work should say so before the first epoch."""
    with pytest.raises(UsageError) as caught:
        fit_network(
            *(X, Y, X, Y),
            hidden=(8, 0),
            activation="swish",  # type: ignore[arg-type]  # what a settings file may say
            dropout=1.0,
            l2=-1,
            learning_rate=0,
            batch=0,
            epochs=0,
            patience=0,
        )
    for name in ("hidden", "activation", "dropout", "l2", "learning_rate", "batch", "epochs", "patience"):
        assert f"{name} is " in caught.value.what
    with pytest.raises(UsageError, match="l2 is nan"):
        fit_logistic(X, Y, l2=float("nan"))
    with pytest.raises(UsageError, match=r"l2 is -1.*learning_rate is -1.*steps is 0"):
        fit_linear_by_descent(X, Y, l2=-1, learning_rate=-1, steps=0)


def test_a_fitted_model_refuses_rows_that_it_cannot_answer_for() -> None:
    """Columns are recognised by position: one too few shifts the meaning of all that follow."""
    logistic, net, line = fit_logistic(X, Y), fit_network(X, Y, X, Y, epochs=1), fit_linear(X, Y)
    for answer in (logistic.probability, net.probability, line.predict):
        assert answer(X[:0]).shape == (0,)
        with pytest.raises(DataError, match="x has 2 columns, the model was fitted on 3"):
            answer(X[:, :2])
        with pytest.raises(DataError, match="NaN"):
            answer(with_value(X, np.nan))
