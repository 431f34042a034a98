"""Names of resources in the account, from the stack's prefix and a model's name, and back."""

from __future__ import annotations

from seatrial.errors import ProjectError

LONGEST = 44
"""SageMaker takes 63 characters; what is left is for suffixes such as ``-check-12`` and a digest's first digits."""


def resource_name(prefix: str, model: str) -> str:
    """The name of a model's package group, endpoint and pipeline: ``<prefix>-<model>``, hyphens for underscores.

    Raises:
        ProjectError: the model's name cannot become one.
    """
    name = f"{prefix}-{model.replace('_', '-')}"
    if len(name) > LONGEST or name.endswith("-"):
        raise ProjectError(
            f"the model's name '{model}' cannot be used on AWS",
            why=f"'{name}' names its resources: at most {LONGEST} characters, and the last is no '_'.",
            todo="Rename the folder of the model, or choose a shorter prefix for the stack.",
        )
    return name


def model_of(prefix: str, name: str) -> str | None:
    """The model that a resource's name belongs to; None when it is not one of this stack's."""
    rest = name.removeprefix(f"{prefix}-")
    return None if rest == name or not rest else rest.replace("-", "_")
