"""What was found under a URI, and its way to this machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from seatrial.errors import ResourceError

_AT_A_TIME = 8


@dataclass(frozen=True)
class Object:
    """One object as it was when it was listed."""

    key: str
    version: str
    """Its entity tag or generation: another one when it was written again."""


Gone = Callable[[str], ResourceError]
"""The error for an object that is not there (any more)."""
Read = Callable[[Object, Path], None]
"""Copies exactly this version to a file; raises `SeatrialError`, also when the object changed meanwhile."""


@dataclass(frozen=True)
class Found:
    """The objects under a URI."""

    uri: str
    prefix: str
    """The part of keys that stands for the folder, with its ``/``; a whole key for a single object."""
    objects: tuple[Object, ...]
    read: Read

    @property
    def version(self) -> str:
        """Another text when any content, or the set of objects, is another."""
        listed = json.dumps(sorted([o.key, o.version] for o in self.objects))
        return hashlib.sha256(listed.encode()).hexdigest()

    def copy(self, target: Path) -> None:
        """Copy everything to a path that does not exist yet: a file for a single object, else a folder.

        Raises:
            ResourceError: a key cannot be a file's name below ``target``, access is denied, or an object changed since
                it was looked up. Parts may have been written.
        """
        if self.prefix and not self.prefix.endswith("/"):
            self.read(self.objects[0], target)
            return
        places = [(o, target / _relative(self.uri, o.key[len(self.prefix) :])) for o in self.objects]
        target.mkdir(parents=True)
        files = [(o, place) for o, place in places if not o.key.endswith("/")]
        try:
            for o, place in places:  # a key that ends with "/" is how consoles mark a folder
                (place if o.key.endswith("/") else place.parent).mkdir(parents=True, exist_ok=True)
            with ThreadPoolExecutor(_AT_A_TIME) as pool:
                for _ in pool.map(lambda item: self.read(*item), files):
                    pass
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as exc:
            raise ResourceError(
                f"{self.uri} holds an object and objects below it: {Path(str(exc.filename)).relative_to(target)}",
                why="On a disk a name is a file or a folder.",
                todo="Remove or rename one of them, or import a single object.",
            ) from exc


def _relative(uri: str, key: str) -> str:
    """A key below a prefix as a path below a folder; nothing that leaves the folder."""
    if "\0" in key or (key and not {"", ".", ".."}.isdisjoint(key.removesuffix("/").split("/"))):
        raise ResourceError(
            f"{uri} holds an object named {key!r}",
            why="Copied as a folder, it would lie outside of it, or under another name.",
            todo="Rename it, or import a single object.",
        )
    return key


def look_up(uri: str) -> Found:
    """What a URI names now.

    Raises:
        MissingExtra: the client library is not installed.
        ResourceError: the URI is malformed or of another kind; nothing lies there; access is denied; no credentials.
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme not in ("s3", "gs"):
        raise ResourceError(
            f"{scheme}:// is not read here",
            why="Importers read files, s3:// and gs://.",
            todo="Copy the artifact to one of those.",
        )
    if not bucket:
        raise ResourceError(
            f"{uri} names no bucket", why="The bucket stands first.", todo=f"Write {scheme}://BUCKET/KEY."
        )
    if scheme == "s3":
        from seatrial.clouds.buckets import s3

        return s3.look_up(uri, bucket, key)
    from seatrial.clouds.buckets import gs

    return gs.look_up(uri, bucket, key)


def nothing_there(uri: str) -> ResourceError:
    """The error for a URI under which nothing lies."""
    return ResourceError(
        f"{uri} is not there",
        why="An importer names an object that exists, or a folder with at least one.",
        todo="Check bucket and key, or write the object first.",
    )


def changed(uri: str) -> ResourceError:
    """The error for an object that was written or removed between look-up and reading."""
    return ResourceError(
        f"{uri} changed while it was read",
        why="A mixture of two versions would be used as if it were one.",
        todo="Wait until nobody writes there, then run the same command again.",
    )
