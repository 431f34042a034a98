"""Reading what the stack does not own: another stack's outputs, or a resource that is there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.errors import RehearsalError
from seatrial.rehearsal.infra.deployment import Deployment, Step
from seatrial.rehearsal.infra.provider.base import Props
from seatrial.rehearsal.infra.state import PROVIDER, Resource, outputs_of
from seatrial.rehearsal.infra.values import decode, has_secret, marked_like, plain

if TYPE_CHECKING:
    from pulumi.runtime.proto.resource_pb2 import ReadResourceRequest

_REFERENCE = "pulumi:pulumi:StackReference"


def read(deployment: Deployment, request: ReadResourceRequest) -> Resource:
    """Read and record it, as external.

    Raises:
        RehearsalError: there is no such stack or resource.
    """
    urn = deployment.urn(request.parent, request.type, request.name)
    asked = decode(request.properties)
    deployment.claim(urn, request.type, ())
    is_reference = request.type == _REFERENCE
    outputs = _stack(deployment, request.id, asked) if is_reference else _resource(deployment, request, asked)
    applied = not request.type.startswith("pulumi:")
    found = Resource(
        urn=urn,
        type=request.type,
        custom=True,
        id=request.id,
        inputs=asked,
        outputs=marked_like(outputs, asked, frozenset(request.additionalSecretOutputs)),
        parent=request.parent,
        dependencies=tuple(sorted(request.dependencies)),
        provider=deployment.provider_of(request.type, request.provider, request.version) if applied else "",
        external=True,
    )
    deployment.record(found, Step("read", urn, request.type))
    return found


def _stack(deployment: Deployment, name: str, asked: Props) -> Props:
    resources = deployment.other_stack(name)
    if not resources:
        raise RehearsalError(
            f"the program refers to stack '{name}', which is not there",
            why="Its outputs are looked for beside this stack's own record.",
            todo="Bring that stack up first, or correct the name: organization/project/stack.",
        )
    outputs = outputs_of(resources)
    secret_names = sorted(key for key, value in outputs.items() if has_secret(value))
    return {**asked, "name": name, "outputs": outputs, "secretOutputNames": secret_names}


def _resource(deployment: Deployment, request: ReadResourceRequest, asked: Props) -> Props:
    if not request.type.startswith(PROVIDER):
        found = deployment.provider.read(request.type, request.id, plain(asked))
        if found is not None:
            return found
    raise RehearsalError(
        f"the program reads {request.name} ({request.type}), and there is no '{request.id}'",
        why="get() takes up what exists already.",
        todo="Correct the id, or let the program make it.",
    )
