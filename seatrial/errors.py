"""The exception tree. Every error a person may see says what is wrong, why it matters and what to do.

::

    SeatrialError
    ├── UsageError                 the command line or a settings file is wrong (exit code 2)
    │   └── ProjectError           seatrial.toml, model.toml or a file they name
    ├── DocumentError              a pipeline document is malformed or uses what is not supported
    ├── ComponentError             a component's declaration or what it was called with
    ├── TaskError                  a task failed, was killed or broke its contract
    ├── DataError                  the data cannot be used: findings, an empty table, a missing source
    ├── PackageError               a model package cannot be built or must not be trusted
    ├── EvaluationError            metrics or the gate were asked something that has no answer
    ├── RegistryError              the registry refused, or the evidence is stale
    ├── EndpointError              a server did not come up, did not answer right, or is not there
    ├── RehearsalError             what a rehearsal set out to show did not happen
    ├── ResourceError              the machine: full disk, port in use, no permission
    └── MissingExtra               an optional dependency is not installed

Only the CLI turns these into exit codes and text. Adapters translate a library's errors once, ``raise … from exc``.
"""

from __future__ import annotations

from typing import ClassVar


class SeatrialError(Exception):
    """An error with an answer: what is wrong, why it matters, what to do."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, why: str, todo: str) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.todo = todo

    def __str__(self) -> str:
        return f"{self.what}\n{self.why}\n{self.todo}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.why, self.todo))


def _rebuild(kind: type[SeatrialError], what: str, why: str, todo: str) -> SeatrialError:
    error = kind.__new__(kind)
    SeatrialError.__init__(error, what, why=why, todo=todo)
    return error


class UsageError(SeatrialError):
    """The command line or a settings file is wrong."""

    exit_code = 2


class ProjectError(UsageError):
    """seatrial.toml, model.toml or a file that they name is missing or wrong."""


class DocumentError(SeatrialError):
    """A pipeline document is malformed or uses a construct that is not supported."""


class ComponentError(SeatrialError):
    """A component's declaration, or what it was called with, breaks the component contract."""


class TaskError(SeatrialError):
    """A task failed, was killed, or did not deliver the outputs that it declares."""


class DataError(SeatrialError):
    """The data cannot be used."""


class PackageError(SeatrialError):
    """A model package cannot be built or must not be trusted."""


class EvaluationError(SeatrialError):
    """A metric or the gate was asked something that has no answer."""


class RegistryError(SeatrialError):
    """The registry refused a change, or the evidence behind a promotion is stale."""


class EndpointError(SeatrialError):
    """A model server did not come up, did not answer right, or is not there."""


class RehearsalError(SeatrialError):
    """What a rehearsal set out to show did not happen: a finding, not a fault of its machinery."""


class ResourceError(SeatrialError):
    """The machine cannot do it: the disk is full, a port is taken, a permission is missing."""


class MissingExtra(SeatrialError):
    """An optional dependency is not installed."""

    def __init__(self, feature: str, package: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs {package}, which is not installed",
            why="The core of Seatrial stays small; each optional part names what it needs.",
            todo=f"Run: pip install 'seatrial[{extra}]'",
        )
