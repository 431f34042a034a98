"""A failing job is reported as failing, 25 times out of 25, whatever ended it and however many run beside it.

Docker-compatible clients over podman lose exit codes; nothing may do so here.
"""

from __future__ import annotations

from typing import Any

import pytest

TIMES = 25
AT_ONCE = 5
MADE = {
    "processing": "open('/opt/ml/processing/out/m', 'w').write('m')\n",
    "training": "open('/opt/ml/model/m', 'w').write('m')\n",
}
# code, and how the exit is reported: as a shell does, 128 and the signal's number for a program that a signal ended
ENDS = {
    "exit-1": ("raise SystemExit(1)", 1),
    "exit-3": ("raise SystemExit(3)", 3),
    "exit-137": ("raise SystemExit(137)", 137),
    "killed": ("import os; os.kill(os.getpid(), 9)", 137),
    "crashed": ("import os; os.kill(os.getpid(), 11)", 139),
}


def _create(bench: Any, kind: str, name: str, code: str) -> None:
    request = getattr(bench, f"{kind}_request")(name, code)
    getattr(bench.sagemaker, f"create_{kind}_job")(**request)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kind", ["processing", "training"])
def test_a_failing_job_fails_every_time(bench: Any, kind: str, end: str) -> None:
    """Five at once, five times over; each wrote its artifact first, so that only the exit code tells."""
    code, expected = ENDS[end]
    for batch in range(TIMES // AT_ONCE):
        names = [f"fails-{kind}-{end}-{batch}-{number}" for number in range(AT_ONCE)]
        for name in names:
            _create(bench, kind, name, MADE[kind] + code)
        said = [bench.ended(kind, name) for name in names]
        assert [each[f"{kind.capitalize()}JobStatus"] for each in said] == ["Failed"] * AT_ONCE
        assert all(each["FailureReason"].endswith(f"exit code: {expected}") for each in said), said


@pytest.mark.parametrize("kind", ["processing", "training"])
def test_the_same_job_without_its_failure_completes(bench: Any, kind: str) -> None:
    """Or else the test above would pass for the wrong reason; and one that leaves nothing behind is an error."""
    _create(bench, kind, f"works-{kind}", MADE[kind])
    _create(bench, kind, f"leaves-nothing-{kind}", "pass")
    assert bench.ended(kind, f"works-{kind}")[f"{kind.capitalize()}JobStatus"] == "Completed"
    said = bench.ended(kind, f"leaves-nothing-{kind}")
    assert said[f"{kind.capitalize()}JobStatus"] == "Failed"
    assert "is empty" in said["FailureReason"]
