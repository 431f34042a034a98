"""What the tasks below a component need: images, machines, hints. Decides whether they may share a job."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from seatrial.component import ROLES, Apart, JobRole, TrainingOptions
from seatrial.document import placeholders
from seatrial.document.jobs import JobResources
from seatrial.document.model import Component, Container, Document, Graph, Retry, Task
from seatrial.errors import DocumentError

Json = Any
HEAVY_CPU = 4.0
"""From here on a task is worth a machine of its own while another like it runs."""
ALIKE = 4.0
"""Tasks without a hint share a job while none of them asks for more than this many times another's machine."""

_APART: Mapping[str, Apart] = {"registration": "registration", "function": "function", "failure": "failure"}
_OWN_COMMAND = ("python", "-m", "seatrial.component")
_UNITS = {"": 1e-9, "k": 1e-6, "K": 1e-6, "M": 1e-3, "G": 1.0, "T": 1e3, "P": 1e6}
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50}


@dataclass(frozen=True)
class Leaf:
    """A container task somewhere below a component."""

    path: str
    display: str
    level: int
    """Container tasks before it on the longest chain."""
    image: str
    command: tuple[str, ...]
    resources: JobResources
    hint: str
    apart: Apart
    training: TrainingOptions | None
    retry: Retry
    cache: bool
    role: JobRole
    uses: tuple[str, ...]
    repeated: bool
    """It runs once for each item of a loop."""

    @property
    def heavy(self) -> bool:
        """Whether it is worth a machine of its own while others run."""
        return self.resources.accelerators > 0 or self.resources.cpu >= HEAVY_CPU


@dataclass(frozen=True)
class Needs:
    """All container tasks below one task."""

    leaves: tuple[Leaf, ...]
    depth: int
    """Container tasks on the longest chain."""
    loops: int = 0

    @property
    def images(self) -> frozenset[str]:
        """Images that they run on."""
        return frozenset(leaf.image for leaf in self.leaves)

    @property
    def hints(self) -> frozenset[str]:
        """Jobs that they ask for by name."""
        return frozenset(leaf.hint for leaf in self.leaves if leaf.hint)

    def obstacle(self, is_own: Callable[[str], bool], *, hints: bool = True, ends: bool = True) -> str | None:
        """Why these tasks cannot all be run by one job, or ``None``.

        Args:
            is_own: whether an image holds Seatrial.
            hints: count jobs that are asked for by name.
            ends: a failure stands apart, although a job can also end itself with its message.
        """
        if len(self.images) > 1:
            return f"its tasks run on {len(self.images)} images: {', '.join(sorted(self.images))}"
        foreign = sorted(image for image in self.images if not is_own(image))
        if foreign:
            return f"image {foreign[0]} does not hold Seatrial, which would have to run several tasks in it"
        apart = [leaf.apart for leaf in self.leaves if leaf.apart and (ends or leaf.apart != "failure")]
        if apart and len(self.leaves) > 1:
            return f"a {apart[0]} is a step of its own"
        if len({(leaf.resources.accelerator, leaf.resources.accelerators) for leaf in self.leaves}) > 1:
            return "its tasks want different accelerators"
        if len({leaf.training for leaf in self.leaves if leaf.training}) > 1:
            return "its tasks want different training options"
        roles = {leaf.role for leaf in self.leaves}
        if "monitoring" in roles and len(roles) > 1:
            return f"monitoring has a role of its own, not that of {', '.join(sorted(roles - {'monitoring'}))}"
        if hints and len(self.hints) > 1:
            return f"its tasks name several jobs: {', '.join(sorted(self.hints))}"
        return None


def combined(leaves: tuple[Leaf, ...]) -> JobResources:
    """The machine on which all of them run."""
    memory = [leaf.resources.memory_gb for leaf in leaves if leaf.resources.memory_gb is not None]
    accelerated = next((leaf.resources for leaf in leaves if leaf.resources.accelerators), JobResources())
    return JobResources(
        cpu=max((leaf.resources.cpu for leaf in leaves), default=1.0),
        memory_gb=max(memory, default=None),
        accelerator=accelerated.accelerator,
        accelerators=accelerated.accelerators,
    )


def furthest(leaves: tuple[Leaf, ...]) -> JobRole:
    """Whom all of them run as: the class furthest along."""
    return max((leaf.role for leaf in leaves), key=ROLES.index, default=ROLES[0])


def alike(leaves: tuple[Leaf, ...]) -> bool:
    """Whether one machine suits all: the largest wish is not many times the smallest."""
    cpu = [leaf.resources.cpu for leaf in leaves]
    memory = [leaf.resources.memory_gb for leaf in leaves if leaf.resources.memory_gb is not None]
    return max(cpu) <= ALIKE * min(cpu) and (not memory or max(memory) <= ALIKE * min(memory))


