"""A job of Vertex around a document is honoured or refused by name, never dropped."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.document import read_text
from seatrial.errors import DocumentError

SPEC: dict[str, Any] = {
    "pipelineInfo": {"name": "p"},
    "schemaVersion": "2.1.0",
    "deploymentSpec": {"executors": {"e": {"container": {"image": "i", "command": ["true"]}}}},
    "components": {"c": {"executorLabel": "e"}},
    "root": {
        "inputDefinitions": {
            "parameters": {
                "n": {"parameterType": "NUMBER_INTEGER"},
                "names": {"parameterType": "LIST", "defaultValue": ["a"]},
            }
        },
        "dag": {"tasks": {"t": {"componentRef": {"name": "c"}}}},
    },
}


def job(config: Any = None, **members: Any) -> str:
    return json.dumps({"pipelineSpec": SPEC, "runtimeConfig": {} if config is None else config, **members})


def problems(text: str) -> str:
    with pytest.raises(DocumentError) as refused:
        read_text(text)
    return refused.value.what


def test_parameter_values_are_the_defaults_of_what_is_read_and_of_what_is_compiled() -> None:
    config = {"parameterValues": {"n": 7.0, "names": None}, "gcsOutputDirectory": "gs://bucket/root"}
    found = read_text(job(config, displayName="mine", labels={"a": "b"}, state="PIPELINE_STATE_SUCCEEDED"))
    assert found.root.input_parameters["n"].default == 7
    assert found.root.input_parameters["names"].default == ["a"]
    assert found.source["root"]["inputDefinitions"]["parameters"]["n"]["defaultValue"] == 7.0
    assert found.source["defaultPipelineRoot"] == "gs://bucket/root"
    assert "defaultValue" not in SPEC["root"]["inputDefinitions"]["parameters"]["n"]
    assert not read_text(job()).root.input_parameters["n"].has_default
    assert not read_text(json.dumps(SPEC)).root.input_parameters["n"].has_default


@pytest.mark.parametrize("policy", ["PIPELINE_FAILURE_POLICY_UNSPECIFIED", "PIPELINE_FAILURE_POLICY_FAIL_SLOW"])
def test_the_usual_failure_policy_is_what_runs_do(policy: str) -> None:
    assert read_text(job({"failurePolicy": policy, "inputArtifacts": {}})).name == "p"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (job({"parameterValues": {"m": 1}}), "runtimeConfig.parameterValues.m: not a parameter of this pipeline"),
        (job({"parameterValues": {"n": "many"}}), "runtimeConfig.parameterValues.n: "),
        (job({"parameterValues": {"n": 1.5}}), "runtimeConfig.parameterValues.n: 1.5 is not an integer"),
        (job({"parameterValues": [1]}), "runtimeConfig.parameterValues: expected an object, found list"),
        (job({"failurePolicy": "PIPELINE_FAILURE_POLICY_FAIL_FAST"}), "FAIL_FAST: not supported"),
        (job({"failurePolicy": ["odd"]}), "failurePolicy ['odd']: not supported"),
        (job({"gcsOutputDirectory": 3}), "runtimeConfig.gcsOutputDirectory: expected text, found int"),
        (job({"parameters": {"n": {"intValue": "3"}}}), "runtimeConfig.parameters: not supported"),
        (job({"inputArtifacts": {"a": {"artifactId": "1"}}}), "runtimeConfig.inputArtifacts: not supported"),
        (job({"defaultRuntime": {"x": 1}}), "runtimeConfig.defaultRuntime: not supported"),
        (job([]), "runtimeConfig: expected objects"),
        (job(serviceAccount="a@b", encryptionSpec={}), "serviceAccount: not supported"),
        (job(serviceAccount="a@b", encryptionSpec={}), "encryptionSpec: not supported"),
        ("{pipelineSpec: {}, 3: x, y: z}", "3: not supported"),
        ("{pipelineSpec: [], runtimeConfig: {}}", "expected objects"),
    ],
)
def test_what_cannot_be_honoured_is_named(text: str, said: str) -> None:
    assert said in problems(text)


def test_everything_wrong_is_told_at_once() -> None:
    told = problems(job({"parameterValues": {"m": 1, "n": "x"}, "other": 1}, network="n"))
    assert told.startswith("the document: 4 problems")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=6,
)
_CONFIG = st.fixed_dictionaries(
    {},
    optional={
        "parameterValues": _JSON | st.fixed_dictionaries({}, optional={"n": _JSON, "names": _JSON}),
        "failurePolicy": _JSON,
        "gcsOutputDirectory": _JSON,
        "other": _JSON,
    },
)


@given(config=_JSON | _CONFIG, members=st.dictionaries(st.text(max_size=5), _JSON, max_size=2))
@settings(max_examples=200)
def test_any_job_is_read_or_refused_never_a_crash(config: Any, members: dict[str, Any]) -> None:
    try:
        found = read_text(json.dumps({**members, "pipelineSpec": SPEC, "runtimeConfig": config}))
    except DocumentError:
        return
    values = config.get("parameterValues", {})
    assert set(values) <= {"n", "names"}
    assert found.root.input_parameters["n"].has_default == (values.get("n") is not None)
