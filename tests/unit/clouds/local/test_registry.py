"""What is the local registry's own: its database, its disk and its permissions. The contract: tests/contract."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from seatrial.clouds.local import registry_state
from seatrial.clouds.local.registry import LocalRegistry
from seatrial.clouds.local.registry_state import database_path
from seatrial.errors import RegistryError, ResourceError
from tests.contract.registry_samples import ABSENT, MODEL, number, register, verify, violations, write_package


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def registry(state: Path) -> LocalRegistry:
    return LocalRegistry(state, verify)


@pytest.fixture
def three(registry: LocalRegistry, tmp_path: Path) -> LocalRegistry:
    """Versions 1, 2 and 3; none promoted."""
    for content in "abc":
        register(registry, tmp_path, content)
    return registry


def test_reading_an_empty_registry_makes_nothing(registry: LocalRegistry, state: Path) -> None:
    """A probe on a fresh clone must not leave a database behind, or two of them would race to make it."""
    assert registry.champion(MODEL) is None
    assert registry.champion_for(MODEL, [ABSENT]) is None
    assert list(registry.versions(MODEL)) == []
    assert list(registry.models()) == []
    assert registry_state.champion(database_path(state), MODEL) is None
    assert registry_state.champion_for(database_path(state), MODEL, [ABSENT]) is None
    assert not registry_state.has_version(database_path(state), MODEL, ABSENT)
    with pytest.raises(RegistryError, match="no version 1"):
        registry.version(MODEL, 1)
    assert not state.exists()


def test_a_locked_database_is_waited_for_and_then_named(three: LocalRegistry, state: Path) -> None:
    path = database_path(state)
    impatient = LocalRegistry(state, verify, patience_s=0.01)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ResourceError, match=r"mlflow\.db stayed locked"):
            impatient.promote(MODEL, 1, expected_champion=None)
        with pytest.raises(ResourceError, match="stayed locked"):
            impatient.champion(MODEL)
    assert impatient.promote(MODEL, 1, expected_champion=None).changed


@pytest.mark.parametrize("damage", [b"not a database, but long enough to be looked at " * 100, b"\x00" * 8192])
def test_a_damaged_database_is_named_and_left_alone(three: LocalRegistry, state: Path, damage: bytes) -> None:
    path = database_path(state)
    path.write_bytes(damage)
    for call in (three.champion, three.versions, three.rollback):
        with pytest.raises(RegistryError, match=r"mlflow\.db (is damaged|has MLflow schema revision none)"):
            call(MODEL)
    with pytest.raises(RegistryError, match=r"mlflow\.db"):
        registry_state.champion(path, MODEL)
    assert path.read_bytes() == damage


def test_a_damaged_page_is_not_taken_for_an_empty_table(three: LocalRegistry, state: Path) -> None:
    path = database_path(state)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 3)
    with pytest.raises(RegistryError, match=r"mlflow\.db is damaged"):
        three.versions(MODEL)


def test_another_schema_revision_is_refused(three: LocalRegistry, state: Path) -> None:
    """A newer MLflow may have moved what these columns mean."""
    with contextlib.closing(sqlite3.connect(database_path(state))) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'fedcba987654'")
    with pytest.raises(RegistryError, match="revision fedcba987654"):
        three.champion(MODEL)
    with pytest.raises(RegistryError, match="revision fedcba987654"):
        three.promote(MODEL, 1, expected_champion=None)


def test_an_empty_file_is_no_database(registry: LocalRegistry, state: Path, tmp_path: Path) -> None:
    """``sqlite3 mlflow.db`` typed once in the wrong moment leaves a file of no bytes."""
    database_path(state).parent.mkdir(parents=True)
    database_path(state).touch()
    assert registry.champion(MODEL) is None
    assert register(registry, tmp_path, "a") == 1


def test_the_registry_needs_no_mlflow_in_the_process() -> None:
    """Every task that registers would pay its import: seconds, and 200 MB."""
    script = (
        "import sys, seatrial.clouds.local.registry, seatrial.clouds.local.tracking; "
        "sys.exit(' '.join({'mlflow', 'sqlalchemy', 'numpy', 'pydantic'} & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@contextlib.contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """The kernel refuses to write beyond this, as a full disk does (EFBIG instead of ENOSPC)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_no_half_package(three: LocalRegistry, state: Path, tmp_path: Path) -> None:
    package, digest = write_package(tmp_path / "big", "x" * 200_000)
    with files_no_larger_than(100_000), pytest.raises(ResourceError, match="full"):
        three.register(MODEL, package, digest, run="r", tags={})
    packages = database_path(state).parent / "packages"
    assert sorted(p.name for p in packages.iterdir() if p.is_dir()) == sorted(v.digest for v in three.versions(MODEL))
    assert three.register(MODEL, package, digest, run="r", tags={}).number == 4


def test_a_full_disk_leaves_no_half_database(registry: LocalRegistry, state: Path, tmp_path: Path) -> None:
    with files_no_larger_than(100_000), pytest.raises(ResourceError, match="full"):
        register(registry, tmp_path, "a")
    assert not database_path(state).exists()
    assert register(registry, tmp_path, "a") == 1


def test_a_full_disk_takes_a_change_back(three: LocalRegistry, state: Path, tmp_path: Path) -> None:
    three.promote(MODEL, 1, expected_champion=None)
    package, digest = write_package(tmp_path / "d", "d")
    limit = database_path(state).stat().st_size
    with files_no_larger_than(limit), pytest.raises(ResourceError, match="full"):
        three.register(MODEL, package, digest, run="r", tags={"note": "x" * 2_000_000})
    assert len(three.versions(MODEL)) == 3
    assert number(three.champion(MODEL)) == 1
    assert violations(LocalRegistry(state, verify)) == []


@pytest.fixture
def readable_folder() -> Iterator[Path]:
    """Below pytest's own folder only the owner may look."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@contextlib.contextmanager
def without_permission(folder: Path) -> Iterator[None]:
    """Be somebody who may read the folder and not write it; root is bound by no mode, so it becomes nobody."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    else:
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        else:
            for path in [folder, *folder.rglob("*")]:
                path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_read_only_registry_can_be_read_and_says_why_not_more(readable_folder: Path, tmp_path: Path) -> None:
    registry = LocalRegistry(readable_folder / "state", verify)
    register(registry, tmp_path, "a")
    package, digest = write_package(readable_folder / "b", "b")
    with without_permission(readable_folder):
        assert len(registry.versions(MODEL)) == 1
        with pytest.raises(ResourceError, match="may not be opened or changed"):
            registry.promote(MODEL, 1, expected_champion=None)
        with pytest.raises(ResourceError, match="may not be opened or changed"):
            registry.register(MODEL, package, digest, run="r", tags={})
    assert registry.champion(MODEL) is None


def test_a_read_only_state_folder_is_named(readable_folder: Path) -> None:
    registry = LocalRegistry(readable_folder / "state", verify)
    package, digest = write_package(readable_folder / "b", "b")
    with without_permission(readable_folder), pytest.raises(ResourceError, match=str(readable_folder)):
        registry.register(MODEL, package, digest, run="r", tags={})


def test_promoting_the_champion_again_writes_nothing(three: LocalRegistry, state: Path) -> None:
    three.promote(MODEL, 1, expected_champion=None)
    before = database_path(state).read_bytes()
    assert not three.promote(MODEL, 1, expected_champion=None).changed
    assert database_path(state).read_bytes() == before
