"""How a rehearsal of infrastructure puts steps, settings and expectations into words."""

from __future__ import annotations

from collections import Counter
from typing import Any

from seatrial.rehearsal.infra.deployment import Step
from seatrial.rehearsal.infra.lifecycle import Applied
from seatrial.rehearsal.infra.script import Script

SHOWN = 8
"""Of a long list, in one line."""


def what_was_done(steps: tuple[Step, ...]) -> set[tuple[str, str]]:
    """Each step as operation and URN."""
    return {(step.op, step.urn) for step in steps}


def urns_of(steps: tuple[Step, ...]) -> set[str]:
    """What the steps were about."""
    return {step.urn for step in steps}


def by_service(applied: Applied) -> str:
    """How many steps of each AWS service: ``iam 18, s3 15``."""
    counts = Counter(step.type.split(":")[1].partition("/")[0] for step in applied.changes if step.type[:4] == "aws:")
    return ", ".join(f"{service} {count}" for service, count in sorted(counts.items()))


def in_words(steps: tuple[Step, ...]) -> str:
    """The first few steps, each in its own words."""
    more = f" and {len(steps) - SHOWN} more" if len(steps) > SHOWN else ""
    return ", ".join(map(str, steps[:SHOWN])) + more if steps else "nothing"


def settings_in_words(settings: dict[str, Any]) -> str:
    """``key = value``, all of them."""
    return ", ".join(f"{key} = {value}" for key, value in settings.items())


def expected_in_words(script: Script) -> str:
    """What the script lets its change do."""
    return ", ".join(f"{name} ({', '.join(properties)})" for name, properties in script.change.expect.items())
