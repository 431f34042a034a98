"""What a static check has against a registration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

Check = Literal["schema", "constraint", "permission"]


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong, before anything is asked of a cloud."""

    urn: str
    path: str
    """``rules[0].applyServerSideEncryptionByDefault.sseAlgorithm``; empty: the resource itself."""
    check: Check
    problem: str
    """What is wrong, and the nearest thing that is right."""

    def __str__(self) -> str:
        place = f"{self.urn.rpartition('::')[2]}.{self.path}" if self.path else self.urn.rpartition("::")[2]
        return f"{self.check}: {place}: {self.problem} [{self.urn}]"


def nearest(wrong: str, right: Iterable[str]) -> str:
    """``; did you mean 'x'?``, or nothing where nothing is near. Case and underscores do not count."""
    known = {each.lower().replace("_", ""): each for each in right}
    close = get_close_matches(wrong.lower().replace("_", ""), known, n=1)
    return f"; did you mean '{known[close[0]]}'?" if close else ""
