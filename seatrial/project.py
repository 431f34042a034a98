"""Reads ``seatrial.toml`` and ``training/<model>/model.toml`` into frozen, typed objects.

This module is the only reader of settings, from files and from the environment. Everything below it is handed the
piece that it needs. It reads TOML only: it never imports a project's Python, opens a client or makes a folder.
"""

from __future__ import annotations

import datetime as dt
import difflib
import json
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError, model_validator
from pydantic_core import to_jsonable_python

from seatrial.component import settings_read
from seatrial.errors import ProjectError

T = TypeVar("T", bound=BaseModel)

PROJECT_FILE = "seatrial.toml"
MODEL_FILE = "model.toml"

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""A model, slice or source name: it becomes a folder, an alias and part of cloud resource names."""

ColumnName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Settings(BaseModel):
    """A typo is an error, nothing mutates, and errors never echo a value."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _owner_of(section: BaseModel) -> tuple[str, str, str] | None:
    """Where a section was loaded from; ``None`` while it is still being validated."""
    try:
        private = object.__getattribute__(section, "__pydantic_private__")
    except AttributeError:
        return None
    owner: tuple[str, str, str] | None = (private or {}).get("_owner")
    return owner


class Section(Settings):
    """Settings that a task's cached result depends on value by value; see ``component.SettingsRead``."""

    _owner: tuple[str, str, str] | None = PrivateAttr(default=None)
    """(project's folder, model or "", dotted place in the file), once it was loaded from there."""

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name[0] != "_" and name in type(self).__pydantic_fields__ and not isinstance(value, Section):
            owner = _owner_of(self)
            if owner is not None:
                place, model, prefix = owner
                settings_read.note(settings_now, place, model, f"{prefix}{name}", _plain(value))
        return value

    def model_dump(self, **options: Any) -> dict[str, Any]:
        """All of it, which counts as reading all of it."""
        for name in type(self).__pydantic_fields__:
            getattr(self, name)
        return super().model_dump(**options)


class Column(Settings):
    """One column that a caller sends."""

    type: Literal["int", "float", "category"]
    missing: Literal["refuse", "impute"] = "refuse"
    unit: str = ""
    range: tuple[float, float] | None = None
    """Inclusive bounds for a number, in ``unit``."""

    @model_validator(mode="after")
    def _range_is_for_numbers(self) -> Self:
        if self.range is not None:
            if self.type == "category":
                raise ValueError("a category has no range")
            if self.range[0] > self.range[1]:
                raise ValueError("range must be [low, high] with low <= high")
        return self

    @property
    def numeric(self) -> bool:
        """Whether the value travels as a number (else as text)."""
        return self.type != "category"


def _column(value: object) -> object:
    return {"type": value} if isinstance(value, str) else value


class Split(Section):
    """Time-ordered: train < ``validation_from`` <= validation < ``holdout_from`` <= holdout."""

    validation_from: dt.date
    holdout_from: dt.date
    holdout_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """When set, a holdout with other rows or labels is refused: old and new scores would not compare."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.validation_from >= self.holdout_from:
            raise ValueError("validation_from must be before holdout_from")
        return self


class Gate(Section):
    """When a challenger may replace the champion."""

    metric: Literal["roc_auc", "pr_auc", "log_loss", "brier"] = "roc_auc"
    beat_baseline_by: float = Field(default=0.0, ge=0)
    champion: Literal["better", "not_worse"] = "better"
    """``better``: the interval of the difference lies above 0. ``not_worse``: above ``-champion_margin``."""
    champion_margin: float = Field(default=0.0, ge=0)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """Two-sided confidence of every interval that is reported and decided on."""
    resamples: int = Field(default=2000, ge=200, le=100_000)
    slices: tuple[ColumnName, ...] = ()
    slice_margin: float = Field(default=0.01, ge=0)
    """A slice counts as worse when it loses more than this, significantly after Holm's correction."""
    min_slice_rows: int = Field(default=200, ge=20)
    min_rows: int = Field(default=1000, ge=1)
    """Fewer holdout rows give ``not_enough_data``."""
    min_class_rows: int = Field(default=100, ge=1)
    """Fewer holdout rows of either class give ``not_enough_data``."""
    minimum: dict[Literal["roc_auc", "pr_auc"], Fraction] = {}
    max_calibration_error: Fraction | None = None
    max_parity_difference: float = Field(default=1e-5, gt=0)
    max_latency_ms: dict[Literal["p50", "p95", "p99"], Annotated[float, Field(gt=0)]] = {}
    """One row through the package on one core, milliseconds."""
    max_size_mb: float | None = Field(default=None, gt=0)


