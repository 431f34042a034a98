"""``@component``: a typed function that is a KFP container component, and the entry point that runs it anywhere.

A component is a plain function. A unit test calls it; inside a ``@dsl.pipeline``, ``fn.task(...)`` makes a KFP task of
it. The task's command is ``python -m seatrial.component <module>:<function> {{$}}`` on the project's one image: no
source is embedded in YAML and nothing is installed at run time.

This module is imported by every task process, so it needs the standard library only; ``kfp`` is imported when a
pipeline is built, never when a task runs.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import functools
import hashlib
import importlib
import inspect
import json
import os
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal, ParamSpec, TypeVar, get_args, get_origin

from seatrial.errors import ComponentError, SeatrialError, TaskError

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

Json = Any
"""What ``json.loads`` returns."""


class Artifact:
    """A file or folder that travels between components, with a little metadata.

    Attributes:
        path: where it lies on this machine.
        metadata: JSON values that travel with it; a component may set them on an output.
    """

    schema: ClassVar[str] = "system.Artifact"

    def __init__(self, path: str | os.PathLike[str], metadata: Mapping[str, Json] | None = None) -> None:
        self.path = Path(path)
        self.metadata: dict[str, Json] = dict(metadata or {})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"


class Dataset(Artifact):
    """A table."""

    schema = "system.Dataset"


class Model(Artifact):
    """A model package."""

    schema = "system.Model"


class Metrics(Artifact):
    """Scores and what they were computed from."""

    schema = "system.Metrics"


class _Direction:
    def __init__(self, name: str) -> None:
        self.name = name


Input = Annotated[T, _Direction("input")]
Output = Annotated[T, _Direction("output")]


@dataclasses.dataclass(frozen=True)
class Resources:
    """What one task needs: scheduling on a laptop, instance choice in a cloud."""

    cpu: float = 1
    memory_gb: float | None = None
    accelerators: int = 0
    accelerator: str = ""


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """What a training job asks of the service that runs it, beyond a machine."""

    spot: bool = False
    """Interruptible capacity: the component writes checkpoints and finds them again."""
    keep_alive_s: int = 0
    """How long the machine is kept for the next job like it (a warm pool); 0: not at all."""
    max_run_s: int = 86400


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A scalar input: its name, the annotation it is cast to, and its default (``inspect.Parameter.empty``: none)."""

    name: str
    annotation: Any
    default: Any


@dataclasses.dataclass(frozen=True)
class Slot:
    """An artifact input or output."""

    name: str
    kind: type[Artifact]
    many: bool = False
    optional: bool = False


_PARAMETER_TYPES: dict[type, str] = {
    int: "NUMBER_INTEGER",
    float: "NUMBER_DOUBLE",
    str: "STRING",
    bool: "BOOLEAN",
    list: "LIST",
    dict: "STRUCT",
}

JobRole = Literal["data", "training", "evaluation", "release", "monitoring"]
"""Whom a task runs as in a cloud, each class further along than the one before it."""
ROLES: tuple[JobRole, ...] = get_args(JobRole)
Use = Literal["registry:read", "registry:register", "registry:promote", "endpoint:deploy", "endpoint:verify"]
"""What of a target's registry and endpoints a task asks for; its role is granted that and no more."""
_USES: tuple[Use, ...] = get_args(Use)

Apart = Literal["", "registration", "function", "failure"]
"""What a task is in a cloud when it is a step of its own that starts no machine."""

_image: contextvars.ContextVar[str] = contextvars.ContextVar("image", default="seatrial")


@contextlib.contextmanager
def compiled_for(image: str) -> Iterator[None]:
    """Inside, ``.task()`` names this container image."""
    token = _image.set(image)
    try:
        yield
    finally:
        _image.reset(token)


