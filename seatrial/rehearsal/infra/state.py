"""What a stack is made of, as the engine recorded it: resources in the order of their making, secrets encrypted.

The file has the layout of ``pulumi stack export``, deployment version 3.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seatrial.errors import RehearsalError
from seatrial.rehearsal.infra.crypter import Crypter
from seatrial.rehearsal.infra.provider.base import SIGNATURE, Props
from seatrial.rehearsal.infra.values import SECRET, has_secret, is_secret

STACK = "pulumi:pulumi:Stack"
PROVIDER = "pulumi:providers:"


@dataclass(frozen=True)
class Resource:
    """One resource of a stack."""

    urn: str
    type: str
    custom: bool
    id: str = ""
    inputs: Props = field(default_factory=dict)
    """As checked, secrets marked."""
    outputs: Props = field(default_factory=dict)
    parent: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    provider: str = ""
    """URN and id of the provider: ``urn::id``."""
    protect: bool = False
    retain_on_delete: bool = False
    deleted_with: str = ""
    external: bool = False
    """Read by the program, owned by somebody else."""
    aliases: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    init_errors: tuple[str, ...] = ()
    """Why it is unfinished: the next update makes it anew."""
    delete: bool = False
    """Replaced; to be deleted."""
    pending_replacement: bool = False
    """Deleted so that its replacement can be made, which has not come yet: it is not in the cloud."""

    @property
    def name(self) -> str:
        """Its name in the program."""
        return self.urn.split("::")[-1]

    @property
    def applied(self) -> bool:
        """Whether it is a provider's, made by this stack, and in the cloud."""
        mine = self.custom and not self.external and not self.pending_replacement
        return mine and not self.type.startswith("pulumi:")

    @property
    def is_default_provider(self) -> bool:
        """Whether the engine made it, and no program."""
        return self.type.startswith(PROVIDER) and self.name.startswith("default")

    @property
    def needs(self) -> frozenset[str]:
        """URNs of what must be there as long as this is."""
        of_properties = (urn for urns in self.property_dependencies.values() for urn in urns)
        provider = self.provider.rpartition("::")[0]
        return frozenset({self.parent, provider, *self.dependencies, *of_properties}) - {""}

    def renamed(self, names: Mapping[str, str]) -> Resource:
        """With other resources under the names that they have now."""
        if not self.needs & set(names) and self.deleted_with not in names:
            return self
        provider, _, id = self.provider.rpartition("::")
        return replace(
            self,
            parent=names.get(self.parent, self.parent),
            provider=f"{names.get(provider, provider)}::{id}" if provider else "",
            deleted_with=names.get(self.deleted_with, self.deleted_with),
            dependencies=tuple(names.get(urn, urn) for urn in self.dependencies),
            property_dependencies={
                key: tuple(names.get(urn, urn) for urn in urns) for key, urns in self.property_dependencies.items()
            },
        )

    def without(self, gone: frozenset[str]) -> Resource:
        """Depending on nothing of ``gone`` any more."""
        return replace(
            self,
            dependencies=tuple(urn for urn in self.dependencies if urn not in gone),
            property_dependencies={
                key: tuple(urn for urn in urns if urn not in gone) for key, urns in self.property_dependencies.items()
            },
            deleted_with="" if self.deleted_with in gone else self.deleted_with,
        )


# field of the file -> field here, where the names differ
_NAMES = {
    "propertyDependencies": "property_dependencies",
    "retainOnDelete": "retain_on_delete",
    "deletedWith": "deleted_with",
    "additionalSecretOutputs": "additional_secret_outputs",
    "initErrors": "init_errors",
    "pendingReplacement": "pending_replacement",
}
_TUPLES = ("dependencies", "aliases", "additional_secret_outputs", "init_errors")


