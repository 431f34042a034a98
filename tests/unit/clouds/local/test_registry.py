"""The local registry as its callers see it: versions, promotion, rollback, and what it refuses."""

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

from seatrial.clouds.base import Registry
from seatrial.clouds.local import registry_state
from seatrial.clouds.local.registry import LocalRegistry
from seatrial.clouds.local.registry_state import database_path
from seatrial.errors import PackageError, RegistryError, ResourceError
from tests.unit.clouds.local.registry_samples import MODEL, register, verify, violations, write_package

ABSENT = "0" * 64


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


def number(version: object) -> int | None:
    return getattr(version, "number", None)


def test_it_keeps_the_contract(registry: LocalRegistry) -> None:
    contract: Registry = registry
    assert contract.champion(MODEL) is None


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


def test_the_same_package_is_the_same_version(registry: LocalRegistry, tmp_path: Path) -> None:
    """A resumed run registers again; a second version of the same bytes would be compared with itself."""
    package, digest = write_package(tmp_path / "a", "a")
    first = registry.register(MODEL, package, digest, run="r1", tags={"verdict": "promote"})
    again = registry.register(MODEL, package, digest, run="r2", tags={"verdict": "other"})
    assert again == first
    assert (first.number, first.digest, first.run, dict(first.tags)) == (1, digest, "r1", {"verdict": "promote"})
    assert register(registry, tmp_path, "b") == 2


def test_models_count_their_versions_separately(registry: LocalRegistry, tmp_path: Path) -> None:
    package, digest = write_package(tmp_path / "a", "a")
    for model in ("flights", "churn"):
        assert registry.register(model, package, digest, run="r", tags={}).number == 1
    registry.promote("churn", 1, expected_champion=None)
    assert registry.champion("flights") is None
    assert list(registry.models()) == ["churn", "flights"]


def test_the_package_is_a_copy(registry: LocalRegistry, tmp_path: Path) -> None:
    """Run folders are cleaned; what serves must not go with them."""
    package, digest = write_package(tmp_path / "a", "a")
    version = registry.register(MODEL, package, digest, run="r", tags={})
    shutil.rmtree(package)
    assert verify(registry.package_path(version)) == digest


def test_a_package_with_another_digest_is_refused(registry: LocalRegistry, tmp_path: Path) -> None:
    package, _ = write_package(tmp_path / "a", "a")
    with pytest.raises(RegistryError, match=f"not {ABSENT}"):
        registry.register(MODEL, package, ABSENT, run="r", tags={})
    assert list(registry.versions(MODEL)) == []


def test_a_package_that_differs_from_its_manifest_is_refused(registry: LocalRegistry, tmp_path: Path) -> None:
    package, digest = write_package(tmp_path / "a", "a")
    (package / "model.onnx").write_bytes(b"tampered")
    with pytest.raises(PackageError, match="damaged"):
        registry.register(MODEL, package, digest, run="r", tags={})
    assert list(registry.versions(MODEL)) == []


def test_registering_again_heals_a_damaged_copy(registry: LocalRegistry, tmp_path: Path) -> None:
    package, digest = write_package(tmp_path / "a", "a")
    version = registry.register(MODEL, package, digest, run="r", tags={})
    (registry.package_path(version) / "model.onnx").write_bytes(b"bit rot")
    assert registry.register(MODEL, package, digest, run="r", tags={}) == version
    assert verify(registry.package_path(version)) == digest


@pytest.mark.parametrize("digest", ["", "../../etc", "A" * 64, "0" * 63])
def test_only_a_digest_becomes_a_path(registry: LocalRegistry, tmp_path: Path, digest: str) -> None:
    package, _ = write_package(tmp_path / "a", "a")
    with pytest.raises(RegistryError, match="not a package digest"):
        registry.register(MODEL, package, digest, run="r", tags={})


def test_tags_of_the_registry_itself_cannot_be_forged(registry: LocalRegistry, tmp_path: Path) -> None:
    package, digest = write_package(tmp_path / "a", "a")
    with pytest.raises(RegistryError, match=r"seatrial\.promoted_over"):
        registry.register(MODEL, package, digest, run="r", tags={"seatrial.promoted_over": "7"})


def test_promotions_move_both_aliases(three: LocalRegistry, state: Path) -> None:
    first = three.promote(MODEL, 1, expected_champion=None)
    assert (first.over, first.changed, first.version.aliases) == (None, True, ("champion",))
    second = three.promote(MODEL, 3, expected_champion=1)
    assert (second.over, second.version.promoted_over) == (1, 1)
    assert [v.aliases for v in three.versions(MODEL)] == [("previous",), (), ("champion",)]
    assert violations(state) == []


