"""Latency is measured on what the endpoint does: check, pack, predict."""

from __future__ import annotations

import time
from typing import Any

import pytest

from seatrial.package import latency
from seatrial.package.build import Built


def test_percentiles_are_ordered(built: Built) -> None:
    measured = latency.measure(built.package, calls=100, warm_up=5)
    assert 0 < measured.p50 <= measured.p95 <= measured.p99
    assert measured.calls == 100


def test_a_slow_package_measures_as_slow(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a stopwatch around nothing would pass the test above."""
    predict = built.package.predict_rows

    def slow(rows: Any) -> Any:
        until = time.process_time() + 0.003
        while time.process_time() < until:
            pass
        return predict(rows)

    monkeypatch.setattr(built.package, "predict_rows", slow)
    assert latency.measure(built.package, calls=20, warm_up=1).p50 > 3.0


def test_waiting_for_a_core_is_not_the_packages_latency(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    predict = built.package.predict_rows

    def interrupted(rows: Any) -> Any:
        time.sleep(0.02)
        return predict(rows)

    monkeypatch.setattr(built.package, "predict_rows", interrupted)
    assert latency.measure(built.package, calls=20, warm_up=1).p50 < 20
