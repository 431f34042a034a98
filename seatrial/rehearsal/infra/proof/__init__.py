"""The static proof: what can be known to be wrong with a program's resources without a cloud, real or offline.

Three sources, none of them written here: the provider's Python package (names and types), botocore (enumerations,
patterns, lengths), cfn-lint (which IAM actions there are, and on what). The fourth, types of the program's own code, is
basedpyright's in `make lint`. It does not prove what only the service decides: quotas, who owns a name, what exists.
"""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.rehearsal.infra.proof import constraints, permissions, schema
from seatrial.rehearsal.infra.proof.finding import Finding
from seatrial.rehearsal.infra.registered import Registration

__all__ = ["Finding", "prove"]


def prove(registrations: Iterable[Registration]) -> list[Finding]:
    """Everything that is wrong, in the order of the program.

    Raises:
        MissingExtra: pulumi-aws, botocore or cfn-lint is not installed.
    """
    checks = (schema.check, constraints.check, permissions.check)
    return [finding for each in registrations for check in checks for finding in check(each)]
