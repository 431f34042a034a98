"""What the infrastructure tells the engine: the outputs of a Pulumi stack, read and checked whole.

Everything that differs between accounts is here, and nothing else is: no ARN is copied by hand into a setting.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from seatrial import project
from seatrial.component import ROLES, JobRole
from seatrial.project import Name, Settings

BRING_UP = "STACK=NAME infra/keep-image.sh && pulumi -C infra/aws up --stack NAME"
"""How a person does it. The script comes first: git does not hold the image, and an update without one forgets it."""
_ARN = r"arn:aws[a-z\-]*:"
RoleArn = Annotated[str, Field(pattern=_ARN + r"iam::\d{12}:role/[\w+=,.@/-]+$")]
Image = Annotated[str, Field(pattern=r"^[\w.\-/:]+@sha256:[0-9a-f]{64}$", max_length=255)]
"""By digest: a tag may mean another program tomorrow."""
Tag = Annotated[str, Field(max_length=256)]
ResourceName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9])*$", max_length=63)]


class Roles(Settings):
    """Whom each kind of work runs as. Jobs have the role of their class."""

    data: RoleArn
    training: RoleArn
    evaluation: RoleArn
    release: RoleArn
    monitoring: RoleArn
    endpoint: RoleArn
    """Model servers."""
    pipeline: RoleArn
    """The pipeline itself: it starts jobs and hands them their roles."""
    launch: RoleArn
    """Whoever launches: a person, or continuous integration."""

    def jobs(self) -> dict[JobRole, str]:
        """A job's class -> its role."""
        return {name: getattr(self, name) for name in ROLES}


class ModelShell(Settings):
    """What the stack keeps ready for one model: it outlives every version, and event rules and permissions name it."""

    group: ResourceName
    """The model package group: versions are registered in it."""
    endpoint: ResourceName
    """The name that callers know; the engine makes what is behind it."""
    alarms: dict[str, Annotated[str, Field(min_length=1, max_length=255)]] = Field(default_factory=dict)
    """By guardrail, the CloudWatch alarm that brings a rollout back."""
    pipelines: dict[str, ResourceName] = Field(default_factory=dict)
    """By the project's pipeline, its name in the account; the engine makes what it runs."""


class EndpointCapacity(Settings):
    """What an endpoint runs on, and how much of its traffic is kept."""

    instance_type: Annotated[str, Field(pattern=r"^ml\.")] = "ml.m5.large"
    instances: Annotated[int, Field(ge=1)] = 1
    max_instances: Annotated[int, Field(ge=1)] | None = None
    """Up to how many it scales by itself; ``None``: it stays at ``instances``."""
    capture_percent: Annotated[int, Field(ge=0, le=100)] = 100
    """How much of the traffic is kept below the artifact root, for monitoring; 0: none."""

    @model_validator(mode="after")
    def _scales_upwards(self) -> Self:
        if self.max_instances is not None and self.max_instances < self.instances:
            raise ValueError("max_instances must not be below instances")
        return self


class StackOutputs(Settings):
    """One deployed stack of ``infra/aws``."""

    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
    account: Annotated[str, Field(pattern=r"^\d{12}$")]
    prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=24)]
    """Every name that the engine makes begins with it."""
    artifact_root: Annotated[str, Field(pattern=r"^s3://[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9](/[^/]+)*$")]
    """``s3://bucket/prefix``: packages, captured traffic, runs and the champions' records lie below it."""
    image: Image
    """The project's one image: jobs and model servers."""
    roles: Roles
    models: dict[Name, ModelShell] = Field(default_factory=dict)
    """By the model's name in the project."""
    kms_key: Annotated[str, Field(pattern=_ARN + r"kms:")] | None = None
    """Encrypts what is stored; ``None``: the bucket's own setting decides."""
    subnets: tuple[Annotated[str, Field(pattern=r"^subnet-")], ...] = ()
    security_groups: tuple[Annotated[str, Field(pattern=r"^sg-")], ...] = ()
    tags: dict[Annotated[str, Field(min_length=1, max_length=128)], Tag] = Field(default_factory=dict, max_length=40)
    """On everything that is made."""
    endpoint: EndpointCapacity = Field(default_factory=EndpointCapacity)

    @model_validator(mode="after")
    def _network_is_whole(self) -> Self:
        if bool(self.subnets) != bool(self.security_groups):
            raise ValueError("subnets and security_groups belong together")
        return self

    @property
    def bucket(self) -> str:
        """The artifact root's bucket."""
        return self.artifact_root.removeprefix("s3://").partition("/")[0]

    def key(self, *parts: str) -> str:
        """An object's key in ``bucket``, below the artifact root."""
        prefix = self.artifact_root.removeprefix("s3://").partition("/")[2]
        return "/".join([*([prefix] if prefix else []), *parts])

    def uri(self, *parts: str) -> str:
        """The same as ``s3://…``."""
        return f"s3://{self.bucket}/{self.key(*parts)}"

    def only(self, model: str) -> StackOutputs:
        """The same with this model alone: what its jobs are told does not change with other models."""
        return self.model_copy(update={"models": {n: shell for n, shell in self.models.items() if n == model}})

    def arn(self, service: str, resource: str) -> str:
        """A resource of this account and region."""
        partition = self.roles.pipeline.split(":")[1]
        return f"arn:{partition}:{service}:{self.region}:{self.account}:{resource}"

    def encryption(self) -> dict[str, str]:
        """How S3 objects are encrypted, as ``PutObject`` takes it."""
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key} if self.kms_key else {}

    def tag_list(self) -> list[dict[str, str]]:
        """The tags as requests take them."""
        return [{"Key": key, "Value": value} for key, value in sorted(self.tags.items())]


def load_stack(state: Path, name: str | None = None) -> StackOutputs:
    """Read a stack's outputs; see ``project.stack_outputs`` for where they are looked for.

    Raises:
        ProjectError: there are none, or they are wrong; every problem is listed.
    """
    return project.stack_outputs(StackOutputs, "aws", state, name)