class Census:
    """Counts what is below the components of one document; every component is looked at once."""

    def __init__(self, document: Document, image: str | None) -> None:
        self._document = document
        self._image = image
        self._known: dict[str, Needs] = {}

    def of(self, task: Task) -> Needs:
        """What a task of any graph needs, its own name first in the paths of the leaves."""
        component = self._document.components[task.component]
        whole = isinstance(component.implementation, Graph)
        below = self._below(component) if whole else self._leaf(component, task)
        leaves = tuple(
            replace(leaf, path=_joined(task.name, leaf.path), repeated=leaf.repeated or task.loop is not None)
            for leaf in below.leaves
        )
        unknown = task.loop is not None and task.loop.raw is None
        return Needs(leaves, below.depth, below.loops + (1 if unknown else 0))

    def root(self) -> Needs:
        """What the whole document needs."""
        return self._below(self._document.root)

    def _below(self, component: Component) -> Needs:
        if component.name in self._known:
            return self._known[component.name]
        graph = component.implementation
        assert isinstance(graph, Graph)
        start: dict[str, int] = {}
        end: dict[str, int] = {}
        leaves: list[Leaf] = []
        loops = 0
        for task in in_order(graph):
            needs = self.of(task)
            start[task.name] = max((end[name] for name in task.after), default=0)
            end[task.name] = start[task.name] + needs.depth
            leaves += [replace(leaf, level=leaf.level + start[task.name]) for leaf in needs.leaves]
            loops += needs.loops
        found = Needs(tuple(leaves), max(end.values(), default=0), loops)
        self._known[component.name] = found
        return found

    def _leaf(self, component: Component, task: Task) -> Needs:
        container = component.implementation
        if not isinstance(container, Container):
            return Needs((), 0)
        leaf = Leaf(
            path="",
            display=task.display_name,
            level=0,
            image=self._image or container.image,
            command=container.command,
            resources=_resources(container, task),
            hint=container.env.get("SEATRIAL_JOB", ""),
            apart=_APART.get(container.env.get("SEATRIAL_KIND", ""), ""),
            training=_training(container, task),
            retry=task.retry,
            cache=task.cache,
            role=_role(container, task),
            uses=tuple(container.env.get("SEATRIAL_USES", "").split()),
            repeated=False,
        )
        return Needs((leaf,), 1)


def in_order(graph: Graph) -> list[Task]:
    """Tasks so that each comes after what it waits for; otherwise as the document lists them."""
    done: set[str] = set()
    ordered: list[Task] = []
    waiting = list(graph.tasks.values())
    while waiting:
        ready = next(task for task in waiting if task.after <= done)  # the reader refuses cycles
        waiting.remove(ready)
        done.add(ready.name)
        ordered.append(ready)
    return ordered


def own_images(document: Document) -> frozenset[str]:
    """Images that hold Seatrial for certain, since a task runs it there."""
    return frozenset(
        c.implementation.image
        for c in document.components.values()
        if isinstance(c.implementation, Container) and c.implementation.command[:3] == _OWN_COMMAND
    )


def _joined(name: str, path: str) -> str:
    return f"{name}.{path}" if path else name


def _resources(container: Container, task: Task) -> JobResources:
    asked = container.resources
    texts = {
        "cpu": asked.cpu_limit or asked.cpu_request,
        "memory": asked.memory_limit or asked.memory_request,
        "accelerator": asked.accelerator,
        "accelerators": asked.accelerators,
    }
    unknown = [f"{name} {text}" for name, text in texts.items() if placeholders.names(text)]
    if unknown:
        raise DocumentError(
            f"task '{task.display_name}' asks for {', '.join(unknown)}, which only the run knows",
            why="A job's machine is chosen when the pipeline is compiled.",
            todo="Write the resources as constants, or run the document with `seatrial run`.",
        )
    try:
        return JobResources(
            cpu=_cpu(texts["cpu"]) if texts["cpu"] else 1.0,
            memory_gb=_gigabytes(texts["memory"]) if texts["memory"] else None,
            accelerator=texts["accelerator"] if texts["accelerators"] not in ("", "0") else "",
            accelerators=int(float(texts["accelerators"] or 0)),
        )
    except ValueError as exc:
        raise DocumentError(
            f"task '{task.display_name}': {exc}",
            why="A job's machine is chosen by what its tasks ask for.",
            todo="Write CPUs as '2' or '500m' and memory as '8G' or '8Gi'.",
        ) from exc


def _cpu(text: str) -> float:
    try:
        return float(text.removesuffix("m")) / (1000 if text.endswith("m") else 1)
    except ValueError as exc:
        raise ValueError(f"{text!r} is not a number of CPUs") from exc


def _gigabytes(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti|Pi|k|K|M|G|T|P|)", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not an amount of memory")
    number, unit = float(match[1]), match[2]
    return number * (_BINARY[unit] / 1e9 if unit in _BINARY else _UNITS[unit])


def _role(container: Container, task: Task) -> JobRole:
    named = container.env.get("SEATRIAL_ROLE", ROLES[0])
    for role in ROLES:
        if role == named:
            return role
    raise DocumentError(
        f"task '{task.display_name}' is to run as '{named}', and there is no such role",
        why=f"Known: {', '.join(ROLES)}. Each has permissions of its own.",
        todo="Declare it with @component(role=...) and compile again.",
    )


def _training(container: Container, task: Task) -> TrainingOptions | None:
    if container.env.get("SEATRIAL_KIND") != "training":
        return None
    try:
        table: Mapping[str, Json] = json.loads(container.env.get("SEATRIAL_TRAINING", "{}"))
        return TrainingOptions(**table)
    except (ValueError, TypeError) as exc:
        raise DocumentError(
            f"task '{task.display_name}' has training options that are not understood: {exc}",
            why="They decide whether the job may be interrupted and how long it may run.",
            todo="Declare them with @component(training=TrainingOptions(...)) and compile again.",
        ) from exc
