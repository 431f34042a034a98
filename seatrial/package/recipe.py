"""Loads what a model's folder says in Python: ``features.py`` and ``candidates.py``.

The modules are imported by their place below the project, ``<models>.<model>.candidates``; the project's root has to be
on the module path, as it is in every task.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from seatrial.errors import ProjectError
from seatrial.package.candidate import Candidate, Transformer
from seatrial.project import Model, Project


@dataclass(frozen=True)
class Recipe:
    """How one model is made."""

    features: Callable[[Model], Transformer]
    candidates: tuple[Candidate, ...]
    """The baseline first, then the others, each name once."""

    @property
    def baseline(self) -> Candidate:
        """What a sensible person would try first."""
        return self.candidates[0]

    def candidate(self, name: str) -> Candidate:
        """The candidate of that name.

        Raises:
            ProjectError: there is none.
        """
        for candidate in self.candidates:
            if candidate.name == name:
                return candidate
        raise ProjectError(
            f"there is no candidate '{name}'",
            why=f"candidates.py offers: {', '.join(c.name for c in self.candidates)}.",
            todo="Name one of those, or add it to candidates.py.",
        )

    @classmethod
    def load(cls, project: Project, model: str) -> Recipe:
        """Import a model's two modules and call what lists the candidates.

        Raises:
            ProjectError: a module or function is missing, or two candidates have one name. An error inside a module
                propagates.
        """
        package = f"{project.layout.models.replace('/', '.')}.{model}"
        features = _function(_module(f"{package}.features"), "features")
        described = _module(f"{package}.candidates")
        offered = (_function(described, "baseline")(), *_function(described, "candidates")())
        wrong = [repr(c) for c in offered if not isinstance(c, Candidate)]
        names = [c.name for c in offered if isinstance(c, Candidate)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if wrong or twice:
            raise ProjectError(
                f"{described.__file__}: "
                + "; ".join([f"{w} is not a Candidate" for w in wrong] + [f"'{t}' is there twice" for t in twice]),
                why="Candidates are trained, compared and stored by name.",
                todo="Return seatrial.package.candidate.Candidate objects with different names.",
            )
        return cls(features, offered)


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name is None or not (name == exc.name or name.startswith(f"{exc.name}.")):
            raise
        raise ProjectError(
            f"module {name} is missing",
            why="A model's folder holds features.py and candidates.py beside its model.toml.",
            todo="Add the file; docs/package.md shows both.",
        ) from exc


def _function(module: ModuleType, name: str) -> Callable[..., Any]:
    found = getattr(module, name, None)
    if not callable(found):
        raise ProjectError(
            f"{module.__file__} has no function '{name}'",
            why="The engine calls it to make the model.",
            todo=f"Define {name}(); docs/package.md shows how.",
        )
    return found  # type: ignore[no-any-return]  # callable() does not tell mypy what it returns
