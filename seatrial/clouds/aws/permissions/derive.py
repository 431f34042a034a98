"""Permissions from what there is: the project's compiled pipelines, and the calls that adapters declare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from seatrial import project
from seatrial.clouds.aws.names import resource_name
from seatrial.clouds.aws.permissions.grants import Grant, Permissions, Place, Role
from seatrial.clouds.aws.permissions.platform import platform

_JOB_ROLES: tuple[Role, ...] = ("data", "training", "evaluation", "release", "monitoring")
_STREAMS = (
    "/aws/sagemaker/ProcessingJobs:log-stream:pipelines-*",
    "/aws/sagemaker/TrainingJobs:log-stream:pipelines-*",
)
_NAMESPACES = ("/aws/sagemaker/ProcessingJobs", "/aws/sagemaker/TrainingJobs")


def derive(opened: project.Project, models: Iterable[str], place: Place) -> Permissions:
    """What each role of a stack needs for these models, and no more. Reads the project; no network, no credentials.

    Raises:
        DocumentError: a pipeline of the project cannot be compiled.
        ProjectError: there is no such model, or its name cannot become a resource's.
    """
    names = [resource_name(place.prefix, opened.model(each).name) for each in models]
    return Permissions(tuple(_grants(names, place)))


def _grants(names: list[str], place: Place) -> Iterator[Grant]:
    for role in _JOB_ROLES:
        yield from platform(role, place, _STREAMS, _NAMESPACES)
    servers = tuple(f"/aws/sagemaker/Endpoints/{name}*:log-stream:*" for name in names)
    yield from platform("endpoint", place, servers, ("/aws/sagemaker/Endpoints",))
