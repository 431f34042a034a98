"""Properties of documents that kfp compiled: values travel unchanged, and a changed document runs what it says or not.

Components run as plain functions here, so a whole document takes a millisecond.
"""

from __future__ import annotations

import asyncio
import copy
import importlib
import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seatrial.document import read_text
from seatrial.document.model import Container, Task
from seatrial.errors import ComponentError, SeatrialError, TaskError
from seatrial.execute import program
from seatrial.execute.graph import Call, GraphFailed, Interpreter, State, Values

Json = Any
PIPELINES = ("item_parts", "integers", "outer_values", "untaken", "lone_condition", "numbers_in_text")
ARGUMENTS: Mapping[str, dict[str, Json]] = {"outer_values": {"texts": ["a", "b"]}}
FACTS = {"pipeline_job_name": "p-1", "pipeline_job_resource_name": "p-1", "pipeline_job_uuid": "1"}


class Functions:
    """Runs embedded functions in this process and remembers what ran."""

    def __init__(self, functions: Mapping[str, Callable[..., Json]]) -> None:
        self.functions = functions
        self.calls: Counter[str] = Counter()

    async def __call__(self, call: Call) -> Values:
        container = call.component.implementation
        assert isinstance(container, Container)
        runs = program.of(container)
        name = runs.function if isinstance(runs, program.Embedded) else "unknown"
        self.calls[f"{name} {json.dumps(call.inputs.parameters, sort_keys=True)}"] += 1
        await asyncio.sleep(0)
        try:
            result = self.functions[name](**call.inputs.parameters)
        except (KeyError, TypeError, AssertionError) as exc:
            raise TaskError(str(exc), why="The function refused.", todo="Nothing.") from exc
        if set(call.component.output_parameters) - {"Output"}:
            raise ComponentError("an output was not written", why="It has one.", todo="Nothing.")
        return Values(dict.fromkeys(call.component.output_parameters, result))

    def not_run(self, path: str, task: Task, state: State) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def compiled() -> Iterator[tuple[dict[str, Json], dict[str, Callable[..., Json]]]]:
    """Documents of `tricky`, as parsed YAML, and the functions in them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tricky = importlib.import_module("tests.conformance.tricky")
        functions = {name: value.python_func for name, value in vars(tricky).items() if hasattr(value, "python_func")}
        texts = {name: json.dumps(_specification(getattr(tricky, name)), sort_keys=True) for name in PIPELINES}
        documents = {name: json.loads(text) for name, text in texts.items()}
    yield documents, functions


def _specification(pipeline: Any) -> Json:
    json_format = importlib.import_module("google.protobuf.json_format")
    return json_format.MessageToDict(pipeline.pipeline_spec)


def run(
    spec: Json, functions: Mapping[str, Callable[..., Json]], arguments: dict[str, Json]
) -> tuple[Functions, SeatrialError | Values]:
    """Interpret a document. Anything but an error of ours escapes, and fails the test."""
    leaf = Functions(functions)
    try:
        interpreter = Interpreter(read_text(yaml.safe_dump(spec)), leaf, leaf, FACTS)
        return leaf, asyncio.run(interpreter.run(arguments))
    except SeatrialError as exc:
        return leaf, exc


def places(node: Json, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a tree below its top."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def at(spec: Json, path: tuple[str | int, ...]) -> Json:
    for key in path:
        spec = spec[key]
    return spec


def _graph_places(spec: Json) -> list[tuple[str | int, ...]]:
    parts = [("root",), *(("components", name) for name, c in spec["components"].items() if "dag" in c)]
    return [place for part in parts for place in places(at(spec, part), part)]


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 5),
    st.floats(allow_nan=False),
    st.text(max_size=6),
    st.builds(list),
    st.builds(dict),
    st.sampled_from(["STRING", "LIST", "double", "show", "{{$.inputs.parameters['x']}}"]),
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_document_never_ends_in_a_traceback(
    compiled: tuple[dict[str, Json], dict[str, Callable[..., Json]]], data: st.DataObject
) -> None:
    documents, functions = compiled
    name = data.draw(st.sampled_from(PIPELINES))
    spec = copy.deepcopy(documents[name])
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(_graph_places(spec)))
        parent, key = at(spec, path[:-1]), path[-1]
        if data.draw(st.booleans()):
            del parent[key]
        else:
            parent[key] = data.draw(JUNK)
    run(spec, functions, ARGUMENTS.get(name, {}))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_removed_condition_or_order_changes_only_what_it_says(
    compiled: tuple[dict[str, Json], dict[str, Callable[..., Json]]], data: st.DataObject
) -> None:
    """Without a condition its branch runs too, and everything else as before; without an order nothing else runs."""
    documents, functions = compiled
    name = data.draw(st.sampled_from(PIPELINES))
    spec = copy.deepcopy(documents[name])
    before, ended = run(spec, functions, ARGUMENTS.get(name, {}))
    assert isinstance(ended, Values)
    removable = [p for p in _graph_places(spec) if p[-1] in ("triggerPolicy", "dependentTasks")]
    path = data.draw(st.sampled_from(removable))
    del at(spec, path[:-1])[path[-1]]
    after, ended = run(spec, functions, ARGUMENTS.get(name, {}))
    if path[-1] == "dependentTasks":
        assert isinstance(ended, Values)
        assert after.calls == before.calls  # every order here follows from inputs as well
    else:
        source = [key for key in before.calls if key.startswith(("add ", "add_nested "))]
        assert not (before.calls - after.calls).keys() - set(source)  # a sum sees the new branch's values


TYPED: dict[str, st.SearchStrategy[Json]] = {
    "NUMBER_INTEGER": st.integers(-(2**53) + 1, 2**53 - 1),
    "NUMBER_DOUBLE": st.floats(allow_nan=False, allow_infinity=False),
    "BOOLEAN": st.booleans(),
    "STRING": st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12),
}
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-99, 99), TYPED["STRING"], st.floats(0.1, 0.9)),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
TYPED |= {
    "LIST": st.lists(JSON, max_size=3),
    "STRUCT": st.dictionaries(st.text("abc", min_size=1, max_size=3), JSON, max_size=3),
}


def as_protobuf(value: Json) -> Json:
    """As KFP's compiler writes a value: every number is a floating point one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, list):
        return [as_protobuf(item) for item in value]
    if isinstance(value, dict):
        return {key: as_protobuf(item) for key, item in value.items()}
    return value


