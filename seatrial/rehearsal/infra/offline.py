"""A stack of a project's Pulumi program on the offline AWS: where it would be, and what its program is told."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seatrial.errors import ProjectError
from seatrial.rehearsal.aws import OfflineAws
from seatrial.rehearsal.infra.deployment import Step
from seatrial.rehearsal.infra.lifecycle import Infra
from seatrial.rehearsal.infra.provider.aws import AwsProvider
from seatrial.rehearsal.infra.review import Review
from seatrial.rehearsal.infra.settings import ProgramSettings, read_settings

_PASSPHRASE = "PULUMI_CONFIG_PASSPHRASE"  # noqa: S105 a variable's name


def program_of(root: Path) -> Path:
    """The program of a project.

    Raises:
        ProjectError: it has none.
    """
    program = root / "infra" / "aws"
    if not (program / "Pulumi.yaml").is_file():
        raise ProjectError(
            f"the project has no infrastructure: {program / 'Pulumi.yaml'} is not there",
            why="Roles, buckets, groups and rules come from it, in the account as in a rehearsal.",
            todo="Take infra/ of Seatrial's own repository as a beginning.",
        )
    return program


def settings_of(program: Path, stack: str) -> ProgramSettings:
    """What a stack is given.

    Raises:
        UsageError: a file is missing, or wrong.
    """
    return read_settings(program.resolve(), stack, os.environ.get(_PASSPHRASE))


def region_of(settings: ProgramSettings) -> str:
    """Where the stack is.

    Raises:
        ProjectError: it does not say.
    """
    said = settings.of_package("aws").get("region")
    if not said:
        raise ProjectError(
            f"Pulumi.{settings.stack}.yaml does not say aws:region",
            why="The provider would take it from whoever runs it.",
            todo="Set it: pulumi config set aws:region eu-central-1.",
        )
    return str(said)


def stack_on(
    aws: OfflineAws,
    settings: ProgramSettings,
    program: Path,
    state: Path,
    *,
    config: Mapping[str, Any] | None = None,
    told: Callable[[Step], None] = lambda _: None,
    review: Review | None = None,
) -> tuple[Infra, AwsProvider]:
    """The stack, nothing of which exists yet, and the provider that applies it.

    Args:
        aws: the cloud.
        settings: of the stack.
        program: its folder.
        state: the folder that keeps the record.
        config: values instead of the stack's.
        told: hears of each step.
        review: sees each resource before it is applied.
    """
    region = region_of(settings)
    provider = AwsProvider(aws.client_settings(region))
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_", "SEATRIAL_"))}
    infra = Infra(
        program,
        settings.stack,
        provider,
        state,
        config=config,
        passphrase=os.environ.get(_PASSPHRASE),
        environment=own | aws.environment(region),  # of AWS the program knows the offline one alone
        told=told,
        review=review,
    )
    return infra, provider
