"""A Pulumi program's settings: ``Pulumi.yaml``, ``Pulumi.<stack>.yaml`` and what a rehearsal sets besides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from seatrial.errors import SeatrialError, UsageError
from seatrial.rehearsal.infra.crypter import Crypter
from seatrial.rehearsal.infra.provider.base import Props
from seatrial.rehearsal.infra.values import plain, secret, secrets_in

_PROJECT_KEYS = {
    "name",
    "runtime",
    "description",
    "main",
    "config",
    "author",
    "website",
    "license",
    "template",
    "backend",
}
_STACK_KEYS = {"config", "encryptionsalt", "secretsprovider", "encryptedkey"}
_RUNTIME = "python"


@dataclass(frozen=True)
class ProgramSettings:
    """What one stack of a program is given."""

    project: str
    stack: str
    folder: Path
    """Where the program runs."""
    entry: Path
    """What is run: a file, or a folder with ``__main__.py``."""
    config: Props = field(default_factory=dict)
    """``namespace:key`` -> value; secrets marked."""

    def with_config(self, changes: Mapping[str, Any]) -> ProgramSettings:
        """With other values; ``None`` takes a key away; a key without a namespace is the project's."""
        config = dict(self.config)
        for key, value in changes.items():
            config[_full(key, self.project)] = value
        return replace(self, config={key: value for key, value in config.items() if value is not None})

    @property
    def texts(self) -> dict[str, str]:
        """The values as a program's process gets them."""
        return {key: _text(plain(value)) for key, value in self.config.items()}

    @property
    def secret_keys(self) -> list[str]:
        """Keys whose values are secret, or hold a secret."""
        return sorted(key for key, value in self.config.items() if secrets_in(value))

    def of_package(self, package: str) -> Props:
        """Settings of a provider: ``aws:region`` is ``region`` of ``aws``."""
        prefix = f"{package}:"
        return {key.removeprefix(prefix): value for key, value in self.config.items() if key.startswith(prefix)}


def read_settings(program: Path, stack: str, passphrase: str | None = None) -> ProgramSettings:
    """Read a program's two files.

    Args:
        program: the folder with ``Pulumi.yaml``.
        stack: such as ``dev``.
        passphrase: opens the stack's secrets; ``None``: the person has not given any.

    Raises:
        UsageError: a file is missing or wrong; every problem is listed, each secret that cannot be decrypted by name.
    """
    problems: list[str] = []
    project = _mapping(program / "Pulumi.yaml", _PROJECT_KEYS, problems)
    file = program / f"Pulumi.{stack}.yaml"
    stack_file = _mapping(file, _STACK_KEYS, problems)
    name = str(project.get("name", ""))
    runtime = project.get("runtime")
    if not name:
        problems.append("Pulumi.yaml: name is missing")
    if (runtime.get("name") if isinstance(runtime, dict) else runtime) != _RUNTIME:
        problems.append(f"Pulumi.yaml: runtime {runtime!r} is not rehearsed, only {_RUNTIME}")
    config: Props = {}
    for key, said in (project.get("config") or {}).items():
        value = said.get("value", said.get("default")) if isinstance(said, dict) else said
        if value is not None:
            config[_full(key, name)] = value
    opener = _Opener(file.name, stack_file, passphrase, problems)
    for key, value in (stack_file.get("config") or {}).items():
        config[_full(key, name)] = opener.opened(key, value)
    if problems:
        raise UsageError(
            f"the settings of {program.name}, stack '{stack}', are wrong: {'; '.join(problems)}",
            why="Pulumi would refuse them, or the program would be run with other values than the stack's.",
            todo=f"Correct Pulumi.yaml and {file.name} in {program}.",
        )
    return ProgramSettings(name, stack, program, program / str(project.get("main", ".")), config)


class _Opener:
    """Decrypts a stack's ``secure:`` values, where it can."""

    def __init__(self, file: str, said: Props, passphrase: str | None, problems: list[str]) -> None:
        self._file, self._problems = file, problems
        self._crypter: Crypter | None = None
        salt = said.get("encryptionsalt")
        if said.get("secretsprovider"):
            self._why = f"its key is kept by {said['secretsprovider']}, which cannot be asked offline"
        elif not salt:
            self._why = "the file has no encryptionsalt"
        elif passphrase is None:
            self._why = "its passphrase is not given in PULUMI_CONFIG_PASSPHRASE"
        else:
            self._why = "PULUMI_CONFIG_PASSPHRASE is not its passphrase"
            try:
                self._crypter = Crypter.of(passphrase, str(salt))
            except SeatrialError:
                self._crypter = None

    def opened(self, key: str, value: Any) -> Any:
        """``value`` with its secrets decrypted, at any depth."""
        if isinstance(value, dict) and set(value) == {"secure"}:
            if self._crypter is not None:
                try:
                    return secret(self._crypter.decrypt(str(value["secure"])))
                except SeatrialError:
                    self._why = "it was changed since it was encrypted"
            self._problems.append(f"{self._file}: {key} is a secret that cannot be decrypted: {self._why}")
            return None
        if isinstance(value, dict):
            return {name: self.opened(f"{key}.{name}", each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.opened(f"{key}[{number}]", each) for number, each in enumerate(value)]
        return value


def _mapping(path: Path, known: set[str], problems: list[str]) -> Props:
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError:
        problems.append(f"{path.name} is not there")
        return {}
    except yaml.YAMLError as exc:
        problems.append(f"{path.name} is no YAML: {' '.join(str(exc).split())}")
        return {}
    if not isinstance(said, dict):
        problems.append(f"{path.name} is no mapping")
        return {}
    problems += [f"{path.name}: '{key}' is not rehearsed" for key in sorted(set(map(str, said)) - known)]
    return said


def _full(key: str, project: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
