"""One row of the table of what workflows may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.aws.documents import Statement

LISTING = "a listing has no resource that could be named"


@dataclass(frozen=True)
class Row:
    """One kind of resource: what is read to compare it with the program, and what is written to change it."""

    kind: str
    resources: tuple[str, ...]
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    condition: Mapping[str, Any] = field(default_factory=dict)
    star_reason: str = ""
    """Why a resource is ``*``."""

    def __post_init__(self) -> None:
        """Refuse what no review would pass."""
        wild = [action for action in (*self.read, *self.write) if "*" in action]
        if wild or ("*" in self.resources) != bool(self.star_reason):
            raise ValueError(
                f"the row {self.kind}: wildcards {wild}, resources {self.resources}, reason {self.star_reason!r}"
            )

    def statement(self, *, writes: bool) -> Statement | None:
        """What a workflow may do with it; ``writes``: as the one that deploys."""
        actions = sorted({*self.read, *(self.write if writes else ())})
        if not actions:
            return None
        found: dict[str, Any] = {
            "Sid": self.kind,
            "Effect": "Allow",
            "Action": actions,
            "Resource": list(self.resources),
        }
        return {**found, "Condition": dict(self.condition)} if self.condition else found
