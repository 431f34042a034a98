"""A provider whose cloud is a folder's worth of memory: it stores what it is given, keeps its rules, and can fail.

Types: ``mem:shelf:Shelf`` (renamed by replacement, deleted only when nothing stands on it), ``mem:box:Box`` (stands on
a shelf by its name; its name cannot exist twice), ``mem:note:Note`` (gets a name of its own).
"""

from __future__ import annotations

import copy
import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from seatrial.errors import RehearsalError
from seatrial.rehearsal.infra.provider.base import UNKNOWN, Diff, Props, Unfinished, UnsupportedType, content, is_blob

SHELF, BOX, NOTE = "mem:shelf:Shelf", "mem:box:Box", "mem:note:Note"
_KNOWN = {
    SHELF: {"name", "owner", "labels", "forceEmpty"},
    BOX: {"name", "shelf", "labels", "size", "key"},
    NOTE: {"name", "text", "body", "box", "onShelf"},
}
_REPLACES = {SHELF: {"name"}, BOX: {"name", "shelf"}, NOTE: {"name"}}


class Refused(RehearsalError):
    """This cloud says no."""

    def __init__(self, what: str) -> None:
        super().__init__(what, why="The memory cloud has its rules.", todo="Keep them.")


@dataclass
class Memory:
    """Provider and cloud."""

    things: dict[tuple[str, str], Props] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    emptied: set[str] = field(default_factory=set)
    """Shelves that take what stands on them with them."""
    before: list[Callable[[str, str, str], None]] = field(default_factory=list)
    """Called with operation, type and id or name before each change; may raise."""
    after: list[Callable[[str, str, str], None]] = field(default_factory=list)
    """The same, when it is done."""
    forgets: frozenset[str] = frozenset()
    """Properties that are dropped in silence: a defect that a comparison has to find."""

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)

    def configure(self, package: str, settings: Props) -> list[str]:
        if package != "mem":
            return [f"there is no package {package}"]
        return [f"{key} is not followed" for key in settings if key != "room"]

    def check(self, type: str, name: str, inputs: Props, olds: Props | None) -> tuple[Props, list[str]]:
        if type not in _KNOWN:
            raise UnsupportedType(type, _KNOWN)
        problems = [f"{key}: there is no such property" for key in sorted(set(inputs) - _KNOWN[type])]
        size = inputs.get("size", 1)
        if size != UNKNOWN and not isinstance(size, int):
            problems.append(f"size: {size!r} is no number")
        found = dict(inputs)
        if "name" not in found:
            found["name"] = (olds or {}).get("name") or (f"{name}-{next(self._numbers)}" if type == NOTE else name)
        return found, problems

    def diff(self, type: str, olds: Props, news: Props) -> Diff:
        changed = tuple(sorted(k for k in {*olds, *news} if olds.get(k) != news.get(k) or _unknown(news.get(k))))
        replaces = tuple(key for key in changed if key in _REPLACES[type])
        same_name = olds["name"] == news.get("name")
        return Diff(changed, replaces, delete_first=bool(replaces) and type == BOX and same_name)

    def create(self, type: str, inputs: Props) -> tuple[str, Props]:
        with self._lock:
            self._ask("create", type, inputs["name"])
            if (type, inputs["name"]) in self.things:
                raise Refused(f"{inputs['name']} exists already")
            shelf = inputs.get("shelf", inputs.get("onShelf"))
            if shelf is not None and (SHELF, shelf) not in self.things:
                raise Refused(f"there is no shelf {shelf}")
            self._store(type, inputs["name"], inputs)
            self.log.append(f"create {inputs['name']}")
            self._done("create", type, inputs["name"])
            return inputs["name"], self._told(type, inputs["name"])

    def read(self, type: str, id: str, outputs: Props) -> Props | None:
        with self._lock:
            return self._told(type, id) if (type, id) in self.things else None

    def unseen(self, type: str) -> Mapping[str, str]:
        return {"forceEmpty": "it says what a deletion does"} if type == SHELF else {}

    def update(self, type: str, id: str, outputs: Props, inputs: Props) -> Props:
        with self._lock:
            self._ask("update", type, id)
            if (type, id) not in self.things:
                raise Refused(f"there is no {id}")
            self._store(type, id, inputs)
            self.log.append(f"update {id}")
            self._done("update", type, id)
            return self._told(type, id)

    def delete(self, type: str, id: str, outputs: Props) -> None:
        with self._lock:
            self._ask("delete", type, id)
            used = [each for each, thing in self.things.items() if id in (thing.get("shelf"), thing.get("onShelf"))]
            if type == SHELF and used and id not in self.emptied:
                raise Refused(f"{used[0][1]} stands on {id}")
            for each in used if type == SHELF else ():
                del self.things[each]
            self.things.pop((type, id), None)
            self.log.append(f"delete {id}")

    def invoke(self, token: str, args: Props) -> Props:
        if token != "mem:index:sum":
            raise UnsupportedType(token, ["mem:index:sum"])
        return {"sum": sum(args["numbers"])}

    def inventory(self) -> set[tuple[str, str]]:
        with self._lock:
            return set(self.things)

    def fail(self, operation: str, name: str, *, times: int = 1, unfinished: Props | None = None) -> None:
        """Have an operation fail; ``unfinished``: after it was done with these properties alone."""
        left = [times]

        def strike(asked: str, type: str, id: str) -> None:
            if (asked, id) == (operation, name) and left[0]:
                left[0] -= 1
                if unfinished is None:
                    raise Refused(f"injected: {operation} of {name}")
                self._store(type, id, unfinished)
                raise Unfinished(id, self._told(type, id), f"injected after {operation} of {name}")

        (self.before if unfinished is None else self.after).append(strike)

    def _ask(self, operation: str, type: str, name: str) -> None:
        for each in self.before:
            each(operation, type, name)

    def _done(self, operation: str, type: str, name: str) -> None:
        for each in self.after:
            each(operation, type, name)

    def _store(self, type: str, name: str, inputs: Props) -> None:
        self.emptied |= {name} if inputs.get("forceEmpty") else set()
        thing = {k: v for k, v in copy.deepcopy(inputs).items() if k not in {*self.forgets, *self.unseen(type)}}
        for key, value in thing.items():
            if is_blob(value):
                self.contents[f"{name}.{key}"] = content(value)
                thing[key] = {k: v for k, v in value.items() if k != "content"}
        self.things[type, name] = thing

    def _told(self, type: str, name: str) -> Props:
        address = {"address": f"mem://{type.split(':')[1]}/{name}"}
        return copy.deepcopy(self.things[type, name]) | address


def _unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_unknown, value.values()))
    return any(map(_unknown, value)) if isinstance(value, list) else value == UNKNOWN
