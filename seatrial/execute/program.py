"""What a container of a document really runs, told from its command.

Three kinds matter: a component of ours (`Own`), a function whose source KFP embedded in the command (`Embedded`,
made by ``@dsl.component``), and anything else (`Command`). The pip commands that KFP's compiler puts in front are taken
off and become requirements: this environment is never changed by a run. Text is recognised whole or not at all; a
script that does anything else besides stays a command, so that nothing is dropped in silence.
"""

from __future__ import annotations

import functools
import re
import shlex
from dataclasses import dataclass

from seatrial.document.model import Container

_OWN = ("python", "-m", "seatrial.component")
_OPTIONS_WITH_VALUE = frozenset({"-i", "--index-url", "--extra-index-url", "--trusted-host", "-f", "--find-links"})
_KFP_SPEC = re.compile(r"^kfp(-pipeline-spec|-kubernetes)?\b|[/#&]egg=kfp\b|[/=]kfp-\d", re.IGNORECASE)

_WORDS = r"""(?:[^&|;()<>\n"'`$\\]|'[^']*'|"[^"$`\\]*")*"""
# the parts of which KFP's compilers, from 1.8 to 2.17, make the script that installs packages
_INSTALL = re.compile(rf"(?:PIP_DISABLE_PIP_VERSION_CHECK=1\s+)?python3?\s+-m\s+pip\s+install\s{_WORDS}")
_PREPARATION = (
    re.compile(
        r'if ! \[ -x "\$\(command -v pip\)" \]; then\s+'
        r"(?:\(?python3 -m ensurepip \|\| python3 -m ensurepip --user\)? \|\| apt-get install python3-pip)\s+fi"
    ),
    re.compile(
        r'export PIP_DISABLE_PIP_VERSION_CHECK=1\s+tmp=\$\(mktemp -d\)\s+python3 -m venv "\$tmp/venv" '
        r'--system-site-packages\s+\. "\$tmp/venv/bin/activate"'
    ),
)
_THEN_RUN = re.compile(r'&&\s*"\$0"\s+"\$@"\s*$')
_MENTIONS_PIP = re.compile(r"\bpip3?\s+install\b|\bconda\s+install\b|\bapt(-get)?\s+install\b")
_INSTALLERS = frozenset({"sh", "bash", "python", "python3", "pip", "pip3", "conda", "apt", "apt-get"})
_LOADER = (
    'program_path=$(mktemp -d) printf "%s" "$0" > "$program_path/ephemeral_component.py" '
    "python3 -m kfp.{package}.executor_main --component_module_path "
    '"$program_path/ephemeral_component.py" "$@"'
)
_LOADERS = frozenset(_LOADER.format(package=package) for package in ("dsl", "components"))


@dataclass(frozen=True)
class Own:
    """A function of the project, ``module:function``."""

    entry: str


@dataclass(frozen=True)
class Embedded:
    """A function whose source is in the document."""

    source: str
    arguments: tuple[str, ...]
    """For KFP's executor, placeholders unfilled."""
    requirements: tuple[str, ...]

    @property
    def function(self) -> str:
        """The function's name."""
        return self.arguments[self.arguments.index("--function_to_execute") + 1]


@dataclass(frozen=True)
class Command:
    """Any other command, placeholders unfilled."""

    command: tuple[str, ...]
    """Empty when the image's own entry point takes the arguments."""
    args: tuple[str, ...]
    requirements: tuple[str, ...] = ()
    installs: bool = False
    """It installs software in a way that is not recognised; run here, it would change this machine."""

    @property
    def words(self) -> tuple[str, ...]:
        """Command and arguments."""
        return (*self.command, *self.args)


Program = Own | Embedded | Command


def of(container: Container) -> Program:
    """Recognise a container's program."""
    return _of(container.command, container.args)


@functools.lru_cache(maxsize=512)
def _of(command: tuple[str, ...], args: tuple[str, ...]) -> Program:
    if command[:3] == _OWN and len(command) == 4 and args == ("{{$}}",):
        return Own(command[3])
    words = (*command, *args)
    requirements: tuple[str, ...] = ()
    if len(words) > 3 and words[0] in ("sh", "bash") and words[1] == "-c":
        installed = _installed(words[2])
        if installed is not None:
            requirements, words = installed, words[3:]
            command, args = words, ()
    embedded = (
        len(words) > 4
        and words[:2] == ("sh", "-ec")
        and " ".join(words[2].replace("_KFP_RUNTIME=true ", "").split()) in _LOADERS
        and words.count("--function_to_execute") == 1
        and words[-1] != "--function_to_execute"
    )
    if embedded:
        return Embedded(words[3], words[4:], requirements)
    return Command(command, args, requirements, installs=_changes_the_machine(words))


def _changes_the_machine(words: tuple[str, ...]) -> bool:
    program = words[0].rpartition("/")[2] if words else ""
    return program in _INSTALLERS and _MENTIONS_PIP.search(" ".join(words)) is not None


def _installed(script: str) -> tuple[str, ...] | None:
    """Packages of a script that installs them and then runs its arguments; ``None`` if it does anything else."""
    if not _THEN_RUN.search(script) or not _INSTALL.search(script):
        return None
    rest = _THEN_RUN.sub("", script)
    for part in _PREPARATION:
        rest = part.sub("", rest)
    commands = _INSTALL.findall(rest)
    if _INSTALL.sub("", rest).strip("()&| \n\t"):
        return None
    found: dict[str, None] = {}
    for text in commands:
        words = iter(shlex.split(text)[1:])
        for word in words:
            if word in _OPTIONS_WITH_VALUE:
                next(words, None)
            elif not word.startswith("-") and word not in ("python3", "python", "pip", "install"):
                found[word] = None
    return tuple(found)


def is_kfp(requirement: str) -> bool:
    """Whether a requirement asks for KFP itself, at the version that the document was compiled with."""
    return _KFP_SPEC.search(requirement) is not None
