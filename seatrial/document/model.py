"""What a pipeline document says, as frozen objects. Names follow the KFP v2 specification where it has one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Json = Any

ParameterType = Literal[
    "NUMBER_DOUBLE", "NUMBER_INTEGER", "STRING", "BOOLEAN", "LIST", "STRUCT", "TASK_FINAL_STATUS", "TASK_CONFIG"
]


@dataclass(frozen=True)
class ParameterSpec:
    """A parameter that a component takes or gives."""

    type: ParameterType
    optional: bool = False
    has_default: bool = False
    default: Json = None
    literals: tuple[Json, ...] = ()


@dataclass(frozen=True)
class ArtifactSpec:
    """An artifact that a component takes or gives."""

    schema: str
    many: bool = False
    optional: bool = False
    metadata: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Constant:
    """A value written into the document; strings in it may hold placeholders."""

    value: Json


@dataclass(frozen=True)
class FromInput:
    """An input of the surrounding graph."""

    name: str


@dataclass(frozen=True)
class FromTask:
    """An output of a task in the same graph."""

    task: str
    key: str


@dataclass(frozen=True)
class FinalStatus:
    """How a task of the same graph ended."""

    task: str


@dataclass(frozen=True)
class ParameterSource:
    """Where a task's parameter comes from, and which part of a JSON value is meant."""

    origin: Constant | FromInput | FromTask | FinalStatus
    path: tuple[str | int, ...] | None = None
    """``parseJson(string_value)["a"]["b"]`` -> ``("a", "b")``; ``None`` when the value is taken whole."""


@dataclass(frozen=True)
class Loop:
    """One run of the task's component for each item."""

    item: str
    """The component input that receives the item."""
    raw: tuple[Json, ...] | None = None
    """The items, when the document lists them."""
    source: str | None = None
    """The task input that holds the items, when they are known at run time only."""
    artifacts: bool = False
    limit: int = 0
    """How many at a time; 0 is no limit."""


@dataclass(frozen=True)
class Retry:
    """How often a failed task is tried again, and the pause before that in seconds."""

    count: int = 0
    backoff_s: float = 0.0
    factor: float = 2.0
    max_backoff_s: float = 3600.0


@dataclass(frozen=True)
class Task:
    """A node of a graph."""

    name: str
    component: str
    display_name: str
    parameters: Mapping[str, ParameterSource]
    artifacts: Mapping[str, FromInput | FromTask]
    after: frozenset[str]
    """Every task that must end first: the listed ones and the producers of inputs."""
    condition: str | None = None
    always: bool = False
    """Run when everything before has ended, however it ended (exit handlers, ``ignore_upstream_failure``)."""
    loop: Loop | None = None
    retry: Retry = Retry()
    cache: bool = False
    cache_key: str = ""
    read: bool = True
    """An artifact of it is an input of another task, or an output of the graph."""


@dataclass(frozen=True)
class Graph:
    """Tasks, and where the surrounding component's outputs come from (the first that exists counts)."""

    tasks: Mapping[str, Task]
    parameters: Mapping[str, tuple[FromTask, ...]]
    artifacts: Mapping[str, tuple[FromTask, ...]]


@dataclass(frozen=True)
class Resources:
    """What a container asks for, as the document writes it: text that may hold placeholders."""

    cpu_limit: str = ""
    memory_limit: str = ""
    cpu_request: str = ""
    memory_request: str = ""
    accelerator: str = ""
    accelerators: str = ""


@dataclass(frozen=True)
class Container:
    """A command on an image."""

    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: Mapping[str, str]
    resources: Resources


@dataclass(frozen=True)
class Importer:
    """An artifact that exists already."""

    uri: Constant | FromInput
    schema: str
    metadata: Mapping[str, Json]
    reimport: bool = False
    to_workspace: bool = False
    """The artifact is copied into the run's workspace."""


@dataclass(frozen=True)
class Component:
    """An interface and what implements it: a graph, a container or an importer."""

    name: str
    input_parameters: Mapping[str, ParameterSpec]
    input_artifacts: Mapping[str, ArtifactSpec]
    output_parameters: Mapping[str, ParameterSpec]
    output_artifacts: Mapping[str, ArtifactSpec]
    implementation: Graph | Container | Importer
    executor: str = ""
    """The label under which platform configuration names the container or importer; empty for a graph."""


@dataclass(frozen=True)
class Document:
    """A whole pipeline."""

    name: str
    display_name: str
    description: str
    root: Component
    components: Mapping[str, Component]
    platforms: Mapping[str, Json]
    """Platform-specific configuration (Kubernetes) by executor or pipeline, as written."""
    source: Mapping[str, Json]
    """The parsed ``PipelineSpec``."""
