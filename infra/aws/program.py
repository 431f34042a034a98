"""The stack: which components there are, how they hang together, and what the engine is told."""

from __future__ import annotations

from typing import Any

import pulumi

from infra.aws.budget import Budget
from infra.aws.events import Failures, ModelEvents
from infra.aws.github import Workflows
from infra.aws.images import Images
from infra.aws.keys import Keys
from infra.aws.models import ModelShell
from infra.aws.network import Network
from infra.aws.notifications import Notifications
from infra.aws.roles import Permissions, Roles
from infra.aws.scope import Scope
from infra.aws.settings import read
from infra.aws.storage import Storage
from infra.aws.tags import tagging
from infra.aws.tracking import TrackingServer
from seatrial import project
from seatrial.clouds.aws.stack import Roles as RoleOutputs


def build() -> None:
    """Declare everything and export `seatrial.clouds.aws.stack.StackOutputs`."""
    settings = read(pulumi.Config())
    scope = Scope.here(settings, project.load())
    pulumi.runtime.register_resource_transform(tagging(scope.tags))

    keys = Keys(scope)
    storage = Storage(scope, keys.artifacts)
    Images(scope, keys.artifacts)
    notifications = Notifications(scope, keys.operations)
    Budget(scope, keys.operations, notifications.topic)
    workflows = None if settings.github is None else Workflows(scope, settings.github)
    roles = Roles(scope, *([] if workflows is None else [workflows.release.arn]))
    Permissions(scope, roles, keys.artifacts)
    network = None if settings.network is None else Network(scope, settings.network.cidr, settings.network.zones)
    if settings.tracking is not None:
        TrackingServer(scope, settings.tracking, storage.bucket, keys.artifacts)
    Failures(scope, notifications.topic)
    for names in scope.models:
        rollout = scope.project.model(names.model).rollout
        shell = ModelShell(scope, names, rollout, keys.operations, notifications.topic)
        ModelEvents(scope, shell, roles.roles["events"])

    root = pulumi.Output.concat("s3://", storage.bucket.bucket)
    if settings.artifact_prefix is not None:
        root = pulumi.Output.concat(root, "/", settings.artifact_prefix)
    outputs: dict[str, Any] = {
        "region": scope.region,
        "account": scope.account,
        "prefix": scope.prefix,
        "artifact_root": root,
        "roles": {role: roles.arn(role) for role in RoleOutputs.model_fields},
        "models": {names.model: names.shell.model_dump() for names in scope.models},
        "kms_key": keys.artifacts.arn,
        "subnets": [] if network is None else network.subnets,
        "security_groups": [] if network is None else network.security_groups,
        "tags": scope.tags,
        "endpoint": settings.endpoint.model_dump(exclude_none=True),
    }
    if settings.image is not None:
        outputs["image"] = settings.image
    for name, value in outputs.items():
        pulumi.export(name, value)
