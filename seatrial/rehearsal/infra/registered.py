"""What a Pulumi program asked for: one resource, as the static proof and the policy pack look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from seatrial.rehearsal.infra.state import STACK, Resource
from seatrial.rehearsal.infra.values import plain


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


def registered(resource: Resource) -> Registration:
    """A resource as the engine recorded it, or is about to apply it."""
    return Registration(
        urn=resource.urn,
        type=resource.type,
        name=resource.name,
        inputs=plain(resource.outputs if resource.type == STACK else resource.inputs),
        parent=resource.parent,
        protect=resource.protect,
        dependencies=tuple(resource.dependencies),
        property_dependencies={name: tuple(urns) for name, urns in resource.property_dependencies.items()},
    )
