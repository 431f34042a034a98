"""What a container really runs: recognised whole, or left a command."""

from __future__ import annotations

import pytest

from seatrial.document.model import Container, Resources
from seatrial.execute import program
from seatrial.execute.program import Command, Embedded, Own

ENSURE = """
if ! [ -x "$(command -v pip)" ]; then
    python3 -m ensurepip || python3 -m ensurepip --user || apt-get install python3-pip
fi

PIP_DISABLE_PIP_VERSION_CHECK=1 """
PIP = "python3 -m pip install --quiet --no-warn-script-location "
KFP = "'kfp==2.17.0' '--no-deps' 'typing-extensions>=3.7.4,<5; python_version<\"3.9\"'"
VENV = """
export PIP_DISABLE_PIP_VERSION_CHECK=1
tmp=$(mktemp -d)
python3 -m venv "$tmp/venv" --system-site-packages
. "$tmp/venv/bin/activate"
 """
LOADER = """program_path=$(mktemp -d)

printf "%s" "$0" > "$program_path/ephemeral_component.py"
_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main                         --component_module_path \
                        "$program_path/ephemeral_component.py"                         "$@"
"""
SOURCE = "def f():\n    pass\n"
ARGS = ("--executor_input", "{{$}}", "--function_to_execute", "f")


def container(*command: str, args: tuple[str, ...] = ()) -> Container:
    return Container("image", command, args, {}, Resources())


def installing(script: str) -> program.Program:
    return program.of(container("sh", "-c", script, "sh", "-ec", LOADER, SOURCE, args=ARGS))


@pytest.mark.parametrize(
    ("script", "packages"),
    [
        (f'{ENSURE}{PIP}{KFP} && "$0" "$@"\n', ("kfp==2.17.0", 'typing-extensions>=3.7.4,<5; python_version<"3.9"')),
        (
            f"{ENSURE}{PIP}'a==1' 'b[x]>=2,<3'  &&  {PIP}'kfp==2.1.3' && \"$0\" \"$@\"\n",
            ("a==1", "b[x]>=2,<3", "kfp==2.1.3"),
        ),
        (f"{ENSURE}{PIP}'a'  &&  {VENV}{PIP}'kfp' && \"$0\" \"$@\"\n", ("a", "kfp")),
        (
            f'{ENSURE}{PIP}--index-url https://x.org/simple --trusted-host https://x.org \'a\' && "$0" "$@"\n',
            ("a",),
        ),
        (
            "(PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet 'a==1' 'b==2' || "
            "PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet 'a==1' 'b==2' --user) && \"$0\" \"$@\"",
            ("a==1", "b==2"),
        ),
    ],
)
def test_installing_becomes_requirements_and_is_not_run(script: str, packages: tuple[str, ...]) -> None:
    assert installing(script) == Embedded(SOURCE, ARGS, packages)


@pytest.mark.parametrize(
    "script",
    [
        f'{ENSURE}{PIP}{KFP} && rm -rf data && "$0" "$@"\n',
        f'echo hello && {PIP}{KFP} && "$0" "$@"\n',
        f"{ENSURE}{PIP}{KFP}\n",
        f'{ENSURE}{PIP}"$(cat list)" && "$0" "$@"\n',
        f'{ENSURE}{PIP}{KFP} && "$0" "$@"; rm -rf data\n',
    ],
)
def test_a_script_that_does_anything_else_stays_a_command_that_installs(script: str) -> None:
    """Taking off only the known part would drop the rest in silence."""
    found = installing(script)
    assert isinstance(found, Command)
    assert found.words[2] == script
    assert found.installs


def test_a_changed_loader_is_run_as_it_is_written() -> None:
    found = program.of(container("sh", "-ec", LOADER + "echo more\n", SOURCE, args=ARGS))
    assert found == Command(("sh", "-ec", LOADER + "echo more\n", SOURCE), ARGS)
    assert isinstance(program.of(container("sh", "-ec", LOADER, SOURCE, args=("--executor_input", "{{$}}"))), Command)


def test_an_own_component_is_recognised_only_in_its_own_form() -> None:
    own = ("python", "-m", "seatrial.component", "steps:make")
    assert program.of(container(*own, args=("{{$}}",))) == Own("steps:make")
    assert program.of(container(*own, args=("{{$}}", "--more"))) == Command(own, ("{{$}}", "--more"))


def test_other_commands_keep_their_words_apart_from_their_arguments() -> None:
    """Without a command the image's entry point takes the arguments; they are no program."""
    assert program.of(container(args=("rm", "-rf"))) == Command((), ("rm", "-rf"))
    assert program.of(container("echo", "pip install x")) == Command(("echo", "pip install x"), ())


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        ("kfp==2.14.3", True),
        ("kfp", True),
        ("git+https://github.com/kubeflow/pipelines.git@master#egg=kfp&subdirectory=sdk/python", True),
        ("kfpx==1", False),
        ("pandas", False),
    ],
)
def test_kfp_itself_is_told_from_other_packages(requirement: str, expected: bool) -> None:
    assert program.is_kfp(requirement) is expected