class Rollout(Section):
    """How traffic moves from champion to challenger."""

    steps: tuple[Annotated[int, Field(ge=1, le=100)], ...] = (100,)
    """Percent of traffic, rising, ending at 100."""
    bake_minutes: float = Field(default=0, ge=0)
    guardrails: dict[Literal["error_rate", "latency_p99_ms"], Annotated[float, Field(ge=0)]] = {}

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if not self.steps or list(self.steps) != sorted(set(self.steps)) or self.steps[-1] != 100:
            raise ValueError("steps must rise and end at 100")
        return self


class Monitoring(Section):
    """What production traffic is compared with, and how often a false alarm is acceptable."""

    reference: str = "training"
    false_alarms: Annotated[float, Field(gt=0, lt=1)] = 0.01


class Endpoint(Section):
    """What the model server accepts, and where it listens on this machine."""

    port: int | None = Field(default=None, ge=1, le=65535)
    """A fixed port; when not set, the first free one from 8080."""
    max_rows: int = Field(default=10_000, ge=1)
    max_body_bytes: int = Field(default=6_291_456, ge=1024)


class Rehearsal(Section):
    """How a model's life is rehearsed."""

    first: dict[str, str | int | float | bool | tuple[str, ...]] = {}
    """Arguments of the training pipeline that give a version which the whole pipeline then beats."""


class Model(Section):
    """One model: the parsed ``model.toml`` and where it lies."""

    name: Name
    folder: Path
    task: Literal["binary"]
    label: ColumnName
    key: tuple[ColumnName, ...] = Field(min_length=1)
    time: ColumnName
    sources: dict[Name, str] = Field(min_length=1)
    """Source table name in ``dataset.sql`` -> a file: ``package:<distribution>/<path>`` or a path from the project."""
    columns: dict[ColumnName, Annotated[Column, BeforeValidator(_column)]] = Field(min_length=1)
    unavailable_at_prediction: tuple[ColumnName, ...] = ()
    split: Split
    gate: Gate = Field(default_factory=Gate)
    rollout: Rollout = Field(default_factory=Rollout)
    monitoring: Monitoring = Field(default_factory=Monitoring)
    endpoint: Endpoint = Field(default_factory=Endpoint)
    rehearsal: Rehearsal = Field(default_factory=Rehearsal)

    @model_validator(mode="after")
    def _columns_agree(self) -> Self:
        problems = []
        if self.label in self.columns:
            problems.append(f"label '{self.label}' is also a column that a caller sends")
        problems += [f"key '{k}' is also a column that a caller sends" for k in self.key if k in self.columns]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def numeric(self) -> tuple[str, ...]:
        """Names of the number columns, in the order in which the package takes them."""
        return tuple(name for name, column in self.columns.items() if column.numeric)

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the text columns, in the order in which the package takes them."""
        return tuple(name for name, column in self.columns.items() if not column.numeric)


class Layout(Section):
    """``seatrial.toml``: where a project keeps its parts."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,30}[a-z0-9]$")]
    components: str = "components"
    pipelines: str = "pipelines"
    models: str = "training"
    image: str = "seatrial"
    preload: tuple[str, ...] = ()
    """Modules that tasks need and that take long to import: loaded once per run, shared by every task's process.
    None of the project's own, and none that starts a thread. A cloud job of at most three tasks does without."""


