"""What Pulumi's own command line expects of the environment that `Pulumi.yaml` names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("program", ["infra/aws/Pulumi.yaml", "infra/policy/PulumiPolicy.yaml"])
def test_the_environment_that_pulumi_runs_in_holds_pip(program: str) -> None:
    """Before each preview and update Pulumi asks it for its plugins: `python -m pip list --format json`.

    uv makes environments without pip, and every update would end there: https://github.com/pulumi/pulumi/pull/5787
    """
    options = yaml.safe_load((ROOT / program).read_text())["runtime"]["options"]
    assert "toolchain" not in options, "the toolchain is pip, which is Pulumi's default"
    assert options["virtualenv"] == "../../.venv"
    makefile = (ROOT / "Makefile").read_text()
    recipe = makefile.partition("\n.venv/ready-dev:")[2].partition("\n\n")[0]
    lists = re.findall(r"requirements/\S+\.txt", recipe.partition("pip sync")[2].partition("\n")[0])
    assert lists == ["requirements/dev.txt"]
    assert re.search(r"^pip==\d[\w.]* \\\n    --hash=sha256:", (ROOT / lists[0]).read_text(), re.MULTILINE)


def test_every_command_names_the_policy_pack_as_from_the_programs_folder() -> None:
    """`pulumi -C FOLDER` changes the folder before it reads a path."""
    texts = [path for folder in ("docs", "infra", "seatrial", ".github") for path in (ROOT / folder).rglob("*")]
    named = {
        (path.relative_to(ROOT).as_posix(), pack)
        for path in texts
        if path.suffix in (".md", ".sh", ".py", ".yml")
        for pack in re.findall(r"--policy-pack ([\w./]+)", path.read_text())
    }
    assert {"docs/aws.md", "infra/README.md", "infra/policy/README.md"} <= {path for path, _ in named}
    wrong = [(path, pack) for path, pack in named if not (ROOT / "infra/aws" / pack / "PulumiPolicy.yaml").is_file()]
    assert wrong == []