def test_stale_evidence_is_refused(three: LocalRegistry) -> None:
    """Better than v1 says nothing about v2, which became champion while this run was computing."""
    three.promote(MODEL, 1, expected_champion=None)
    three.promote(MODEL, 2, expected_champion=1)
    with pytest.raises(RegistryError, match="stale evidence: v3 was compared with v1, but the champion now is v2"):
        three.promote(MODEL, 3, expected_champion=1)
    with pytest.raises(RegistryError, match="compared with no champion"):
        three.promote(MODEL, 3, expected_champion=None)
    with pytest.raises(RegistryError, match="stale"):
        three.promote(MODEL, 2, expected_champion=None)  # it is champion, but over another one
    assert number(three.champion(MODEL)) == 2


def test_expecting_a_champion_where_there_is_none_is_stale(three: LocalRegistry) -> None:
    with pytest.raises(RegistryError, match="champion now is none"):
        three.promote(MODEL, 2, expected_champion=1)


def test_promoting_the_champion_again_changes_nothing(three: LocalRegistry, state: Path) -> None:
    """A run killed after its promotion repeats it when resumed."""
    three.promote(MODEL, 1, expected_champion=None)
    three.promote(MODEL, 2, expected_champion=1)
    before = database_path(state).read_bytes()
    for expected in (1, 2):
        again = three.promote(MODEL, 2, expected_champion=expected)
        assert (again.changed, again.over) == (False, 1)
    assert database_path(state).read_bytes() == before


def test_an_unknown_version_is_refused_with_those_that_exist(three: LocalRegistry) -> None:
    with pytest.raises(RegistryError, match=r"has no version 9\nVersions here: v1, v2, v3"):
        three.promote(MODEL, 9, expected_champion=None)


def test_a_version_without_its_package_is_not_promoted(three: LocalRegistry) -> None:
    shutil.rmtree(three.package_path(three.version(MODEL, 2)))
    with pytest.raises(RegistryError, match="v2 has no package"):
        three.promote(MODEL, 2, expected_champion=None)
    assert three.champion(MODEL) is None


def test_rollback_leads_back_step_by_step(three: LocalRegistry, state: Path) -> None:
    for version, expected in ((1, None), (2, 1), (3, 2)):
        three.promote(MODEL, version, expected_champion=expected)
    for champion in (2, 1, None):
        assert number(three.rollback(MODEL)) == champion
        assert number(three.champion(MODEL)) == champion
        assert violations(state) == []
    with pytest.raises(RegistryError, match="no champion to roll back"):
        three.rollback(MODEL)


def test_rolling_back_the_same_version_twice_goes_back_once(three: LocalRegistry) -> None:
    """The operator and the alarm both pull the cord; the version before is not to blame."""
    three.promote(MODEL, 1, expected_champion=None)
    three.promote(MODEL, 2, expected_champion=1)
    assert number(three.rollback(MODEL, 2)) == 1
    assert number(three.rollback(MODEL, 2)) == 1
    with pytest.raises(RegistryError, match="v3 is not the champion"):
        three.rollback(MODEL, 3)
    assert number(three.champion(MODEL)) == 1


def test_a_rolled_back_version_does_not_come_back_by_itself(three: LocalRegistry) -> None:
    """The same pipeline, run again by a schedule, has the same evidence; it must not undo the rollback."""
    three.promote(MODEL, 1, expected_champion=None)
    three.promote(MODEL, 2, expected_champion=1)
    three.rollback(MODEL)
    with pytest.raises(RegistryError, match="v2 was rolled back"):
        three.promote(MODEL, 2, expected_champion=1)
    assert three.promote(MODEL, 2, expected_champion=1, again=True).changed
    assert not three.version(MODEL, 2).rolled_back


def test_the_way_back_passes_what_was_rolled_back_and_ends(three: LocalRegistry, state: Path) -> None:
    """v1 → v2 → v1 again: the promotions form a circle, and a rollback must not walk it for ever."""
    three.promote(MODEL, 1, expected_champion=None)
    three.promote(MODEL, 2, expected_champion=1)
    three.promote(MODEL, 1, expected_champion=2)
    assert number(three.rollback(MODEL)) == 2
    assert violations(state) == []
    assert three.rollback(MODEL) is None


def test_a_repeated_run_sees_the_champion_that_it_compared_with(three: LocalRegistry) -> None:
    """Else a promotion would change the inputs of its own run, and nothing would ever be cached."""
    digests = [v.digest for v in three.versions(MODEL)]
    three.promote(MODEL, 1, expected_champion=None)
    assert three.champion_for(MODEL, digests[:1]) is None
    assert number(three.champion_for(MODEL, digests[1:])) == 1
    three.promote(MODEL, 2, expected_champion=1)
    assert number(three.champion_for(MODEL, digests[1:])) == 1
    assert number(three.champion_for(MODEL, [])) == 2
    three.rollback(MODEL)
    assert number(three.champion_for(MODEL, digests[1:2])) == 1


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
    assert violations(state) == []


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
