"""Checks definitions that the ``sagemaker`` 3.x SDK writes: every one has to pass, and every mistake put into it to be
found.

Usage: python tests/conformance/sagemaker_sdk.py PYTHON

PYTHON is the interpreter of an environment with ``sagemaker==3.27.0`` and ``moto`` (730 MB, so it is no part of ours).
Exit code 1 when a sound definition is refused or a mistake is missed.
"""

from __future__ import annotations

import argparse
import copy
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from seatrial.clouds.aws.check import check

Json = Any
Place = tuple[Any, Any]
"""A container in a definition and the key or index of a value in it."""


def places(value: Json) -> Iterator[Place]:
    """Every place of a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        yield value, key
        yield from places(inner)


def dangling(container: Json, key: Json) -> bool:
    """Break a reference."""
    found = container[key]
    if key != "Get" or not isinstance(found, str):
        return False
    container[key] = found + "x"
    return found.split(".")[0] != "ForEach"  # an item's fields are known at run time only


def misspelt(container: Json, key: Json) -> bool:
    """Misspell a member of a request."""
    known = ("RoleArn", "ProcessingResources", "AppSpecification", "AlgorithmSpecification", "ResourceConfig")
    if key not in known:
        return False
    container[f"{key}s"] = container.pop(key)
    return True


def retyped(container: Json, key: Json) -> bool:
    """Turn a number into text."""
    if key not in ("InstanceCount", "VolumeSizeInGB", "MaxRuntimeInSeconds", "MaxAttempts", "MaxConcurrency"):
        return False
    container[key] = str(container[key])
    return True


def renamed(container: Json, key: Json) -> bool:
    """Give a step a type that is none."""
    if key != "Type" or "Arguments" not in container:
        return False
    container[key] += "Step"
    return True


MISTAKES: dict[str, Callable[[Json, Json], bool]] = {
    "dangling reference": dangling,
    "misspelt member": misspelt,
    "number as text": retyped,
    "unknown step type": renamed,
}


def seeded(definition: Json) -> Iterator[tuple[str, Json]]:
    """(mistake, definition with it), one at a time."""
    count = sum(1 for _ in places(definition))
    for name, mistake in MISTAKES.items():
        for index in range(count):
            changed = copy.deepcopy(definition)
            container, key = next(place for i, place in enumerate(places(changed)) if i == index)
            if mistake(container, key):
                yield name, changed


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("python", type=Path)
    given = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        script = Path(__file__).with_name("sagemaker_sdk_pipelines.py")
        subprocess.run([str(given.python), str(script), folder], check=True, capture_output=True)
        print(f"{'pipeline':<14}{'steps':>6}{'requests':>9}{'false alarms':>13}{'mistakes found':>18}")
        for path in sorted(Path(folder).glob("*.json")):
            definition = json.loads(path.read_text())
            sound = check(definition)
            tries = [(name, bool(check(changed).problems)) for name, changed in seeded(definition)]
            found = sum(1 for _, caught in tries if caught)
            print(
                f"{path.stem:<14}{sound.steps:>6}{sound.requests:>9}{len(sound.problems):>13}"
                f"{f'{found} of {len(tries)}':>18}"
            )
            for problem in sound.problems:
                print(f"    {problem}")
            for name in sorted({name for name, caught in tries if not caught}):
                print(f"    missed: {name}")
            wrong += len(sound.problems) + len(tries) - found
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
