"""The target ``aws``: the registry, the endpoints and the runs of one stack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from seatrial.clouds.aws.endpoints import AwsEndpoints
from seatrial.clouds.aws.registry import AwsRegistry
from seatrial.clouds.aws.session import Aws, Request
from seatrial.clouds.aws.stack import StackOutputs, load_stack
from seatrial.clouds.aws.tracking import AwsTracking


@dataclass(frozen=True)
class AwsCloud:
    """Everything that the target offers."""

    stack: StackOutputs
    aws: Aws
    registry: AwsRegistry
    tracking: AwsTracking
    endpoints: AwsEndpoints


def connect(state: Path, stack: str | None = None, *, record: Callable[[Request], None] | None = None) -> AwsCloud:
    """The target, as a stack's outputs describe it.

    Args:
        state: the project's state folder: stacks are looked for in it, and packages kept.
        stack: the stack's name; None: the one that ``$SEATRIAL_STACK`` names, or the only one.
        record: when given, requests that change something are handed to it and not sent.

    Raises:
        ProjectError: there is no such stack, or its outputs are wrong.
    """
    outputs = load_stack(state, stack)
    aws = Aws(outputs.region, record=record, only_declared=True)
    registry = AwsRegistry(aws, outputs, state, _digest)
    endpoints = AwsEndpoints(aws, outputs, registry, registry.package_uri)
    return AwsCloud(outputs, aws, registry, AwsTracking(aws, outputs), endpoints)


def _digest(package: Path) -> str:
    from seatrial.package.read import Package

    return Package.open(package).digest
