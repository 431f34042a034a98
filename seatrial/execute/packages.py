"""Whether the packages that a document asks for are installed here. Nothing is ever installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement

from seatrial.execute.program import is_kfp


def missing(requirements: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """What is not there.

    Args:
        requirements: as pip takes them -> the tasks that ask for each.

    Returns: a sentence for each that is missing -> what to install, empty where that is not known.
    """
    found: dict[str, str] = {}
    for text, tasks in requirements.items():
        problem, install = _problem(text)
        if problem:
            several = f" and {len(tasks) - 3} more" if len(tasks) > 3 else ""
            names = ", ".join(f"'{name}'" for name in tasks[:3]) + several
            found[f"task{'s' if len(tasks) > 1 else ''} {names}: {problem}"] = install
    return found


def _problem(text: str) -> tuple[str, str]:
    # KFP asks for the version that compiled the document; its executor understands documents of other versions
    if is_kfp(text):
        return ("", "") if _version("kfp") else ("package kfp is not installed", "seatrial[pipelines]")
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return f"cannot tell whether '{text}' is installed", ""
    if requirement.marker is not None and not requirement.marker.evaluate():
        return "", ""
    version = _version(requirement.name)
    if version is None:
        return f"package {text} is not installed", text
    if requirement.specifier.contains(version, prereleases=True):
        return "", ""
    return f"package {text} is not installed (there is {requirement.name} {version})", text


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
