"""Images are what was built and looked at, and stay so."""

from __future__ import annotations

from collections.abc import Iterator

from rules.resources import UNKNOWN, Resource, Settings, resource_rule

_REPOSITORY = "aws:ecr/repository:Repository"


@resource_rule("repository-immutable", "A tag never moves to another image.", _REPOSITORY)
def repository_immutable(repository: Resource, _settings: Settings) -> Iterator[str]:
    """What was reviewed under a tag is what runs."""
    if not repository.says("imageTagMutability", "IMMUTABLE"):
        yield "imageTagMutability is not IMMUTABLE"


@resource_rule("repository-scanned", "Every image is scanned when it is pushed.", _REPOSITORY)
def repository_scanned(repository: Resource, _settings: Settings) -> Iterator[str]:
    """Known holes are known before the image runs."""
    scanning = repository.props.get("imageScanningConfiguration")
    if scanning is UNKNOWN:
        return
    if not isinstance(scanning, dict) or scanning.get("scanOnPush") not in (True, UNKNOWN):
        yield "imageScanningConfiguration.scanOnPush is not true"


POLICIES = (repository_immutable, repository_scanned)