class Component(Generic[P, R]):
    """A function with a declared interface. Calling it calls the function."""

    def __init__(
        self,
        function: Callable[P, R],
        resources: Resources,
        job: str,
        cache: bool,
        training: TrainingOptions | None = None,
        apart: Apart = "",
        calls: str = "",
        role: JobRole = "data",
        uses: Sequence[Use] = (),
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.resources = resources
        self.job = job
        self.cache = cache
        self.training = training
        self.apart = apart
        self.calls = calls
        self.role = role
        self.uses = tuple(uses)
        self.name = function.__name__
        self.entry = f"{function.__module__}:{function.__qualname__}"
        self.parameters: dict[str, Parameter] = {}
        self.inputs: dict[str, Slot] = {}
        self.outputs: dict[str, Slot] = {}
        self.results: dict[str, Any] = {}
        self._read_signature()
        self._check_apart()
        self._check_role()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def task(self, **arguments: Any) -> Any:
        """Make a KFP task of this component; call it inside a ``@dsl.pipeline``.

        Returns: ``kfp.dsl.PipelineTask``.
        """
        from kfp import components  # kfp takes a second to import and no task needs it

        task = components.load_component_from_text(json.dumps(self.document()))(**arguments)
        task.set_cpu_limit(f"{self.resources.cpu:g}")
        if self.resources.memory_gb is not None:
            task.set_memory_limit(f"{self.resources.memory_gb:g}G")
        if self.resources.accelerators:
            task.set_accelerator_type(self.resources.accelerator).set_accelerator_limit(self.resources.accelerators)
        for name, value in self._hints().items():
            task.set_env_variable(name, value)  # kfp 2.17 cannot load a component that has it in its text
        if not self.cache:
            task.set_caching_options(False)
        return task

    def _hints(self) -> dict[str, str]:
        """What the planner of jobs is told, as environment variables of the container."""
        hints = {"SEATRIAL_JOB": self.job} if self.job else {}
        if self.role != ROLES[0]:
            hints["SEATRIAL_ROLE"] = self.role
        if self.uses:
            hints["SEATRIAL_USES"] = " ".join(self.uses)
        if self.apart:
            hints["SEATRIAL_KIND"] = self.apart
        if self.calls:
            hints["SEATRIAL_FUNCTION"] = self.calls
        if self.training is not None:
            hints["SEATRIAL_KIND"] = "training"
            hints["SEATRIAL_TRAINING"] = json.dumps(dataclasses.asdict(self.training), sort_keys=True)
        return hints

    def document(self) -> dict[str, Json]:
        """The KFP v2 component document (IR) of this function."""
        label = self.name.replace("_", "-")
        container: dict[str, Json] = {
            "image": _image.get(),
            "command": ["python", "-m", "seatrial.component", self.entry],
            "args": ["{{$}}"],
        }
        inputs: dict[str, Json] = {
            "parameters": {p.name: _parameter_document(p) for p in self.parameters.values()},
            "artifacts": {s.name: _slot_document(s) for s in self.inputs.values()},
        }
        outputs: dict[str, Json] = {
            "parameters": {k: {"parameterType": _parameter_type(a, k)} for k, a in self.results.items()},
            "artifacts": {s.name: _slot_document(s) for s in self.outputs.values()},
        }
        component: dict[str, Json] = {"executorLabel": f"exec-{label}"}
        for key, table in (("inputDefinitions", inputs), ("outputDefinitions", outputs)):
            filled = {k: v for k, v in table.items() if v}
            if filled:
                component[key] = filled
        return {
            "components": {f"comp-{label}": component},
            "deploymentSpec": {"executors": {f"exec-{label}": {"container": container}}},
            "pipelineInfo": {"name": label},
            "root": {
                "dag": {"tasks": {label: {"componentRef": {"name": f"comp-{label}"}, "taskInfo": {"name": label}}}},
            },
            "schemaVersion": "2.1.0",
            "sdkVersion": "kfp-2.17.0",
        }

    def execute(self, executor_input: Mapping[str, Json]) -> None:
        """Run the function on a KFP ``ExecutorInput`` and write its ``ExecutorOutput``.

        Raises:
            ComponentError: an input is missing, has the wrong type, or an output was not written.
        """
        values = executor_input.get("inputs", {}).get("parameterValues", {})
        artifacts = executor_input.get("inputs", {}).get("artifacts", {})
        produced = executor_input.get("outputs", {}).get("artifacts", {})
        arguments: dict[str, Any] = {}
        problems: list[str] = []
        for parameter in self.parameters.values():
            if parameter.name in values:
                try:
                    arguments[parameter.name] = cast_value(values[parameter.name], parameter.annotation)
                except (TypeError, ValueError) as exc:
                    problems.append(f"parameter '{parameter.name}': {exc}")
            elif parameter.default is inspect.Parameter.empty:
                problems.append(f"parameter '{parameter.name}' is missing")
        for slot in self.inputs.values():
            found = [
                slot.kind(_local(a["uri"]), a.get("metadata"))
                for a in artifacts.get(slot.name, {}).get("artifacts", [])
            ]
            if slot.many:
                arguments[slot.name] = found
            elif found:
                arguments[slot.name] = found[0]
            elif slot.optional:
                arguments[slot.name] = None
            else:
                problems.append(f"artifact '{slot.name}' is missing")
        if problems:
            raise ComponentError(
                f"component '{self.name}' cannot start: {'; '.join(problems)}",
                why="A component runs only on inputs of the types that it declares.",
                todo="Check what the pipeline passes to this task.",
            )
        outputs: dict[str, Artifact] = {}
        for slot in self.outputs.values():
            outputs[slot.name] = slot.kind(_local(produced[slot.name]["artifacts"][0]["uri"]))
            outputs[slot.name].path.parent.mkdir(parents=True, exist_ok=True)
        result = self.function(**arguments, **outputs)  # type: ignore[call-arg, arg-type]  # checked above
        missing = [name for name, artifact in outputs.items() if not artifact.path.exists()]
        if missing:
            raise ComponentError(
                f"component '{self.name}' finished without writing {', '.join(missing)}",
                why="The next task would read a file that is not there.",
                todo=f"Write to the output's .path in {self.entry}.",
            )
        self._write_output(result, outputs, executor_input)

    def _write_output(self, result: Any, outputs: Mapping[str, Artifact], executor_input: Mapping[str, Json]) -> None:
        scalars = {name: getattr(result, name) for name in self.results}
        for name, annotation in self.results.items():
            scalars[name] = cast_value(scalars[name], annotation)
        declared = executor_input["outputs"]
        artifacts = {
            name: {"artifacts": [{**declared["artifacts"][name]["artifacts"][0], "metadata": artifact.metadata}]}
            for name, artifact in outputs.items()
        }
        target = Path(declared["outputFile"])
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps({"parameterValues": scalars, "artifacts": artifacts}, allow_nan=False))

    def _read_signature(self) -> None:
        hints = typing.get_type_hints(self.function, include_extras=True)
        for name, parameter in inspect.signature(self.function).parameters.items():
            if name not in hints:
                raise self._wrong(f"parameter '{name}' has no type")
            direction, kind, many, optional = _artifact_annotation(hints[name])
            if direction is None:
                _parameter_type(hints[name], name)
                self.parameters[name] = Parameter(name, hints[name], parameter.default)
            elif direction == "input":
                self.inputs[name] = Slot(name, kind, many, optional)
            elif many or optional:
                raise self._wrong(f"output '{name}' can be neither a list nor optional")
            else:
                self.outputs[name] = Slot(name, kind)
        returns = hints.get("return", type(None))
        if returns is type(None):
            return
        if not dataclasses.is_dataclass(returns):
            raise self._wrong("scalar results are a dataclass of scalars")
        self.results = typing.get_type_hints(returns)
        for name, annotation in self.results.items():
            _parameter_type(annotation, name)

    def _check_apart(self) -> None:
        if not self.apart:
            return
        if self.training is not None or (self.apart != "registration" and self.job):
            raise self._wrong(f"a {self.apart} runs in no job, so it can ask for none")
        if self.apart != "function":
            return
        crossing = {p.name: _parameter_type(p.annotation, p.name) for p in self.parameters.values()}
        crossing |= {name: _parameter_type(annotation, name) for name, annotation in self.results.items()}
        problems = [f"artifact '{name}'" for name in (*self.inputs, *self.outputs)]
        problems += [f"'{name}' ({kind})" for name, kind in crossing.items() if kind in ("LIST", "STRUCT")]
        if problems:
            raise self._wrong(f"a function of the cloud is handed and gives scalars only, not {', '.join(problems)}")

    def _check_role(self) -> None:
        problems = [] if self.role in ROLES else [f"there is no role '{self.role}'; known: {', '.join(ROLES)}"]
        problems += [f"nobody offers '{each}'; known: {', '.join(_USES)}" for each in self.uses if each not in _USES]
        if problems:
            raise ComponentError(
                f"{self.entry}: {'; '.join(problems)}",
                why="The permissions of the job that runs it are derived from its role and what it uses.",
                todo="Name some of those in @component(role=..., uses=...).",
            )

    def _wrong(self, what: str) -> ComponentError:
        return ComponentError(
            f"{self.entry}: {what}",
            why="A component's interface is read from its types; every target is given the same one.",
            todo="Use int, float, str, bool, list[...], dict[str, ...], Input[...] or Output[...].",
        )


