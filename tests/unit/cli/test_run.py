"""``seatrial run`` as it is called: what it accepts, what it says, and with which code it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from typer.testing import CliRunner

from seatrial.cli.main import app
from seatrial.errors import UsageError

IMPORT = """
pipelineInfo: {name: imports}
schemaVersion: 2.1.0
deploymentSpec:
  executors:
    i: {importer: {artifactUri: {constant: "URI"}, typeSchema: {schemaTitle: system.Dataset}}}
    e:
      container:
        image: i
        command: [cp, "{{$.inputs.artifacts['data'].path}}", "{{$.outputs.parameters['text'].output_file}}"]
components:
  imp: {executorLabel: i, outputDefinitions: {artifacts: {artifact: {artifactType: {schemaTitle: system.Dataset}}}}}
  reads:
    executorLabel: e
    inputDefinitions: {artifacts: {data: {artifactType: {schemaTitle: system.Dataset}}}}
    outputDefinitions: {parameters: {text: {parameterType: STRING}}}
root:
  outputDefinitions: {parameters: {text: {parameterType: STRING}}}
  dag:
    outputs: {parameters: {text: {valueFromParameter: {producerSubtask: reads, outputParameterKey: text}}}}
    tasks:
      imp: {componentRef: {name: imp}}
      reads:
        componentRef: {name: reads}
        cachingOptions: {enableCache: true}
        inputs: {artifacts: {data: {taskOutputArtifact: {producerTask: imp, outputArtifactKey: artifact}}}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stranger's folder, outside any project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEATRIAL_PROJECT", raising=False)
    return tmp_path


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    settings = {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "one", "AWS_SECRET_ACCESS_KEY": "secret-two"}
    for name, value in {**settings, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="imports")
    yield client
    server.stop()


def call(*words: str) -> Any:
    return CliRunner().invoke(app, ["run", *words])


def test_an_importer_reads_s3_and_notices_another_version(folder: Path, s3: Any) -> None:
    (folder / "p.yaml").write_text(IMPORT.replace("URI", "s3://imports/data.txt"))
    for content, cached in (("one", False), ("one", True), ("two", False)):
        s3.put_object(Bucket="imports", Key="data.txt", Body=content.encode())
        result = call("p.yaml", "--json")
        assert result.exit_code == 0, result.output
        record = json.loads(result.stdout)
        assert record["outputs"] == {"text": content}
        assert [t["cached"] for t in record["tasks"] if t["name"] == "reads"] == [cached]
        assert "secret-two" not in result.stdout


def test_an_object_that_is_not_there_is_told_before_anything_runs(folder: Path, s3: Any) -> None:
    (folder / "p.yaml").write_text(IMPORT.replace("URI", "s3://imports/none"))
    result = call("p.yaml", "--json")
    assert result.exit_code == 1
    record = json.loads(result.stdout)
    assert "task 'imp': imports s3://imports/none: s3://imports/none is not there" in record["error"]["what"]
    assert record["tasks"] == []


def test_a_models_pipeline_refuses_an_engine(folder: Path) -> None:
    """It would be accepted and change nothing: the project's components run in the project's environment."""
    result = call("flights", "--engine", "podman")
    assert isinstance(result.exception, UsageError)
    assert "'flights' is a model" in result.exception.what
    assert not isinstance(call("flights").exception, UsageError) or "engine" not in str(call("flights").exception)
    assert list(folder.iterdir()) == []


JOB = {
    "displayName": "yesterday's",
    "runtimeConfig": {"parameterValues": {"word": "from the job"}, "gcsOutputDirectory": "gs://bucket/root"},
    "pipelineSpec": {
        "pipelineInfo": {"name": "says"},
        "schemaVersion": "2.1.0",
        "deploymentSpec": {
            "executors": {
                "e": {
                    "container": {
                        "image": "i",
                        "command": ["sh", "-c", 'printf \'%s\' "$0" > "$1"'],
                        "args": ["{{$.inputs.parameters['word']}}", "{{$.outputs.parameters['said'].output_file}}"],
                    }
                }
            }
        },
        "components": {
            "c": {
                "executorLabel": "e",
                "inputDefinitions": {"parameters": {"word": {"parameterType": "STRING"}}},
                "outputDefinitions": {"parameters": {"said": {"parameterType": "STRING"}}},
            }
        },
        "root": {
            "inputDefinitions": {"parameters": {"word": {"parameterType": "STRING"}}},
            "outputDefinitions": {"parameters": {"said": {"parameterType": "STRING"}}},
            "dag": {
                "outputs": {
                    "parameters": {
                        "said": {"valueFromParameter": {"producerSubtask": "t", "outputParameterKey": "said"}}
                    }
                },
                "tasks": {
                    "t": {
                        "componentRef": {"name": "c"},
                        "inputs": {"parameters": {"word": {"componentInputParameter": "word"}}},
                    }
                },
            },
        },
    },
}


@pytest.mark.parametrize(("words", "said"), [((), "from the job"), (("--arguments", '{"word": "given"}'), "given")])
def test_a_job_of_vertex_runs_with_its_own_parameter_values(folder: Path, words: tuple[str, ...], said: str) -> None:
    (folder / "job.json").write_text(json.dumps(JOB))
    result = call("job.json", *words)
    assert result.exit_code == 0, result.output
    assert f'said = "{said}"' in result.stdout
    assert "not in gs://bucket/root" in result.stdout
    (folder / "job.json").write_text(json.dumps({**JOB, "runtimeConfig": {"failurePolicy": "odd"}}))
    assert "failurePolicy odd: not supported" in str(call("job.json", *words).exception)


PYTHON = """
from kfp import dsl
import words

@dsl.component
def greet(name: str) -> str:
    return f"hello {name}"

@dsl.pipeline(name="greets")
def greets(name: str = words.NAME) -> str:
    return greet(name=name).output
"""


def test_a_pipeline_in_python_is_compiled_and_run(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "pipe.py").write_text(PYTHON)
    (folder / "sub" / "words.py").write_text("NAME = 'world'")
    result = call("sub/pipe.py")
    assert result.exit_code == 0, result.output
    assert 'Output = "hello world"' in result.stdout
    assert (folder / "sub" / ".seatrial").is_dir()
    assert "is not there" in str(call("none.py").exception)
