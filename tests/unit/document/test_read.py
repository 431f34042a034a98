"""A document is understood whole or refused with everything that is wrong with it."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.document import read, read_text
from seatrial.document.model import Container, FromTask, Graph
from seatrial.errors import DocumentError

_SPEC: dict[str, Any] = {
    "pipelineInfo": {"name": "two"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "kfp-2.17.0",
    "deploymentSpec": {
        "executors": {
            "exec-a": {"container": {"image": "i", "command": ["python", "a.py"], "args": ["{{$}}"]}},
            "exec-b": {"container": {"image": "i", "command": ["b"], "resources": {"resourceCpuLimit": "2"}}},
        }
    },
    "components": {
        "comp-a": {
            "executorLabel": "exec-a",
            "inputDefinitions": {"parameters": {"n": {"parameterType": "NUMBER_INTEGER"}}},
            "outputDefinitions": {
                "parameters": {"m": {"parameterType": "NUMBER_INTEGER"}},
                "artifacts": {"data": {"artifactType": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}}},
            },
        },
        "comp-b": {
            "executorLabel": "exec-b",
            "inputDefinitions": {
                "parameters": {"m": {"parameterType": "NUMBER_INTEGER"}},
                "artifacts": {"data": {"artifactType": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}}},
            },
        },
    },
    "root": {
        "inputDefinitions": {"parameters": {"n": {"parameterType": "NUMBER_INTEGER", "defaultValue": 3.0}}},
        "dag": {
            "tasks": {
                "a": {
                    "componentRef": {"name": "comp-a"},
                    "cachingOptions": {"enableCache": True},
                    "inputs": {"parameters": {"n": {"componentInputParameter": "n"}}},
                    "taskInfo": {"name": "a"},
                },
                "b": {
                    "componentRef": {"name": "comp-b"},
                    "dependentTasks": ["a"],
                    "inputs": {
                        "parameters": {"m": {"taskOutputParameter": {"producerTask": "a", "outputParameterKey": "m"}}},
                        "artifacts": {
                            "data": {"taskOutputArtifact": {"producerTask": "a", "outputArtifactKey": "data"}}
                        },
                    },
                    "triggerPolicy": {"condition": "inputs.parameter_values['m'] == 1"},
                    "taskInfo": {"name": "b"},
                },
            }
        },
    },
}


def document(**changes: Any) -> str:
    """The valid document with values replaced at dotted paths."""
    spec = copy.deepcopy(_SPEC)
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = spec
        for part in parents:
            place = place[part.replace("_", "-") if part not in place else part]
        place[last] = value
    return yaml.safe_dump(spec)


def test_a_document_is_read(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(document())
    found = read(path)
    graph = found.root.implementation
    assert isinstance(graph, Graph)
    assert found.name == "two"
    assert graph.tasks["b"].after == {"a"}
    assert graph.tasks["b"].artifacts == {"data": FromTask("a", "data")}
    assert graph.tasks["a"].cache and not graph.tasks["b"].cache
    assert found.root.input_parameters["n"].default == 3
    executor = found.components["comp-b"].implementation
    assert isinstance(executor, Container)
    assert executor.resources.cpu_limit == "2"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"root__dag__tasks__a__sidecar": {}}, "sidecar: not supported"),
        ({"root__dag__tasks__a__componentRef": {"name": "comp-x"}}, "no component 'comp-x'"),
        ({"root__dag__tasks__b__dependentTasks": ["a", "ghost"]}, "waits for 'ghost'"),
        ({"root__dag__tasks__a__dependentTasks": ["b"]}, "wait for each other: a, b"),
        ({"root__dag__tasks__a__inputs": {}}, "input 'n' of 'comp-a' is not given"),
        ({"root__dag__tasks__b__triggerPolicy": {"condition": "inputs.parameter_values['q'] == 1"}}, "reads q"),
        ({"root__dag__tasks__b__triggerPolicy": {"condition": "x == 'it's'"}}, "not understood"),
        ({"root__dag__tasks__b__triggerPolicy": {"strategy": "SOMETIMES"}}, "SOMETIMES is not supported"),
        ({"root__dag__tasks__b__retryPolicy": {"backoffDuration": "soon"}}, "'soon' is not a duration"),
        ({"root__dag__tasks__b__retryPolicy": {"backoffDuration": "nan"}}, "'nan' is not a duration"),
        ({"root__dag__tasks__b__retryPolicy": {"backoffMaxDuration": "-1s"}}, "'-1s' is not a duration"),
        ({"root__dag__tasks__b__retryPolicy": {"backoffFactor": math.nan}}, "a pause cannot grow by nan"),
        ({"root__dag__tasks__b__retryPolicy": {"maxRetryCount": math.inf}}, "that is not negative, found inf"),
        (
            {"root__dag__tasks__b__iteratorPolicy": {"parallelismLimit": -1}},
            "Limit: expected a whole number",
        ),
        ({"schemaVersion": "1.0"}, "schemaVersion 1.0"),
        ({"components": {"comp-a": {"executorLabel": "nope"}}}, "no executor 'nope'"),
        ({"deploymentSpec": {"executors": {"exec-a": {"resolver": {}}}}}, "resolver: not supported"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_text(document(**changes))
    assert problem in caught.value.what


def test_all_problems_are_told_at_once() -> None:
    text = document(
        root__dag__tasks__a__sidecar={}, root__dag__tasks__b__hook={}, root__dag__tasks__b__dependentTasks=["x"]
    )
    with pytest.raises(DocumentError) as caught:
        read_text(text)
    assert [word in caught.value.what for word in ("3 problems", "sidecar", "hook", "'x'")] == [True] * 4


def test_a_component_that_contains_itself_is_refused() -> None:
    """It would run for ever."""
    task = {"componentRef": {"name": "comp-a"}, "taskInfo": {"name": "again"}}
    spec = copy.deepcopy(_SPEC)
    spec["components"]["comp-a"] = {"dag": {"tasks": {"again": task}}}
    del spec["root"]["dag"]["tasks"]["b"], spec["root"]["dag"]["tasks"]["a"]["inputs"]
    with pytest.raises(DocumentError, match="contains itself"):
        read_text(yaml.safe_dump(spec))


@pytest.mark.parametrize(
    "text", ["", "[]", "a: b: c", "!!python/object/apply:os.system ['true']", "--- {}\n--- {}\n", "1"]
)
def test_other_files_are_refused_in_three_lines(text: str) -> None:
    with pytest.raises(DocumentError):
        read_text(text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"absent\.yaml"):
        read(tmp_path / "absent.yaml")


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [p for key, item in items for p in _paths(item, (*path, key))]


_ANYTHING: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just({}) | st.just([]) | st.just({"x": [1]})
)


@settings(max_examples=2000)
@given(st.sampled_from(_paths(_SPEC)), _ANYTHING, st.booleans())
def test_a_mutated_document_is_read_or_refused_never_a_crash(path: tuple[Any, ...], value: Any, remove: bool) -> None:
    spec = copy.deepcopy(_SPEC)
    place = spec
    for part in path[:-1]:
        place = place[part]
    if remove and isinstance(place, dict):
        del place[path[-1]]
    else:
        place[path[-1]] = value
    try:
        read_text(json.dumps(spec))
    except DocumentError as exc:
        assert exc.what and exc.why and exc.todo


def test_retries_of_a_task_that_holds_a_graph_are_refused() -> None:
    """The specification of KFP: a retry policy is "applicable only to component tasks"."""
    spec = yaml.safe_load(document())
    spec["components"]["nested"] = {"dag": spec["root"]["dag"], "inputDefinitions": spec["root"]["inputDefinitions"]}
    again = {"retryPolicy": {"maxRetryCount": 2}}
    given = {"inputs": {"parameters": {"n": {"componentInputParameter": "n"}}}}
    spec["root"]["dag"] = {"tasks": {"inner": {"componentRef": {"name": "nested"}, **given, **again}}}
    with pytest.raises(DocumentError, match=r"root\.inner\.retryPolicy: this task holds a graph"):
        read_text(json.dumps(spec))
    spec["root"]["dag"]["tasks"]["inner"]["retryPolicy"]["maxRetryCount"] = 0
    spec["components"]["nested"]["dag"]["tasks"]["a"]["retryPolicy"] = {"maxRetryCount": 2}
    inner = read_text(json.dumps(spec)).components["nested"].implementation
    assert isinstance(inner, Graph)
    assert inner.tasks["a"].retry.count == 2