def component(
    *,
    resources: Resources | None = None,
    job: str = "",
    cache: bool = True,
    training: TrainingOptions | None = None,
    registration: bool = False,
    function: str = "",
    role: JobRole = "data",
    uses: Sequence[Use] = (),
) -> Callable[[Callable[P, R]], Component[P, R]]:
    """Declare a function as a component.

    Args:
        resources: what one task needs.
        job: tasks that name the same job may share one when the pipeline runs in a cloud.
        cache: ``False`` for a function whose result must never be reused.
        training: in a cloud, the job is one of the training service, with these options.
        registration: in a cloud, the task is a step of the model registry, never part of a job.
        function: on AWS, the Lambda function (its name or ARN) that is called with the task's arguments and gives its
            results, instead of this Python; elsewhere the Python runs. Scalars only.
        role: whom it runs as in a cloud. A job of several tasks runs as the class furthest along among them; monitoring
            shares a job with no other class.
        uses: what it asks of the target's registry and endpoints.
    """
    chosen = resources or Resources()
    apart: Apart = "registration" if registration else "function" if function else ""
    return lambda called: Component(called, chosen, job, cache, training, apart, function, role, uses)


def say(text: str) -> None:
    """Tell whoever watches the run what this task achieved, in one line; the last one stands as its summary."""
    _emit({"say": text})


