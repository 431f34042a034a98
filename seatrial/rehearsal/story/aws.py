"""A model's whole life cycle on the offline AWS, through the adapters that `seatrial launch` uses on the real one.

The first version is a model of one candidate. The second, of all candidates, has to beat it; it is released on a build
of the image whose server has a bug, rolled back by an alarm on live traffic, and released again on the mended build.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from seatrial.clouds.aws.cloud import AwsCloud, connected
from seatrial.clouds.aws.names import resource_name
from seatrial.clouds.aws.stack import StackOutputs
from seatrial.clouds.base import Execution, PipelineRun, Prepared, StepState, Version
from seatrial.errors import EndpointError, RehearsalError
from seatrial.package.read import Package
from seatrial.project import Model, Project
from seatrial.rehearsal.aws import OfflineAws
from seatrial.rehearsal.story.account import Account
from seatrial.rehearsal.story.load import Ask, Expected, Load, Refused
from seatrial.rehearsal.story.timeline import Timeline

Json = Any
ACCOUNT = "123456789012"
PREFIX = "rehearsal"
ROWS = 64
"""Rows of the golden sample that callers ask for, in turn."""
ENOUGH = 300
"""Requests in a phase before the story goes on."""


@dataclass(frozen=True)
class Builds:
    """Two builds of the image, by digest."""

    sound: str
    broken: str


class AwsStory:
    """One rehearsal. Each method is a stage; ``tell`` runs them in order."""

    def __init__(self, opened: Project, model: Model, first: str, aws: OfflineAws, builds: Builds, line: Timeline) -> None:
        """``first`` names the candidate that becomes the first version."""
        self._opened, self._model, self._first = opened, model, first
        self._aws, self._builds, self._line = aws, builds, line
        self._account = Account(aws.client_settings(), account=ACCOUNT, prefix=PREFIX)
        self._stack: StackOutputs
        self._cloud: AwsCloud
        self.load = Load(self._caller, self._rows, callers=8)

    def tell(self) -> None:
        """Everything, in order.

        Raises:
            RehearsalError: something that must hold did not.
            SeatrialError: a part of the machinery failed.
        """
        stages = (
            ("account", self._furnish),
            ("train", self._train_first),
            ("release", self._release_first),
            ("retrain", self._train_second),
            ("sabotage", self._release_on_a_broken_build),
            ("canary", self._release_on_the_mended_build),
            ("clean-up", self._clear),
        )
        with self.load:
            for name, stage in stages:
                with self._line.stage(name):
                    stage()
