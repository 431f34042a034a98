"""What `make lint` asks of workflows and of the program's types: nothing is found, and a seeded mistake is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = ROOT / ".github" / "workflows"
TOOLS = Path(sys.executable).parent


def tool(name: str, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TOOLS / name, *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def audited(folder: Path) -> set[str]:
    """Names of what zizmor finds."""
    done = tool("zizmor", "--offline", "--quiet", "--no-exit-codes", "--format", "json-v1", str(folder))
    assert done.returncode == 0, done.stderr
    return {each["ident"] for each in json.loads(done.stdout)}


def test_workflows_have_no_findings() -> None:
    assert audited(WORKFLOWS) == set()


@pytest.mark.parametrize(
    ("workflow", "old", "new", "found"),
    [
        ("infra.yml", r"actions/checkout@\w{40} # v4.2.2", "actions/checkout@v4", "unpinned-uses"),
        ("infra.yml", r"\n +with:\n +persist-credentials: false", "", "artipacked"),
        ("infra.yml", r"    permissions:\n +contents: read\n", "    permissions: write-all\n", "excessive-permissions"),
        ("infra.yml", r"  pull_request:", "  pull_request_target:", "dangerous-triggers"),
        ("release.yml", r"run: infra/launch.sh", "run: infra/launch.sh ${{ inputs.model }}", "template-injection"),
    ],
)
def test_a_seeded_mistake_in_a_workflow_is_found(workflow: str, old: str, new: str, found: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(WORKFLOWS, tmp_path / ".github" / "workflows"))
    text, times = re.subn(old, new, (folder / workflow).read_text(), count=1)
    assert times == 1
    (folder / workflow).write_text(text)
    assert audited(folder) == {found}


def test_every_action_is_pinned_by_commit_with_its_version_beside_it() -> None:
    for path in WORKFLOWS.glob("*.yml"):
        for used in re.findall(r"uses: (\S+.*)", path.read_text()):
            assert used.startswith("$/") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used), (path, used)


def test_no_workflow_knows_a_key() -> None:
    """Roles are taken with GitHub's tokens; a stored secret would be one that can be copied."""
    for path in WORKFLOWS.glob("*.yml"):
        assert "secrets." not in path.read_text() and "ACCESS_KEY" not in path.read_text(), path


def test_a_workflow_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    schema = ("--builtin-schema", "vendor.github-workflows")
    assert tool("check-jsonschema", *schema, *map(str, WORKFLOWS.glob("*.yml"))).returncode == 0
    wrong = tmp_path / "infra.yml"
    wrong.write_text((WORKFLOWS / "infra.yml").read_text().replace("runs-on:", "run-on:", 1))
    assert tool("check-jsonschema", *schema, str(wrong)).returncode == 1


def test_wrong_arguments_of_resources_are_found_by_the_type_checker(tmp_path: Path) -> None:
    """With the project's own settings; mypy takes everything of pulumi_aws for Any."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    program = tmp_path / "infra" / "seeded.py"
    program.parent.mkdir()
    program.write_text(
        "import pulumi_aws as aws\n"
        "aws.s3.Bucket('b', bucket=7)\n"
        "aws.s3.Bucket('b', buckett='b')\n"
        "aws.s3.BucketVersioningVersioningConfigurationArgs(state='Enabled')\n"
        "aws.s3.Bucket('b', bucket='b')\n"
    )
    done = tool("basedpyright", "--pythonpath", sys.executable, "--outputjson", cwd=tmp_path)
    found = json.loads(done.stdout)["generalDiagnostics"]
    assert {each["range"]["start"]["line"] + 1 for each in found} == {2, 3, 4}, done.stdout
