"""Where a stack is, and what its resources are called."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pulumi
import pulumi_aws as aws

from infra.aws.settings import Settings
from seatrial.clouds.aws.names import Names, model_shell
from seatrial.project import Project


@dataclass(frozen=True)
class Scope:
    """Handed to every component. Names and ARNs are computed, so that a preview shows what an update will make."""

    settings: Settings
    project: Project
    program: str
    """The name in `Pulumi.yaml`: state lies below it."""
    stack: str
    partition: str
    region: str
    account: str

    @classmethod
    def here(cls, settings: Settings, project: Project) -> Scope:
        """The account and region that the provider is configured for."""
        return cls(
            settings=settings,
            project=project,
            program=pulumi.get_project(),
            stack=pulumi.get_stack(),
            partition=aws.get_partition().partition,
            region=aws.get_region().region,
            account=aws.get_caller_identity().account_id,
        )

    @property
    def prefix(self) -> str:
        """What every name begins with."""
        return self.settings.prefix

    def name(self, *parts: str) -> str:
        """A resource's name."""
        return "-".join([self.prefix, *parts])

    def bucket(self, kind: str) -> str:
        """A bucket's name: unique among all accounts of the world."""
        return f"{self.prefix}-{kind}-{self.account}-{self.region}"

    def arn(self, service: str, resource: str, *, region: str | None = None) -> str:
        """Of something in this account; ``region=""`` for what has none."""
        return f"arn:{self.partition}:{service}:{self.region if region is None else region}:{self.account}:{resource}"

    @property
    def root(self) -> str:
        """The account as a principal: whom its own IAM allows what a resource allows to it."""
        return self.arn("iam", "root", region="")

    @cached_property
    def tags(self) -> dict[str, str]:
        """On everything that can be tagged."""
        return {
            "project": self.project.layout.name,
            "stack": self.stack,
            "owner": self.settings.owner,
            "cost-centre": self.settings.cost_centre,
            "managed-by": "pulumi",
        }

    @cached_property
    def models(self) -> tuple[Names, ...]:
        """The project's models with what their resources are called: a folder more, a shell more."""
        folder = self.project.root / self.project.layout.pipelines
        pipelines = [path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")]
        return tuple(
            Names(
                model,
                model_shell(
                    self.prefix,
                    model,
                    guardrails=self.project.model(model).rollout.guardrails,
                    pipelines=pipelines,
                ),
            )
            for model in self.project.models()
        )
