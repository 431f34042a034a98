"""Compiles a plan to a SageMaker pipeline definition: a pure function, with the same bytes for the same document.

It opens no connection, reads no clock, environment or credentials, and iterates over nothing whose order is an
accident. What SageMaker cannot express is an error that names the job and what to do instead; nothing is left out
in silence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.clouds.aws import limits
from seatrial.clouds.aws.channels import Channels, channels_of, read_artifacts, read_values
from seatrial.clouds.aws.conditions import conditions_of
from seatrial.clouds.aws.context import Context
from seatrial.clouds.aws.jobsteps import Built, step_of
from seatrial.clouds.aws.parameters import ABSENT, Parameters
from seatrial.clouds.aws.settings import SageMakerSettings
from seatrial.document.jobs import Choice, Job, JobOutput, Node, Operand, Plan
from seatrial.document.model import Document
from seatrial.errors import DocumentError

Json = Any
Branch = tuple[tuple[str, bool], ...]
"""Choices around a job, outermost first, and which branch of each."""


@dataclass(frozen=True)
class Compiled:
    """A definition, and what has to lie in the bucket before it starts."""

    definition: dict[str, Json]
    files: Mapping[str, bytes]
    """Address below the artifact root -> content; the address is made of the content."""

    def text(self) -> str:
        """The definition as it is written and sent."""
        return json.dumps(self.definition, sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def definition(document: Document, plan: Plan, settings: SageMakerSettings) -> dict[str, Json]:
    """The pipeline definition alone; see `compiled`."""
    return compiled(document, plan, settings).definition


def compiled(document: Document, plan: Plan, settings: SageMakerSettings) -> Compiled:
    """A plan as a SageMaker pipeline.

    Args:
        document: what was planned; its root says which parameters the pipeline takes.
        plan: its jobs and choices.
        settings: what jobs need besides.

    Raises:
        DocumentError: SageMaker cannot express it.
    """
    return _Compiler(document, plan, settings).run()


class _Compiler:
    def __init__(self, document: Document, plan: Plan, settings: SageMakerSettings) -> None:
        self.plan = plan
        self.settings = settings
        self.branches = dict(_branches(plan.nodes, ()))
        self.check_order()
        channels = channels_of(plan)
        self.context = Context(
            settings=settings,
            parameters=Parameters(document, plan, settings),
            channels=channels,
            jobs={job.name: job for job in plan.jobs()},
            read_by_steps=frozenset((*_read_by_choices(plan.nodes), *_read_by_machineless(channels))),
        )
        self.names = {job.name for job in plan.jobs()}
        self.files: dict[str, bytes] = {}
        self.count = 0

    def run(self) -> Compiled:
        steps = self.nodes(self.plan.nodes)
        if self.count > self.settings.max_steps:
            raise DocumentError(
                f"pipeline '{self.plan.name}' has {self.count} steps",
                why=f"The account's quota is {self.settings.max_steps}.",
                todo="Let tasks share jobs (without --no-fuse), or raise the quota and max_steps with it.",
            )
        if not steps:
            raise DocumentError(
                f"pipeline '{self.plan.name}' has no job",
                why="SageMaker needs at least one step.",
                todo="Give it a task that runs a container.",
            )
        found = {
            "Version": limits.VERSION,
            "Metadata": {},
            "Parameters": self.context.parameters.declared(),
            "Steps": steps,
        }
        result = Compiled(found, dict(sorted(self.files.items())))
        size = len(result.text().encode())
        if size > limits.MAX_DEFINITION_BYTES:
            raise DocumentError(
                f"the definition of '{self.plan.name}' has {size:,} bytes",
                why=f"SageMaker takes {limits.MAX_DEFINITION_BYTES:,}.",
                todo="Let tasks share jobs, or split the pipeline.",
            )
        return result

    def check_order(self) -> None:
        """A step can read from or wait for steps that run whenever it does, and no others."""
        problems = []
        for job in self.plan.jobs():
            for name in sorted(job.upstream()):
                if self.branches[job.name][: len(self.branches[name])] != self.branches[name]:
                    choice = self.branches[name][-1][0]
                    problems.append(f"job '{job.name}' needs job '{name}', which choice '{choice}' may skip")
        if problems:
            raise DocumentError(
                "; ".join(problems),
                why="A SageMaker step cannot wait for a step that may be skipped, and branches do not meet again.",
                todo='Put the choice and the tasks behind it into one job with @component(job="..."), or compile'
                " without --no-fuse; on an image without Seatrial, pass --image.",
            )

    def nodes(self, nodes: tuple[Node, ...]) -> list[Json]:
        return [self.job(node) if isinstance(node, Job) else self.choice(node) for node in nodes]

    def job(self, job: Job) -> Json:
        self.count += 1
        built: Built = step_of(job, self.context)
        if built.key:
            self.files[built.key] = built.content
        step = dict(built.step)
        waits = sorted(set(job.after) - self.referenced(job))
        if waits:
            step["DependsOn"] = waits
        return step

    def referenced(self, job: Job) -> set[str]:
        """Jobs that a step waits for without being told, since it reads from them."""
        return {output.job for output in (*read_values(job), *read_artifacts(job))}

    def choice(self, choice: Choice) -> Json:
        self.count += 1
        name = self.unique(choice.name)
        step: dict[str, Json] = {
            "Name": name,
            "Type": "Condition",
            "Arguments": {
                "Conditions": conditions_of(choice, lambda operand: self.operand(choice, operand)),
                "IfSteps": self.nodes(choice.then),
                "ElseSteps": self.nodes(choice.otherwise),
            },
        }
        if name != choice.name:
            step["DisplayName"] = choice.name[:256]
        training = sorted(
            {
                operand.source.job
                for operand in choice.operands.values()
                if isinstance(operand.source, JobOutput) and self.context.jobs[operand.source.job].kind == "training"
            }
        )
        if training:  # a file that is read by its address orders nothing by itself
            step["DependsOn"] = training
        return step

    def operand(self, choice: Choice, operand: Operand) -> Json:
        source = operand.source
        if isinstance(source, JobOutput):
            return self.context.scalar(source, operand.path or ())
        wrong = ""
        if operand.path is not None:
            wrong = f"the part {list(operand.path)} of pipeline parameter '{source.name}'"
        elif operand.type != "STRING" and self.context.parameters.type(source.name) == "String":
            wrong = f"pipeline parameter '{source.name}', which may be left out (then it is the text '{ABSENT}')"
        if wrong:
            raise DocumentError(
                f"choice '{choice.name}' reads {wrong}",
                why="SageMaker compares a parameter as a whole and knows no null.",
                todo="Give the parameter a scalar type and a default, or let a task compute what is compared.",
            )
        return {"Get": f"Parameters.{source.name}"}

    def unique(self, name: str) -> str:
        """A step name for a choice."""
        plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:56] or "choice"
        candidate, number = plain, 2
        while candidate in self.names:
            candidate, number = f"{plain}-{number}", number + 1
        self.names.add(candidate)
        return candidate


def _branches(nodes: tuple[Node, ...], around: Branch) -> Iterator[tuple[str, Branch]]:
    for node in nodes:
        if isinstance(node, Job):
            yield node.name, around
        else:
            yield from _branches(node.then, (*around, (node.name, True)))
            yield from _branches(node.otherwise, (*around, (node.name, False)))


def _read_by_choices(nodes: tuple[Node, ...]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, Choice):
            for operand in node.operands.values():
                if isinstance(operand.source, JobOutput):
                    yield operand.source.job
            yield from _read_by_choices(node.then)
            yield from _read_by_choices(node.otherwise)


def _read_by_machineless(channels: Channels) -> Iterator[str]:
    for made in channels.made.values():
        if made.own is not None:
            yield from (output.job for output in read_values(made.job))
