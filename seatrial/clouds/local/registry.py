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
from seatrial.clouds.champions import (
    CHAMPION,
    PREVIOUS,
    Champions,
    no_package,
    refuse_reserved,
    unknown_version,
)
from seatrial.clouds.local.mlflow_database import WORKSPACE, MlflowDatabase, now_ms
from seatrial.clouds.local.registry_state import (
    DIGEST_TAG,
    NO_VERSION,
    PROMOTED_OVER_TAG,
    ROLLED_BACK_TAG,
    RUN_TAG,
    database_path,
    find_digest,
    read_alias,
    read_champion_for,
    read_champions,
    read_models,
    read_numbers,
    read_version,
)
from seatrial.clouds.local.tracking import mlflow_run_id
from seatrial.clouds.package_store import PackageStore, Verify


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
        refuse_reserved(tags)
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
            before = read_champions(connection, model)
            after = before.promoted(model, version, expected=expected_champion, again=again)
            if after is before:
                return Promotion(challenger, over=challenger.promoted_over, changed=False)
            self.package_path(challenger)
            _store(connection, model, before, after)
            _touch(connection, model, version)
            return Promotion(_existing(connection, model, version), over=before.champion, changed=True)

    def rollback(self, model: str, version: int | None = None) -> Version | None:
        """Make the previous champion champion again; with none, the model has no champion."""
        with self._database.write() as connection:
            if version is not None:
                _existing(connection, model, version)
            before = read_champions(connection, model)
            after = before.after_rollback(model, version)
            if after is not before:
                _store(connection, model, before, after)
                for leaving in after.rolled_back - before.rolled_back:
                    _touch(connection, model, leaving)
            return None if after.champion is None else _existing(connection, model, after.champion)

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
                raise unknown_version(model, number, [])
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
            raise no_package(version, folder)
        return folder


def _existing(connection: sqlite3.Connection, model: str, number: int) -> Version:
    version = read_version(connection, model, number)
    if version is None:
        raise unknown_version(model, number, read_numbers(connection, model))
    return version


def _store(connection: sqlite3.Connection, model: str, before: Champions, after: Champions) -> None:
    _set_alias(connection, model, CHAMPION, after.champion)
    _set_alias(connection, model, PREVIOUS, after.previous)
    for number, over in after.promoted_over.items():
        if number not in before.promoted_over or before.promoted_over[number] != over:
            _set_tag(connection, model, number, PROMOTED_OVER_TAG, NO_VERSION if over is None else str(over))
    for number in after.rolled_back - before.rolled_back:
        _set_tag(connection, model, number, ROLLED_BACK_TAG, str(now_ms()))
    for number in before.rolled_back - after.rolled_back:
        _set_tag(connection, model, number, ROLLED_BACK_TAG, None)


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
