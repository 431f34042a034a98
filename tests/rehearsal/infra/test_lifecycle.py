"""A stack's life on a cloud in memory: each operation does what it says, and state and cloud agree after it."""

from __future__ import annotations

import pytest

from seatrial.rehearsal.infra.provider.base import UNKNOWN
from tests.rehearsal.infra.conftest import Stage, failing, steps
from tests.rehearsal.infra.memory import BOX, SHELF


def test_the_way_through(stage: Stage) -> None:
    infra = stage.stack("store")
    planned = infra.preview()
    assert (stage.cloud.log, infra.resources) == ([], ())
    assert planned.outputs["shelf"] == "main"
    assert planned.outputs["addresses"] == [UNKNOWN, UNKNOWN]
    made = infra.up()
    assert {str(s) for s in made.changes} == {str(s) for s in planned.changes}
    assert made.outputs == infra.outputs
    assert made.outputs["addresses"] == ["mem://box/box-0", "mem://box/box-1"]
    assert stage.cloud.log[0] == "create main"
    assert infra.compare() == []
    again = infra.up()
    assert (again.changes, infra.compare()) == ((), [])
    gone = infra.destroy()
    assert [step.name for step in gone.steps][-1] == "features-dev"
    assert (stage.cloud.things, infra.resources, infra.compare()) == ({}, (), [])


def test_a_changed_setting_changes_one_property(stage: Stage) -> None:
    infra = stage.stack("store")
    infra.up()
    infra.configure({"owner": "bob"})
    planned = infra.preview()
    changed = infra.up()
    assert [str(step) for step in changed.changes] == ["update Shelf store-shelf (owner)"]
    assert [str(step) for step in planned.changes] == [str(step) for step in changed.changes]
    assert changed.changes[0].details == ('owner: "ada" → "bob"',)
    assert infra.compare() == []


def test_what_leaves_the_program_is_deleted(stage: Stage) -> None:
    infra = stage.stack("store", boxes=3)
    infra.up()
    infra.configure({"boxes": 1})
    planned, done = infra.preview(), infra.up()
    assert steps(planned) == steps(done)
    assert sorted(steps(done)) == ["delete store-box-1", "delete store-box-2"]
    assert infra.compare() == []


def test_refresh_notices_what_is_gone_and_what_is_otherwise(stage: Stage) -> None:
    infra = stage.stack("store")
    infra.up()
    del stage.cloud.things[BOX, "box-1"]
    stage.cloud.things[SHELF, "main"]["owner"] = "eve"
    differences = {(each.urn.rpartition("::")[2], each.property): each for each in infra.compare()}
    assert set(differences) == {("store-box-1", ""), ("store-shelf", "owner")}
    assert str(differences["store-shelf", "owner"]).endswith('owner: the state says "ada", the cloud "eve"')
    assert steps(infra.refresh()) == ["update store-shelf", "gone store-box-1"]
    assert infra.compare() == []
    assert sorted(steps(infra.up())) == ["create store-box-1", "update store-shelf"]
    assert stage.cloud.things[SHELF, "main"]["owner"] == "ada"
    assert infra.compare() == []


@pytest.mark.parametrize("operation", ["create", "update"])
def test_a_failure_leaves_what_was_done_and_the_next_one_goes_on(stage: Stage, operation: str) -> None:
    infra = stage.stack("store", boxes=3)
    if operation == "update":
        stage.cloud.fail("update", "main")
        infra.up()
        infra.configure({"owner": "bob"})
        name, did = "main", set[str]()
    else:
        stage.cloud.fail("create", "box-1")
        name, did = "box-1", {"store-shelf"}
    failed = failing(infra)
    assert f"injected: {operation} of {name}" in failed.what
    assert did <= {step.name for step in failed.applied.changes}
    assert infra.compare() == []
    done = {step.urn for step in failed.applied.changes}
    finished = infra.up()
    assert not done & {step.urn for step in finished.changes}
    assert {"create": "store-box-1", "update": "store-shelf"}[operation] in {step.name for step in finished.changes}
    assert infra.compare() == []


def test_what_is_made_in_part_is_recorded_as_it_is_and_completed(stage: Stage) -> None:
    infra = stage.stack("store")
    stage.cloud.fail("create", "main", unfinished={"name": "main"})
    failed = failing(infra)
    assert "is unfinished: injected after create of main" in failed.what
    assert infra.compare() == []
    finished = infra.up()
    assert [str(s) for s in finished.changes if s.name == "store-shelf"] == ["update Shelf store-shelf (owner)"]
    assert infra.compare() == []
    assert not infra.up().changes


def test_destroy_that_fails_goes_on_where_it_was(stage: Stage) -> None:
    infra = stage.stack("store")
    infra.up()
    stage.cloud.fail("delete", "main")
    failed = failing(infra, "destroy")
    assert "store-shelf (mem:shelf:Shelf) could not be deleted: injected: delete of main" in failed.what
    assert infra.compare() == []
    assert [each.name for each in infra.resources if each.applied] == ["store-shelf"]
    infra.destroy()
    assert (stage.cloud.things, infra.resources) == ({}, ())


def test_the_program_s_own_mistake_is_told_and_deletes_nothing(stage: Stage) -> None:
    stage.stack("store").up()
    failed = failing(stage.stack("failing", what="the sky"))
    assert failed.what == "up failed: the program failed: KeyError: 'the sky'"
    assert "cases.py" in failed.why
    assert (BOX, "box-1") in stage.cloud.things
    assert stage.stack("store").compare() == []


def test_a_missing_setting_is_told_in_pulumi_s_words(stage: Stage) -> None:
    failed = failing(stage.stack("failing"), "preview")
    assert "Missing required configuration variable 'features:what'" in failed.what + failed.why


# negative controls of the comparison


def test_a_property_that_the_cloud_drops_is_found(stage: Stage) -> None:
    stage.cloud.forgets = frozenset({"size"})
    infra = stage.stack("store")
    infra.up()
    # in the order in which they were made, which is nobody's: the program asks for them at the same time
    assert sorted(str(each).partition(" ")[2] for each in infra.compare()) == [
        "size: the state says 0, the cloud nothing",
        "size: the state says 1, the cloud nothing",
    ]


def test_what_only_the_cloud_has_is_found(stage: Stage) -> None:
    infra = stage.stack("store")
    infra.up()
    stage.cloud.things[BOX, "orphan"] = {"name": "orphan"}
    assert [str(each) for each in infra.compare()] == [
        "mem:box:Box orphan: the state says nothing, the cloud that it is there"
    ]
    assert infra.compare(others=lambda type, id: (type, id) == (BOX, "orphan")) == []
    assert infra.compare(others=lambda type, id: id == "another") != []
