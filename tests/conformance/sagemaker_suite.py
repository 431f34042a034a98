"""Compiles KFP's own test pipelines for SageMaker, and says of each: valid, refused, wrong or crashed.

Usage: python tests/conformance/sagemaker_suite.py FOLDER [--verbose]

FOLDER is ``test_data/sdk_compiled_pipelines/valid`` of a checkout of kubeflow/pipelines. Each pipeline is compiled
four times: fused and with a job for each task, on its own images and on one image that holds
Seatrial. *valid*: every request and
reference holds against botocore. *wrong*: a definition was written that is not valid, or that differs when it is
compiled again. Exit code 1 when anything is wrong or crashed.
"""

from __future__ import annotations

import argparse
import collections
import sys
import traceback
from pathlib import Path

from seatrial.clouds.aws.check import check
from seatrial.clouds.aws.pipeline import compiled
from seatrial.clouds.aws.settings import SageMakerSettings
from seatrial.document import Document, read
from seatrial.document.plan import plan
from seatrial.errors import DocumentError

WAYS: dict[str, tuple[bool, str | None]] = {
    "fused": (True, None),
    "unfused": (False, None),
    "fused, one image": (True, "seatrial"),
    "unfused, one image": (False, "seatrial"),
}
SETTINGS = SageMakerSettings(max_steps=200)


def judge(document: Document, fuse: bool, image: str | None) -> tuple[str, str]:
    """(verdict, why)."""
    try:
        first = compiled(document, plan(document, fuse=fuse, image=image), SETTINGS)
        again = compiled(document, plan(document, fuse=fuse, image=image), SETTINGS)
    except DocumentError as exc:
        return "refused", exc.what.replace("\n", " ")
    except Exception:
        return "crash", traceback.format_exc(limit=-3).replace("\n", " | ")
    if first != again:
        return "wrong", "compiled twice, the definitions differ"
    problems = check(first.definition).problems
    return ("wrong", "; ".join(problems)[:400]) if problems else ("valid", "")


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--verbose", action="store_true", help="also list what is refused")
    given = parser.parse_args()
    counts: dict[str, collections.Counter[str]] = {way: collections.Counter() for way in WAYS}
    files = sorted(given.folder.rglob("*.yaml"))
    for path in files:
        name = str(path.relative_to(given.folder))
        try:
            document = read(path)
        except DocumentError as exc:
            for way in WAYS:
                counts[way]["refused"] += 1
            if given.verbose:
                print(f"{name:<70} all      refused  {exc.what.splitlines()[0][:160]}")
            continue
        for way, (fuse, image) in WAYS.items():
            verdict, why = judge(document, fuse, image)
            counts[way][verdict] += 1
            if verdict in ("wrong", "crash") or (given.verbose and verdict == "refused"):
                print(f"{name:<70} {way:<18} {verdict:<8} {why[:300]}")
    print(f"\n{len(files)} pipelines      {'valid':>8}{'refused':>9}{'wrong':>7}{'crash':>7}")
    for way, found in counts.items():
        print(f"  {way:<18} {found['valid']:>8}{found['refused']:>9}{found['wrong']:>7}{found['crash']:>7}")
    return 1 if any(found["wrong"] or found["crash"] for found in counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
