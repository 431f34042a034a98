"""Reads the local registry: versions, the champion, and their fingerprint for cache probes.

The only place that knows how a :class:`Version` lies in MLflow's tables. It needs the standard library and no MLflow,
so a probe that decides whether a step is cached costs a millisecond, and it changes and makes nothing.

Aliases ``champion`` and ``previous`` are MLflow's own. What MLflow has no place for is a tag on the version, named
``seatrial.…``: the package's digest, the run, the champion that it was promoted over, and whether it was rolled back.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Collection
from pathlib import Path
from typing import TypedDict

from seatrial.clouds.base import Version
from seatrial.clouds.champions import CHAMPION, PREVIOUS, TAG_PREFIX, Champions, opponent
from seatrial.clouds.local.mlflow_database import WORKSPACE, MlflowDatabase

DIGEST_TAG = "seatrial.package_digest"
RUN_TAG = "seatrial.run"
PROMOTED_OVER_TAG = "seatrial.promoted_over"
ROLLED_BACK_TAG = "seatrial.rolled_back"

NO_VERSION = "none"
"""Value of ``PROMOTED_OVER_TAG`` for a version that became champion when there was none."""

# MLflow deletes a version by renaming its stage and keeps the row, so that its number is not used again.
_LIVE = "workspace = ? AND name = ? AND coalesce(current_stage, 'None') != 'Deleted_Internal'"


class Fingerprint(TypedDict):
    """What a cached step's result depends on, of one version."""

    version: int
    digest: str


def database_path(state: Path) -> Path:
    """Return where a project's state folder keeps its registry."""
    return state / "registry" / "mlflow.db"


def champion(database: Path, model: str) -> Fingerprint | None:
    """Return the champion; None when there is no such version, model or database.

    Raises:
        ResourceError: the file may not be read, or stays locked.
        RegistryError: the file is damaged or has another revision.
    """
    with MlflowDatabase(database).read() as connection:
        return _fingerprint(read_alias(connection, model, CHAMPION)) if connection else None


def champion_for(database: Path, model: str, digests: Collection[str]) -> Fingerprint | None:
    """Return the version that packages with these digests would replace, or did replace.

    Raises: as :func:`champion`.
    """
    with MlflowDatabase(database).read() as connection:
        return _fingerprint(read_champion_for(connection, model, digests)) if connection else None


def has_version(database: Path, model: str, digest: str) -> bool:
    """Return whether a package with this digest is registered.

    Raises: as :func:`champion`.
    """
    with MlflowDatabase(database).read() as connection:
        return connection is not None and find_digest(connection, model, digest) is not None


def read_champion_for(connection: sqlite3.Connection, model: str, digests: Collection[str]) -> Version | None:
    """Return the version that packages with these digests would replace, or did replace."""
    return opponent(
        read_alias(connection, model, CHAMPION), digests, lambda number: read_version(connection, model, number)
    )


def read_champions(connection: sqlite3.Connection, model: str) -> Champions:
    """Return the promotions of a model; a version that was deleted is not among them, and nobody leads back to it."""
    live = set(read_numbers(connection, model))
    aliases: dict[str, int] = dict(
        connection.execute(
            "SELECT alias, version FROM registered_model_aliases WHERE workspace = ? AND name = ?", (WORKSPACE, model)
        ).fetchall()
    )
    tags = connection.execute(
        "SELECT version, key, value FROM model_version_tags WHERE workspace = ? AND name = ? AND key IN (?, ?)",
        (WORKSPACE, model, PROMOTED_OVER_TAG, ROLLED_BACK_TAG),
    ).fetchall()
    over = {str(n): n for n in live}
    champion, previous = (aliases[a] if aliases.get(a) in live else None for a in (CHAMPION, PREVIOUS))
    return Champions(
        champion=champion,
        previous=previous,
        promoted_over={n: over.get(v) for n, key, v in tags if key == PROMOTED_OVER_TAG and n in live},
        rolled_back=frozenset(n for n, key, _ in tags if key == ROLLED_BACK_TAG and n in live),
    )


def read_alias(connection: sqlite3.Connection, model: str, alias: str) -> Version | None:
    """Return the version that the alias names."""
    row = connection.execute(
        "SELECT version FROM registered_model_aliases WHERE workspace = ? AND name = ? AND alias = ?",
        (WORKSPACE, model, alias),
    ).fetchone()
    return read_version(connection, model, row[0]) if row else None


def find_digest(connection: sqlite3.Connection, model: str, digest: str) -> int | None:
    """Return the number of the version whose package has this digest; the first one, should there be several."""
    row = connection.execute(
        f"SELECT min(version) FROM model_versions WHERE {_LIVE} AND version IN "  # noqa: S608 - a constant of this module
        "(SELECT version FROM model_version_tags WHERE workspace = ? AND name = ? AND key = ? AND value = ?)",
        (WORKSPACE, model, WORKSPACE, model, DIGEST_TAG, digest),
    ).fetchone()
    return None if row[0] is None else int(row[0])


def read_numbers(connection: sqlite3.Connection, model: str) -> list[int]:
    """Return the numbers of all versions, rising."""
    rows = connection.execute(
        f"SELECT version FROM model_versions WHERE {_LIVE} ORDER BY version",  # noqa: S608 - a constant of this module
        (WORKSPACE, model),
    )
    return [int(row[0]) for row in rows]


def read_models(connection: sqlite3.Connection) -> list[str]:
    """Return the names of all models, sorted."""
    rows = connection.execute("SELECT name FROM registered_models WHERE workspace = ? ORDER BY name", (WORKSPACE,))
    return [str(row[0]) for row in rows]


def read_version(connection: sqlite3.Connection, model: str, number: int) -> Version | None:
    """Return one version; None when it does not exist or was deleted."""
    row = connection.execute(
        f"SELECT creation_time FROM model_versions WHERE {_LIVE} AND version = ?",  # noqa: S608 - a constant of this module
        (WORKSPACE, model, number),
    ).fetchone()
    if row is None:
        return None
    key = (WORKSPACE, model, number)
    tags: dict[str, str] = dict(
        connection.execute(
            "SELECT key, coalesce(value, '') FROM model_version_tags "
            "WHERE workspace = ? AND name = ? AND version = ? ORDER BY key",
            key,
        ).fetchall()
    )
    aliases = connection.execute(
        "SELECT alias FROM registered_model_aliases WHERE workspace = ? AND name = ? AND version = ? ORDER BY alias",
        key,
    ).fetchall()
    over = tags.get(PROMOTED_OVER_TAG)
    return Version(
        model=model,
        number=number,
        digest=tags.get(DIGEST_TAG, ""),
        run=tags.get(RUN_TAG, ""),
        created=dt.datetime.fromtimestamp((row[0] or 0) / 1000, dt.UTC),
        promoted=over is not None,
        promoted_over=_number(over),
        rolled_back=ROLLED_BACK_TAG in tags,
        aliases=tuple(alias for (alias,) in aliases),
        tags={name: value for name, value in tags.items() if not name.startswith(TAG_PREFIX)},
    )


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def _fingerprint(version: Version | None) -> Fingerprint | None:
    return None if version is None else {"version": version.number, "digest": version.digest}