class Project(Settings):
    """A loaded ``seatrial.toml``: the root of everything that the engine is told about a project."""

    root: Path
    layout: Layout
    state: Path
    """Where runs, cache, registry and endpoints live: ``.seatrial`` under the root, or ``$SEATRIAL_HOME``."""
    target: str = "local"
    """Where registry and endpoints are: ``$SEATRIAL_TARGET``."""
    run: str = ""
    """The run that this process is a task of: ``$SEATRIAL_RUN``."""
    commit: str | None = None
    """The source's commit where git cannot be asked, as in an image: ``$SEATRIAL_GIT_COMMIT``."""
    launch_token: str = ""
    """By which a launch is known wherever it is run again, as in a workflow: ``$SEATRIAL_LAUNCH_TOKEN``."""

    def models(self) -> tuple[str, ...]:
        """Names of the models: folders under ``training/`` that hold a ``model.toml``."""
        folder = self.root / self.layout.models
        return tuple(sorted(p.parent.name for p in folder.glob(f"*/{MODEL_FILE}")))

    def model(self, name: str) -> Model:
        """Read one model.

        Raises:
            ProjectError: there is no such model, or its ``model.toml`` is wrong; every problem is listed.
        """
        path = self.root / self.layout.models / name / MODEL_FILE
        if not path.is_file():
            known = self.models()
            close = difflib.get_close_matches(name, known, n=1)
            raise ProjectError(
                f"there is no model '{name}' in this project",
                why=f"Searched for {path}. Models here: {', '.join(known) or 'none'}.",
                todo=f"Did you mean '{close[0]}'?" if close else "Name one of those, or add the folder.",
            )
        table = _read_toml(path)
        reserved = sorted({"name", "folder"} & set(table))
        if reserved:
            raise ProjectError(
                f"{path}: {', '.join(reserved)} cannot be set",
                why="A model's name and folder are where its model.toml lies.",
                todo="Remove the line, or rename the folder.",
            )
        model = validated(Model, {**table, "name": name, "folder": path.parent}, path)
        _belongs(model, path, str(self.root), name)
        return model


def load(start: Path | None = None) -> Project:
    """Find ``seatrial.toml`` in ``start`` or a folder above it and read it.

    Order: ``start``, else ``$SEATRIAL_PROJECT``, else the current folder.

    Raises:
        ProjectError: none was found (every place searched is listed), or it is wrong.
    """
    origin = (start or Path(os.environ.get("SEATRIAL_PROJECT") or Path.cwd())).resolve()
    places = [folder / PROJECT_FILE for folder in (origin, *origin.parents)]
    for path in places:
        if path.is_file():
            layout = validated(Layout, _read_toml(path), path)
            _belongs(layout, path, str(path.parent), "")
            home = os.environ.get("SEATRIAL_HOME")
            state = Path(home).resolve() if home else path.parent / ".seatrial"
            return Project(
                root=path.parent,
                layout=layout,
                state=state,
                target=os.environ.get("SEATRIAL_TARGET", "local"),
                run=os.environ.get("SEATRIAL_RUN", ""),
                commit=os.environ.get("SEATRIAL_GIT_COMMIT"),
                launch_token=os.environ.get("SEATRIAL_LAUNCH_TOKEN", ""),
            )
    raise ProjectError(
        f"no {PROJECT_FILE} found",
        why="Searched: " + ", ".join(str(p) for p in places) + ".",
        todo="Change into a Seatrial project, or set SEATRIAL_PROJECT to its folder.",
    )


def settings_now(place: str, owner: str, names: list[str]) -> dict[str, Any]:
    """Settings as they are now: what a cached result is held against.

    Args:
        place: the project's folder.
        owner: a model's name, or "" for the project's own settings.
        names: dotted, such as ``gate.metric``.
    """
    project = load(Path(place))
    found: dict[str, Any] = {}
    for name in names:
        value: Any = project.model(owner) if owner else project.layout
        for part in name.split("."):
            value = getattr(value, part)
        found[name] = _plain(value)
    return found


def knows_stacks(target: str, state: Path) -> bool:
    """Whether there is any stack that :func:`stack_outputs` could mean."""
    return bool(os.environ.get("SEATRIAL_STACK")) or any((state / "stacks").glob(f"{target}.*.json"))


