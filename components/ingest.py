"""Source tables to one dataset table."""

from __future__ import annotations

from dataclasses import dataclass

from seatrial import project
from seatrial.component import Dataset, Output, component, reads, say


@dataclass(frozen=True)
class IngestResult:
    """What came out."""

    rows: int
    left_out: int


@component(job="train", role="data")
def ingest(model: str, raw: Output[Dataset], limit_rows: int = 0) -> IngestResult:
    """Join the model's sources with its ``dataset.sql``; rows that are left out are counted by reason.

    ``limit_rows`` above 0 keeps only so many rows, spread over time, for a quick trial.
    """
    from seatrial.data.ingest import ingest as join
    from seatrial.data.sources import resolve

    opened = project.load()
    settings = opened.model(model)
    sources = resolve(settings, opened.root)
    for path in sources.values():
        reads(path)
    reads(settings.folder / "dataset.sql")
    done = join(settings, sources, raw.path, limit_rows=limit_rows or None)
    raw.metadata.update(done.to_dict(), trial=limit_rows > 0)
    say("\n".join(line for line in (done.summary(), done.left_out_summary()) if line))
    return IngestResult(rows=done.rows, left_out=sum(done.left_out.values()))
