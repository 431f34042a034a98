"""What the deployment engine expects of a provider: whoever applies resources to a cloud.

Properties are plain JSON under the names that Pulumi sends (camelCase). Secrets are unwrapped; two things are not what
they seem: at preview a value may be `UNKNOWN`, and a file or an archive is a *blob* (see `blob`).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from seatrial.errors import RehearsalError

Props = dict[str, Any]

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Stands for a value that only an update will know, at any depth. Pulumi's own constant."""
SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key that marks an object as none: a secret, a reference, a file."""
_BLOBS = {"asset": "c44067f5952c0a294b673a41bacd8c17", "archive": "0def7320c3a5731c473e5ecbe6d01bc7"}


@dataclass(frozen=True)
class Diff:
    """What an update of a resource would change; all empty: nothing."""

    changed: tuple[str, ...] = ()
    """Names of properties that differ, of the first level (``tags``), each once."""
    replaces: tuple[str, ...] = ()
    """Those of ``changed`` that the cloud cannot change in place."""
    delete_first: bool = False
    """The replacement would have the old one's name, so that the old one has to go first."""


class UnsupportedType(RehearsalError):
    """The program uses a resource type or a function that this provider does not have."""

    def __init__(self, token: str, supported: Iterable[str]) -> None:
        near = [each for each in sorted(supported) if each.partition("/")[0] == token.partition("/")[0]]
        super().__init__(
            f"'{token}' is not rehearsed",
            why="What is not applied here would be tried for the first time in the account."
            + (f" Of the same module there is: {', '.join(near)}." if near else ""),
            todo="Add it to seatrial/rehearsal/infra/provider, or leave it out of the program.",
        )


class Unfinished(Exception):
    """A resource was created or changed in part before something failed.

    It is recorded as the cloud has it then (`Provider.read`), and the next update does the rest.
    """

    def __init__(self, id: str, outputs: Props, reason: str) -> None:
        """``outputs``: what is known of it."""
        super().__init__(reason)
        self.id, self.outputs, self.reason = id, outputs, reason


class Provider(Protocol):
    """Applies resources to a cloud. Called from several threads; errors of the cloud are raised as `SeatrialError`."""

    def configure(self, package: str, settings: Props) -> list[str]:
        """Examine the settings of a provider, the stack's (``aws:region``) or one that the program makes.

        Args:
            package: such as ``aws``.
            settings: such as ``{"region": "eu-west-1"}``.

        Returns:
            Every setting that this provider does not follow, and a package that it is not.
        """
        ...

    def check(self, type: str, name: str, inputs: Props, olds: Props | None) -> tuple[Props, list[str]]:
        """Complete and examine inputs, without a change to the cloud.

        Args:
            type: such as ``aws:s3/bucket:Bucket``.
            name: the resource's name in the program; what an automatic name begins with.
            inputs: as the program gives them; may hold `UNKNOWN`.
            olds: the recorded inputs of the resource that exists. An automatic name is kept; without them it is new.

        Returns:
            The inputs with automatic name and defaults, and every problem (``property: what is wrong``).

        Raises:
            UnsupportedType: there is no such type here.
        """
        ...

    def diff(self, type: str, olds: Props, news: Props) -> Diff:
        """Compare recorded inputs with checked ones. `UNKNOWN` differs from everything. Blobs hold no content here."""
        ...

    def create(self, type: str, inputs: Props) -> tuple[str, Props]:
        """Create it; gives its id and all its outputs, inputs among them.

        Raises:
            Unfinished: it exists, in part.
            SeatrialError: it does not exist.
        """
        ...

    def read(self, type: str, id: str, outputs: Props) -> Props | None:
        """Ask the cloud, and nothing else, what this resource is.

        Args:
            type: its type.
            id: what `create` gave.
            outputs: what is recorded. Only to find the resource by; never to answer from.

        Returns:
            Its properties under the program's names: every input that the cloud knows, and the outputs. A blob is
            given by its digest. None: there is no such resource.
        """
        ...

    def unseen(self, type: str) -> Mapping[str, str]:
        """Input properties that no cloud could tell, each with why: ``forceDestroy`` says what a deletion will do.

        They are the only inputs that `read` may leave out; everything else that it leaves out counts as lost.
        """
        ...

    def update(self, type: str, id: str, outputs: Props, inputs: Props) -> Props:
        """Change it in place; gives all outputs.

        Raises:
            Unfinished: some of it was changed.
            SeatrialError: nothing was.
        """
        ...

    def delete(self, type: str, id: str, outputs: Props) -> None:
        """Delete it. That it is gone already is no error."""
        ...

    def invoke(self, token: str, args: Props) -> Props:
        """Answer a function of the provider, such as ``aws:index/getRegion:getRegion``.

        Raises:
            UnsupportedType: there is no such function here.
        """
        ...

    def inventory(self) -> set[tuple[str, str]]:
        """Everything in the cloud that a program may have made: (type, id), ids as `create` gives them."""
        ...


def blob(kind: str, content: bytes) -> Props:
    """A file (``asset``) or an archive (``archive``: a zip) as providers get it to create or update."""
    return {**digest_of(kind, hashlib.sha256(content).hexdigest()), "content": base64.b64encode(content).decode()}


def digest_of(kind: str, sha256: str) -> Props:
    """The same without content: as `Provider.diff` gets it, as `Provider.read` gives it, as the state records it."""
    return {SIGNATURE: _BLOBS[kind], "hash": sha256}


def is_blob(value: object) -> bool:
    """Whether a property is a file or an archive."""
    return isinstance(value, dict) and value.get(SIGNATURE) in _BLOBS.values()


def content(value: Props) -> bytes:
    """The bytes of a blob that has them; of an archive, its zip: the same bytes for the same files."""
    return base64.b64decode(value["content"])
