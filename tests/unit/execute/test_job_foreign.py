"""The shell script that stands for Seatrial on other people's images, run by real shells with an empty environment."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.errors import DocumentError
from seatrial.execute import parcel
from seatrial.execute.cache import Stored
from seatrial.execute.foreign import launcher
from seatrial.execute.job import specification

Json = Any
SHELLS = [shell for shell in ("dash", "bash", "busybox sh") if shutil.which(shell.split()[0])]
SLOT = {"artifactType": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}}
EVERY = {"text": "STRING", "whole": "NUMBER_INTEGER", "part": "NUMBER_DOUBLE", "yes": "BOOLEAN", "list": "LIST"}


def kinds(table: dict[str, str]) -> Json:
    return {k: {"parameterType": v, "isOptional": True} for k, v in table.items()}


def spec(folder: Path, command: list[str], parameters: Json, **more: Json) -> dict[str, Json]:
    """A job of one task that takes every type of parameter and an artifact, and gives the same."""
    component = {
        "executorLabel": "exec",
        "inputDefinitions": {"parameters": kinds(EVERY), "artifacts": {"data": {**SLOT, "isOptional": True}}},
        "outputDefinitions": {
            "parameters": {"o": {"parameterType": more.pop("output", "STRING")}},
            "artifacts": {"out": SLOT},
        },
    }
    task: dict[str, Any] = {
        "componentRef": {"name": "comp"},
        "taskInfo": {"name": "one"},
        "inputs": {
            "parameters": {k: {"componentInputParameter": k} for k in EVERY},
            "artifacts": {"data": {"componentInputArtifact": "data"}},
        },
    }
    task["inputs"]["parameters"].update(more.pop("inputs", {}))
    selector = {"producerSubtask": "one"}
    root = {
        "inputDefinitions": {"parameters": kinds(EVERY), "artifacts": {"data": {**SLOT, "isOptional": True}}},
        "outputDefinitions": component["outputDefinitions"],
        "dag": {
            "tasks": {"one": task},
            "outputs": {
                "parameters": {"o": {"valueFromParameter": {**selector, "outputParameterKey": "o"}}},
                "artifacts": {"out": {"artifactSelectors": [{**selector, "outputArtifactKey": "out"}]}},
            },
        },
    }
    executor = {"container": {"image": "busybox", "command": command, "env": more.pop("env", [])}}
    return {
        "format": 1,
        "job": "one",
        "document": {
            "pipelineInfo": {"name": "p"},
            "schemaVersion": "2.1.0",
            "deploymentSpec": {"executors": {"exec": executor}},
            "components": {"comp": component},
            "root": root,
        },
        "parameters": parameters,
        "artifacts": {},
        "outputs": {"parameters": str(folder / "out/values/outputs.json"), "artifacts": {"out": str(folder / "out/o")}},
        "failure": str(folder / "failed/message"),
        **more,
    }


def run(table: dict[str, Json], folder: Path, shell: str = SHELLS[0], **environment: str) -> Any:
    script = folder / "job.sh"
    script.write_text(launcher(table))
    env = {"PATH": os.environ["PATH"], "TMPDIR": str(folder), **environment}
    return subprocess.run([*shell.split(), str(script)], env=env, capture_output=True, text=True, timeout=60)


def given_values(folder: Path) -> Json:
    return json.loads((folder / "out/values/outputs.json").read_text())


ECHO = ["sh", "-c", 'printf %s "$0" > "$1"; printf %s "$2" > "$3"']
PLACES = ["{{$.outputs.parameters['o'].output_file}}"]


@pytest.mark.parametrize("shell", SHELLS)
def test_values_reach_the_command_and_come_back(tmp_path: Path, shell: str) -> None:
    """Text from a parameter, a constant, another job's file; nothing of it is read as shell."""
    nasty = 'it\'s $HOME `ls` "x" \\ \n\n ü €\t{{$.x}}\n'
    (tmp_path / "outputs.json").write_text(json.dumps({"made ü": nasty, "n": 3.0, "other": {"a": [1]}}))
    command = [
        *ECHO,
        "{{$.inputs.parameters['text']}}|{{$.inputs.parameters['whole']}}|{{$.inputs.parameters['list']}}",
        *PLACES,
        "{{$}}",
        "{{$.outputs.artifacts['out'].path}}",
    ]
    parameters = {
        "text": {"file": str(tmp_path / "outputs.json"), "name": "made ü"},
        "whole": {"file": str(tmp_path / "outputs.json"), "name": "n"},
        "list": {"value": [1, "a'b"]},
        "yes": {"environment": "YES"},
        "part": {"environment": "PART", "absent": "null"},
    }
    ran = run(spec(tmp_path, command, parameters), tmp_path, shell, YES="True", PART="null")
    assert ran.returncode == 0, ran.stderr
    assert given_values(tmp_path) == {"o": f'{nasty}|3|[1, "a\'b"]'}
    (artifact,) = parcel.unpack(tmp_path / "out/o") or []
    executor_input = json.loads(Path(artifact.uri).read_text())
    assert executor_input["inputs"]["parameterValues"] == {"text": nasty, "whole": 3, "list": [1, "a'b"], "yes": True}
    assert executor_input["outputs"]["artifacts"]["out"]["artifacts"][0]["type"]["schemaTitle"] == "system.Dataset"