def progress(done: int, total: int, text: str = "") -> None:
    """Tell whoever watches how far this task is."""
    _emit({"progress": [done, total], "text": text})


def observes(probe: Callable[..., Json], **arguments: Json) -> Json:
    """Make the cached result of this task depend on a state outside its inputs.

    The executor calls ``probe(**arguments)`` again before it reuses the result, and runs the task anew when the answer
    differs from the one seen here.

    Args:
        probe: an importable function, cheap and free of effects.
        arguments: JSON values.

    Returns: what the probe answered now.
    """
    value = json.loads(json.dumps(probe(**arguments), sort_keys=True))
    _emit({"observes": {"probe": f"{probe.__module__}:{probe.__qualname__}", "arguments": arguments, "value": value}})
    return value


def reads(path: str | os.PathLike[str]) -> Path:
    """Declare a file outside the project on which the result depends.

    Files of the project that are opened through Python, and its modules, are noticed without this.
    """
    observes(file_digest, path=str(path))
    return Path(path)


class SettingsRead:
    """Which settings a task asked for: its result depends on those, not on the whole file that holds them.

    ``seatrial.project`` notes each read here; nothing is kept outside of a task.
    """

    def __init__(self) -> None:
        self.files: set[str] = set()
        """Settings files whose content is covered by the noted values."""
        self._values: dict[tuple[str, str, str], dict[str, Json]] | None = None

    def begin(self) -> None:
        """From now on reads are noted."""
        self._values = {}

    def note(self, probe: Callable[..., Json], place: str, owner: str, name: str, value: Json) -> None:
        """A setting was read.

        Args:
            probe: called as ``probe(place=..., owner=..., names=[...])`` to read the same settings again.
            place: the project's folder.
            owner: whose setting: a model's name, or "" for the project's.
            name: dotted.
            value: as JSON.
        """
        if self._values is not None:
            key = (f"{probe.__module__}:{probe.__qualname__}", place, owner)
            self._values.setdefault(key, {})[name] = value

    def tell(self) -> None:
        """Make the result depend on everything that was noted."""
        for (probe, place, owner), values in (self._values or {}).items():
            arguments = {"place": place, "owner": owner, "names": sorted(values)}
            _emit({"observes": {"probe": probe, "arguments": arguments, "value": values}})


settings_read = SettingsRead()


def file_digest(path: str) -> str | None:
    """SHA-256 of a file, in hexadecimal; ``None`` when there is none."""
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None


def cast_value(value: Json, annotation: Any) -> Any:
    """Cast a JSON value to a declared scalar type; KFP turns integers into floats in several places.

    Raises:
        TypeError: the value is not of that type and nothing would be lost only by accident.
    """
    origin = get_origin(annotation) or annotation
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in get_args(annotation):
            return None
        return cast_value(value, next(a for a in get_args(annotation) if a is not type(None)))
    if origin is Any:
        return value
    if origin is bool and isinstance(value, bool):
        return value
    if origin is int and isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer():
        return int(value)
    if origin is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if origin is str and isinstance(value, str):
        return value
    if origin is list and isinstance(value, Sequence) and not isinstance(value, str):
        inner = (*get_args(annotation), Any)[0]
        return [cast_value(item, inner) for item in value]
    if origin is dict and isinstance(value, Mapping):
        inner = (*get_args(annotation), Any, Any)[1]
        return {str(key): cast_value(item, inner) for key, item in value.items()}
    raise TypeError(f"expected {getattr(annotation, '__name__', annotation)}, got {type(value).__name__}")


