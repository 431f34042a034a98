"""Runs the program's process against the services, and says how it ended."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

from seatrial.errors import RehearsalError, SeatrialError
from seatrial.rehearsal.infra.deployment import Deployment
from seatrial.rehearsal.infra.monitor import ORGANIZATION, Server

_PARALLEL = 128
"""Registrations that a program may have under way. At preview one at a time: so they come in the program's order."""
_LONGEST_S = 300
_TOLD = 2000
"""Characters of what a program printed that are worth telling."""


def run_program(deployment: Deployment, environment: Mapping[str, str]) -> None:
    """Run the program, unmodified, in a process of its own; what it registers is applied meanwhile.

    Problems are added to the deployment's; afterwards nothing is being applied any more.
    """
    settings = deployment.settings
    with Server(deployment) as server:
        arguments = [
            *(sys.executable, "-m", "seatrial.rehearsal.infra.host"),
            *("--monitor", server.address, "--engine", server.address),
            *("--project", settings.project, "--stack", settings.stack, "--organization", ORGANIZATION),
            *("--parallel", str(1 if deployment.dry_run else _PARALLEL)),
            *(("--dry-run",) if deployment.dry_run else ()),
            str(settings.entry),
        ]
        variables = {
            **environment,
            "PULUMI_CONFIG": json.dumps(settings.texts),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(settings.secret_keys),
        }
        try:
            ended = subprocess.run(
                arguments,
                cwd=settings.folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_LONGEST_S,
                check=False,
            )
            code, printed = ended.returncode, ended.stderr
        except subprocess.TimeoutExpired as late:
            code, printed = -1, f"it ran for more than {_LONGEST_S} s: {late}"
    if (server.engine.errors or code) and not deployment.problems:  # what was refused, the program only echoes
        deployment.fail(_failed(code, server.engine.errors, printed))


def _failed(code: int, errors: list[str], printed: str) -> SeatrialError:
    said = errors[0] if errors else printed[-_TOLD:] or f"it ended with {code}"
    lines = [line for line in said.strip().splitlines() if line.strip()]
    return RehearsalError(
        f"the program failed: {lines[-1].strip() if lines else said}",
        why="\n".join(lines[-12:-1]) or "It says no more.",
        todo="Correct the program or its settings; pulumi preview would say the same.",
    )
