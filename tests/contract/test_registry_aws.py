"""What is the AWS registry's own: conditional writes, requests that a kill comes between, and approval."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seatrial.clouds.aws.archive import packed, unpack
from seatrial.clouds.aws.failures import Refused
from seatrial.clouds.aws.ledger import Ledger
from seatrial.clouds.aws.registry import AwsRegistry
from seatrial.clouds.aws.session import Aws
from seatrial.clouds.aws.stack import StackOutputs
from seatrial.errors import PackageError, RegistryError, ResourceError
from tests.contract.aws_stack import prepared_stack
from tests.contract.registry_samples import MODEL, number, register, verify, violations, write_package
from tests.racing import race


class Killed(BaseException):
    """Nothing in the code under test handles it, as nothing handles SIGKILL."""


class Mortal(Aws):
    """Dies right after its nth request that changes something: that is before the next one, too."""

    def __init__(self, region: str, nth: int) -> None:
        super().__init__(region)
        self.left = nth

    def submit(self, service: str, operation: str, **parameters: Any) -> Any:
        answer = super().submit(service, operation, **parameters)
        self.left -= 1
        if self.left == 0:
            raise Killed
        return answer


@pytest.fixture
def registry(stack: StackOutputs, tmp_path: Path) -> AwsRegistry:
    return AwsRegistry(Aws(stack.region), stack, tmp_path / "state", verify)


@pytest.fixture
def three(registry: AwsRegistry, tmp_path: Path) -> AwsRegistry:
    for content in "abc":
        register(registry, tmp_path, content)
    registry.promote(MODEL, 1, expected_champion=None)
    registry.promote(MODEL, 2, expected_champion=1)
    return registry


def raw(stack: StackOutputs, version: int) -> dict[str, Any]:
    """As the service itself shows a version, without anybody who repairs."""
    arn = stack.arn("sagemaker", f"model-package/{stack.prefix}-{MODEL}/{version}")
    return dict(Aws(stack.region).client("sagemaker").describe_model_package(ModelPackageName=arn))


def shown(stack: StackOutputs, version: int) -> tuple[str, str]:
    found = raw(stack, version)
    return found["ModelApprovalStatus"], found["CustomerMetadataProperties"].get("seatrial.role", "")


def registration(registry: AwsRegistry, folder: Path) -> None:
    register(registry, folder, "d")


def promotion(registry: AwsRegistry, folder: Path) -> None:
    registry.promote(MODEL, 3, expected_champion=2)


def rollback(registry: AwsRegistry, folder: Path) -> None:
    registry.rollback(MODEL, 2)


@pytest.mark.parametrize(
    ("operation", "champion", "versions", "roles"),
    [
        (registration, 2, 4, {2: ("Approved", "champion"), 4: ("PendingManualApproval", "")}),
        (promotion, 3, 3, {2: ("Approved", "replaced"), 3: ("Approved", "champion")}),
        (rollback, 1, 3, {1: ("Approved", "champion"), 2: ("Rejected", "rolled back")}),
    ],
)
def test_a_kill_at_any_request_leaves_the_old_state_or_the_new(
    stack: StackOutputs,
    tmp_path: Path,
    operation: Callable[[AwsRegistry, Path], None],
    champion: int,
    versions: int,
    roles: dict[int, tuple[str, str]],
) -> None:
    """And the same command again finishes the work, the mirror included."""
    nth, died = 0, True
    while died:
        nth += 1
        here = prepared_stack(f"{stack.prefix}k{nth}")
        steady = AwsRegistry(Aws(here.region), here, tmp_path / f"{nth}", verify)
        for content in "abc":
            register(steady, tmp_path, content)
        steady.promote(MODEL, 1, expected_champion=None)
        steady.promote(MODEL, 2, expected_champion=1)
        try:
            operation(AwsRegistry(Mortal(here.region, nth), here, tmp_path / f"{nth}", verify), tmp_path)
            died = False
        except Killed:
            pass
        assert violations(steady) == []
        operation(steady, tmp_path)
        assert violations(steady) == []
        assert (number(steady.champion(MODEL)), len(steady.versions(MODEL))) == (champion, versions)
        assert {n: shown(here, n) for n in roles} == roles
    assert nth > 2


def test_a_lost_mirror_is_repaired_by_who_reads(stack: StackOutputs, three: AwsRegistry, tmp_path: Path) -> None:
    """Killed between the change in S3 and the approval in SageMaker."""
    ledger = Ledger(Aws(stack.region), stack)
    ledger.change(MODEL, lambda c: c.promoted(MODEL, 3, expected=2, again=False))
    assert shown(stack, 3) == ("PendingManualApproval", "")
    assert number(three.champion(MODEL)) == 3
    assert shown(stack, 3) == ("Approved", "champion")


def test_who_may_only_read_still_reads(
    stack: StackOutputs, three: AwsRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Ledger(Aws(stack.region), stack).change(MODEL, lambda c: c.promoted(MODEL, 3, expected=2, again=False))

    class Reader(Aws):
        def submit(self, service: str, operation: str, **parameters: Any) -> Any:
            denied = Refused("access denied", why="No policy.", todo="Allow it.")
            denied.code = "AccessDeniedException"
            raise denied

    reader = AwsRegistry(Reader(stack.region), stack, tmp_path / "reader", verify)
    assert number(reader.champion(MODEL)) == 3
    assert shown(stack, 3) == ("PendingManualApproval", "")


def test_approval_follows_the_champion(stack: StackOutputs, three: AwsRegistry) -> None:
    assert [shown(stack, n) for n in (1, 2, 3)] == [
        ("Approved", "replaced"),
        ("Approved", "champion"),
        ("PendingManualApproval", ""),
    ]
    three.rollback(MODEL)
    assert [shown(stack, n) for n in (1, 2)] == [("Approved", "champion"), ("Rejected", "rolled back")]
    three.promote(MODEL, 2, expected_champion=1, again=True)
    assert shown(stack, 2) == ("Approved", "champion")


def test_a_person_may_reject_and_no_pipeline_overrules_it(stack: StackOutputs, three: AwsRegistry) -> None:
    three.reject(MODEL, 3, note="unfair to short flights")
    with pytest.raises(RegistryError, match="v3 was rejected and is not promoted: unfair to short flights"):
        three.promote(MODEL, 3, expected_champion=2)
    assert number(three.champion(MODEL)) == 2
    three.approve(MODEL, 3, note="looked again")
    assert three.approval(MODEL, 3) == "Approved"
    assert three.promote(MODEL, 3, expected_champion=2).changed
    assert raw(stack, 3)["ApprovalDescription"] == "looked again", "what is approved already is not approved again"


def test_what_a_person_says_about_the_champion_stays(stack: StackOutputs, three: AwsRegistry) -> None:
    """Reading repairs what a kill lost, and nothing that a person decided."""
    three.reject(MODEL, 2, note="under investigation")
    assert number(three.champion(MODEL)) == 2
    assert shown(stack, 2) == ("Rejected", "champion")


def test_of_many_promotions_on_the_same_evidence_one_wins(
    stack: StackOutputs, registry: AwsRegistry, tmp_path: Path
) -> None:
    for content in "abcdefg":
        register(registry, tmp_path, content)
    registry.promote(MODEL, 1, expected_champion=None)
    outcome = race(6, lambda i: registry.promote(MODEL, i + 2, expected_champion=1))
    won = [index for index, each in enumerate(outcome) if not isinstance(each, Exception)]
    assert len(won) == 1
    assert sum("stale evidence" in str(each) for each in outcome) == 5
    assert number(registry.champion(MODEL)) == won[0] + 2
    assert violations(registry) == []


def test_without_conditions_more_than_one_would_win(
    stack: StackOutputs, three: AwsRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check above can fail: both read, then both write, and only the condition stops the second."""
    barrier = threading.Barrier(2, timeout=120)
    read, submit = Ledger._read, Aws.submit

    def read_together(self: Ledger, model: str) -> Any:
        found = read(self, model)
        barrier.wait()
        return found

    def unconditional(self: Aws, service: str, operation: str, *, IfMatch: str, **parameters: Any) -> Any:
        return submit(self, service, operation, **parameters)

    monkeypatch.setattr(Ledger, "_read", read_together)
    monkeypatch.setattr(Aws, "submit", unconditional)
    ledgers = [Ledger(Aws(stack.region), stack) for _ in range(2)]
    outcome = race(2, lambda i: ledgers[i].change(MODEL, lambda c: c.promoted(MODEL, 3, expected=2, again=False)))
    assert [each for each in outcome if isinstance(each, Exception)] == []