def load(entry: str) -> Component[..., Any]:
    """Import ``module:function``.

    Raises:
        ComponentError: there is no such component. An ImportError inside the module propagates.
    """
    module, _, name = entry.partition(":")
    found = getattr(importlib.import_module(module), name, None)
    if not isinstance(found, Component):
        raise ComponentError(
            f"{entry} is not a component",
            why="A task's command names the function that it runs.",
            todo=f"Decorate a function '{name}' in {module} with @component(), or compile the pipeline again.",
        )
    return found


def run(entry: str, executor_input: str) -> int:
    """Run one component; returns the exit code. A domain error is three lines, anything else a traceback."""
    settings_read.begin()
    try:
        load(entry).execute(json.loads(executor_input))
        settings_read.tell()
    except SeatrialError as exc:
        _emit({"error": {"type": type(exc).__name__, "what": exc.what, "why": exc.why, "todo": exc.todo}})
        print(exc, file=sys.stderr)  # noqa: T201 - a task's log is its standard error
        return 1
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """``python -m seatrial.component <module>:<function> <ExecutorInput>``."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if len(arguments) != 2:
        print("usage: python -m seatrial.component MODULE:FUNCTION EXECUTOR_INPUT", file=sys.stderr)  # noqa: T201
        return 2
    return run(*arguments)


def _emit(event: Mapping[str, Json]) -> None:
    descriptor = os.environ.get("SEATRIAL_EVENTS_FD")
    if descriptor is None:
        return
    # nobody listens any more: the work itself still counts
    with contextlib.suppress(OSError):
        os.write(int(descriptor), json.dumps(event).encode() + b"\n")


def _local(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


def _artifact_annotation(annotation: Any) -> tuple[str | None, type[Artifact], bool, bool]:
    """(direction or None for a scalar, artifact class, is a list, is optional)."""
    optional = False
    if get_origin(annotation) in (types.UnionType, typing.Union):
        options = [a for a in get_args(annotation) if a is not type(None)]
        if len(options) == 1:
            optional, annotation = True, options[0]
    if get_origin(annotation) is not Annotated:
        return None, Artifact, False, False
    inner, *marks = get_args(annotation)
    direction = next((m.name for m in marks if isinstance(m, _Direction)), None)
    many = get_origin(inner) is list
    return direction, get_args(inner)[0] if many else inner, many, optional


def _parameter_type(annotation: Any, name: str) -> str:
    origin = get_origin(annotation) or annotation
    if origin in (types.UnionType, typing.Union):
        options = [a for a in get_args(annotation) if a is not type(None)]
        if len(options) == 1:
            return _parameter_type(options[0], name)
    if origin in _PARAMETER_TYPES:
        return _PARAMETER_TYPES[origin]
    raise ComponentError(
        f"'{name}' has type {annotation}, which cannot travel between tasks",
        why="Parameters are JSON scalars, lists and objects.",
        todo="Use int, float, str, bool, list[...], dict[str, ...], Input[...] or Output[...].",
    )


def _parameter_document(parameter: Parameter) -> dict[str, Json]:
    document: dict[str, Json] = {"parameterType": _parameter_type(parameter.annotation, parameter.name)}
    if parameter.default is not inspect.Parameter.empty:
        document["isOptional"] = True
        if parameter.default is not None:
            document["defaultValue"] = parameter.default
    return document


def _slot_document(slot: Slot) -> dict[str, Json]:
    document: dict[str, Json] = {"artifactType": {"schemaTitle": slot.kind.schema, "schemaVersion": "0.0.1"}}
    if slot.many:
        document["isArtifactList"] = True
    if slot.optional:
        document["isOptional"] = True
    return document


def _fail(message: str) -> None:
    """End the pipeline here, as failed, with a message: ``fail.task(message=...)`` in a branch that must not be taken.

    In a cloud it starts no machine. What has to happen all the same belongs into a ``dsl.ExitHandler``.
    """
    raise TaskError(
        message,
        why="The pipeline ends itself with this message where it has come to.",
        todo="Change what led there, then run it again.",
    )


_fail.__name__ = _fail.__qualname__ = "fail"  # the name of its task, and of what is imported to run it
fail: Component[[str], None] = Component(_fail, Resources(), "", False, apart="failure")


if __name__ == "__main__":
    from seatrial.component import main as main_of_the_imported_module

    # the module that components import, not this second copy called __main__
    sys.exit(main_of_the_imported_module())
