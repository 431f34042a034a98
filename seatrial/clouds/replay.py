"""Asks a server for its package's golden sample and compares: the same question wherever the server is."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from seatrial.clouds.base import Replayed
from seatrial.errors import EndpointError
from seatrial.project import Endpoint

Json = Any
_BATCH = 256
_ENVELOPE = len('{"instances": []}')


def replay(who: str, package: Path, digest: str, settings: Endpoint, ask: Callable[[bytes], Json]) -> Replayed:
    """Replay a package's golden sample.

    Args:
        who: what is asked, for messages.
        package: the package's folder.
        digest: of the package that has to answer.
        settings: what the server accepts in one request.
        ask: sends one request's body and returns the answer; OSError and ValueError say why there is none.

    Raises:
        EndpointError: an answer differs, comes from another package, or there is none.
        PackageError: the package is no longer the one that was deployed.
    """
    from seatrial.package.read import Package

    golden = Package.open(package, digest=digest).golden
    answers: list[float] = []
    try:
        for body in _bodies(golden.rows, settings):
            told = ask(body)
            if told["model"]["digest"] != digest:
                raise ValueError(f"v{told['model']['version']} answered, the package {told['model']['digest'][:12]}")
            answers += told["predictions"]
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException) as exc:
        raise EndpointError(
            f"{who} did not answer its golden sample: {exc}",
            why="The sample is made of rows that callers could send.",
            todo="Read the server's log; `seatrial endpoint list` says where it is.",
        ) from exc
    compared = golden.compare(answers)
    if not compared.passed:
        raise EndpointError(
            f"{who} answers {compared.rows - compared.equal} of {compared.rows} golden rows wrong",
            why=f"The largest difference is {compared.max_abs:.3g}: this is not the model that was judged.",
            todo="Nothing was switched to it. Build the package again, and compare the machines' onnxruntime versions.",
        )
    return Replayed(rows=compared.rows, largest_difference=compared.max_abs)


def _bodies(rows: Sequence[Json], settings: Endpoint) -> Iterator[bytes]:
    """Requests that hold all rows, each within the server's limits."""
    texts: list[str] = []
    size = 0
    for text in map(json.dumps, rows):
        full = len(texts) == min(_BATCH, settings.max_rows)
        if texts and (full or size + len(text) + 2 > settings.max_body_bytes - _ENVELOPE):
            yield _body(texts)
            texts, size = [], 0
        texts.append(text)
        size += len(text) + 2
    if texts:
        yield _body(texts)


def _body(texts: Sequence[str]) -> bytes:
    return f'{{"instances": [{", ".join(texts)}]}}'.encode()


def require_serving(name: str, serving: str | None, wanted: str) -> None:
    """Refuse to go on about a version that does not serve (any more).

    Raises:
        EndpointError: another version serves, or none.
    """
    if serving != wanted:
        raise EndpointError(
            f"endpoint '{name}' serves {'nothing' if serving is None else f'v{serving}'}, not v{wanted}",
            why="Another deployment took its place, or somebody put back what served before. Nothing was changed.",
            todo="See what serves: seatrial endpoint list",
        )