def test_many_that_register_one_package_make_one_version(stack: StackOutputs, tmp_path: Path) -> None:
    package, digest = write_package(tmp_path / "a", "a")

    def work(index: int) -> int:
        each = AwsRegistry(Aws(stack.region), stack, tmp_path / f"machine-{index}", verify)
        return each.register(MODEL, package, digest, run=f"r{index}", tags={}).number

    assert race(5, work) == [1] * 5
    assert len(AwsRegistry(Aws(stack.region), stack, tmp_path, verify).versions(MODEL)) == 1


def test_a_group_that_somebody_deleted_is_named(stack: StackOutputs, registry: AwsRegistry, tmp_path: Path) -> None:
    Aws(stack.region).submit("sagemaker", "DeleteModelPackageGroup", ModelPackageGroupName=stack.models[MODEL].group)
    with pytest.raises(RegistryError, match=f"the model package group '{stack.prefix}-flights' is not there"):
        register(registry, tmp_path, "a")
    assert list(registry.versions(MODEL)) == []


def test_a_version_of_something_else_is_listed_and_not_promoted(stack: StackOutputs, three: AwsRegistry) -> None:
    """A RegisterModel step, or a person in Studio."""
    Aws(stack.region).submit(
        "sagemaker",
        "CreateModelPackage",
        ModelPackageGroupName=f"{stack.prefix}-{MODEL}",
        ModelApprovalStatus="Approved",
        ClientToken="by-hand",
    )
    foreign = three.versions(MODEL)[-1]
    assert (foreign.number, foreign.digest, foreign.promoted) == (4, "", False)
    with pytest.raises(RegistryError, match="v4 has no package"):
        three.promote(MODEL, 4, expected_champion=2)