@settings(max_examples=300)
@given(data=st.data())
def test_values_travel_unchanged_and_stand_in_text_as_json(data: st.DataObject) -> None:
    """A value of each type: as constant, default or argument, through a nested graph, and inside a text."""
    kind = data.draw(st.sampled_from(sorted(TYPED)))
    value = data.draw(TYPED[kind])
    way = data.draw(st.sampled_from(["constant", "default", "argument"]))
    if way == "constant" and "{{$" in json.dumps(value):
        return  # a constant may hold placeholders; an argument is data
    declared = {"parameterType": kind}
    inner = {
        "inputDefinitions": {"parameters": {"x": declared}},
        "dag": {
            "tasks": {
                "t": {
                    "componentRef": {"name": "c"},
                    "inputs": {
                        "parameters": {
                            "x": {"componentInputParameter": "x"},
                            "text": {"runtimeValue": {"constant": "<{{$.inputs.parameters['x']}}>"}},
                        }
                    },
                }
            }
        },
    }
    source = (
        {"runtimeValue": {"constant": as_protobuf(value)}} if way == "constant" else {"componentInputParameter": "x"}
    )
    default = {"defaultValue": as_protobuf(value)} if way == "default" else {}
    spec = {
        "pipelineInfo": {"name": "p"},
        "schemaVersion": "2.1.0",
        "deploymentSpec": {"executors": {"e": {"container": {"image": "i", "command": ["c"]}}}},
        "components": {
            "inner": inner,
            "c": {
                "executorLabel": "e",
                "inputDefinitions": {"parameters": {"x": declared, "text": {"parameterType": "STRING"}}},
            },
        },
        "root": {
            "inputDefinitions": {"parameters": {"x": {**declared, **default}} if way != "constant" else {}},
            "dag": {"tasks": {"g": {"componentRef": {"name": "inner"}, "inputs": {"parameters": {"x": source}}}}},
        },
    }
    found: list[Json] = []

    class Listen(Functions):
        async def __call__(self, call: Call) -> Values:
            found.append(call.inputs.parameters)
            return Values()

    leaf = Listen({})
    interpreter = Interpreter(read_text(yaml.safe_dump(spec, allow_unicode=True)), leaf, leaf, FACTS)
    asyncio.run(interpreter.run({"x": as_protobuf(value)} if way == "argument" else {}))
    got = found[0]
    assert json.dumps(got["x"], sort_keys=True) == json.dumps(_typed(value, kind, way), sort_keys=True)
    shown = got["text"][1:-1]
    assert shown == value if kind == "STRING" else json.loads(shown) == value


def _typed(value: Json, kind: str, way: str) -> Json:
    """The document's own integers are integers again; an argument's JSON keeps the numbers that it was given."""
    if kind in ("LIST", "STRUCT") and way == "argument":
        return as_protobuf(value)
    return value


QUOTES = ["it's", "'", 'say "x"', "both ' and \"", "back\\slash", "new\nline", "plain", "' || 'a' == 'a"]


@pytest.mark.parametrize("text", QUOTES)
def test_a_condition_on_text_with_quotes_takes_its_branch_or_is_refused(text: str) -> None:
    """kfp writes the text into the condition unescaped; the wrong branch must never be taken."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tricky = importlib.import_module("tests.conformance.tricky")
        spec = _specification(tricky.equal_to(text))
    functions = {"show": lambda text: text}
    for argument, expected in ((text, "equal"), (f"{text}!", "different")):
        leaf, ended = run(spec, functions, {"given": argument})
        shown = {json.loads(call.partition(" ")[2])["text"] for call in leaf.calls}
        if isinstance(ended, SeatrialError):
            assert shown == set()
            assert not isinstance(ended, GraphFailed)
        else:
            assert shown == {expected}
