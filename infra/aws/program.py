"""The stack: which components there are, how they hang together, and what the engine is told."""

from __future__ import annotations

from typing import Any

import pulumi

from infra.aws.images import Images
from infra.aws.keys import Keys
from infra.aws.roles import JOBS, Roles
from infra.aws.scope import Scope
from infra.aws.settings import read
from infra.aws.storage import Storage
from infra.aws.tags import tagging
from seatrial import project


def build() -> None:
    """Declare everything and export `seatrial.clouds.aws.stack.StackOutputs`."""
    settings = read(pulumi.Config())
    scope = Scope.here(settings, project.load())
    pulumi.runtime.register_resource_transform(tagging(scope.tags))
    keys = Keys(scope)
    storage = Storage(scope, keys.artifacts)
    Images(scope, keys.artifacts)
    roles = Roles(scope)
    root = pulumi.Output.concat("s3://", storage.bucket.bucket)
    if settings.artifact_prefix is not None:
        root = pulumi.Output.concat(root, "/", settings.artifact_prefix)
    outputs: dict[str, Any] = {
        "region": scope.region,
        "account": scope.account,
        "prefix": scope.prefix,
        "artifact_root": root,
        "kms_key": keys.artifacts.arn,
        "roles": {role: roles.arn(role) for role in (*JOBS, "endpoint", "pipeline", "launch")},
        "subnets": [],
        "security_groups": [],
        "tags": scope.tags,
        "endpoint": settings.endpoint.model_dump(exclude_none=True),
    }
    if settings.image is not None:
        outputs["image"] = settings.image
    for name, value in outputs.items():
        pulumi.export(name, value)
