"""What each SageMaker operation is worth here, computed from the code that answers it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

import botocore.session
from botocore import xform_name

_Method = TypeVar("_Method", bound=Callable[..., Any])


class Worth(StrEnum):
    """How far an operation's answer can be trusted."""

    EXECUTED = "executed"
    STORED = "stored"
    UNSUPPORTED = "unsupported"


def executed(method: _Method) -> _Method:
    """Mark a method that does what its operation promises, or reports on what was really done."""
    method.__dict__["worth"] = Worth.EXECUTED
    return method


# moto answers these as if the work had been done (jobs Completed, notebooks InService, clusters running) and does
# nothing. A made-up success is worse than none, so they are refused together with what would report on them.
MADE_UP_FAMILIES = (
    "auto_ml_job",
    "cluster",
    "compilation_job",
    "domain",
    "endpoint",
    "hyper_parameter_tuning_job",
    "notebook_instance",
)
_ONLY_STORED = ("endpoint_config", "notebook_instance_lifecycle_config")


def worth(responder: type, action: str) -> Worth:
    """The worth of an operation, named as a method (``create_processing_job``), on the class that answers it."""
    method = getattr(responder, action, None)
    if method is None or action.startswith("_"):
        return Worth.UNSUPPORTED
    if getattr(method, "worth", None) is Worth.EXECUTED:
        return Worth.EXECUTED
    if any(family in action for family in MADE_UP_FAMILIES) and not any(kept in action for kept in _ONLY_STORED):
        return Worth.UNSUPPORTED
    return Worth.STORED


@functools.cache
def operation_names() -> tuple[str, ...]:
    """Every operation of botocore's SageMaker model, sorted."""
    model = botocore.session.get_session().get_service_model("sagemaker")
    return tuple(sorted(model.operation_names))


def operations_table(responder: type) -> str:
    """The table of `docs/rehearsal.md`, in Markdown: executed and stored by name, unsupported by count and name."""
    by_worth: dict[Worth, list[str]] = {each: [] for each in Worth}
    for name in operation_names():
        by_worth[worth(responder, xform_name(name))].append(name)
    total = len(operation_names())
    lines = [
        f"Of botocore's {total} SageMaker operations:",
        "",
        "| worth | operations | which |",
        "| --- | ---: | --- |",
    ]
    for each, names in by_worth.items():
        lines.append(f"| {each} | {len(names)} | {', '.join(names)} |")
    return "\n".join(lines) + "\n"
