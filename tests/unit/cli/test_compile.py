"""``seatrial compile`` as it is called: what it writes, what it says, and with which code it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from seatrial.cli.main import app
from seatrial.errors import DocumentError, UsageError
from tests.unit.clouds.aws.definitions import sound

TEXT = """
pipelineInfo: {name: hello}
schemaVersion: 2.1.0
components: {c: {executorLabel: e}}
deploymentSpec: {executors: {e: {container: {image: "IMAGE", command: [sh, -c, "echo hello"]}}}}
root: {dag: {tasks: {hello: {componentRef: {name: c}, taskInfo: {name: hello}}}}}
"""
DIGEST = "registry.example/hello@sha256:" + "0" * 64


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stranger's pipeline, outside any project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEATRIAL_PROJECT", raising=False)
    (tmp_path / "hello.yaml").write_text(TEXT.replace("IMAGE", DIGEST))
    return tmp_path


def call(*words: str) -> Any:
    return CliRunner().invoke(app, ["compile", *words])


def test_sagemaker_definition_and_its_job_files_are_written(folder: Path) -> None:
    result = call("hello.yaml", "--target", "sagemaker", "--image", DIGEST, "--explain")
    assert result.exit_code == 0, result.output
    assert "1 task → 1 job" in result.stdout
    assert "wrote hello.sagemaker.json: valid against botocore" in result.stdout
    definition = json.loads((folder / "hello.sagemaker.json").read_text())
    (job,) = (folder / "hello.sagemaker.files").rglob("job.json")
    assert str(job.relative_to(folder / "hello.sagemaker.files")) in json.dumps(definition)


def test_answer_for_machines_is_one_document(folder: Path) -> None:
    result = call("hello.yaml", "--image", DIGEST, "--json", "-o", "made/p.json")
    told = json.loads(result.stdout)
    assert told["jobs"] == ["hello"] and told["requests"] == 1
    assert Path(told["output"]).is_file() and Path(told["files"]["folder"]).is_dir()


def test_vertex_gets_a_document_that_is_understood_again(folder: Path) -> None:
    result = call("hello.yaml", "--target", "vertex")
    assert result.exit_code == 0, result.output
    assert "hello" in json.loads((folder / "hello.vertex.json").read_text())["root"]["dag"]["tasks"]


def test_definition_of_the_sdk_is_checked_and_nothing_written(folder: Path) -> None:
    (folder / "theirs.json").write_text(json.dumps(sound()))
    before = set(folder.iterdir())
    result = call("theirs.json")
    assert result.exit_code == 0, result.output
    assert "checked theirs.json: valid against" in result.stdout
    assert "7 steps, 4 requests" in result.stdout
    assert set(folder.iterdir()) == before


def test_wrong_definition_is_an_error(folder: Path) -> None:
    definition = sound()
    definition["Steps"][0]["Type"] = "Procesing"
    (folder / "theirs.json").write_text(json.dumps(definition))
    result = call("theirs.json")
    assert isinstance(result.exception, DocumentError) and result.exception.exit_code == 1
    assert "Procesing" in result.exception.what


def test_what_cannot_be_expressed_is_an_error_and_nothing_is_written(folder: Path) -> None:
    text = (folder / "hello.yaml").read_text()
    (folder / "odd.yaml").write_text(text.replace("taskInfo", "sidecar: {}, taskInfo", 1))
    result = call("odd.yaml")
    assert isinstance(result.exception, DocumentError)
    assert "sidecar: not supported" in result.exception.what
    assert not list(folder.glob("*.json"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("hello.yaml", "--target", "azure"), "there is no target 'azure'"),
        (("hello.yaml", "--image", DIGEST, "--cache-expire-after", "1 day"), "ISO 8601"),
    ],
)
def test_wrong_usage_is_told_apart(folder: Path, words: tuple[str, ...], told: str) -> None:
    result = call(*words)
    assert isinstance(result.exception, UsageError) and result.exception.exit_code == 2
    assert told in result.exception.what


def test_file_that_is_not_there(folder: Path) -> None:
    result = call("nothing.yaml")
    assert isinstance(result.exception, DocumentError)
    assert "nothing.yaml" in result.exception.what


def test_a_job_of_vertex_is_compiled_with_its_own_parameter_values(folder: Path) -> None:
    spec = yaml.safe_load(TEXT.replace("IMAGE", DIGEST))
    spec["root"]["inputDefinitions"] = {"parameters": {"n": {"parameterType": "NUMBER_INTEGER", "defaultValue": 1}}}
    config: dict[str, Any] = {"parameterValues": {"n": 7}, "gcsOutputDirectory": "gs://bucket/root"}
    (folder / "job.json").write_text(json.dumps({"pipelineSpec": spec, "runtimeConfig": config}))
    result = call("job.json", "--target", "sagemaker", "--image", DIGEST)
    assert result.exit_code == 0, result.output
    assert "not in gs://bucket/root" in result.stdout
    parameters = json.loads((folder / "job.sagemaker.json").read_text())["Parameters"]
    assert [p["DefaultValue"] for p in parameters if p["Name"] == "n"] == [7]
    assert call("job.json", "--target", "vertex").exit_code == 0
    written = json.loads((folder / "job.vertex.json").read_text())
    assert written["root"]["inputDefinitions"]["parameters"]["n"]["defaultValue"] == 7
    assert written["defaultPipelineRoot"] == "gs://bucket/root"
    config["failurePolicy"] = "PIPELINE_FAILURE_POLICY_FAIL_FAST"
    (folder / "job.json").write_text(json.dumps({"pipelineSpec": spec, "runtimeConfig": config}))
    assert "FAIL_FAST: not supported" in str(call("job.json").exception)
