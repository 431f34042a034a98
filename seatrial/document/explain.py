"""A plan in words: which tasks share which job, and what that saves in starts."""

from __future__ import annotations

from collections.abc import Sequence

from seatrial.document.jobs import Choice, Job, JobResources, Node, Plan

START_MINUTES = 5.0
"""Minutes before a cold job runs its program: the lower end of the 5-15 that ZenML's documentation gives for SageMaker;
a processing job that works for 30 s takes 8 min 17 s (aws/sagemaker-python-sdk #4358)."""


def explain(plan: Plan, unfused: Plan, *, minutes: float = START_MINUTES) -> str:
    """Tasks, jobs, critical path, artifacts moved and start-up time, before and after.

    Args:
        plan: what will run.
        unfused: the same document, a job for each task.
        minutes: assumed for the start of one cold job.

    Returns: lines of text, without a final newline.
    """
    now, before = plan.figures, unfused.figures
    was = max(before.task_chain, before.job_chain)
    saved = (was - now.job_chain) * minutes
    told = f": about {saved:.0f} min of start-up saved per run" if saved > 0 else ""
    lines = [
        f"{_count(now.tasks, 'task')} → {_count(now.jobs, 'job')}; critical path {_count(now.job_chain, 'job')}"
        f" (was {was}){told}",
    ]
    rows = _rows(plan.nodes, 0)
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for row in rows:
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    lines.append(
        f"start-up: {now.job_chain} × {minutes:g} min one after the other, {now.jobs} jobs in all;"
        f" a job for each task: {was} × {minutes:g} min, {before.jobs} jobs"
        + (f", and one more for each item of {_count(before.loops, 'loop')}" if before.loops else "")
    )
    lines.append(f"artifacts moved between jobs: {now.moved} (a job for each task: {before.moved})")
    lines.append(f"assumed: a cold job starts in {minutes:g} min (seen: 5 to 15)")
    return "\n".join(lines)


def _rows(nodes: Sequence[Node], depth: int) -> list[tuple[str, str, str]]:
    found = []
    for node in nodes:
        if isinstance(node, Job):
            found.append(("  " * depth + node.name, _tasks(node), _machine(node)))
        else:
            found += _choice(node, depth)
    return found


def _choice(node: Choice, depth: int) -> list[tuple[str, str, str]]:
    found = [("  " * depth + f"if {node.name}", "", ""), *_rows(node.then, depth + 1)]
    if node.otherwise:
        found += [("  " * depth + "else", "", ""), *_rows(node.otherwise, depth + 1)]
    return found


def _tasks(job: Job) -> str:
    """``a → b | c → d``: one after the other, or side by side; a loop's body is marked."""
    columns = []
    for column in job.columns:
        names = [_name(job, path) for path in column]
        columns.append(" | ".join(f"{n} × {names.count(n)}" if names.count(n) > 1 else n for n in dict.fromkeys(names)))
    return " → ".join(columns)


def _name(job: Job, path: str) -> str:
    looped = any(part.startswith("for-loop") and "[" not in part for part in path.split("."))
    return job.display.get(path, path) + (" *" if looped else "")


def _machine(job: Job) -> str:
    resources: JobResources = job.resources
    parts = [f"{resources.cpu:g} cpu"]
    if resources.memory_gb is not None:
        parts.append(f"{resources.memory_gb:g} GB")
    if resources.accelerators:
        parts.append(f"{resources.accelerators} × {resources.accelerator}")
    if job.kind != "processing":
        parts.append(job.kind)
    if job.training is not None and job.training.spot:
        parts.append("spot")
    return ", ".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
