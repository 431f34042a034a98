"""The local registry: packages in folders, versions and aliases in an MLflow database that ``mlflow ui`` opens.

Each change is one SQLite transaction that reads, decides and writes. A package is in its place before a version names
it, so there is no version without its package; a package that no version names, left by a kill between the two, is
taken up by the next registration. See docs/registry.md.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from seatrial.clouds.base import Promotion, Version
from seatrial.clouds.local.mlflow_database import WORKSPACE, MlflowDatabase, now_ms
from seatrial.clouds.local.package_store import PackageStore, Verify
from seatrial.clouds.local.registry_state import (
    CHAMPION,
    DIGEST_TAG,
    NO_VERSION,
    PREVIOUS,
    PROMOTED_OVER_TAG,
    ROLLED_BACK_TAG,
    RUN_TAG,
    TAG_PREFIX,
    database_path,
    find_digest,
    read_alias,
    read_champion_for,
    read_models,
    read_numbers,
    read_version,
)
from seatrial.clouds.local.tracking import mlflow_run_id
from seatrial.errors import RegistryError


class LocalRegistry:
    """The registry contract of ``seatrial.clouds.base``, under ``<state>/registry``.

    Args:
        state: the project's state folder; ``registry/`` in it is made at the first registration.
        verify: checks a package folder and returns its digest, or raises PackageError.
        patience_s: how long a call waits for another process that is changing the registry.
    """

    def __init__(self, state: Path, verify: Verify, *, patience_s: float = 20.0) -> None:
        path = database_path(state)
        self._database = MlflowDatabase(path, patience_s=patience_s)
        self._packages = PackageStore(path.parent / "packages", verify)

    def register(self, model: str, package: Path, digest: str, *, run: str, tags: Mapping[str, str]) -> Version:
        """Keep a copy of the package and make a version for it, or return the version that it already is."""
        reserved = sorted(tag for tag in tags if tag.startswith(TAG_PREFIX))
        if reserved:
            raise RegistryError(
                f"tags {', '.join(reserved)} cannot be set",
                why=f"Tags that begin with '{TAG_PREFIX}' are how the registry remembers promotions.",
                todo="Choose other names.",
            )
        folder = self._packages.put(package, digest)
        with self._database.write() as connection:
            number = find_digest(connection, model, digest)
            if number is None:
                all_tags = {**tags, DIGEST_TAG: digest, RUN_TAG: run}
                number = _insert_version(connection, model, folder.absolute().as_uri(), mlflow_run_id(run), all_tags)
            return _existing(connection, model, number)

    def promote(self, model: str, version: int, *, expected_champion: int | None, again: bool = False) -> Promotion:
        """Make ``version`` champion if the champion still is ``expected_champion``."""
        with self._database.write() as connection:
            challenger = _existing(connection, model, version)
            champion = read_alias(connection, model, CHAMPION)
            if (
                champion is not None
                and champion.number == version
                and expected_champion
                in (
                    version,
                    champion.promoted_over,
                )
            ):
                return Promotion(challenger, over=champion.promoted_over, changed=False)
            _refuse_stale(champion, version, expected_champion)
            self.package_path(challenger)
            if challenger.rolled_back and not again:
                raise RegistryError(
                    f"{model} v{version} was rolled back and is not promoted again",
                    why="The evidence that promoted it is the evidence that turned out wrong.",
                    todo="Train a model that differs, or promote this one by name if the rollback was a mistake.",
                )
            over = None if champion is None else champion.number
            _set_alias(connection, model, CHAMPION, version)
            _set_alias(connection, model, PREVIOUS, over)
            _set_tag(connection, model, version, PROMOTED_OVER_TAG, NO_VERSION if over is None else str(over))
            _set_tag(connection, model, version, ROLLED_BACK_TAG, None)
            _touch(connection, model, version)
            return Promotion(_existing(connection, model, version), over=over, changed=True)

    def rollback(self, model: str, version: int | None = None) -> Version | None:
        """Make the previous champion champion again; with none, the model has no champion."""
        with self._database.write() as connection:
            champion = read_alias(connection, model, CHAMPION)
            if version is not None and (champion is None or champion.number != version):
                if _existing(connection, model, version).rolled_back:
                    return champion
                raise RegistryError(
                    f"{model} v{version} is not the champion and cannot be rolled back",
                    why=f"The champion is {_name(champion)}.",
                    todo="Look at the versions again and name the one that serves.",
                )
            if champion is None:
                raise RegistryError(
                    f"{model} has no champion to roll back",
                    why="Nothing was promoted, or everything that was has been rolled back.",
                    todo="Promote a version first.",
                )
            successor = read_alias(connection, model, PREVIOUS)
            _set_tag(connection, model, champion.number, ROLLED_BACK_TAG, str(now_ms()))
            _touch(connection, model, champion.number)
            _set_alias(connection, model, CHAMPION, None if successor is None else successor.number)
            _set_alias(connection, model, PREVIOUS, _next_previous(connection, model, successor))
            return None if successor is None else _existing(connection, model, successor.number)

    def champion(self, model: str) -> Version | None:
        """Return the version that serves."""
        with self._database.read() as connection:
            return read_alias(connection, model, CHAMPION) if connection else None

    def champion_for(self, model: str, digests: Collection[str]) -> Version | None:
        """Return the version that packages with these digests would replace, or did replace."""
        with self._database.read() as connection:
            return read_champion_for(connection, model, digests) if connection else None

    def version(self, model: str, number: int) -> Version:
        """Return one version."""
        with self._database.read() as connection:
            if connection is None:
                raise _unknown(model, number, [])
            return _existing(connection, model, number)

    def versions(self, model: str) -> Sequence[Version]:
        """Return all versions, oldest first."""
        with self._database.read() as connection:
            if connection is None:
                return []
            return [_existing(connection, model, number) for number in read_numbers(connection, model)]

    def models(self) -> Sequence[str]:
        """Return the names of all models, sorted."""
        with self._database.read() as connection:
            return read_models(connection) if connection else []

    def package_path(self, version: Version) -> Path:
        """Return the folder of the version's package."""
        folder = self._packages.path(version.digest) if version.digest else None
        if folder is None or not folder.is_dir():
            raise RegistryError(
                f"{version.model} v{version.number} has no package in this registry",
                why=f"Expected it in {folder}." if folder else "It was registered by something else than Seatrial.",
                todo="Restore that folder, or run the pipeline again: it registers the package anew.",
            )
        return folder


