"""Which tasks share which job: `plan` turns a document into jobs, without input or output."""

from __future__ import annotations

from collections.abc import Collection

from seatrial.document.jobs import (
    Choice,
    FirstOf,
    Figures,
    Gathered,
    Job,
    JobOutput,
    JobParameter,
    JobResources,
    Node,
    Operand,
    PipelineParameter,
    Plan,
    TrainingOptions,
)
from seatrial.document.model import Document

__all__ = [
    "Choice",
    "Figures",
    "FirstOf",
    "Gathered",
    "Job",
    "JobOutput",
    "JobParameter",
    "JobResources",
    "Node",
    "Operand",
    "PipelineParameter",
    "Plan",
    "TrainingOptions",
    "plan",
]


def plan(document: Document, *, fuse: bool = True, own: Collection[str] = (), image: str | None = None) -> Plan:
    """Divide a document into jobs. Pure and deterministic.

    Args:
        document: the whole pipeline.
        fuse: ``False``: one job per task, wherever a target can express that.
        own: images that hold Seatrial, beyond those that run ``python -m seatrial.component`` anyway.
        image: run every task of a foreign image on this one instead, which holds Seatrial and what the tasks need.

    Raises:
        DocumentError: a construct cannot be divided, and what to do instead.
    """
    raise NotImplementedError
