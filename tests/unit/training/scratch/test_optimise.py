"""Adam by hand, the schedule, and that early stopping gives back the best weights."""

from __future__ import annotations

from itertools import chain

import numpy as np
import numpy.typing as npt
import pytest

from seatrial.errors import DataError
from training.scratch.arrays import Array
from training.scratch.optimise import Adam, Progress, Training, cosine, minimise


def test_two_steps_of_adam_by_hand() -> None:
    """Algorithm 1 of Kingma & Ba with rate 0.1, from 1, gradients 2 and then -1, worked on paper."""
    theta = np.array([1.0])
    adam = Adam(theta)
    adam.step(np.array([2.0]), 0.1)
    # m = 0.2, v = 0.004; corrected 2 and 4: 0.1 * 2 / 2
    assert theta[0] == pytest.approx(0.9, abs=1e-9)
    adam.step(np.array([-1.0]), 0.1)
    # m = 0.18 - 0.1 = 0.08, v = 0.003996 + 0.001 = 0.004996; corrected 0.08 / 0.19 and 0.004996 / 0.001999
    assert theta[0] == pytest.approx(0.9 - 0.1 * 0.421052632 / np.sqrt(2.499249625), abs=1e-9)


def test_without_bias_correction_the_first_step_would_be_three_times_too_large() -> None:
    """The control: the hand-worked value is not what the uncorrected rule gives."""
    assert 0.1 * 0.2 / np.sqrt(0.004) == pytest.approx(0.316, abs=1e-3)


def test_adam_works_in_place_and_in_the_precision_of_theta() -> None:
    """Layers hold views of theta: a rebound or promoted array would train nothing."""
    theta = np.ones(3, dtype=np.float32)
    view = theta[1:]
    Adam(theta).step(np.ones(3, dtype=np.float32), 0.5)
    np.testing.assert_allclose(view, 0.5)


def test_the_rate_falls_from_all_to_nothing() -> None:
    """Half a cosine."""
    assert [cosine(2.0, done) for done in (0, 0.5, 1)] == pytest.approx([2.0, 1.0, 0.0])


def rehearse(
    losses: list[float], patience: int, progress: Progress | None = None
) -> tuple[list[float], float, Training]:
    """Train one weight that never stops growing, with validation losses that are given.

    Returns: the weight at each validation, the weight in the end, and what training says.
    """
    theta = np.zeros(1)
    told = iter(losses)
    seen: list[float] = []

    def validation_loss() -> float:
        seen.append(float(theta[0]))
        return next(told)

    training = minimise(
        theta,
        lambda rows: -np.ones(1),
        validation_loss,
        rows=4,
        learning_rate=0.1,
        batch=2,
        epochs=len(losses),
        patience=patience,
        generator=np.random.default_rng(0),
        progress=progress,
    )
    assert seen == sorted(set(seen)), "the weight differs at each validation, so which one was kept can be told"
    return seen, float(theta[0]), training


def test_early_stopping_restores_the_best_weights() -> None:
    """Not the last ones: they are the ones that had begun to fit the noise."""
    seen, kept, training = rehearse([5.0, 3.0, 4.0, 6.0, 1.0], patience=2)
    assert kept == seen[1]
    assert training == Training(epochs=4, best_epoch=2, validation_loss=3.0)


def test_patience_decides_when() -> None:
    """The control: one more epoch of patience would have found the better minimum."""
    seen, kept, training = rehearse([5.0, 3.0, 4.0, 6.0, 1.0], patience=3)
    assert kept == seen[4]
    assert training.best_epoch == 5


def test_the_best_weights_are_restored_when_the_epochs_run_out() -> None:
    """The end of the budget is no reason to keep worse weights."""
    seen, kept, _ = rehearse([2.0, 1.0, 1.5], patience=10)
    assert kept == seen[1]


def test_the_weights_that_are_judged_and_kept_are_the_averaged_ones() -> None:
    """By hand: a constant gradient makes Adam's steps the rate, 0.1 and then 0.05; the average moves by 1, then 0.9."""
    seen, kept, _ = rehearse([1.0], patience=1)
    assert seen == pytest.approx([0.1 * 0.1 + 0.9 * 0.15])
    assert kept == seen[0]


def test_divergence_is_an_error() -> None:
    """NaN compares false with everything: unnoticed, it would look like patience running out."""
    with pytest.raises(DataError, match="diverged in epoch 2: the validation loss is nan"):
        rehearse([5.0, float("nan"), 1.0], patience=5)


def test_progress_is_told_after_each_epoch() -> None:
    """A person who waits wants to see that it is still getting better."""
    heard: list[tuple[int, int, str]] = []
    rehearse([2.0, 1.0, 1.5], patience=10, progress=lambda *told: heard.append(told))
    assert [told[:2] for told in heard] == [(1, 3), (2, 3), (3, 3)]
    assert heard[2][2] == "validation loss 1.50000, lowest 1.00000 in epoch 2"


def test_every_row_is_used_once_in_each_epoch() -> None:
    """Also those in the last, smaller batch; and in another order each time."""
    seen: list[list[int]] = []

    def gradient(rows: npt.NDArray[np.int64]) -> Array:
        seen.append(rows.tolist())
        return np.zeros(1)

    minimise(
        np.zeros(1),
        gradient,
        lambda: 1.0,
        rows=7,
        learning_rate=0.1,
        batch=3,
        epochs=2,
        patience=9,
        generator=np.random.default_rng(0),
    )
    assert [len(rows) for rows in seen] == [3, 3, 1, 3, 3, 1]
    first, second = [*chain(*seen[:3])], [*chain(*seen[3:])]
    assert sorted(first) == sorted(second) == list(range(7))
    assert first != second
