"""Who looks at resources before they are applied, and at the stack when all are known.

Owns the order in which the static proof and the policy pack are asked; what they say is theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from seatrial.errors import RehearsalError
from seatrial.rehearsal.infra.analyzer import Analyzer, Violation, stop_at
from seatrial.rehearsal.infra.proof import Finding, prove
from seatrial.rehearsal.infra.registered import registered
from seatrial.rehearsal.infra.state import Resource


class Review(Protocol):
    """Raises where the operation has to stop. Called from several threads."""

    def resource(self, resource: Resource) -> None:
        """A resource as it is about to be applied, or recorded where nothing is applied."""
        ...

    def stack(self, resources: Iterable[Resource]) -> None:
        """All of them, once the program has ended."""
        ...


class Unproven(RehearsalError):
    """The static proof has found something."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        """``findings``: at least one."""
        super().__init__(
            f"The program is wrong: {'; '.join(map(str, findings))}",
            why="The provider or AWS would refuse it, or IAM would deny what it is to allow.",
            todo="Correct it in the program. Names and types are pulumi_aws's, values botocore's, actions cfn-lint's.",
        )


class Checks:
    """The static proof of each resource, then the policy pack."""

    def __init__(self, pack: Analyzer) -> None:
        """``pack``: see `analyzer.analyzing`."""
        self._pack = pack
        self.policies = tuple(pack.policies)
        self.advice: list[Violation] = []
        """What advisory policies said, in order."""

    def resource(self, resource: Resource) -> None:
        """See `Review.resource`.

        Raises:
            Unproven: it is wrong.
            PolicyViolated: a mandatory policy forbids it.
        """
        asked = registered(resource)
        if findings := prove([asked]):
            raise Unproven(findings)
        self.advice += stop_at(self._pack.resource(asked))

    def stack(self, resources: Iterable[Resource]) -> None:
        """See `Review.stack`.

        Raises:
            PolicyViolated: a mandatory policy forbids it.
        """
        self.advice += stop_at(self._pack.stack(registered(each) for each in resources if not each.is_default_provider))
