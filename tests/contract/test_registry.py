"""What every registry promises, on the laptop and on AWS alike (``seatrial.clouds.base``)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from seatrial.clouds.base import Registry
from seatrial.errors import PackageError, RegistryError
from tests.contract.registry_samples import ABSENT, MODEL, Kept, number, register, verify, violations, write_package


@pytest.fixture
def registry(kept: Kept) -> Registry:
    return kept.registry


@pytest.fixture
def three(registry: Registry, tmp_path: Path) -> Registry:
    """Versions 1, 2 and 3; none promoted."""
    for content in "abc":
        register(registry, tmp_path, content)
    return registry


def test_an_empty_registry_answers(registry: Registry) -> None:
    assert registry.champion(MODEL) is None
    assert registry.champion_for(MODEL, [ABSENT]) is None
    assert list(registry.versions(MODEL)) == []
    assert list(registry.models()) == []
    with pytest.raises(RegistryError, match=r"no version 1\nVersions here: none"):
        registry.version(MODEL, 1)
    with pytest.raises(RegistryError, match="no champion to roll back"):
        registry.rollback(MODEL)


def test_the_same_package_is_the_same_version(registry: Registry, tmp_path: Path) -> None:
    """A resumed run registers again; a second version of the same bytes would be compared with itself."""
    package, digest = write_package(tmp_path / "a", "a")
    first = registry.register(MODEL, package, digest, run="r1", tags={"verdict": "promote"})
    again = registry.register(MODEL, package, digest, run="r2", tags={"verdict": "other"})
    assert again == first
    assert (first.number, first.digest, first.run, dict(first.tags)) == (1, digest, "r1", {"verdict": "promote"})
    assert register(registry, tmp_path, "b") == 2


def test_models_count_their_versions_separately(registry: Registry, tmp_path: Path) -> None:
    package, digest = write_package(tmp_path / "a", "a")
    for model in ("flights", "churn"):
        assert registry.register(model, package, digest, run="r", tags={}).number == 1
    registry.promote("churn", 1, expected_champion=None)
    assert registry.champion("flights") is None
    assert list(registry.models()) == ["churn", "flights"]


def test_the_package_is_a_copy(registry: Registry, tmp_path: Path) -> None:
    """Run folders are cleaned; what serves must not go with them."""
    package, digest = write_package(tmp_path / "a", "a")
    version = registry.register(MODEL, package, digest, run="r", tags={})
    shutil.rmtree(package)
    assert verify(registry.package_path(version)) == digest


def test_a_package_with_another_digest_is_refused(registry: Registry, tmp_path: Path) -> None:
    package, _ = write_package(tmp_path / "a", "a")
    with pytest.raises(RegistryError, match=f"not {ABSENT}"):
        registry.register(MODEL, package, ABSENT, run="r", tags={})
    assert list(registry.versions(MODEL)) == []


def test_a_package_that_differs_from_its_manifest_is_refused(registry: Registry, tmp_path: Path) -> None:
    package, digest = write_package(tmp_path / "a", "a")
    (package / "model.onnx").write_bytes(b"tampered")
    with pytest.raises(PackageError, match="damaged"):
        registry.register(MODEL, package, digest, run="r", tags={})
    assert list(registry.versions(MODEL)) == []


def test_registering_again_heals_a_damaged_package(kept: Kept, registry: Registry, tmp_path: Path) -> None:
    package, digest = write_package(tmp_path / "a", "a")
    version = registry.register(MODEL, package, digest, run="r", tags={})
    kept.damage(version)
    assert registry.register(MODEL, package, digest, run="r", tags={}) == version
    assert verify(registry.package_path(version)) == digest


@pytest.mark.parametrize("digest", ["", "../../etc", "A" * 64, "0" * 63])
def test_only_a_digest_becomes_a_path(registry: Registry, tmp_path: Path, digest: str) -> None:
    package, _ = write_package(tmp_path / "a", "a")
    with pytest.raises(RegistryError, match="not a package digest"):
        registry.register(MODEL, package, digest, run="r", tags={})


def test_tags_of_the_registry_itself_cannot_be_forged(registry: Registry, tmp_path: Path) -> None:
    package, digest = write_package(tmp_path / "a", "a")
    with pytest.raises(RegistryError, match=r"seatrial\.promoted_over"):
        registry.register(MODEL, package, digest, run="r", tags={"seatrial.promoted_over": "7"})


def test_promotions_move_both_aliases(three: Registry) -> None:
    first = three.promote(MODEL, 1, expected_champion=None)
    assert (first.over, first.changed, first.version.aliases) == (None, True, ("champion",))
    second = three.promote(MODEL, 3, expected_champion=1)
    assert (second.over, second.version.promoted_over) == (1, 1)
    assert [v.aliases for v in three.versions(MODEL)] == [("previous",), (), ("champion",)]
    assert violations(three) == []


def test_stale_evidence_is_refused(three: Registry) -> None:
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


def test_expecting_a_champion_where_there_is_none_is_stale(three: Registry) -> None:
    with pytest.raises(RegistryError, match="champion now is none"):
        three.promote(MODEL, 2, expected_champion=1)


def test_promoting_the_champion_again_changes_nothing(three: Registry) -> None:
    """A run killed after its promotion repeats it when resumed."""
    three.promote(MODEL, 1, expected_champion=None)
    three.promote(MODEL, 2, expected_champion=1)
    for expected in (1, 2):
        again = three.promote(MODEL, 2, expected_champion=expected)
        assert (again.changed, again.over) == (False, 1)


def test_an_unknown_version_is_refused_with_those_that_exist(three: Registry) -> None:
    with pytest.raises(RegistryError, match=r"has no version 9\nVersions here: v1, v2, v3"):
        three.promote(MODEL, 9, expected_champion=None)


def test_a_version_without_its_package_is_not_promoted(kept: Kept, three: Registry) -> None:
    kept.lose(three.version(MODEL, 2))
    with pytest.raises(RegistryError, match="v2 has no package"):
        three.promote(MODEL, 2, expected_champion=None)
    assert three.champion(MODEL) is None


def test_rollback_leads_back_step_by_step(three: Registry) -> None:
    for version, expected in ((1, None), (2, 1), (3, 2)):
        three.promote(MODEL, version, expected_champion=expected)
    for champion in (2, 1, None):
        assert number(three.rollback(MODEL)) == champion
        assert number(three.champion(MODEL)) == champion
        assert violations(three) == []
    with pytest.raises(RegistryError, match="no champion to roll back"):
        three.rollback(MODEL)


def test_rolling_back_the_same_version_twice_goes_back_once(three: Registry) -> None:
    """The operator and the alarm both pull the cord; the version before is not to blame."""
    three.promote(MODEL, 1, expected_champion=None)
    three.promote(MODEL, 2, expected_champion=1)
    assert number(three.rollback(MODEL, 2)) == 1
    assert number(three.rollback(MODEL, 2)) == 1
    with pytest.raises(RegistryError, match="v3 is not the champion"):
        three.rollback(MODEL, 3)
    assert number(three.champion(MODEL)) == 1


def test_a_rolled_back_version_does_not_come_back_by_itself(three: Registry) -> None:
    """The same pipeline, run again by a schedule, has the same evidence; it must not undo the rollback."""
    three.promote(MODEL, 1, expected_champion=None)
    three.promote(MODEL, 2, expected_champion=1)
    three.rollback(MODEL)
    with pytest.raises(RegistryError, match="v2 was rolled back"):
        three.promote(MODEL, 2, expected_champion=1)
    assert three.promote(MODEL, 2, expected_champion=1, again=True).changed
    assert not three.version(MODEL, 2).rolled_back


def test_the_way_back_passes_what_was_rolled_back_and_ends(three: Registry) -> None:
    """v1 → v2 → v1 again: the promotions form a circle, and a rollback must not walk it for ever."""
    three.promote(MODEL, 1, expected_champion=None)
    three.promote(MODEL, 2, expected_champion=1)
    three.promote(MODEL, 1, expected_champion=2)
    assert number(three.rollback(MODEL)) == 2
    assert violations(three) == []
    assert three.rollback(MODEL) is None


def test_a_repeated_run_sees_the_champion_that_it_compared_with(three: Registry) -> None:
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


def test_what_the_caller_says_comes_back_to_the_letter(registry: Registry, tmp_path: Path) -> None:
    """Headlines hold arrows, commas and percent signs, and some are long."""
    package, digest = write_package(tmp_path / "a", "a")
    tags = {"headline": "promote: 0.69 → 0.70 (+0.9 %), é", "long": "x, " * 200, "empty": "", "a/b": "=41"}
    assert dict(registry.register(MODEL, package, digest, run="r", tags=tags).tags) == tags
    assert dict(registry.version(MODEL, 1).tags) == tags


def test_another_machine_sees_the_same_and_gets_the_package(kept: Kept, three: Registry) -> None:
    three.promote(MODEL, 2, expected_champion=None)
    elsewhere = kept.elsewhere()
    assert list(elsewhere.versions(MODEL)) == list(three.versions(MODEL))
    champion = elsewhere.champion(MODEL)
    assert champion is not None
    assert verify(elsewhere.package_path(champion)) == champion.digest


def test_a_model_without_versions_has_no_others_champion(three: Registry) -> None:
    three.promote(MODEL, 1, expected_champion=None)
    assert three.champion("other") is None
    assert list(three.versions("other")) == []
