"""Pipelines that kfp compiles, executed: every task's inputs and outputs are what the source says."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import kfp_expectations, kfp_suite
from tests.conformance.kfp_expectations import ANY, C, Expected, out

Json = Any

ITEMS = [{"who": "a", "parts": ["1", "2"], "n": 1}, {"who": "b", "parts": ["3"], "n": 2}]


def shown(*texts: str) -> list[C]:
    return [C("show", {"text": text}, out(text), said=f"shown: {text}") for text in texts]


def told(state: str, failed: bool) -> Callable[[Any], list[str]]:
    def check(outcome: Any) -> list[str]:
        found = next(t.outputs["Output"] for t in outcome.tasks if t.name == "tell")
        return [] if found == f"{state} exit-handler-1 {failed}" else [found]

    return check


TRICKY: dict[str, Expected] = {
    "item_parts": Expected(
        calls=[
            C("give-items", {}, out(ITEMS)),
            *shown("a", "b", "only a"),
            *(C("show-int", {"x": n}, out(n)) for n in (1, 2)),
            *shown("1", "2", "3", *"xyxyxy"),
        ]
    ),
    "outer_values": Expected(
        arguments={"texts": ["a", "b"]},
        calls=[C("give-text", {"text": "made"}, out("made")), *shown("p-a", "p-b", "made-a", "made-b")],
    ),
    "integers": Expected(
        calls=[
            *(C("double", {"num": n}, out(2 * n)) for n in (1, 2, 3)),
            *(C("double", {"num": n}, out(2 * n), times=3) for n in (4, 5)),
            C("add", {"nums": [2, 4, 6]}, out(12)),
            C("add-nested", {"nums": [[8, 10]] * 3}, out(54)),
        ],
        outputs=out(54),
    ),
    "untaken": Expected(
        calls=[*(C("double", {"num": n}, out(2 * n)) for n in (2, 3)), C("add", {"nums": [4, 6]}, out(10))]
    ),
    "artifact_lists": Expected(
        calls=[
            *(C("write-both", {"first": a, "second": b}, {"data": a + b}) for a in "ab" for b in "12"),
            C("join", {"parts": ["a1", "a2", "b1", "b2"]}, {"whole": "a1+a2+b1+b2"}),
        ],
        outputs=out(["a1", "a2", "b1", "b2"]),
    ),
    "loop_over_artifacts": Expected(
        calls=[
            *(C("write", {"text": t}, {"data": t}) for t in "ab"),
            *(C("read", {"data": t}, out(t)) for t in "ab"),
        ]
    ),
    "choose": Expected(
        calls=[
            C("give-text", {"text": "heads"}, out("heads")),
            *shown("is heads"),
            C("write", {"text": "heads data"}, {"data": "heads data"}),
            C("read", {"data": "heads data"}, out("heads data")),
        ],
        outputs={"text": "is heads", "data": "heads data"},
    ),
    "goes_on": Expected(
        state="FAILED",
        calls=[
            C("fail", {"text": "on purpose"}, state="FAILED", said="RuntimeError: on purpose"),
            C("show-default", {"text": "default"}, out("default")),
        ],
    ),
    "exit_handler": Expected(
        state="FAILED",
        calls=[
            *shown("in the block"),
            C("fail", {"text": "deep inside"}, state="FAILED"),
            C("tell", {"status": ANY}, out(ANY)),
        ],
        check=told("FAILED", True),
    ),
    "good_exit": Expected(
        calls=[*shown("in the block"), C("tell", {"status": ANY}, out(ANY))], check=told("SUCCEEDED", False)
    ),
    "machine_fields": Expected(calls=[C("give-text", {"text": "1000m"}, out("1000m")), *shown("x")]),
    "custom_paths": Expected(
        calls=[
            C("write-elsewhere", {}, {"data": "from elsewhere", "linked": "under another name"}),
            C("read", {"data": "from elsewhere"}, out("from elsewhere")),
            C("read", {"data": "under another name"}, out("under another name")),
        ]
    ),
    "returned_artifacts": Expected(
        calls=[
            C(
                "returns",
                {"n": 3},
                {"data": "xxx", "names": ["a", "b"], "n": 3, "metrics": None},
                metadata={"data": {"rows": 3}, "metrics": {"accuracy": 0.5}},
            ),
            C("read", {"data": "xxx"}, out("xxx")),
            C("show-int", {"x": 3}, out(3)),
        ]
    ),
    "nothing_given": Expected(
        calls=[C("optional", {}, out("None None True")), C("optional", {"text": "t", "n": 0}, out("t 0 True"))]
    ),
    "run_facts": Expected(
        calls=[C("facts", {"job": ANY, "resource": ANY, "job_id": ANY, "task": "facts", "task_id": ANY}, out("facts"))]
    ),
    "workspace": Expected(
        calls=[
            C("write-file", {"folder": ANY}, out(ANY)),
            C("read-file", {"path": ANY}, out("kept for the run")),
            C("write", {"text": "to import"}, {"data": "to import"}),
            C("uri-of", {"data": "to import"}, out(ANY)),
            C(
                "importer",
                {"uri": ANY, "metadata": ANY},
                {"artifact": "to import"},
                metadata={"artifact": {"from": ANY, "n": 1}},
            ),
            C("read", {"data": "to import"}, out("to import")),
        ]
    ),
    "lone_condition": Expected(calls=[C("give-text", {"text": "yes"}, out("yes")), *shown("ran")]),
    "numbers_in_text": Expected(calls=[C("show-int", {"x": 2}, out(2)), *shown("2 <= 5!")]),
    "retried": Expected(
        arguments={"counter": "FOLDER/counter"},
        calls=[
            C("flaky", {"counter": ANY}, state="FAILED", said="try 1"),
            C("flaky", {"counter": ANY}, state="FAILED", said="try 2"),
            C("flaky", {"counter": ANY}, out("try 3")),
        ],
    ),
    "container_words": Expected(
        calls=[
            C("words", {"one": "it's $HOME"}, {"out_file": "pre-it's $HOME-post|--none|"}),
            C("words", {"one": "1", "two": "2"}, {"out_file": "pre-1-post|--two|2|"}),
        ]
    ),
    "loop_order": Expected(
        calls=[C("after-one", {"text": "first"}, times=3), C("after-one", {"text": "then"})],
        check=kfp_expectations._before(("first", "then")),
    ),
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Compiles a pipeline of `tricky` with kfp itself."""
    folder = tmp_path_factory.mktemp("compiled")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiler = importlib.import_module("kfp.compiler")
        tricky = importlib.import_module("tests.conformance.tricky")

    def compile_one(name: str) -> Path:
        path = folder / f"{name}.yaml"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiler.Compiler().compile(getattr(tricky, name), str(path))
        return path

    return compile_one


