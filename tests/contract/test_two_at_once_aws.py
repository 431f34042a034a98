"""Two people, or one event that is told twice: what each of them asked for happens, once."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from seatrial import clouds
from seatrial.clouds.aws.endpoints import AwsEndpoints
from seatrial.clouds.aws.ledger import Ledger
from seatrial.clouds.aws.made import Made
from seatrial.clouds.aws.registry import AwsRegistry
from seatrial.clouds.aws.stack import StackOutputs
from seatrial.clouds.champions import Champions
from tests.contract.conftest import aws_harbour
from tests.contract.endpoint_samples import MODEL, Harbour
from tests.contract.test_endpoints_aws import left
from tests.racing import race
from tests.unit.package.example import CANDIDATES, build_example


@pytest.fixture
def harbour(
    stack: StackOutputs, tmp_path: Path, packages: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> Harbour:
    """Version 1 serves."""
    found = aws_harbour(stack, tmp_path / "state", packages, monkeypatch)
    found.deploy(1)
    return found


@pytest.fixture
def people(harbour: Harbour, tmp_path: Path) -> tuple[Harbour, Harbour]:
    """Two machines that know the same stack."""
    first, second = (clouds.load("aws", tmp_path / name) for name in ("first", "second"))
    for each in (first, second):
        each.registry.package_path(each.registry.version(MODEL, 2))
    return (
        Harbour(first.registry, first.endpoints, harbour.packages),
        Harbour(second.registry, second.endpoints, harbour.packages),
    )


@pytest.mark.parametrize("later_s", [0.0, 0.4, 1.0])
def test_a_version_that_is_released_twice_is_served(
    harbour: Harbour, people: tuple[Harbour, Harbour], stack: StackOutputs, later_s: float
) -> None:
    """Each proves it on the same temporary endpoint, which the other removes."""

    def release(person: int) -> str:
        time.sleep(later_s * person)
        return people[person].deploy(2).version

    assert race(2, release) == ["2", "2"]
    assert (harbour.endpoints.get(MODEL).version, harbour.champion) == ("2", 2)
    assert not harbour.registry.version(MODEL, 2).rolled_back
    assert not [name for name in left(stack) if "check" in name]


def test_an_endpoint_that_is_stopped_twice_is_stopped(people: tuple[Harbour, Harbour], stack: StackOutputs) -> None:
    outcome = race(2, lambda person: people[person].endpoints.stop(MODEL))
    assert outcome.count(True) >= 1
    assert outcome.count(False) == 2 - outcome.count(True)  # who came when it was gone is told so
    assert left(stack) == []


def test_what_a_later_deployment_made_is_not_tidied_away(
    harbour: Harbour, people: tuple[Harbour, Harbour], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """v3 proves itself while v2 tidies up after its rollout."""
    build_example(tmp_path / "third", CANDIDATES["logistic"])
    assert harbour.register(tmp_path / "third") == 3
    proving, tidied = threading.Event(), threading.Event()
    tidy, invoke = Made.tidy, AwsEndpoints._invoke

    def late(self: Made, name: str) -> None:
        if self is mades[0]:
            assert proving.wait(120)
            tidy(self, name)
            tidied.set()
        else:
            tidy(self, name)

    def slow(self: AwsEndpoints, endpoint: str, body: bytes) -> Any:
        if self._made is mades[1]:
            proving.set()
            assert tidied.wait(120)
        return invoke(self, endpoint, body)

    mades = [person.endpoints._made for person in people]  # type: ignore[attr-defined]
    monkeypatch.setattr(Made, "tidy", late)
    monkeypatch.setattr(AwsEndpoints, "_invoke", slow)

    def release(person: int) -> str:
        while person == 1 and harbour.champion != 2:
            time.sleep(0.02)
        return people[person].deploy(2 + person).version

    assert race(2, release) == ["2", "3"]
    assert (harbour.endpoints.get(MODEL).version, harbour.champion) == ("3", 3)


def test_a_listing_does_not_undo_what_happens_meanwhile(
    harbour: Harbour, people: tuple[Harbour, Harbour], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would approve the version again that was just rolled back, and an approval is an event that releases."""
    harbour.registry.promote(MODEL, 2, expected_champion=1)
    stale = [Ledger.read(harbour.registry._ledger, MODEL)]  # type: ignore[attr-defined]
    harbour.registry.rollback(MODEL, 2)
    registry, read = people[0].registry, Ledger.read
    assert isinstance(registry, AwsRegistry)

    def first(self: Ledger, model: str) -> Champions:
        return stale.pop() if stale else read(self, model)

    monkeypatch.setattr(Ledger, "read", first)
    assert len(registry.versions(MODEL)) == 2
    assert stale == []
    assert registry._described(MODEL, 2)["ModelApprovalStatus"] == "Rejected"
