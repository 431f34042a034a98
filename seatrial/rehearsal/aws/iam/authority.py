"""Who is who, what their role lets them do, and which of it they did."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from seatrial.rehearsal.aws.iam.conditions import Context, NotUnderstood
from seatrial.rehearsal.aws.iam.policy import Statement, parsed, trusts, verdict

_SERVICE_SESSION = "SageMaker"


class Denied(Exception):
    """A role's policies do not allow it; the text is AWS's."""


@dataclass(frozen=True)
class Need:
    """One action on one resource that a request takes."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class Session:
    """Somebody who has assumed a role."""

    role: str
    """The role's ARN."""
    name: str

    @property
    def arn(self) -> str:
        """As AWS names who asks."""
        parts = self.role.split(":", 5)
        return f"arn:{parts[1]}:sts::{parts[4]}:assumed-role/{parts[5].rpartition('/')[2]}/{self.name}"


class Authority:
    """Decides and counts. Safe to share between threads."""

    def __init__(self, account: str, *, every_role: bool = False) -> None:
        """``every_role``: a role without any policy may do nothing, as on AWS; otherwise it is held to nothing."""
        self._account = account
        self._every_role = every_role
        self._minted: dict[str, Session] = {}
        self._credentials: dict[Session, dict[str, str]] = {}
        self._used: Counter[tuple[str, str, str]] = Counter()
        self._denied: Counter[tuple[str, str, str]] = Counter()
        self._lock = threading.Lock()

    # sessions

    def service_session(self, role: str) -> Session:
        """SageMaker, or a job of it, as this role."""
        return Session(role, _SERVICE_SESSION)

    def credentials(self, session: Session) -> dict[str, str]:
        """Temporary credentials of a session, as environment variables; the same each time."""
        with self._lock:
            if session not in self._credentials:
                key = f"ASIA{secrets.token_hex(8).upper()}"
                self._minted[key] = session
                self._credentials[session] = {
                    "AWS_ACCESS_KEY_ID": key,
                    "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20),
                    "AWS_SESSION_TOKEN": secrets.token_hex(32),
                }
            return self._credentials[session]

    def session(self, access_key: str) -> Session | None:
        """Whose credentials these are; None: not a role's."""
        with self._lock:
            minted = self._minted.get(access_key)
        if minted is not None or not access_key.startswith("ASIA"):
            return minted
        from moto.sts.models import sts_backends

        for backend in sts_backends[self._account].values():
            found = backend.get_assumed_role_from_access_key(access_key)
            if found is not None:
                return Session(found.role_arn, found.session_name)
        return None

    # roles

    def role(self, arn: str) -> Any:
        """moto's record of a role; None when there is none."""
        from moto.iam.models import iam_backends

        backends = list(iam_backends[self._account].values())
        roles = [each for backend in backends for each in list(backend.roles.values())]  # others make roles meanwhile
        return next((each for each in roles if each.arn == arn), None)

    def enforced(self, arn: str) -> bool:
        """Whether a role is held to its policies: it has some, or every role is."""
        role = self.role(arn)
        return role is not None and (self._every_role or bool(role.policies or role.managed_policies))

    def _statements(self, arn: str) -> tuple[Statement, ...]:
        role = self.role(arn)
        inline = [str(each) for each in list(role.policies.values())]
        attached = [str(each.document) for each in list(role.managed_policies.values())]
        return tuple(statement for text in (*inline, *attached) for statement in parsed(text))

    def trusts_service(self, arn: str, service: str, source: str) -> bool:
        """Whether a service may act as a role on behalf of ``source``, a resource of this account."""
        role = self.role(arn)
        context = {"aws:SourceAccount": self._account, "aws:SourceArn": source}
        return role is not None and trusts(
            str(role.assume_role_policy_document), "Service", service, "sts:AssumeRole", context
        )

    def may_assume(self, arn: str, caller: str) -> bool:
        """Whether a role lets an identity of this account have its credentials."""
        role = self.role(arn)
        return role is not None and trusts(
            str(role.assume_role_policy_document), "AWS", caller, "sts:AssumeRole", {"aws:PrincipalArn": caller}
        )

    # decisions

    def require(self, session: Session, needs: Iterable[Need]) -> None:
        """Let a session do all of this, or nothing.

        Raises:
            Denied: its role does not allow all of it.
        """
        if not self.enforced(session.role):
            return
        needs = tuple(needs)
        try:
            statements = self._statements(session.role)
        except NotUnderstood as unknown:
            raise Denied(
                f"User: {session.arn} is not authorized to perform: {needs[0].action if needs else '?'} because the "
                f"rehearsal's IAM does not understand {unknown} in a policy of the role"
            ) from unknown
        refusals = []
        for need in needs:
            found = verdict(statements, need.action, need.resource, {"aws:PrincipalArn": session.role, **need.context})
            self._count(self._used if found.allowed else self._denied, session, need)
            if not found.allowed:
                why = (
                    "with an explicit deny in an identity-based policy"
                    if found.explicit
                    else f"because no identity-based policy allows the {need.action} action"
                )
                refusals.append(
                    f"User: {session.arn} is not authorized to perform: {need.action} on resource: {need.resource} "
                    f"{why}"
                )
        if refusals:
            raise Denied(refusals[0])

    def allows(self, session: Session, need: Need) -> bool:
        """The same as an answer, for what depends on a permission without asking for it."""
        if not self.enforced(session.role):
            return True
        allowed = verdict(
            self._statements(session.role),
            need.action,
            need.resource,
            {"aws:PrincipalArn": session.role, **need.context},
        ).allowed
        if allowed:
            self._count(self._used, session, need)
        return allowed

    def unknown(self, session: Session, operation: str) -> Denied:
        """What is told a session that asks for something whose permissions are not known here."""
        self._count(self._denied, session, Need(operation, "?"))
        return Denied(
            f"User: {session.arn} is not authorized to perform: {operation} because the rehearsal does not know which "
            "permissions it takes, and allows nothing that it cannot judge"
        )

    def _count(self, counter: Counter[tuple[str, str, str]], session: Session, need: Need) -> None:
        with self._lock:
            counter[session.role.rpartition("/")[2], need.action, need.resource] += 1

    def told(self) -> dict[str, list[dict[str, Any]]]:
        """What was used and what was denied so far, by role, action and resource."""
        with self._lock:
            return {"used": _listed(self._used), "denied": _listed(self._denied)}


def _listed(counter: Mapping[tuple[str, str, str], int]) -> list[dict[str, Any]]:
    return [
        {"role": role, "action": action, "resource": resource, "times": times}
        for (role, action, resource), times in sorted(counter.items())
    ]
