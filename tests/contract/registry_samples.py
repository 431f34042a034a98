"""Small real packages, and the conditions that every state of a registry must meet; used by the registries' tests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from seatrial.clouds.base import Registry, Version
from seatrial.clouds.champions import CHAMPION, PREVIOUS
from seatrial.errors import PackageError, RegistryError

MODEL = "flights"
ABSENT = "0" * 64


@dataclass
class Kept:
    """A registry, and what an accident can do to what it keeps."""

    registry: Registry
    elsewhere: Callable[[], Registry]
    """The same registry, from another machine."""
    damage: Callable[[Version], None]
    """A version's package changes where it is kept."""
    lose: Callable[[Version], None]
    """A version's package is deleted."""


def number(version: object) -> int | None:
    return getattr(version, "number", None)


def verify(folder: Path) -> str:
    """A package's digest; its manifest is one file here."""
    content = (folder / "model.onnx").read_bytes()
    if (folder / "manifest.json").read_text(encoding="utf-8") != hashlib.sha256(content).hexdigest():
        raise PackageError(f"{folder} is damaged", why="It differs from its manifest.", todo="Build it again.")
    return hashlib.sha256(b"package" + content).hexdigest()


def write_package(folder: Path, content: str) -> tuple[Path, str]:
    """Make a package; return its folder and its digest."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(content.encode())
    (folder / "manifest.json").write_text(hashlib.sha256(content.encode()).hexdigest(), encoding="utf-8")
    return folder, verify(folder)


def register(registry: Registry, folder: Path, content: str) -> int:
    """Register a package with this content; return its version number."""
    package, digest = write_package(folder / content, content)
    return registry.register(MODEL, package, digest, run=f"run-{content}", tags={"verdict": "promote"}).number


def violations(registry: Registry) -> list[str]:
    """What is wrong with the registry, whatever happened to it; empty when nothing is."""
    found = []
    versions = registry.versions(MODEL)
    if [v.number for v in versions] != list(range(1, len(versions) + 1)):
        found.append(f"numbers have gaps: {[v.number for v in versions]}")
    if len({v.digest for v in versions}) != len(versions):
        found.append("one package has two versions")
    for version in versions:
        try:
            if verify(registry.package_path(version)) != version.digest:
                found.append(f"v{version.number}: the package is another one")
        except (OSError, PackageError, RegistryError) as exc:
            found.append(f"v{version.number}: {exc}")
    champions = [v for v in versions if CHAMPION in v.aliases]
    previous = [v for v in versions if PREVIOUS in v.aliases]
    if len(champions) > 1 or len(previous) > 1 or (previous and previous == champions):
        found.append(f"aliases: champion {champions}, previous {previous}")
    for champion in champions:
        if not champion.promoted or champion.rolled_back:
            found.append(f"champion v{champion.number} was never promoted, or was rolled back")
        over = champion.promoted_over
        rolled_back = any(v.number == over and v.rolled_back for v in versions)
        if not rolled_back and [v.number for v in previous] != ([] if over is None else [over]):
            found.append(f"champion v{champion.number} was promoted over {over}, but previous is {previous}")
    return found
