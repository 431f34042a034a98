"""What a Pulumi program asked for: one resource, as the static proof and the policy pack look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Registration:
    """One ``RegisterResource`` of a program, after its transforms."""

    urn: str
    type: str
    """Such as ``aws:s3/bucket:Bucket``; a component's own; ``pulumi:pulumi:Stack``."""
    name: str
    """In the program; the last part of the URN."""
    inputs: Mapping[str, Any]
    """Plain JSON under Pulumi's names, as `provider.base.Provider` gets it: secrets unwrapped, `UNKNOWN` where only an
    update will know, files and archives as blobs. Of the stack itself: its outputs."""
    parent: str = ""
    """URN; empty for the stack itself."""
    protect: bool = False
    dependencies: tuple[str, ...] = ()
    """URNs of all that it depends on."""
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """URNs per property of the first level."""
