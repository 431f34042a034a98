"""What the types of all services share: from a program's properties to a request, and back from an answer."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from seatrial.rehearsal.aws.strictness import shape_problems
from seatrial.rehearsal.infra.provider.base import UNKNOWN, Props
from seatrial.rehearsal.infra.provider.forms import Fields, Form, Pairs
from seatrial.rehearsal.infra.provider.session import Session

_TAG_PAIRS = Pairs()


@dataclass(frozen=True)
class Tagging:
    """How one service reads and changes the tags of what has an address (an ARN, an id or a name)."""

    service: str
    reads: tuple[str, str]
    """The operation and the member of its answer."""
    tags: str
    untags: str
    address: str
    """The member that says whose tags: ``resourceArn``."""
    given: str = "Tags"
    removed: str = "TagKeys"
    form: Form = _TAG_PAIRS

    def of(self, session: Session, address: Any) -> dict[str, str] | None:
        """The tags as a program writes them; None without any."""
        operation, member = self.reads
        told: dict[str, str] | None = self.form.to_program(
            session.call(self.service, operation, **{self.address: address}).get(member)
        )
        return told

    def put(self, session: Session, address: Any, wanted: Mapping[str, str] | None) -> None:
        """Have exactly these tags on it."""
        wanted, present = dict(wanted or {}), self.of(session, address) or {}
        if stale := sorted(set(present) - set(wanted)):
            session.call(self.service, self.untags, **{self.address: address, self.removed: stale})
        if wanted:
            session.call(self.service, self.tags, **{self.address: address, self.given: self.form.to_cloud(wanted)})


@dataclass(frozen=True)
class Known:
    """A resource that the state records."""

    id: str
    outputs: Props


@dataclass(frozen=True)
class Change:
    """What is to become of a resource that stays."""

    id: str
    inputs: Props
    properties: frozenset[str]
    """Those whose values in the cloud differ from ``inputs``."""


class ResourceType(ABC):
    """One type. The provider makes one instance for each cloud; an instance keeps nothing between two calls."""

    type: ClassVar[str]
    service: ClassVar[str]
    creates: ClassVar[str]
    """The operation whose input shape every request is checked against: ``CreateBucket``."""
    fields: ClassVar[Fields]
    identity: ClassVar[tuple[str, ...]] = ()
    """The properties that make two of them the same thing to AWS; empty where AWS gives each a number of its own."""
    named: ClassVar[str] = ""
    """The property that gets an automatic name, if any."""

    def __init__(self, session: Session) -> None:
        """``session``: where it is applied."""
        self.session = session

    # what a program asks for

    def request(self, inputs: Props) -> dict[str, Any]:
        """The request that creates it."""
        return {
            each.called(name): each.form.to_cloud(inputs[name])
            for name, each in self.fields.items()
            if not (each.local or each.output or each.apart) and inputs.get(name) is not None
        }

    def problems(self, inputs: Props) -> Iterator[str]:  # noqa: ARG002 for those that need it
        """What is wrong with inputs that fit their forms and shapes. They may hold `UNKNOWN`."""
        yield from ()

    @abstractmethod
    def create(self, inputs: Props) -> str:
        """Make it; gives its id. Nothing exists when this raises."""

    def complete(self, id: str, inputs: Props) -> None:  # noqa: B027 most need one request
        """What belongs to its creation and takes more requests."""

    @abstractmethod
    def find(self, id: str) -> Props | None:
        """Every field that is not ``local``, as the cloud has it, None where it is not set. None: it is gone."""

    def update(self, change: Change) -> None:
        """Change it in place."""
        raise AssertionError(f"{self.type} '{change.id}' has nothing that changes in place")

    @abstractmethod
    def delete(self, known: Known) -> None:
        """Delete it. The codes in `gone` are no error. What AWS does not know (``forceDestroy``) is in the outputs."""

    gone: ClassVar[tuple[str, ...]] = ()
    """The codes by which AWS says that there is no such thing."""

    @abstractmethod
    def ids(self) -> Iterable[str]:
        """The ids of all that exist and that AWS did not make on its own."""

    # what they share

    def call(self, operation: str, /, **request: Any) -> dict[str, Any]:
        """One request to the type's service."""
        return self.session.call(self.service, operation, **request)

    def ask(self, operation: str, /, **request: Any) -> dict[str, Any] | None:
        """One request; None when it is gone."""
        return self.session.ask(self.service, operation, self.gone, **request)

    def send(self, inputs: Props) -> dict[str, Any]:
        """Send the request that creates it."""
        return self.call(self.creates, **self.whole(self.request(inputs)))

    def whole(self, request: dict[str, Any], operation: str = "") -> dict[str, Any]:
        """The request with integers where AWS wants them: numbers of a program are floating-point numbers."""
        counted: dict[str, Any] = _whole(self.session.shape(self.service, operation or self.creates), request)
        return counted

    def told(self, answer: Mapping[str, Any], **more: Any) -> Props:
        """An answer of AWS under the program's names, None for what it lacks; ``more`` says what it does not."""
        found = {
            name: each.form.to_program(answer.get(each.called(name)))
            for name, each in self.fields.items()
            if not each.local
        } | more
        if "tags" in self.fields:
            found["tagsAll"] = found["tags"]
        return found


class Upserted(ResourceType):
    """A type whose creation is a Put that also changes it."""

    def update(self, change: Change) -> None:
        """Put it again."""
        self.send(change.inputs)


_BOUNDS = ("Invalid length", "Invalid value")


def request_problems(resource: ResourceType, inputs: Props) -> Iterator[str]:
    """What botocore and AWS's own constraints say about the request, under the program's names."""
    shape = resource.session.shape(resource.service, resource.creates)
    request = resource.whole(resource.request(inputs))
    report = ParamValidator().validate(request, shape)
    said = report.generate_report().splitlines() if report.has_errors() else []
    told = [each for each in said if not each.startswith(_BOUNDS)]
    if not told:  # every value is of its type; its bounds are examined together with all other constraints
        told = shape_problems(resource.creates, request, service=resource.service)
    names = {each.called(name).lower(): name for name, each in resource.fields.items()}
    for each in told:
        if UNKNOWN not in each:
            yield f"{_about(each, names)}{each}"


def _about(problem: str, names: Mapping[str, str]) -> str:
    """The program's name of the property that a problem is about, where the problem names its first level."""
    for member in re.findall(r"(?:at '|parameter (?:in [\w.]*: \")?)(\w+)", problem):
        if member.lower() in names:
            return f"{names[member.lower()]}: "
    return ""


def _whole(shape: Any, value: Any) -> Any:
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        return {k: _whole(shape.members[k], v) if k in shape.members else v for k, v in value.items()}
    if kind == "list" and isinstance(value, list):
        return [_whole(shape.member, each) for each in value]
    if kind == "map" and isinstance(value, dict):
        return {key: _whole(shape.value, each) for key, each in value.items()}
    if kind in ("integer", "long") and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def refused(error: ClientError) -> str:
    """What AWS said, with its code."""
    told = error.response["Error"]
    return f"{told['Code']}: {told.get('Message', '')}"