def run(document: Path, arguments: Mapping[str, Json], folder: Path, **machine: Json) -> kfp_suite.Outcome:
    (folder / "counter").mkdir()
    given = {k: str(folder / v.removeprefix("FOLDER/")) if "FOLDER" in str(v) else v for k, v in arguments.items()}
    return kfp_suite.run(document, given, folder, **machine)


@pytest.mark.parametrize("name", sorted(TRICKY))
def test_every_task_gets_and_gives_what_the_source_says(
    compiled: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    expected = TRICKY[name]
    assert expected.problems(run(compiled(name), expected.arguments, tmp_path)) == []


@pytest.mark.parametrize(("side", "text"), [("tails", "tails data"), ("edge", "no data")])
def test_each_branch_is_taken_when_it_is_its_turn(
    compiled: Callable[[str], Path], tmp_path: Path, side: str, text: str
) -> None:
    outcome = run(compiled("choose"), {"side": side}, tmp_path)
    assert outcome.outputs["data"] == text
    assert [t.inputs for t in outcome.tasks if t.name == "read"] == [{"data": text}]


def test_a_lone_condition_that_is_false_runs_nothing(compiled: Callable[[str], Path], tmp_path: Path) -> None:
    outcome = run(compiled("lone_condition"), {"text": "no"}, tmp_path)
    assert (outcome.state, [t.name for t in outcome.tasks]) == ("SUCCEEDED", ["give-text"])


def test_a_document_that_kfp_compiled_wrongly_is_refused(compiled: Callable[[str], Path], tmp_path: Path) -> None:
    outcome = run(compiled("two_items_in_a_text"), {}, tmp_path)
    assert outcome.state == "REFUSED"
    assert "'loop-item-param-" in outcome.reason


def test_results_are_the_same_from_the_cache(compiled: Callable[[str], Path], tmp_path: Path) -> None:
    """The second run of each kind of output: artifacts in lists, elsewhere, and without content."""
    for name in ("artifact_lists", "custom_paths", "returned_artifacts"):
        folder = tmp_path / name
        folder.mkdir()
        document = compiled(name)
        first = kfp_suite.run(document, {}, folder)
        again = kfp_suite.run(document, {}, folder)
        assert TRICKY[name].problems(first) == []
        assert TRICKY[name].problems(again) == []


@pytest.mark.parametrize(
    "wrong",
    [
        C("double", {"num": 4.0}, out(8), times=3),
        C("double", {"num": 4}, out(8), times=2),
        C("double", {"num": 4}, out(8), times=4),
        C("double", {"num": 4}, out(9), times=3),
        C("double", {"num": 4}, out(8), state="FAILED", times=3),
        C("double", {"num": 4}, out(8), said="never said", times=3),
    ],
)
def test_a_wrong_expectation_is_noticed(compiled: Callable[[str], Path], tmp_path: Path, wrong: C) -> None:
    """The comparison itself: one difference, of value, type, number, state or text, is a finding."""
    calls = [c for c in TRICKY["integers"].calls or () if c.inputs != {"num": 4}]
    outcome = run(compiled("integers"), {}, tmp_path)
    assert TRICKY["integers"].problems(outcome) == []
    assert Expected(calls=[*calls, wrong], outputs=out(54)).problems(outcome) != []
    assert Expected(calls=TRICKY["integers"].calls, outputs=out(53)).problems(outcome) != []
    assert Expected(calls=TRICKY["integers"].calls, outputs=out(54), state="FAILED").problems(outcome) != []


def test_every_document_of_the_suite_has_an_expectation() -> None:
    assert len(kfp_expectations.names()) == 150
    refused = [name for name in kfp_expectations.names() if not kfp_expectations.of(name).runnable]
    assert len(refused) == 30
    assert all(kfp_expectations.of(name).reason for name in refused)
