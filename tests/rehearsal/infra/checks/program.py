"""A valid program to seed mistakes into: the production stack's registrations, and small changes of them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from seatrial.rehearsal.infra.registered import Registration

TAGS = {"project": "p", "stack": "prod", "owner": "o", "cost-centre": "c", "managed-by": "pulumi"}


class Program:
    """Registrations that may be changed; types without ``aws:`` and without the part that says the same twice."""

    def __init__(self, registrations: Iterable[Registration]) -> None:
        self.all = [replace(each, inputs=copy.deepcopy(dict(each.inputs))) for each in registrations]

    def find(self, kind: str, name: str) -> int:
        (found,) = [
            at for at, each in enumerate(self.all) if each.type.rpartition(":")[2] == kind and each.name == name
        ]
        return found

    def change(self, kind: str, name: str, /, **properties: Any) -> None:
        """Set properties; ``None`` takes one away."""
        at = self.find(kind, name)
        inputs = {**self.all[at].inputs, **properties}
        self.all[at] = replace(self.all[at], inputs={key: each for key, each in inputs.items() if each is not None})

    def drop(self, kind: str, name: str) -> None:
        del self.all[self.find(kind, name)]

    def unprotect(self, kind: str, name: str) -> None:
        at = self.find(kind, name)
        self.all[at] = replace(self.all[at], protect=False)

    def add(self, type: str, name: str, /, *, protect: bool = False, **inputs: Any) -> None:
        """``type``: such as ``sqs/queue:Queue``."""
        token = f"aws:{type}"
        self.all.append(
            Registration(f"urn:pulumi:prod::seatrial-aws::{token}::{name}", token, name, inputs, protect=protect)
        )

    def statement(self, kind: str, name: str, sid: str, property: str = "policy", **elements: Any) -> None:
        """Set elements of a statement of a policy document; ``None`` takes one away."""
        document = json.loads(self.all[self.find(kind, name)].inputs[property])
        (statement,) = [each for each in document["Statement"] if each["Sid"] == sid]
        statement.update(elements)
        for element in [each for each, value in statement.items() if value is None]:
            del statement[element]
        self.change(kind, name, **{property: json.dumps(document)})

    def grant(self, **statement: Any) -> None:
        """A role's policy with one more statement."""
        document = {"Version": "2012-10-17", "Statement": [{"Sid": "Seeded", "Effect": "Allow", **statement}]}
        self.add("iam/rolePolicy:RolePolicy", "seeded", role="r", policy=json.dumps(document))

    def trust(self, **statement: Any) -> None:
        """A role with this trust."""
        document = {"Version": "2012-10-17", "Statement": [{"Sid": "Seeded", "Effect": "Allow", **statement}]}
        self.add("iam/role:Role", "seeded", tags=TAGS, assumeRolePolicy=json.dumps(document))
