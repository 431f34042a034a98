"""What a document needs is found out before anything starts, all at once, and only what a task reaches counts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from seatrial.document import Document, read_text
from seatrial.errors import ResourceError
from seatrial.execute import kubernetes, needs, packages
from seatrial.execute.importing import Remote

Json = Any


def document(
    *command: str,
    args: tuple[str, ...] = (),
    kubernetes: Json = None,
    pipeline: Json = None,
    env: dict[str, str] | None = None,
    **task: Json,
) -> Document:
    """One task ``t`` that runs a command."""
    container: dict[str, Json] = {"image": "img", "command": list(command), "args": list(args)}
    container["env"] = [{"name": k, "value": v} for k, v in (env or {}).items()]
    spec = {
        "pipelineInfo": {"name": "p"},
        "schemaVersion": "2.1.0",
        "deploymentSpec": {"executors": {"exec": {"container": container}, "unused": {"container": {"image": "u"}}}},
        "components": {"c": {"executorLabel": "exec"}, "never": {"executorLabel": "unused"}},
        "root": {"dag": {"tasks": {"t": {"componentRef": {"name": "c"}, **task}}}},
    }
    parts = [spec]
    if kubernetes is not None or pipeline is not None:
        table = {"deploymentSpec": {"executors": {"exec": kubernetes or {}}}, "pipelineConfig": pipeline or {}}
        parts.append({"platforms": {"kubernetes": table}})
    return read_text(yaml.safe_dump_all(parts))


def importing(uri: str, *, read: bool, parameter: bool = False) -> Document:
    """An importer, and perhaps a task that reads what it imports."""
    source = {"runtimeParameter": "uri"} if parameter else {"constant": uri}
    artifact = {"artifactType": {"schemaTitle": "system.Dataset"}}
    given = {"parameters": {"uri": {"componentInputParameter": "where"}}} if parameter else {}
    tasks: dict[str, Json] = {"i": {"componentRef": {"name": "imp"}, "inputs": given}}
    if read:
        made = {"taskOutputArtifact": {"producerTask": "i", "outputArtifactKey": "artifact"}}
        tasks["r"] = {"componentRef": {"name": "c"}, "inputs": {"artifacts": {"data": made}}}
    importer = {"artifactUri": source, "typeSchema": {"schemaTitle": "system.Dataset"}}
    inputs = {"parameters": {"uri": {"parameterType": "STRING"}}} if parameter else {}
    spec = {
        "pipelineInfo": {"name": "p"},
        "schemaVersion": "2.1.0",
        "deploymentSpec": {
            "executors": {"exec": {"container": {"image": "img", "command": ["cat"]}}, "imp": {"importer": importer}}
        },
        "components": {
            "c": {"executorLabel": "exec", "inputDefinitions": {"artifacts": {"data": artifact}}},
            "imp": {
                "executorLabel": "imp",
                "inputDefinitions": inputs,
                "outputDefinitions": {"artifacts": {"artifact": artifact}},
            },
        },
        "root": {
            "inputDefinitions": {"parameters": {"where": {"parameterType": "STRING", "defaultValue": uri}}},
            "dag": {"tasks": tasks},
        },
    }
    return read_text(yaml.safe_dump(spec))


def refusal(document: Document, tmp_path: Path, arguments: dict[str, Json] | None = None, **has: Json) -> str:
    """What is missing; empty when nothing is."""
    abilities = {"root": tmp_path, "path": os.environ["PATH"], "buckets": None, "engine": None, **has}
    try:
        needs.check(document, arguments or {}, needs.Abilities(**abilities))
    except ResourceError as exc:
        return str(exc)
    return ""


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("no-such-program",), "its program 'no-such-program'"),
        (("./run.sh",), "its program './run.sh'"),
        (("sh", "run.sh"), "its script 'run.sh'"),
        (("python", "train.py"), "its script 'train.py'"),
        (("python3", "-u", "-m", "no_such_module.x"), "its Python module 'no_such_module.x'"),
        (("sh", "-c", "set -e\necho a | no-such-program -"), "calls 'no-such-program'"),
        (("sh", "-c", "mkdir -p $(dirname x) && no-such-program x"), "calls 'no-such-program'"),
        (("gsutil", "ls"), "tasks get no credentials"),
        (("sh", "-c", "gsutil cp a b"), "tasks get no credentials"),
        (("sh", "-c", "pip install x && echo y"), "installs software"),
        (("python3", "-m", "kfp.dsl.executor_main", "--function_to_execute", "f"), "part of image img"),
        (("echo", "{{$.json_escape[1]}}"), "json_escape"),
        (("echo", "{{$.inputs.parameters['x']}}"), "which it does not have"),
        ((), "no command"),
    ],
)
def test_a_program_that_is_not_here_is_named_before_the_start(
    tmp_path: Path, command: tuple[str, ...], said: str
) -> None:
    told = refusal(document(*command), tmp_path)
    assert said in told
    assert "task 't'" in told


@pytest.mark.parametrize(
    "command",
    [
        ("echo", "a"),
        ("sh", "-c", "if true; then no-such-program; fi"),
        ("sh", "-c", "no-such-program || echo fallback"),
        ("sh", "-c", "A=b echo 'no-such-program | x'"),
        ("sh", "-c", "f() { no-such; }; f"),
        ("sh", "here.sh"),
        ("python", "here.sh"),
        ("python", "-c", "print(1)"),
        ("python", "-m", "json.tool"),
        ("./here.sh",),
        ("echo", "{{$.pipeline_job_name}} {{$.workspace_path}}"),
    ],
)
def test_what_may_work_is_not_refused(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "here.sh").write_text("echo here")
    assert refusal(document(*command), tmp_path) == ""


def test_in_a_container_engine_the_image_has_its_programs(tmp_path: Path) -> None:
    for command in (("no-such-program",), (), ("sh", "-c", "pip install x")):
        assert refusal(document(*command), tmp_path, engine="podman") == ""


def test_everything_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    told = refusal(document("no-such-program", kubernetes={"pvcMount": [{}], "odd": 1}), tmp_path)
    assert all(said in told for said in ("no-such-program", "pvcMount", "odd"))


@pytest.mark.parametrize(
    "setting",
    [
        {"secretAsEnv": [{"secretName": "s", "optional": False}]},
        {"secretAsEnv": [{"secretName": "s", "optional": True}, {"secretName": "t"}]},
        {"secretAsVolume": [{"mountPath": "/x"}]},
        {"configMapAsEnv": [{}]},
        {"configMapAsVolume": [{}]},
        {"pvcMount": [{"mountPath": "/x"}]},
        {"emptyDirMounts": [{}]},
        {"genericEphemeralVolume": [{}]},
        {"fieldPathAsEnv": [{"name": "A", "fieldPath": "metadata.name"}]},
        {"somethingNew": True},
    ],
)
def test_what_a_task_would_miss_is_refused(tmp_path: Path, setting: Json) -> None:
    assert next(iter(setting)) in refusal(document("echo", kubernetes=setting), tmp_path)


@pytest.mark.parametrize(
    "setting",
    [
        {"nodeSelector": {"labels": {"a": "b"}}},
        {"tolerations": [{"key": "gpu"}]},
        {"imagePullSecret": [{"secretName": "s"}]},
        {"imagePullPolicy": "Always"},
        {"activeDeadlineSeconds": 60},
        {"podMetadata": {"labels": {"a": "b"}}},
        {"secretAsEnv": [{"secretName": "s", "optional": True}]},
        {"configMapAsVolume": [{"optional": True}]},
    ],
)
def test_what_changes_no_result_is_left_out_and_noted(tmp_path: Path, setting: Json) -> None:
    given = document("echo", kubernetes=setting)
    assert refusal(given, tmp_path) == ""
    assert next(iter(setting)) in kubernetes.left_out(given.platforms, "exec")[0]
    assert kubernetes.left_out(given.platforms, "unused") == []


def test_a_platform_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    assert "pipelineConfig.odd" in refusal(document("echo", pipeline={"odd": 1}), tmp_path)
    assert refusal(document("echo", pipeline={"workspace": {"size": "1Gi"}}), tmp_path) == ""
    assert kubernetes.pipeline_problems({"other": {}}) != []


@pytest.mark.parametrize("parameter", [False, True])
def test_a_bucket_is_needed_when_a_task_reads_it(tmp_path: Path, parameter: bool) -> None:
    """An artifact that is only named is metadata; one that is read must be there."""
    read = importing("s3://bucket/data", read=True, parameter=parameter)
    assert "no access to s3://" in refusal(read, tmp_path)
    asked: list[str] = []
    assert refusal(read, tmp_path, buckets=asked.append) == ""
    assert refusal(importing("s3://bucket/data", read=False, parameter=parameter), tmp_path, buckets=asked.append) == ""
    assert asked == ["s3://bucket/data"]


def test_a_bucket_that_cannot_be_read_is_told_before_the_start(tmp_path: Path) -> None:
    def denied(uri: str) -> Remote:
        raise ResourceError("access is denied", why="It was asked.", todo="Grant it.")

    told = refusal(importing("s3://b/data", read=True), tmp_path, buckets=denied)
    assert "task 'i': imports s3://b/data: access is denied" in told
    assert told.endswith("\nGrant it.")


def test_the_argument_decides_what_is_imported(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")
    given = importing("gs://bucket/data", read=True, parameter=True)
    assert refusal(given, tmp_path, {"where": str(tmp_path / "data")}) == ""
    assert "which is not there" in refusal(given, tmp_path, {"where": str(tmp_path / "absent")})


def test_packages_are_compared_with_what_is_installed() -> None:
    import packaging

    version = packaging.__version__
    missing = packages.missing(
        {
            f"packaging=={version}": ["a"],
            "packaging==0.0.1": ["a"],
            "no-such-package-here>=1": ["a", "b", "c", "d", "e"],
            'no-such-package-here; python_version < "3"': ["a"],
            "https://example.org/x.whl": ["a"],
            "kfp==0.0.1": ["a"],
        }
    )
    assert list(missing.values()) == ["packaging==0.0.1", "no-such-package-here>=1", ""]
    assert f"there is packaging {version}" in next(iter(missing))
    assert "'a', 'b', 'c' and 2 more" in list(missing)[1]
