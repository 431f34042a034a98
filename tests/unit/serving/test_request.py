"""No body whatever makes the parser fail: it answers rows, or a refusal that is the caller's fault."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from seatrial.clouds.local.server import ServedPackage
from seatrial.serving.answer import MAX_ECHO, MAX_PROBLEMS, Answer
from seatrial.serving.app import App, ServerSettings
from seatrial.serving.request import read_rows
from tests.unit.serving.bench import Doubler

COLUMNS = ["month", "carrier", "wind_gust", "origin", "seats"]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from([2**53, 10**400, -0.0, 1e308]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)
ROWS = st.dictionaries(st.one_of(st.sampled_from(COLUMNS), st.text(max_size=6)), VALUES, max_size=7)
ALMOST = st.fixed_dictionaries({"instances": st.lists(st.one_of(ROWS, VALUES), max_size=5)})
DOCUMENTS = st.one_of(
    VALUES,
    ALMOST,
    st.dictionaries(st.sampled_from(["instances", "parameters", "x"]), st.one_of(VALUES, st.lists(ROWS, max_size=3))),
)
quick = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def judged(answer: Any) -> None:
    """What every answer of ``App.predict`` keeps to; never a fault of the server's."""
    assert isinstance(answer, Answer)
    assert answer.status in (200, 400)
    told = json.loads(answer.body)
    if answer.status == 200:
        assert all(0 <= p <= 1 for p in told["predictions"])
        return
    error = told["error"]
    assert 0 < len(error["problems"]) <= MAX_PROBLEMS
    assert error["problems_total"] >= len(error["problems"])
    for problem in error["problems"]:
        assert problem.keys() == {"row", "column", "message"}
        assert 0 < len(problem["message"]) <= MAX_ECHO
        assert problem["column"] is None or len(problem["column"]) <= MAX_ECHO


@quick
@given(document=DOCUMENTS)
def test_any_json_is_answered(served: ServedPackage, document: Any) -> None:
    """Also NaN and Infinity, which ``json.dumps`` writes and which are no JSON."""
    app = App(served, ServerSettings(), lambda line: None)
    judged(app.predict(json.dumps(document).encode()))
    app.close()


@quick
@given(body=st.binary(max_size=60))
@example(b'{"instances": [{"month": 1e400}]}')
@example(b'{"instances": [{"month": ' + b"9" * 5000 + b"}]}")
@example(b'{"instances": [{"carrier": "\\ud800"}]}')
@example(b'{"\\ud800": 1, "instances": []}')
@example(b'{"instances": [{"\\ud800": 1}]}')
@example(b'{"instances": [NaN, -Infinity, {"month": Infinity}]}')
@example(b'{"instances": [{"month": 1, "month": 2}]}')
@example(b"NaN")
def test_any_bytes_are_answered(served: ServedPackage, body: bytes) -> None:
    app = App(served, ServerSettings(), lambda line: None)
    judged(app.predict(body))
    app.close()


@quick
@given(
    row=st.fixed_dictionaries(
        {
            "month": st.integers(1, 12),
            "carrier": st.text(min_size=1, max_size=5).filter(lambda t: t.isprintable()),
            "wind_gust": st.one_of(st.none(), st.floats(-1e6, 1e6)),
            "origin": st.one_of(st.none(), st.just("JFK")),
            "seats": st.one_of(st.none(), st.integers(0, 500)),
        }
    ),
    mistake=st.sampled_from([{"month": None}, {"carrier": 3}, {"seats": "3"}, {"new": 1}, {"wind_gust": True}]),
)
def test_a_right_row_is_predicted_and_one_mistake_in_it_is_named(
    served: ServedPackage, row: dict[str, Any], mistake: dict[str, Any]
) -> None:
    app = App(served, ServerSettings(), lambda line: None)
    assert app.predict(json.dumps({"instances": [row]}).encode()).status == 200
    refused = json.loads(app.predict(json.dumps({"instances": [row, {**row, **mistake}]}).encode()).body)
    app.close()
    assert [(p["row"], p["column"]) for p in refused["error"]["problems"]] == [(1, *mistake)]


def test_what_is_almost_json_is_never_predicted() -> None:
    """The lenient second look is for naming mistakes only: this model would accept anything."""

    class Trusting(Doubler):
        def check(self, rows: Any) -> Any:
            return []

    answer = read_rows(b'{"instances": [{"x": NaN}]}', Trusting())
    assert isinstance(answer, Answer)
    assert json.loads(answer.body)["error"]["code"] == "not_json"


def test_a_callers_own_words_are_cut_before_they_are_sent_back() -> None:
    answer = read_rows(json.dumps({"instances": [{"n" * 10_000: 1, "x": 1}]}).encode(), Doubler())
    assert isinstance(answer, Answer)
    (problem,) = json.loads(answer.body)["error"]["problems"]
    assert len(problem["column"]) == MAX_ECHO
    assert problem["column"].endswith("…")
