"""What a program asks for when it registers a resource, read from the request; what is not rehearsed is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seatrial.errors import RehearsalError
from seatrial.rehearsal.infra.provider.base import Props
from seatrial.rehearsal.infra.urns import Alias
from seatrial.rehearsal.infra.values import decode

if TYPE_CHECKING:
    from pulumi.runtime.proto.alias_pb2 import Alias as AliasMessage
    from pulumi.runtime.proto.resource_pb2 import RegisterResourceRequest

# field of the request -> what a program calls it
_REFUSED = {
    "importId": "import_",
    "remote": "a remote component",
    "pluginDownloadURL": "plugin_download_url",
    "pluginChecksums": "plugin checksums",
    "packageRef": "a parameterized package",
    "hideDiffs": "hide_diffs",
    "envVarMappings": "env_var_mappings",
    "replace_with": "replace_with",
    "state_migrations": "state_migrations",
    "snippetId": "a snippet",
}
_REFUSED_MESSAGES = {"replacement_trigger": "replacement_trigger"}


@dataclass(frozen=True)
class Goal:
    """One resource as the program wants it."""

    type: str
    name: str
    custom: bool
    parent: str
    inputs: Props
    """Secrets, references and files are marked."""
    dependencies: tuple[str, ...]
    property_dependencies: Mapping[str, tuple[str, ...]]
    provider: str
    version: str
    protect: bool | None
    ignore_changes: tuple[str, ...]
    replace_on_changes: tuple[str, ...]
    retain_on_delete: bool | None
    delete_before_replace: bool | None
    deleted_with: str
    aliases: tuple[Alias, ...]
    additional_secret_outputs: tuple[str, ...]


def goal_of(request: RegisterResourceRequest) -> Goal:
    """Read a request, after all transforms.

    Raises:
        RehearsalError: it has options that are not rehearsed; all of them are named.
    """
    refused = sorted(_refused(request))
    if refused:
        raise RehearsalError(
            f"{request.name} ({request.type}) uses what is not rehearsed: {', '.join(refused)}",
            why="Leaving it out would rehearse another program than yours.",
            todo="Do without it, or add it to seatrial/rehearsal/infra.",
        )
    defined = request.deleteBeforeReplaceDefined or request.deleteBeforeReplace
    return Goal(
        type=request.type,
        name=request.name,
        custom=request.custom,
        parent=request.parent,
        inputs=decode(request.object),
        dependencies=tuple(sorted(request.dependencies)),
        property_dependencies={k: tuple(sorted(v.urns)) for k, v in request.propertyDependencies.items() if v.urns},
        provider=request.provider,
        version=request.version,
        protect=request.protect if request.HasField("protect") else None,
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        retain_on_delete=request.retainOnDelete if request.HasField("retainOnDelete") else None,
        delete_before_replace=request.deleteBeforeReplace if defined else None,
        deleted_with=request.deletedWith,
        aliases=(*(Alias(urn=urn) for urn in request.aliasURNs), *(alias_of(each) for each in request.aliases)),
        additional_secret_outputs=tuple(request.additionalSecretOutputs),
    )


def _refused(request: RegisterResourceRequest) -> Iterator[str]:
    for field, called in _REFUSED.items():
        if getattr(request, field):
            yield called
    for field, called in _REFUSED_MESSAGES.items():
        if request.HasField(field):  # type: ignore[arg-type]
            yield called
    for kind, names in request.hooks.ListFields():
        if names:
            yield f"the hook {kind.name}"


def alias_of(message: AliasMessage) -> Alias:
    """Read an alias."""
    if message.urn:
        return Alias(urn=message.urn)
    said = message.spec
    return Alias("", said.name, said.type, said.stack, said.project, said.parentUrn, said.noParent)