def _refuse_stale(champion: Version | None, version: int, expected: int | None) -> None:
    if (None if champion is None else champion.number) == expected:
        return
    compared = "no champion" if expected is None else f"v{expected}"
    raise RegistryError(
        f"stale evidence: v{version} was compared with {compared}, but the champion now is {_name(champion)}",
        why="Being better than the former champion says nothing about the present one. Nothing was changed.",
        todo="Run the same command again: it compares with the present champion.",
    )


def _name(version: Version | None) -> str:
    return "none" if version is None else f"v{version.number}"


def _existing(connection: sqlite3.Connection, model: str, number: int) -> Version:
    version = read_version(connection, model, number)
    if version is None:
        raise _unknown(model, number, read_numbers(connection, model))
    return version


def _unknown(model: str, number: int, known: Sequence[int]) -> RegistryError:
    return RegistryError(
        f"{model} has no version {number}",
        why="Versions here: " + (", ".join(f"v{n}" for n in known) or "none") + ".",
        todo="Name one of those, or run the pipeline to register one.",
    )


def _next_previous(connection: sqlite3.Connection, model: str, champion: Version | None) -> int | None:
    """Return where a further rollback would lead: back along the promotions, past what was rolled back.

    A version may have been champion twice, so the way back may be a circle; each version is passed once.
    """
    seen = set() if champion is None else {champion.number}
    step = None if champion is None else champion.promoted_over
    while step is not None and step not in seen:
        seen.add(step)
        version = read_version(connection, model, step)
        if version is None:
            return None
        if not version.rolled_back:
            return step
        step = version.promoted_over
    return None


def _insert_version(
    connection: sqlite3.Connection, model: str, source: str, run_id: str, tags: Mapping[str, str]
) -> int:
    now = now_ms()
    connection.execute(
        "INSERT INTO registered_models (workspace, name, creation_time, last_updated_time) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (workspace, name) DO UPDATE SET last_updated_time = excluded.last_updated_time",
        (WORKSPACE, model, now, now),
    )
    # Deleted versions count: their rows stay, and a number is not used twice.
    (last,) = connection.execute(
        "SELECT coalesce(max(version), 0) FROM model_versions WHERE workspace = ? AND name = ?", (WORKSPACE, model)
    ).fetchone()
    number = int(last) + 1
    connection.execute(
        "INSERT INTO model_versions (workspace, name, version, creation_time, last_updated_time, current_stage, "
        "source, storage_location, run_id, status) VALUES (?, ?, ?, ?, ?, 'None', ?, ?, ?, 'READY')",
        (WORKSPACE, model, number, now, now, source, source, run_id),
    )
    for key, value in tags.items():
        _set_tag(connection, model, number, key, value)
    return number


def _set_alias(connection: sqlite3.Connection, model: str, alias: str, number: int | None) -> None:
    if number is None:
        connection.execute(
            "DELETE FROM registered_model_aliases WHERE workspace = ? AND name = ? AND alias = ?",
            (WORKSPACE, model, alias),
        )
    else:
        connection.execute(
            "INSERT OR REPLACE INTO registered_model_aliases (workspace, name, alias, version) VALUES (?, ?, ?, ?)",
            (WORKSPACE, model, alias, number),
        )


def _set_tag(connection: sqlite3.Connection, model: str, number: int, key: str, value: str | None) -> None:
    if value is None:
        connection.execute(
            "DELETE FROM model_version_tags WHERE workspace = ? AND name = ? AND version = ? AND key = ?",
            (WORKSPACE, model, number, key),
        )
    else:
        connection.execute(
            "INSERT OR REPLACE INTO model_version_tags (workspace, name, version, key, value) VALUES (?, ?, ?, ?, ?)",
            (WORKSPACE, model, number, key, value),
        )


def _touch(connection: sqlite3.Connection, model: str, number: int) -> None:
    now = now_ms()
    connection.execute(
        "UPDATE model_versions SET last_updated_time = ? WHERE workspace = ? AND name = ? AND version = ?",
        (now, WORKSPACE, model, number),
    )
    connection.execute(
        "UPDATE registered_models SET last_updated_time = ? WHERE workspace = ? AND name = ?", (now, WORKSPACE, model)
    )
