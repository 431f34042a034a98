"""What a stack is told: `Pulumi.<stack>.yaml`, read whole, checked whole, frozen.

Owns the names and limits of settings. Deliberately not here: anything about a model, which its `model.toml` says, and
anything that another resource's outcome decides.
"""

from __future__ import annotations

import ipaddress
import json
from typing import Annotated, Any, Literal, Self, get_args

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env
from pydantic import Field, model_validator

from seatrial import project
from seatrial.clouds.aws.stack import EndpointCapacity, Image

Account = Annotated[str, Field(pattern=r"^\d{12}$")]
Principal = Annotated[str, Field(pattern=r"^arn:aws[a-z\-]*:iam::\d{12}:(role|user)/[\w+=,.@/-]+$")]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
TagValue = Annotated[str, Field(pattern=r"^[\w .:/=+@-]+$", max_length=256)]
LogDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]
"""What CloudWatch accepts as a log group's retention."""


class Retention(project.Settings):
    """How long what is written is kept, in days."""

    logs_days: Annotated[int, Field(ge=1)] = 30
    """Log groups."""
    old_versions_days: Annotated[int, Field(ge=1)] = 30
    """Versions of artifacts that were overwritten or deleted."""
    access_logs_days: Annotated[int, Field(ge=1)] = 90
    """Who read and wrote which artifact."""
    untagged_images_days: Annotated[int, Field(ge=1)] = 14
    key_deletion_days: Annotated[int, Field(ge=7, le=30)] = 7
    """A key that is to be deleted can be had back for so long."""

    @model_validator(mode="after")
    def _as_cloudwatch_counts(self) -> Self:
        if self.logs_days not in get_args(LogDays):
            raise ValueError(f"logs_days must be one of {', '.join(map(str, get_args(LogDays)))}")
        return self


class Budget(project.Settings):
    """What a month may cost."""

    monthly_usd: Annotated[float, Field(gt=0)]
    warn_percent: Annotated[int, Field(ge=1, le=100)] = 80
    """Of the budget, forecast: somebody is told."""
    stop_percent: Annotated[int, Field(ge=1, le=200)] = 100
    """Of the budget, spent: endpoints tagged as temporary are deleted."""


class State(project.Settings):
    """Where Pulumi keeps this program's state, if that is in the account: workflows have to reach it."""

    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]$")]
    """As in ``pulumi login s3://bucket``; made by hand, before there is a stack."""
    key_arn: Annotated[str, Field(pattern=r"^arn:aws[a-z\-]*:kms:")] | None = None
    """Encrypts the bucket and the stack's secrets."""


class GitHub(project.Settings):
    """Which workflows may act in the account, without a key."""

    repository: Annotated[str, Field(pattern=r"^[\w.-]+(@\d+)?/[\w.-]+(@\d+)?$")]
    """As GitHub's tokens say it: ``organisation/name``, or ``organisation@id/name@id`` of a repository that was
    created, renamed or transferred since 15 July 2026. To find out:
    ``gh api repos/ORG/NAME --jq '"\\(.owner.login)@\\(.owner.id)/\\(.name)@\\(.id)"'``.
    https://github.blog/changelog/2026-04-23-immutable-subject-claims-for-github-actions-oidc-tokens/
    """
    branch: Annotated[str, Field(pattern=r"^[\w./-]+$")] = "main"
    """Only from here is anything deployed or released."""
    environment: Annotated[str, Field(pattern=r"^[\w.-]+$")] | None = None
    """A GitHub environment, with its approvals; when given, it takes the branch's place in who may deploy."""
    provider_arn: Annotated[str, Field(pattern=r"^arn:aws[a-z\-]*:iam::\d{12}:oidc-provider/")] | None = None
    """GitHub's provider, where the account has it already: there can be one only. ``None``: it is made."""
    state: State | None = None


class Network(project.Settings):
    """A network without a way out: everything that jobs and servers talk to is reached through endpoints."""

    cidr: str = "10.64.0.0/20"
    zones: tuple[Annotated[str, Field(pattern=r"^[a-z]$")], ...] = Field(default=("a", "b"), min_length=2)

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        found = ipaddress.ip_network(self.cidr)
        if not found.is_private or not 16 <= found.prefixlen <= 24:
            raise ValueError("cidr must be a private network of /16 to /24")
        if len(set(self.zones)) != len(self.zones) or len(self.zones) > 4:
            raise ValueError("zones must be two to four different letters")
        return self


class Tracking(project.Settings):
    """SageMaker's managed MLflow. It costs by the hour, used or not."""

    size: Literal["Small", "Medium", "Large"] = "Small"


class Settings(project.Settings):
    """One stack."""

    prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=24)]
    """Every name begins with it. One prefix, one stack."""
    owner: TagValue
    cost_centre: TagValue
    protect: bool = False
    """Refuse to delete or replace what holds state: keys, buckets, images, model package groups."""
    image: Image | None = None
    """The project's image by digest. The first ``pulumi up`` makes the repository that it is pushed to."""
    artifact_prefix: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_\-]*(/[a-z0-9][a-z0-9_\-]*)*$")] | None = None
    """Where in the artifacts' bucket everything lies; ``None``: at its top."""
    endpoint: EndpointCapacity = Field(default_factory=EndpointCapacity)
    retention: Retention = Field(default_factory=Retention)
    budget: Budget
    emails: tuple[Email, ...] = ()
    """Who is written to about failures, alarms and the budget."""
    readers: tuple[Account, ...] = ()
    """Other accounts that may read model versions."""
    launchers: tuple[Principal, ...] = ()
    """Who may act as ``launch``; none: whom the account's own IAM allows it."""
    boundary: Annotated[str, Field(pattern=r"^arn:aws[a-z\-]*:iam::(\d{12}|aws):policy/")] | None = None
    """A permissions boundary on every role: what the account's owner lets none of them do, whatever is deployed."""
    monitor_schedule: Annotated[str, Field(pattern=r"^(rate|cron)\(.+\)$")] = "rate(1 day)"
    github: GitHub | None = None
    network: Network | None = None
    tracking: Tracking | None = None


def read(config: pulumi.Config) -> Settings:
    """The stack's settings.

    Raises:
        ProjectError: something is wrong; every problem is listed.
    """
    own = f"{config.name}:"
    given = {**get_config_env(), **CONFIG.get()}
    table = {key.removeprefix(own): _value(text) for key, text in given.items() if key.startswith(own)}
    stack = f"Pulumi.{pulumi.get_stack()}.yaml"
    return project.validated(Settings, table, stack, todo=f"Correct infra/aws/{stack}; infra/README.md lists them all.")


def _value(text: Any) -> Any:
    """Pulumi hands over structures as JSON, and everything else as the text that was written."""
    return json.loads(text) if isinstance(text, str) and text[:1] in ("{", "[") else text