@pytest.mark.parametrize(
    "text", [b"{", b"[]", b'{"schema": 2}', b'{"schema": 1, "champion": 7, "previous": null, "versions": {}}']
)
def test_a_damaged_ledger_is_named_and_left_alone(stack: StackOutputs, three: AwsRegistry, text: bytes) -> None:
    place = {"Bucket": stack.bucket, "Key": stack.key("registry", f"{stack.prefix}-{MODEL}", "champion.json")}
    aws = Aws(stack.region)
    aws.submit("s3", "PutObject", **place, Body=text)
    for call in (three.champion, three.versions, three.rollback):
        with pytest.raises(RegistryError, match=r"champion\.json is damaged"):
            call(MODEL)
    assert aws.ask("s3", "GetObject", **place)["Body"].read() == text


def test_a_ledger_that_always_moves_ends_in_words(
    stack: StackOutputs, three: AwsRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Ledger._read
    monkeypatch.setattr(Ledger, "_read", lambda self, model: (read(self, model)[0], '"another"'))
    monkeypatch.setattr("seatrial.clouds.aws.ledger.time.sleep", lambda _: None)
    with pytest.raises(ResourceError, match="changed by others all the time"):
        three.promote(MODEL, 3, expected_champion=2)


def test_an_archive_is_the_same_bytes_and_stays_in_its_folder(tmp_path: Path) -> None:
    package, digest = write_package(tmp_path / "a", "a")
    again, _ = write_package(tmp_path / "again", "a")
    assert packed(package) == packed(again)
    (tmp_path / "out").mkdir()
    unpack(packed(package), tmp_path / "out")
    assert verify(tmp_path / "out") == digest
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../escape"))
    with pytest.raises(PackageError, match="cannot be unpacked"):
        unpack(buffer.getvalue(), tmp_path / "out")
    assert not (tmp_path / "escape").exists()
