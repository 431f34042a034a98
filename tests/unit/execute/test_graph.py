"""The meaning of a document: what runs, in which order, on which values. No process is started here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml

from seatrial.document import read_text
from seatrial.document.model import Task
from seatrial.errors import DocumentError, TaskError
from seatrial.execute.cache import Stored
from seatrial.execute.graph import Call, GraphFailed, Interpreter, State, Values

Json = Any
Function = Callable[..., Mapping[str, Json]]


class Play:
    """Runs components as plain functions and remembers every call."""

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self.functions = functions
        self.calls: list[tuple[str, dict[str, Json]]] = []
        self.untouched: dict[str, State] = {}
        self.at_once = self.most_at_once = 0

    async def __call__(self, call: Call) -> Values:
        self.calls.append((call.path, call.inputs.parameters))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        found = self.functions[call.component.name.removeprefix("comp-")](**call.inputs.parameters)
        outputs = Values({k: v for k, v in found.items() if k in call.component.output_parameters})
        for name in call.component.output_artifacts:
            outputs.artifacts[name] = [Stored(name, "system.Artifact", f"/{found[name]}", {}, str(found[name]))]
        return outputs

    def not_run(self, path: str, task: Task, state: State) -> None:
        self.untouched[path] = state


def component(
    inputs: dict[str, str] | None = None,
    outputs: dict[str, str] | None = None,
    *,
    defaults: dict[str, Json] | None = None,
) -> dict[str, Any]:
    """A container component; the type ARTIFACT marks an artifact."""

    def split(table: dict[str, str] | None) -> dict[str, Any]:
        parameters = {
            k: {"parameterType": t, **({"defaultValue": defaults[k]} if defaults and k in defaults else {})}
            for k, t in (table or {}).items()
            if t != "ARTIFACT"
        }
        artifacts = {
            k: {"artifactType": {"schemaTitle": "system.Artifact"}} for k, t in (table or {}).items() if t == "ARTIFACT"
        }
        return {k: v for k, v in (("parameters", parameters), ("artifacts", artifacts)) if v}

    return {"executorLabel": "exec", "inputDefinitions": split(inputs), "outputDefinitions": split(outputs)}


def task(name: str, *, after: list[str] | None = None, **more: Any) -> dict[str, Any]:
    given = more.pop("inputs", {})
    parameters = {k: v for k, v in given.items() if "taskOutputArtifact" not in v and "componentInputArtifact" not in v}
    artifacts = {k: v for k, v in given.items() if k not in parameters}
    inputs = {k: v for k, v in (("parameters", parameters), ("artifacts", artifacts)) if v}
    return {
        "componentRef": {"name": f"comp-{name}"},
        "dependentTasks": after or [],
        "inputs": inputs,
        "taskInfo": {"name": name},
        **more,
    }


def constant(value: Json) -> dict[str, Any]:
    return {"runtimeValue": {"constant": value}}


def of(producer: str, key: str) -> dict[str, Any]:
    return {"taskOutputParameter": {"producerTask": producer, "outputParameterKey": key}}


def given(name: str) -> dict[str, Any]:
    return {"componentInputParameter": name}


def play(
    functions: Mapping[str, Function],
    components: dict[str, Any],
    tasks: dict[str, Any],
    arguments: Mapping[str, Json] | None = None,
    *,
    inputs: dict[str, Any] | None = None,
    outputs: dict[str, Any] | None = None,
) -> tuple[Play, Values | GraphFailed]:
    """Interpret a document made of these parts."""
    spec = {
        "pipelineInfo": {"name": "t"},
        "schemaVersion": "2.1.0",
        "deploymentSpec": {"executors": {"exec": {"container": {"image": "i", "command": ["c"]}}}},
        "components": {f"comp-{k}": v for k, v in components.items()},
        "root": {"inputDefinitions": {"parameters": inputs or {}}, "dag": {"tasks": tasks, "outputs": outputs or {}}},
    }
    leaf = Play(functions)
    facts = {"pipeline_job_name": "t-1", "pipeline_job_resource_name": "t-1"}
    interpreter = Interpreter(read_text(yaml.safe_dump(spec)), leaf, leaf, facts)
    try:
        return leaf, asyncio.run(interpreter.run(arguments or {}))
    except GraphFailed as exc:
        return leaf, exc


INT = "NUMBER_INTEGER"


def add(a: int, b: int = 1) -> dict[str, int]:
    return {"sum": a + b}


def fail(**_: Any) -> dict[str, Any]:
    raise TaskError("it broke", why="on purpose", todo="nothing")


ADD = component({"a": INT, "b": INT}, {"sum": INT}, defaults={"b": 1.0})


def test_values_flow_and_integers_stay_integers() -> None:
    leaf, ended = play(
        {"add": add},
        {"add": ADD},
        {
            "one": task("add", inputs={"a": constant(2.0)}),
            "two": task("add", after=["one"], inputs={"a": of("one", "sum"), "b": given("n")}),
        },
        {"n": 4.0},
        inputs={"n": {"parameterType": INT}},
        outputs={
            "parameters": {"total": {"valueFromParameter": {"producerSubtask": "two", "outputParameterKey": "sum"}}}
        },
    )
    assert isinstance(ended, Values)
    assert ended.parameters == {"total": 7}
    assert json.dumps(leaf.calls) == '[["one", {"a": 2, "b": 1}], ["two", {"a": 3, "b": 4}]]'


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "'n' (NUMBER_INTEGER) is missing"),
        ({"n": "x"}, "'n'"),
        ({"n": 1, "m": 2}, "'m' is not a parameter"),
        ({"n": 1.5}, "not an integer"),
    ],
)
def test_arguments_are_checked_before_anything_runs(arguments: dict[str, Json], problem: str) -> None:
    with pytest.raises(DocumentError) as caught:
        play(
            {"add": add},
            {"add": ADD},
            {"one": task("add", inputs={"a": given("n")})},
            arguments,
            inputs={"n": {"parameterType": INT}},
        )
    assert problem in caught.value.what


@pytest.mark.parametrize(("n", "ran"), [(1, ["one"]), (2, ["one", "then.branch"])])
def test_a_lone_condition_on_the_root_runs_its_branch(n: int, ran: list[str]) -> None:
    """kfp.local skips it and reports success."""
    branch = {
        "dag": {"tasks": {"branch": task("add", inputs={"a": constant(1)})}},
        "inputDefinitions": {"parameters": {"x": {"parameterType": INT}}},
    }
    leaf, _ = play(
        {"add": add},
        {"add": ADD, "then": branch},
        {
            "one": task("add", inputs={"a": constant(n)}),
            "then": task(
                "then",
                after=["one"],
                inputs={"x": of("one", "sum")},
                triggerPolicy={"condition": "int(inputs.parameter_values['x']) == 3"},
            ),
        },
    )
    assert [path for path, _ in leaf.calls] == ran
    assert leaf.untouched == ({} if n == 2 else {"then": State.SKIPPED})


def test_a_condition_on_what_is_not_of_its_declared_type_fails_its_task() -> None:
    leaf, ended = play(
        {"add": add},
        {"add": {**ADD, "inputDefinitions": {"parameters": {"a": {"parameterType": "LIST"}}}}},
        {
            "one": task(
                "add", inputs={"a": constant(1)}, triggerPolicy={"condition": "inputs.parameter_values['a'] == 2"}
            )
        },
    )
    assert leaf.calls == []
    assert isinstance(ended, GraphFailed)
    assert "input 'a' of its condition: expected a JSON list, got int" in str(ended.failures)


def test_what_needs_a_skipped_task_is_skipped() -> None:
    leaf, ended = play(
        {"add": add},
        {"add": ADD},
        {
            "one": task(
                "add", inputs={"a": constant(1)}, triggerPolicy={"condition": "inputs.parameter_values['a'] == 2"}
            ),
            "two": task("add", inputs={"a": of("one", "sum")}),
        },
    )
    assert leaf.calls == []
    assert leaf.untouched == {"one": State.SKIPPED, "two": State.SKIPPED}
    assert isinstance(ended, Values)


def test_a_failure_stops_what_needs_it_and_nothing_else() -> None:
    leaf, ended = play(
        {"add": add, "fail": fail},
        {"add": ADD, "fail": component({}, {"sum": INT})},
        {
            "bad": task("fail"),
            "needs": task("add", inputs={"a": of("bad", "sum")}),
            "free": task("add", inputs={"a": constant(1)}),
        },
    )
    assert isinstance(ended, GraphFailed)
    assert [p for p, _ in ended.failures] == ["bad"]
    assert "it broke" in ended.what
    assert {p for p, _ in leaf.calls} == {"bad", "free"}
    assert leaf.untouched == {"needs": State.NOT_TRIGGERED}


def test_an_exit_task_runs_after_a_failure_and_learns_of_it() -> None:
    seen: dict[str, Any] = {}

    def note(status: dict[str, Any]) -> dict[str, Any]:
        seen.update(status)
        return {}

    _, ended = play(
        {"fail": fail, "note": note},
        {
            "fail": component(),
            "inner": {"dag": {"tasks": {"bad": task("fail")}}},
            "note": component({"status": "TASK_FINAL_STATUS"}),
        },
        {
            "inner": task("inner"),
            "note": task(
                "note",
                after=["inner"],
                inputs={"status": {"taskFinalStatus": {"producerTask": "inner"}}},
                triggerPolicy={"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
            ),
        },
    )
    assert isinstance(ended, GraphFailed)
    assert seen["state"] == "FAILED"
    assert seen["error"] == {"message": "it broke"}
    assert seen["pipelineTaskName"] == "inner"


def test_loops_collect_in_order_and_respect_their_limit() -> None:
    leaf, ended = play(
        {"add": add},
        {
            "add": ADD,
            "loop": {
                "dag": {
                    "tasks": {"each": task("add", inputs={"a": given("item")})},
                    "outputs": {
                        "parameters": {
                            "sums": {"valueFromParameter": {"producerSubtask": "each", "outputParameterKey": "sum"}}
                        }
                    },
                },
                "inputDefinitions": {"parameters": {"item": {"parameterType": INT}}},
                "outputDefinitions": {"parameters": {"sums": {"parameterType": INT}}},
            },
        },
        {
            "loop": task(
                "loop",
                parameterIterator={"itemInput": "item", "items": {"raw": "[1, 2, 3, 4, 5]"}},
                iteratorPolicy={"parallelismLimit": 2},
            )
        },
        outputs={
            "parameters": {"all": {"valueFromParameter": {"producerSubtask": "loop", "outputParameterKey": "sums"}}}
        },
    )
    assert isinstance(ended, Values)
    assert ended.parameters["all"] == [2, 3, 4, 5, 6]
    assert leaf.most_at_once == 2
    assert sorted(p for p, _ in leaf.calls) == [f"loop[{i}].each" for i in range(5)]


def test_an_empty_loop_gives_empty_lists() -> None:
    _, ended = play(
        {"make": lambda: {"items": []}, "add": add},
        {"make": component({}, {"items": "LIST"}), "add": ADD},
        {
            "make": task("make"),
            "loop": task(
                "add",
                inputs={"items": of("make", "items")},
                parameterIterator={"itemInput": "a", "items": {"inputParameter": "items"}},
            ),
        },
        outputs={
            "parameters": {"all": {"valueFromParameter": {"producerSubtask": "loop", "outputParameterKey": "sum"}}}
        },
    )
    assert isinstance(ended, Values)
    assert ended.parameters["all"] == []


def test_parts_of_loop_items_keep_their_types() -> None:
    leaf, _ = play(
        {"show": lambda **_: {}},
        {
            "show": component({"name": "STRING", "n": INT}),
            "loop": {
                "dag": {
                    "tasks": {
                        "show": task(
                            "show",
                            inputs={
                                "name": {
                                    **given("item"),
                                    "parameterExpressionSelector": 'parseJson(string_value)["a"]',
                                },
                                "n": {**given("item"), "parameterExpressionSelector": 'parseJson(string_value)["b"]'},
                            },
                        )
                    }
                },
                "inputDefinitions": {"parameters": {"item": {"parameterType": "STRUCT"}}},
            },
        },
        {
            "loop": task(
                "loop",
                parameterIterator={"itemInput": "item", "items": {"raw": '[{"a": "1", "b": 10}, {"a": "2", "b": 20}]'}},
            )
        },
    )
    assert [c for _, c in leaf.calls] == [{"name": "1", "n": 10}, {"name": "2", "n": 20}]


def test_one_of_two_branches_gives_the_output() -> None:
    def branch(value: int) -> dict[str, Any]:
        return {
            "dag": {
                "tasks": {"t": task("add", inputs={"a": constant(value)})},
                "outputs": {
                    "parameters": {"o": {"valueFromParameter": {"producerSubtask": "t", "outputParameterKey": "sum"}}}
                },
            },
            "inputDefinitions": {"parameters": {"x": {"parameterType": INT}}},
            "outputDefinitions": {"parameters": {"o": {"parameterType": INT}}},
        }

    def when(name: str, condition: str) -> dict[str, Any]:
        return task(name, inputs={"x": given("x")}, triggerPolicy={"condition": condition})

    oneof = {
        "valueFromOneof": {
            "parameterSelectors": [
                {"producerSubtask": "yes", "outputParameterKey": "o"},
                {"producerSubtask": "no", "outputParameterKey": "o"},
            ]
        }
    }
    for x, expected in ((1, 11), (2, 21)):
        _, ended = play(
            {"add": add},
            {"add": ADD, "yes": branch(10), "no": branch(20)},
            {
                "yes": when("yes", "inputs.parameter_values['x'] == 1"),
                "no": when("no", "!(inputs.parameter_values['x'] == 1)"),
            },
            {"x": x},
            inputs={"x": {"parameterType": INT}},
            outputs={"parameters": {"result": oneof}},
        )
        assert isinstance(ended, Values)
        assert ended.parameters == {"result": expected}


def test_a_task_is_tried_again_as_often_as_it_says() -> None:
    attempts = []

    def flaky() -> dict[str, int]:
        attempts.append(1)
        return {"sum": 1} if len(attempts) == 3 else dict(fail())

    _, ended = play(
        {"flaky": flaky},
        {"flaky": component({}, {"sum": INT})},
        {"t": task("flaky", retryPolicy={"maxRetryCount": 2, "backoffDuration": "0s"})},
    )
    assert isinstance(ended, Values)
    attempts.clear()
    _, ended = play(
        {"flaky": flaky},
        {"flaky": component({}, {"sum": INT})},
        {"t": task("flaky", retryPolicy={"maxRetryCount": 1, "backoffDuration": "0s"})},
    )
    assert isinstance(ended, GraphFailed)


def test_constants_may_name_other_inputs() -> None:
    leaf, _ = play(
        {"show": lambda **_: {}, "add": add},
        {"show": component({"text": "STRING"}), "add": ADD},
        {
            "one": task("add", inputs={"a": constant(1)}),
            "show": task(
                "show",
                inputs={
                    "n": of("one", "sum"),
                    "text": constant("n is {{$.inputs.parameters['n']}} in {{$.pipeline_job_name}}"),
                },
            ),
        },
    )
    assert leaf.calls[-1] == ("show", {"text": "n is 2 in t-1"})


def test_a_value_of_the_wrong_type_fails_the_task_that_gets_it() -> None:
    _, ended = play(
        {"make": lambda: {"s": "many"}, "add": add},
        {"make": component({}, {"s": "STRING"}), "add": ADD},
        {"make": task("make"), "t": task("add", inputs={"a": of("make", "s")})},
    )
    assert isinstance(ended, GraphFailed)
    assert "'a'" in ended.what