@settings(max_examples=15)
@given(text=st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=40))
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("text")
    (folder / "outputs.json").write_text(json.dumps({"t": text}))
    command = [*ECHO, "{{$.inputs.parameters['text']}}", *PLACES, "x", "{{$.outputs.artifacts['out'].path}}"]
    ran = run(spec(folder, command, {"text": {"file": str(folder / "outputs.json"), "name": "t"}}), folder)
    assert ran.returncode == 0, ran.stderr
    assert given_values(folder) == {"o": text}


def test_a_lightweight_component_reads_and_writes_the_interface_of_kfp(tmp_path: Path) -> None:
    """Its values and metadata come back through ``executor_output.json``, as kfp's executor writes them."""
    source = tmp_path / "source"
    source.write_text("rows")
    parcel.pack([Stored("data", "system.Dataset", str(source), {"rows": 3, "note": 'ü "q"'}, "")], tmp_path / "in")
    program = """
import json, sys, pathlib
i = json.loads(sys.argv[1])
a = i["inputs"]["artifacts"]["data"]["artifacts"][0]
out = i["outputs"]["artifacts"]["out"]["artifacts"][0]
pathlib.Path(out["uri"]).write_text(pathlib.Path(a["uri"]).read_text() * 2)
json.dump({"parameterValues": {"o": i["inputs"]["parameterValues"]["text"] + "!"},
    "artifacts": {"out": {"artifacts": [{**out, "metadata": a["metadata"]}]}}}, open(i["outputs"]["outputFile"], "w"))
"""
    table = spec(
        tmp_path,
        [sys.executable, "-c", program, "{{$}}"],
        {"text": {"first": [{"file": str(tmp_path / "none.json"), "name": "x"}, {"value": "b"}]}},
        artifacts={"data": [str(tmp_path / "not there"), str(tmp_path / "in")]},
    )
    ran = run(table, tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert given_values(tmp_path) == {"o": "b!"}
    (artifact,) = parcel.unpack(tmp_path / "out/o") or []
    assert Path(artifact.uri).read_text() == "rowsrows"
    assert artifact.metadata == {"rows": 3, "note": 'ü "q"'}
    assert artifact.schema == "system.Dataset"


def test_a_part_of_a_value_is_taken(tmp_path: Path) -> None:
    (tmp_path / "outputs.json").write_text(json.dumps({"t": json.dumps({"a": [{"b": "found"}]})}))
    command = [*ECHO, "{{$.inputs.parameters['text']}}", *PLACES, "x", "{{$.outputs.artifacts['out'].path}}"]
    selected = {
        "componentInputParameter": "text",
        "parameterExpressionSelector": 'parseJson(string_value)["a"][0]["b"]',
    }
    parameters = {"text": {"file": str(tmp_path / "outputs.json"), "name": "t"}}
    ran = run(spec(tmp_path, command, parameters, inputs={"text": selected}), tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert given_values(tmp_path) == {"o": "found"}


def test_a_folder_is_copied_whole(tmp_path: Path) -> None:
    command = [
        "sh",
        "-c",
        'mkdir -p "$1/a"; echo x > "$1/a/b"; echo v > "$0"',
        *PLACES,
        "{{$.outputs.artifacts['out'].path}}",
    ]
    assert run(spec(tmp_path, command, {}), tmp_path).returncode == 0
    (artifact,) = parcel.unpack(tmp_path / "out/o") or []
    assert (Path(artifact.uri) / "a/b").read_text() == "x\n"
    assert given_values(tmp_path) == {"o": "v\n"}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_failure_leaves_its_exit_code_and_the_end_of_its_log(tmp_path: Path, shell: str) -> None:
    command = ["sh", "-c", "i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); done; echo last words >&2; exit 7"]
    ran = run(spec(tmp_path, command, {}), tmp_path, shell)
    assert ran.returncode == 7
    assert "line 0\n" in ran.stdout
    message = (tmp_path / "failed/message").read_text()
    assert message.startswith("task 'one' failed: exit code 7")
    assert message.endswith("last words")
    assert len(message) <= 1024
    assert not (tmp_path / "out/values/outputs.json").exists()


def test_a_missing_output_is_a_failure(tmp_path: Path) -> None:
    ran = run(spec(tmp_path, ["true"], {}), tmp_path)
    assert ran.returncode == 1
    assert "did not write parameter" in (tmp_path / "failed/message").read_text()


@pytest.mark.parametrize("pause", ["", "; sleep 0.5"])
def test_a_stopped_job_ends_its_task_first(tmp_path: Path, pause: str) -> None:
    """SageMaker sends SIGTERM; the command must hear of it, also where the shell has only just started it."""
    script = tmp_path / "job.sh"
    program = ["sh", "-c", f"trap 'echo ended > {tmp_path}/heard; exit 0' TERM; echo up; while :; do sleep 0.05; done"]
    text = launcher(spec(tmp_path, program, {}))
    assert "CHILD=$!" in text
    script.write_text(text.replace("CHILD=$!", f"CHILD=$!{pause}"))
    env = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)}
    with subprocess.Popen(["sh", str(script)], env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
    assert (tmp_path / "heard").read_text() == "ended\n"
    assert "was stopped" in (tmp_path / "failed/message").read_text()


def test_what_a_script_cannot_do_is_refused_with_every_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [
        "echo",
        "{{$.nothing}}",
        '{"IfPresent": {"InputName": "part", "Then": ["--part"]}}',
        "{{$.inputs.artifacts['data'].metadata['k']}}",
    ]
    parameters = {"part": {"environment": "PART", "absent": "null"}, "list": {"all": [{"value": 1}]}}
    table = spec(tmp_path, command, parameters)
    monkeypatch.setenv("PART", "1")
    assert specification(table).job == "one"  # Seatrial itself could
    with pytest.raises(DocumentError) as caught:
        launcher(table)
    for told in ("{{$.nothing}}", "whether 'part' was given", "metadata['k']", "'list' is a list of outputs"):
        assert told in caught.value.what


def test_the_script_is_the_same_each_time_and_names_no_interpreter_but_sh(tmp_path: Path) -> None:
    table = spec(tmp_path, ["true"], {})
    assert launcher(table) == launcher(table)
    assert "python" not in launcher(table)
