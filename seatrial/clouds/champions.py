"""Who is champion, who was before, and what may change that: the rules of promotion and rollback, without a store.

A registry reads a ``Champions`` from wherever it keeps it, asks for the next one, and stores that in one step. No rule
is written anywhere else, so a laptop and a cloud cannot come to different decisions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from seatrial.clouds.base import Version
from seatrial.errors import RegistryError

CHAMPION = "champion"
PREVIOUS = "previous"
TAG_PREFIX = "seatrial."


@dataclass(frozen=True)
class Champions:
    """The promotions of one model, as numbers of versions."""

    champion: int | None = None
    previous: int | None = None
    """Where a rollback would lead."""
    promoted_over: Mapping[int, int | None] = field(default_factory=dict)
    """Every version that is or ever was champion -> the one that it replaced when it was last promoted."""
    rolled_back: frozenset[int] = frozenset()
    """Those whose last time as champion ended in a rollback."""

    def aliases(self, number: int) -> tuple[str, ...]:
        """The names of a version."""
        return tuple(
            alias for alias, named in ((CHAMPION, self.champion), (PREVIOUS, self.previous)) if named == number
        )

    def promoted(self, model: str, version: int, *, expected: int | None, again: bool) -> Champions:
        """As it is after a promotion; the same object when that had happened before.

        Raises:
            RegistryError: the champion is another one than the evidence compared with, or the version was rolled back.
        """
        if self.champion == version and expected in (version, self.promoted_over.get(version)):
            return self
        if self.champion != expected:
            compared = "no champion" if expected is None else f"v{expected}"
            raise RegistryError(
                f"stale evidence: v{version} was compared with {compared}, but the champion now is {self._name()}",
                why="Being better than the former champion says nothing about the present one. Nothing was changed.",
                todo="Run the same command again: it compares with the present champion.",
            )
        if version in self.rolled_back and not again:
            raise RegistryError(
                f"{model} v{version} was rolled back and is not promoted again",
                why="The evidence that promoted it is the evidence that turned out wrong.",
                todo="Train a model that differs, or promote this one by name if the rollback was a mistake.",
            )
        return replace(
            self,
            champion=version,
            previous=self.champion,
            promoted_over={**self.promoted_over, version: self.champion},
            rolled_back=self.rolled_back - {version},
        )

    def after_rollback(self, model: str, version: int | None) -> Champions:
        """As it is after a rollback; the same object when ``version`` has been rolled back before.

        Raises:
            RegistryError: there is no champion, or it is another one than ``version``.
        """
        if version is not None and self.champion != version:
            if version in self.rolled_back:
                return self
            raise RegistryError(
                f"{model} v{version} is not the champion and cannot be rolled back",
                why=f"The champion is {self._name()}.",
                todo="Look at the versions again and name the one that serves.",
            )
        if self.champion is None:
            raise RegistryError(
                f"{model} has no champion to roll back",
                why="Nothing was promoted, or everything that was has been rolled back.",
                todo="Promote a version first.",
            )
        rolled_back = self.rolled_back | {self.champion}
        return replace(
            self,
            champion=self.previous,
            previous=_before(self.previous, self.promoted_over, rolled_back),
            rolled_back=rolled_back,
        )

    def _name(self) -> str:
        return "none" if self.champion is None else f"v{self.champion}"


def _before(champion: int | None, promoted_over: Mapping[int, int | None], rolled_back: Collection[int]) -> int | None:
    """Where a further rollback would lead: back along the promotions, past what was rolled back.

    A version may have been champion twice, so the way back may be a circle; each version is passed once.
    """
    seen = set() if champion is None else {champion}
    step = None if champion is None else promoted_over.get(champion)
    while step is not None and step not in seen:
        if step not in rolled_back:
            return step
        seen.add(step)
        step = promoted_over.get(step)
    return None


def opponent(
    champion: Version | None, digests: Collection[str], version: Callable[[int], Version | None]
) -> Version | None:
    """The version that packages with these digests would replace, or did replace."""
    if champion is None or champion.digest not in digests:
        return champion
    return None if champion.promoted_over is None else version(champion.promoted_over)


def unknown_version(model: str, number: int, known: Sequence[int]) -> RegistryError:
    """There is no such version; those that exist are listed."""
    return RegistryError(
        f"{model} has no version {number}",
        why="Versions here: " + (", ".join(f"v{n}" for n in known) or "none") + ".",
        todo="Name one of those, or run the pipeline to register one.",
    )


def no_package(version: Version, where: Path | str | None) -> RegistryError:
    """The version's package is not in this registry."""
    return RegistryError(
        f"{version.model} v{version.number} has no package in this registry",
        why=f"Expected it in {where}." if where else "It was registered by something else than Seatrial.",
        todo="Restore it, or run the pipeline again: it registers the package anew.",
    )


def refuse_reserved(tags: Mapping[str, str]) -> None:
    """Refuse tags that a registry sets itself.

    Raises:
        RegistryError: there are some; all are listed.
    """
    reserved = sorted(tag for tag in tags if tag.startswith(TAG_PREFIX))
    if reserved:
        raise RegistryError(
            f"tags {', '.join(reserved)} cannot be set",
            why=f"Tags that begin with '{TAG_PREFIX}' are how the registry remembers promotions.",
            todo="Choose other names.",
        )
