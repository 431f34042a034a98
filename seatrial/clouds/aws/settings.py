"""What a SageMaker pipeline needs besides its document. What only the deployment knows becomes a pipeline parameter.

Left out, a role, an image or the place of artifacts is asked for when the pipeline starts (`ROLE`, `IMAGE`, `ROOT`),
so the same definition is valid in every account.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from seatrial.clouds.aws import limits
from seatrial.component import JobRole
from seatrial.document.jobs import JobResources
from seatrial.errors import DocumentError
from seatrial.project import Settings

ROLE = "RoleArn"
IMAGE = "ImageUri"
ROOT = "ArtifactRoot"

ANY_ACCELERATOR = frozenset({"NVIDIA.COM/GPU", "GPU"})


class Instance(Settings):
    """A machine that jobs may run on."""

    name: Annotated[str, Field(pattern=r"^ml\.")]
    cpu: float
    memory_gb: float
    accelerator: str = ""
    accelerators: int = 0
    training_only: bool = False
    local_disk: bool = False
    """Whether jobs' files lie on disks of its own, which it encrypts itself: SageMaker takes no key for them.
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ResourceConfig.html"""

    def suits(self, needs: JobResources, *, training: bool) -> bool:
        """Whether a job with these needs can run on it."""
        if self.training_only and not training:
            return False
        wanted = needs.accelerator.upper()
        if needs.accelerators:
            alike = wanted in ANY_ACCELERATOR or self.accelerator.upper() in (
                wanted,
                wanted.replace("NVIDIA_TESLA_", ""),
            )
            if not alike or self.accelerators < needs.accelerators:
                return False
        elif self.accelerators:
            return False
        return self.cpu >= needs.cpu and self.memory_gb >= (needs.memory_gb or 0)


def _duration(text: str) -> str:
    if not limits.DURATION.fullmatch(text):
        raise ValueError("expected an ISO 8601 duration such as P1D or PT12H")
    return text


def _instance(name: str, cpu: float, memory_gb: float, accelerator: str = "", accelerators: int = 0) -> Instance:
    return Instance(
        name=name,
        cpu=cpu,
        memory_gb=memory_gb,
        accelerator=accelerator,
        accelerators=accelerators,
        training_only=name.startswith("ml.p4d"),
        local_disk=name.startswith(("ml.g4dn.", "ml.g5.", "ml.p4d.")),
    )


# smallest first: the first that suits is taken. Source: the EC2 instance type tables (vCPU, GiB as GB)
_INSTANCES = (
    _instance("ml.m5.large", 2, 8),
    _instance("ml.m5.xlarge", 4, 16),
    _instance("ml.m5.2xlarge", 8, 32),
    _instance("ml.m5.4xlarge", 16, 64),
    _instance("ml.r5.4xlarge", 16, 128),
    _instance("ml.m5.12xlarge", 48, 192),
    _instance("ml.m5.24xlarge", 96, 384),
    _instance("ml.r5.24xlarge", 96, 768),
    _instance("ml.g4dn.xlarge", 4, 16, "T4", 1),
    _instance("ml.g4dn.4xlarge", 16, 64, "T4", 1),
    _instance("ml.g4dn.12xlarge", 48, 192, "T4", 4),
    _instance("ml.g5.xlarge", 4, 16, "A10G", 1),
    _instance("ml.g5.12xlarge", 48, 192, "A10G", 4),
    _instance("ml.p3.2xlarge", 8, 61, "V100", 1),
    _instance("ml.p3.8xlarge", 32, 244, "V100", 4),
    _instance("ml.p4d.24xlarge", 96, 1152, "A100", 8),
)


class SageMakerSettings(Settings):
    """How jobs run on SageMaker."""

    role_arn: str | None = None
    """The role of every job whose class ``roles`` does not list; ``None``: the pipeline parameter `ROLE`."""
    roles: dict[JobRole, str] = Field(default_factory=dict)
    """A job's class -> its role."""
    artifact_root: Annotated[str, Field(pattern=r"^s3://[^/]+(/[^/]+)*$")] | None = None
    """Where job files and artifacts lie, as ``s3://bucket/prefix``; ``None``: the pipeline parameter `ROOT`."""
    images: dict[str, str] = Field(default_factory=dict)
    """The document's image -> the registry's, by digest. One that is not listed becomes a pipeline parameter."""
    instances: tuple[Instance, ...] = _INSTANCES
    """Smallest first."""
    volume_gb: Annotated[int, Field(ge=1, le=16384)] = 30
    max_run_s: Annotated[int, Field(ge=60, le=432_000)] = 86_400
    """Seconds after which a processing job is stopped."""
    max_wait_s: Annotated[int, Field(ge=0)] = 86_400
    """Seconds that a job on spot capacity may wait for it, beyond its own run time."""
    attempts: Annotated[int, Field(ge=1, le=limits.MAX_ATTEMPTS)] = 3
    """How often a start is tried again when the service, not the task, fails."""
    functions: Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function$")] | None = None
    """Where functions lie that components call by name: ``arn:aws:lambda:<region>:<account>:function``."""
    cache_expire_after: Annotated[str, AfterValidator(_duration)] | None = None
    """How old a reused result may be (``P1D``). ``None``: none is reused, since SageMaker compares a step's arguments
    only: it does not see that source tables, a champion or an endpoint changed."""
    preload: tuple[str, ...] = ()
    """Modules that the program of a job of more than a few tasks imports once for all of them."""
    environment: dict[str, str] = Field(default_factory=dict)
    """What every task is told, at any length: it travels in the job's file, not in the request."""
    kms_key: str | None = None
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    tags: dict[str, str] = Field(default_factory=dict)
    max_steps: Annotated[int, Field(ge=1)] = limits.MAX_STEPS
    """The account's quota of steps in a pipeline."""

    @model_validator(mode="after")
    def _network_is_whole(self) -> Self:
        if bool(self.subnets) != bool(self.security_groups):
            raise ValueError("subnets and security_groups belong together")
        return self

    def function_arn(self, name: str, task: str) -> str:
        """The address of a function.

        Raises:
            DocumentError: the component names it plainly, and nobody said where it lies.
        """
        if name.startswith("arn:"):
            return name
        if self.functions is None:
            raise DocumentError(
                f"task '{task}' calls the function '{name}', and its region and account are not known",
                why="A SageMaker pipeline calls a function by its ARN.",
                todo="Write the ARN into @component(function=...), or start the pipeline with `seatrial launch`.",
            )
        return f"{self.functions}:{name}"

    def instance(self, job: str, needs: JobResources, *, training: bool) -> Instance:
        """The smallest machine that suits a job.

        Raises:
            DocumentError: none does.
        """
        for instance in self.instances:
            if instance.suits(needs, training=training):
                return instance
        asked = f"{needs.cpu:g} CPUs" + (f", {needs.memory_gb:g} GB" if needs.memory_gb else "")
        if needs.accelerators:
            asked += f", {needs.accelerators} {needs.accelerator or 'accelerator'}"
        raise DocumentError(
            f"job '{job}' asks for {asked}, and no known instance type has that",
            why=f"The table of instances holds {', '.join(i.name for i in self.instances)}.",
            todo="Ask for less, or add an instance type to the SageMaker settings.",
        )
