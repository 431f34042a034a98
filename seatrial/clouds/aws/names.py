"""Names of resources in the account: what the infrastructure calls a model's resources, and what the engine adds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from seatrial.clouds.aws.stack import BRING_UP, ModelShell, StackOutputs
from seatrial.errors import ProjectError

LONGEST = 40
"""SageMaker takes 63 characters; what is left is for the longest suffix, ``-check-v9999-0123456789``."""
VARIANT = "live"
"""The one production variant of every endpoint."""
_AGAIN = (
    f"Bring the infrastructure up to date and save its outputs again: {BRING_UP}, then "
    "pulumi -C infra/aws stack output --json"
)


def resource_name(prefix: str, model: str) -> str:
    """The name of a model's package group and endpoint: ``<prefix>-<model>``, hyphens for underscores.

    Raises:
        ProjectError: the model's name cannot become one.
    """
    name = f"{prefix}-{_hyphens(model)}"
    if len(name) > LONGEST or name.endswith("-"):
        raise ProjectError(
            f"the model's name '{model}' cannot be used on AWS",
            why=f"'{name}' names its resources: at most {LONGEST} characters, and the last is no '_'.",
            todo="Rename the folder of the model, or choose a shorter prefix for the stack.",
        )
    return name


def model_shell(prefix: str, model: str, *, guardrails: Iterable[str], pipelines: Iterable[str]) -> ModelShell:
    """What the infrastructure calls the resources of a model; the only place where these names are made.

    Args:
        prefix: the stack's.
        model: the model's name in the project.
        guardrails: of its rollout, each an alarm.
        pipelines: the project's pipelines by name, such as ``train``.

    Raises:
        ProjectError: the model's name cannot be used.
    """
    name = resource_name(prefix, model)
    return ModelShell(
        group=name,
        endpoint=name,
        alarms={guardrail: f"{name}-{_hyphens(guardrail)}" for guardrail in sorted(guardrails)},
        pipelines={pipeline: f"{name}-{_hyphens(pipeline)}" for pipeline in sorted(pipelines)},
    )


def _hyphens(name: str) -> str:
    return name.replace("_", "-")


@dataclass(frozen=True)
class Names:
    """The names of one model's resources: the stack's, and those that the engine makes of them."""

    model: str
    shell: ModelShell

    @classmethod
    def of(cls, stack: StackOutputs, model: str) -> Names:
        """The names in a stack.

        Raises:
            ProjectError: the stack has no such model.
        """
        shell = stack.models.get(model)
        if shell is None:
            raise ProjectError(
                f"the stack has no model '{model}'",
                why="Its model package group, alarms and permissions come from the infrastructure. "
                f"Models of the stack: {', '.join(sorted(stack.models)) or 'none'}.",
                todo=f"{_AGAIN}.",
            )
        return cls(model, shell)

    @property
    def group(self) -> str:
        """The model package group."""
        return self.shell.group

    @property
    def endpoint(self) -> str:
        """The endpoint that callers know."""
        return self.shell.endpoint

    def alarm(self, guardrail: str) -> str:
        """The alarm of a guardrail.

        Raises:
            ProjectError: the stack has none.
        """
        if guardrail not in self.shell.alarms:
            raise ProjectError(
                f"the stack has no alarm for the guardrail '{guardrail}' of model '{self.model}'",
                why="Nothing would bring a rollout back that breaks it. "
                f"Alarms of the stack: {', '.join(sorted(self.shell.alarms)) or 'none'}.",
                todo=f"{_AGAIN}.",
            )
        return self.shell.alarms[guardrail]

    def pipeline(self, name: str) -> str:
        """What one of the project's pipelines is called in the account.

        Raises:
            ProjectError: the stack does not know it.
        """
        if name not in self.shell.pipelines:
            raise ProjectError(
                f"the stack has no pipeline '{name}' of model '{self.model}'",
                why="Roles and event rules name the pipelines that there were when it was deployed: "
                f"{', '.join(sorted(self.shell.pipelines)) or 'none'}.",
                todo=f"{_AGAIN}.",
            )
        return self.shell.pipelines[name]

    def check(self, version: str) -> str:
        """The temporary endpoint on which a version proves itself."""
        return f"{self.endpoint}-check-v{version}"

    def is_check(self, name: str) -> bool:
        """Whether it is one of this endpoint's temporary ones."""
        return re.fullmatch(re.escape(self.endpoint) + r"-check-v\d+", name) is not None

    def version_of(self, config: str) -> int | None:
        """Which version a configuration of this endpoint, or of a temporary one, serves; None: it is none of these."""
        found = re.fullmatch(re.escape(self.endpoint) + r"(?:-check)?-v(\d+)-[0-9a-f]{10}", config)
        return None if found is None else int(found[1])

    def is_model(self, name: str) -> bool:
        """Whether it is one of this endpoint's models."""
        return re.fullmatch(re.escape(self.endpoint) + r"-[0-9a-f]{12}", name) is not None
