"""What workflows ask of GitHub, and what their own lines of shell decide."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from seatrial.clouds.launch import Launches

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in (ROOT / ".github" / "workflows").glob("*.yml")}
STACKS = ["dev", "staging", "prod"]


def step(workflow: str, job: str, id: str) -> dict[str, Any]:
    return next(each for each in WORKFLOWS[workflow]["jobs"][job]["steps"] if each.get("id") == id)


def said(script: str, tmp_path: Path, **environment: str) -> tuple[int, dict[str, str], str]:
    """Exit code, outputs and what was printed, run as GitHub runs a step with ``shell: bash``."""
    output = tmp_path / "output"
    output.touch()
    environment = {"PATH": os.environ["PATH"], "GITHUB_OUTPUT": str(output), **environment}
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    done = subprocess.run(shell, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, dict(line.split("=", 1) for line in output.read_text().splitlines()), done.stdout


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_failure_in_a_pipe_fails_the_step(name: str) -> None:
    """Without a shell that is named, GitHub runs bash without pipefail."""
    assert WORKFLOWS[name]["defaults"]["run"]["shell"] == "bash"
    for job in WORKFLOWS[name]["jobs"].values():
        assert all("shell" not in each for each in job.get("steps", ()))


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_python_that_was_set_up_is_the_one_that_make_takes(name: str) -> None:
    """The Makefile looks for python3.12 first, and the machine has one: 3.11 would never be tested."""
    assert WORKFLOWS[name]["env"]["PYTHON"] == "python"
    for job in WORKFLOWS[name]["jobs"].values():
        steps = job.get("steps", ())
        makes = next((n for n, each in enumerate(steps) if each.get("run", "").startswith("make ")), len(steps))
        assert makes == len(steps) or any("setup-python" in each.get("uses", "") for each in steps[:makes])


def test_no_update_and_no_release_is_cancelled_by_a_newer_one() -> None:
    """Of several that wait GitHub keeps the newest only, unless it is told: one that waits for an approval would go."""
    up = WORKFLOWS["infra-up.yml"]["jobs"]["up"]["concurrency"]
    release = WORKFLOWS["release.yml"]["concurrency"]
    for each in (up, release):
        assert (each["cancel-in-progress"], each["queue"]) == (False, "max")


def test_a_tag_and_a_dispatch_of_one_stack_wait_for_each_other() -> None:
    options = WORKFLOWS["release.yml"][True]["workflow_dispatch"]["inputs"]["stack"]["options"]
    group = WORKFLOWS["release.yml"]["concurrency"]["group"]
    assert options == STACKS
    assert group.startswith("release-${{ inputs.stack ||")
    for stack in options:
        assert f"|| startsWith(github.ref_name, 'release/{stack}/') && '{stack}'" in group


@pytest.mark.parametrize("run", ["1", "9" * 20])
def test_a_release_that_is_run_again_launches_with_the_same_token(run: str, tmp_path: Path) -> None:
    steps = WORKFLOWS["release.yml"]["jobs"]["launch"]["steps"]
    token = next(each["env"]["SEATRIAL_LAUNCH_TOKEN"] for each in steps if each.get("run") == "infra/launch.sh")
    assert "${{ github.run_id }}" in token and "attempt" not in token
    Launches(tmp_path, token.replace("${{ github.run_id }}", run))


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ({}, []),
        ({"dev": {"account": "1"}}, ["dev"]),
        ({"dev": {"account": "1"}, "prod": {"account": ""}, "staging": {"region": "r"}}, ["dev"]),
        ({stack: {"account": "1"} for stack in STACKS}, STACKS),
    ],
)
def test_a_stack_that_is_not_set_up_is_not_previewed(given: Any, known: list[str], tmp_path: Path) -> None:
    code, outputs, _ = said(step("infra.yml", "prove", "known")["run"], tmp_path, STACKS=json.dumps(given))
    assert code == 0
    assert json.loads(outputs["stacks"]) == known
    preview = WORKFLOWS["infra.yml"]["jobs"]["preview"]
    assert preview["strategy"]["matrix"]["stack"] == "${{ fromJSON(needs.prove.outputs.stacks) }}"
    assert "needs.prove.outputs.stacks != '[]'" in preview["if"]


def test_a_stack_is_brought_up_after_what_proves_it_and_where_it_is_set_up() -> None:
    """A job whose condition asks about more than success has to name all that must not have failed."""
    for number, stack in enumerate(STACKS):
        job = WORKFLOWS["infra.yml"]["jobs"][stack]
        before = ["prove", *STACKS[:number]]
        assert job["needs"] == (before if number else "prove")
        assert f"fromJSON(vars.SEATRIAL_STACKS || '{{}}').{stack}.account" in job["if"]
        if number:
            for asked in (
                "!cancelled()",
                "github.event_name == 'push'",
                "needs.prove.result == 'success'",
                "!contains(needs.*.result, 'failure')",
                "!contains(needs.*.result, 'cancelled')",
            ):
                assert asked in job["if"]


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"MODEL": "flights", "STACK": "dev"}, ""),
        ({"TAG": "release/dev/flights/2026-11"}, ""),
        ({"TAG": "release/staging/flights/2026-11"}, "the stack 'staging' is not in the variable SEATRIAL_STACKS"),
        ({"TAG": "release/prod/flights/2026-11"}, "the stack 'prod' is not in the variable SEATRIAL_STACKS"),
        ({"TAG": "release/test/flights/2026-11"}, "there is no stack 'test'"),
        ({"MODEL": "fligths", "STACK": "dev"}, "there is no model 'fligths'"),
    ],
)
def test_a_release_names_a_model_and_a_stack_that_there_are(
    environment: dict[str, str], told: str, tmp_path: Path
) -> None:
    asked = {
        "MODEL": "",
        "STACK": "",
        "TAG": "main",
        "STACKS": '{"dev": {"account": "1"}, "staging": {"account": ""}}',
        **environment,
    }
    code, outputs, printed = said(step("release.yml", "plan", "said")["run"], tmp_path, **asked)
    if told:
        assert code == 1 and told in printed and outputs == {}
    else:
        assert (code, outputs) == (0, {"model": "flights", "stack": "dev"})
