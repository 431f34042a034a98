"""What cannot be made again is not deleted by a slip."""

from __future__ import annotations

from collections.abc import Iterator

from rules.resources import Resource, Settings, resource_rule, strings

STATEFUL = (
    "aws:s3/bucket:Bucket",
    "aws:kms/key:Key",
    "aws:ecr/repository:Repository",
    "aws:sagemaker/modelPackageGroup:ModelPackageGroup",
    "aws:sagemaker/mlflowTrackingServer:MlflowTrackingServer",
)
_STACKS = {"stacks": strings(("prod",), "Names of the stacks that are protected.")}


@resource_rule("prod-protected", "In production, what holds state is protected.", *STATEFUL, settings=_STACKS)
def prod_protected(resource: Resource, settings: Settings) -> Iterator[str]:
    """Pulumi then refuses to delete or replace it until somebody says so in a commit."""
    if resource.stack in settings["stacks"] and not resource.protect:
        yield "protect is not set"


@resource_rule(
    "prod-keeps-contents",
    "In production, a bucket or a repository that is not empty stays.",
    "aws:s3/bucket:Bucket",
    "aws:ecr/repository:Repository",
    settings=_STACKS,
)
def prod_keeps_contents(resource: Resource, settings: Settings) -> Iterator[str]:
    """With these flags, a replacement empties it first."""
    if resource.stack in settings["stacks"]:
        yield from (f"{flag} is true" for flag in ("forceDestroy", "forceDelete") if resource.props.get(flag) is True)


POLICIES = (prod_protected, prod_keeps_contents)
