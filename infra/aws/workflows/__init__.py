"""What the workflows that deploy this program may do: one row per kind of resource, written by hand and on purpose.

The roles of jobs are derived from pipelines; these roles need what the program's own resource types need, and a table
per type is what a reviewer can hold against the list of types. No action is a wildcard. Where a resource is ``*``, the
row says why.
"""

from __future__ import annotations

from collections.abc import Iterator

from infra.aws.documents import Statement
from infra.aws.scope import Scope
from infra.aws.workflows.identities import identities
from infra.aws.workflows.machines import machines, networks
from infra.aws.workflows.row import Row
from infra.aws.workflows.signals import signals
from infra.aws.workflows.stores import state, stores

__all__ = ["Row", "rows", "statements"]


def rows(scope: Scope) -> tuple[Row, ...]:
    """All rows of a stack."""
    parts = (stores, identities, signals, machines, networks, state)
    return tuple(row for part in parts for row in part(scope))


def statements(scope: Scope, *, writes: bool) -> Iterator[Statement]:
    """The statements of a policy; ``writes``: of the workflow that deploys, not of the one that only looks."""
    for row in rows(scope):
        found = row.statement(writes=writes)
        if found is not None:
            yield found