def stack_outputs(kind: type[T], target: str, state: Path, name: str | None = None) -> T:
    """Read what a deployed stack exported: ``pulumi stack output --json``, saved.

    Order: ``name``, else ``$SEATRIAL_STACK``, else the one file ``<state>/stacks/<target>.<name>.json`` that there is.
    ``name`` and the variable are a stack's name, the path of a file, or (the variable) the JSON text itself.

    Raises:
        ProjectError: there is none, several could be meant, or it is wrong; every problem is listed.
    """
    folder = state / "stacks"
    given = (name or os.environ.get("SEATRIAL_STACK") or "").strip()
    if given.startswith("{"):
        return _stack(kind, given, "$SEATRIAL_STACK", target)
    known = sorted(folder.glob(f"{target}.*.json"))
    if given:
        found = [path for path in (folder / f"{target}.{given}.json", Path(given)) if path.is_file()][:1]
    else:
        found = known
    if len(found) != 1:
        names = ", ".join(path.name.split(".")[1] for path in known)
        what = f"there is no {target} stack '{given}'" if given else f"which {target} stack is meant is not clear"
        raise ProjectError(
            what if known or given else f"no {target} stack is known",
            why=f"Roles, buckets and images are what a stack exported. Stacks in {folder}: {names or 'none'}.",
            todo=f"Name one with --stack or SEATRIAL_STACK, or save one: "
            f"pulumi -C infra/{target} stack output --json --stack NAME > {folder}/{target}.NAME.json",
        )
    try:
        return _stack(kind, found[0].read_text(encoding="utf-8"), str(found[0]), target)
    except (OSError, UnicodeDecodeError) as exc:
        raise ProjectError(
            f"{found[0]} cannot be read: {exc}",
            why="It says which account, roles and buckets are meant.",
            todo="Correct its permissions, or save it again.",
        ) from exc


def _stack(kind: type[T], text: str, source: str, target: str) -> T:
    save = f"Deploy infra/{target} again, or save its outputs again: pulumi -C infra/{target} stack output --json"
    try:
        table = json.loads(text)
    except ValueError as exc:
        raise ProjectError(
            f"{source} is not valid JSON: {exc}",
            why="It is to hold a stack's outputs, as Pulumi prints them.",
            todo=save,
        ) from exc
    return validated(kind, table, source, todo=save)


def _belongs(section: Section, path: Path, place: str, model: str, prefix: str = "") -> None:
    """Let a section, and those in it, know where it was loaded from."""
    settings_read.files.add(os.path.realpath(path))
    for name in type(section).__pydantic_fields__:
        value = getattr(section, name)
        if isinstance(value, Section):
            _belongs(value, path, place, model, f"{prefix}{name}.")
    section._owner = (place, model, prefix)


def _plain(value: Any) -> Any:
    return to_jsonable_python(value)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ProjectError(
            f"{path} is not valid TOML: {exc}",
            why="Nothing is run on settings that could not be read whole.",
            todo="Correct the file at that place.",
        ) from exc


def validated(kind: type[T], table: dict[str, Any], source: Path | str, *, todo: str | None = None) -> T:
    """Settings from a table that was read somewhere.

    Args:
        kind: what they are.
        table: as it was read.
        source: where from, as a person would name it.
        todo: what to do about a mistake; when not given: correct the file.

    Raises:
        ProjectError: something is wrong; every problem is listed, and an unknown name with the one that was meant.
    """
    try:
        return kind.model_validate(table)
    except ValidationError as exc:
        problems = [_problem(kind, error["loc"], error["msg"], error["type"]) for error in exc.errors()]
        raise ProjectError(
            f"{source}: {len(problems)} problem{'s' if len(problems) > 1 else ''}\n"
            + "\n".join(f"  {p}" for p in problems),
            why="Settings are checked whole before anything runs, so that a typo cannot change what happens.",
            todo=todo or f"Correct {Path(source).name}; docs/model-toml.md lists every setting.",
        ) from exc


def _problem(kind: type[BaseModel], loc: tuple[int | str, ...], message: str, code: str) -> str:
    where = ".".join(str(part) for part in loc) or "the file"
    if code == "extra_forbidden":
        known = _fields_at(kind, loc[:-1])
        close = difflib.get_close_matches(str(loc[-1]), known, n=1)
        return f"{where}: unknown setting" + (f"; did you mean '{close[0]}'?" if close else "")
    if code == "missing":
        return f"{where}: is required"
    return f"{where}: {message.removeprefix('Value error, ')}"


def _fields_at(kind: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    current: Any = kind
    for part in loc:
        field = (
            current.model_fields.get(str(part))
            if isinstance(current, type) and issubclass(current, BaseModel)
            else None
        )
        if field is not None and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            current = field.annotation
        elif part == "columns":
            return list(Column.model_fields) if len(loc) > 1 else []
        else:
            return []
    return [f for f in current.model_fields if f not in ("name", "folder")]