class StateFile:
    """The record of one stack."""

    def __init__(self, path: Path, passphrase: str) -> None:
        """``path`` need not exist: a stack without resources has no file."""
        self.path = path
        self._passphrase = passphrase
        self._crypter: Crypter | None = None

    @classmethod
    def of(cls, folder: Path, project: str, stack: str, passphrase: str) -> StateFile:
        """Where a stack's record lies below ``folder``."""
        return cls(folder / "stacks" / project / f"{stack}.json", passphrase)

    def beside(self, project: str, stack: str) -> StateFile:
        """Another stack's record, in the same place."""
        return StateFile.of(self.path.parents[2], project, stack, self._passphrase)

    def load(self) -> tuple[Resource, ...]:
        """The resources, each after what it needs.

        Raises:
            RehearsalError: the file is not a state, or not a whole one.
            UsageError: the passphrase is another.
        """
        if not self.path.exists():
            return ()
        try:
            written = json.loads(self.path.read_text(encoding="utf-8"))
            deployment = written["deployment"]
            if written["version"] != 3:
                raise ValueError
            salt = deployment.get("secrets_providers", {}).get("state", {}).get("salt")
            records = deployment["resources"]
        except (ValueError, KeyError, TypeError) as exc:
            raise _broken(self.path, "It is not a deployment of version 3.") from exc
        if salt is not None:
            self._crypter = Crypter.of(self._passphrase, salt)
        resources = tuple(self._read(each) for each in records)
        _check(resources, self.path)
        return resources

    def save(self, resources: Iterable[Resource]) -> None:
        """Replace the record, at once or not at all."""
        kept = tuple(resources)
        _check(kept, self.path)
        if self._crypter is None and any(has_secret([each.inputs, each.outputs]) for each in kept):
            self._crypter = Crypter.new(self._passphrase)  # costs a second
        deployment: dict[str, Any] = {
            "manifest": {"time": dt.datetime.now(dt.UTC).isoformat(), "magic": "", "version": "seatrial"},
            "resources": [self._written(each) for each in kept],
        }
        if self._crypter is not None:
            deployment["secrets_providers"] = {"type": "passphrase", "state": {"salt": self._crypter.state}}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".new")
        with beside.open("w", encoding="utf-8") as file:
            file.write(json.dumps({"version": 3, "deployment": deployment}))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)

    def _written(self, resource: Resource) -> dict[str, Any]:
        there = {name: other for other, name in _NAMES.items()}
        record = {
            there.get(name, name): value for name, value in vars(resource).items() if value not in ("", (), {}, False)
        }
        record["custom"] = resource.custom
        for name in ("inputs", "outputs"):
            record[name] = self._sealed(getattr(resource, name))
        return record

    def _read(self, record: Mapping[str, Any]) -> Resource:
        known = {_NAMES.get(name, name): value for name, value in record.items()}
        unknown = set(known) - set(Resource.__dataclass_fields__)
        if unknown:
            raise _broken(self.path, f"{known.get('urn')} has {', '.join(sorted(unknown))}, which is not known here.")
        for name in _TUPLES:
            known[name] = tuple(known.get(name, ()))
        known["property_dependencies"] = {k: tuple(v) for k, v in known.get("property_dependencies", {}).items()}
        for name in ("inputs", "outputs"):
            known[name] = self._opened(known.get(name, {}))
        return Resource(**known)

    def _sealed(self, value: Any) -> Any:
        if is_secret(value):
            assert self._crypter is not None
            return {SIGNATURE: SECRET, "ciphertext": self._crypter.encrypt(json.dumps(value["value"]))}
        if isinstance(value, dict):
            return {key: self._sealed(each) for key, each in value.items()}
        return [self._sealed(each) for each in value] if isinstance(value, list) else value

    def _opened(self, value: Any) -> Any:
        if is_secret(value):
            assert self._crypter is not None
            return {SIGNATURE: SECRET, "value": json.loads(self._crypter.decrypt(value["ciphertext"]))}
        if isinstance(value, dict):
            return {key: self._opened(each) for key, each in value.items()}
        return [self._opened(each) for each in value] if isinstance(value, list) else value


def outputs_of(resources: Iterable[Resource]) -> Props:
    """What the stack exports, secrets marked; empty, where there is no stack."""
    return next((each.outputs for each in resources if each.type == STACK), {})


def _check(resources: Iterable[Resource], path: Path) -> None:
    """A record is whole if everything comes after what it needs; Pulumi's engine refuses one that is not."""
    seen: set[str] = set()
    living: set[str] = set()
    for each in resources:
        missing = each.needs - seen
        if missing:
            raise _broken(path, f"{each.urn} needs {', '.join(sorted(missing))}, which is not recorded before it.")
        if not each.delete and each.urn in living:
            raise _broken(path, f"{each.urn} is recorded twice.")
        seen.add(each.urn)
        living |= set() if each.delete else {each.urn}


def _broken(path: Path, why: str) -> RehearsalError:
    return RehearsalError(
        f"the state {path.name} is not whole",
        why=why,
        todo=f"Report it, with {path}; to start over, remove that file and what the stack made.",
    )
