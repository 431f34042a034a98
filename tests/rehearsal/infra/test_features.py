"""What programs may use: each does what Pulumi says, or is refused by name."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from seatrial.rehearsal.infra.values import HIDDEN, secret
from tests.rehearsal.infra.conftest import Stage, failing, steps
from tests.rehearsal.infra.memory import BOX, NOTE, SHELF

KEY = "tr0ub4dor"


def test_an_alias_keeps_a_component_and_its_children(stage: Stage) -> None:
    stage.stack("renamed", called="store").up()
    made = list(stage.cloud.log)
    infra = stage.stack("renamed", called="depot", once="store")
    renamed = infra.up()
    assert (renamed.changes, stage.cloud.log) == ((), made)
    assert {each.name for each in infra.resources if each.applied} == {"depot-shelf", "depot-box-0", "depot-box-1"}
    assert infra.compare() == []
    assert not stage.stack("renamed", called="depot").up().changes


def test_without_the_alias_everything_would_be_made_again(stage: Stage) -> None:
    stage.stack("renamed", called="store").up()
    planned = stage.stack("renamed", called="depot").preview()
    assert {"create depot-shelf", "delete store-shelf"} <= set(steps(planned))


def test_transforms_of_the_stack_and_of_a_resource(stage: Stage) -> None:
    infra = stage.stack("transformed")
    infra.up()
    assert stage.cloud.things[SHELF, "plain"]["labels"] == {"of": "ada", "by": "transform"}
    assert {each.name: each.protect for each in infra.resources if each.applied} == {"plain": False, "kept": True}
    assert not infra.up().changes
    infra.configure({"broken": True})
    assert "a transform of broken (mem:shelf:Shelf) failed" in failing(infra).what


def test_secrets_are_encrypted_in_the_state_and_printed_nowhere(stage: Stage) -> None:
    infra = stage.stack("secrets", key=secret(KEY))
    infra.up()
    assert stage.cloud.things[BOX, "safe"]["key"] == KEY
    assert stage.cloud.things[NOTE, made_note(stage)]["text"] == f"the key is {KEY}"
    files = [path.read_text() for path in stage.state.rglob("*.json")]
    assert files
    assert not any(KEY in text or "mem://box/safe" in text for text in files)
    assert infra.outputs == {"key": KEY, "address": "mem://box/safe"}
    assert infra.compare() == []
    assert not infra.up().changes
    stage.cloud.things[BOX, "safe"]["key"] = "another"
    assert [str(each).partition(" ")[2] for each in infra.compare()] == [
        f"key: the state says {HIDDEN}, the cloud {HIDDEN}"
    ]
    infra.configure({"leak": True})
    told = failing(infra, "preview")
    assert "is no number" in told.what
    assert KEY not in str(told) + str(told.applied)
    assert told.applied.messages == (f"do not print {HIDDEN}",)


def made_note(stage: Stage) -> str:
    return next(name for type, name in stage.cloud.things if type == NOTE)


def test_the_state_opens_under_its_passphrase_alone(stage: Stage) -> None:
    stage.stack("secrets", key=secret(KEY)).up()
    file = next(stage.state.rglob("*.json"))
    written = json.loads(file.read_text())
    assert written["version"] == 3
    safe = next(each for each in written["deployment"]["resources"] if each["urn"].endswith("::safe"))
    assert set(safe["inputs"]["key"]) == {"4dabf18193072939515e22adb298388d", "ciphertext"}
    from seatrial.errors import UsageError
    from seatrial.rehearsal.infra.state import StateFile

    assert StateFile(file, "pass").load()
    with pytest.raises(UsageError, match="cannot be decrypted with this passphrase"):
        StateFile(file, "other").load()


def test_what_is_protected_is_not_deleted_until_it_is_unprotected(stage: Stage) -> None:
    infra = stage.stack("protected", keep=True)
    infra.up()
    made = dict(stage.cloud.things)
    refused = failing(infra, "destroy")
    assert "1 protected resource would be deleted: shelf (mem:shelf:Shelf)" in refused.what
    assert "pulumi state unprotect" in refused.todo
    assert stage.cloud.things == made
    infra.configure({"without": True})
    assert "1 protected resource" in failing(infra).what
    infra.configure({"without": None, "called": "another"})
    assert "shelf (mem:shelf:Shelf) is protected and would be replaced, for its name" in failing(infra).what
    assert stage.cloud.things == made
    infra.unprotect(*(each.urn for each in infra.protected()))
    infra.destroy()
    assert stage.cloud.things == {}


def test_replacing_makes_the_new_one_before_the_old_one_goes(stage: Stage) -> None:
    infra = stage.stack("protected", called="one")
    infra.up()
    infra.configure({"called": "two"})
    planned = infra.preview()
    made = infra.up()
    assert [step.op for step in made.changes] == ["replace", "delete-replaced"]
    assert [str(step) for step in planned.changes] == [str(step) for step in made.changes]
    assert stage.cloud.log[-2:] == ["create two", "delete one"]
    assert infra.compare() == []


def test_what_cannot_exist_twice_goes_first_and_only_what_needs_it(stage: Stage) -> None:
    infra = stage.stack("replaced", called="one")
    infra.up()
    infra.configure({"called": "two"})
    planned = infra.preview()
    replaced = infra.up()
    assert {(step.op, step.name) for step in planned.changes} >= {(step.op, step.name) for step in replaced.changes}
    log = stage.cloud.log
    assert log.index("delete the-box") < len(log) - 1 - log[::-1].index("create the-box")
    assert log[-1] == "delete one"
    assert {f"{s.op} {s.name}" for s in replaced.changes} == {
        "replace shelf", "replace box", "delete-replaced box", "update own-name", "delete-replaced shelf",
    }  # fmt: skip
    assert infra.compare() == []
    assert not infra.up().changes


@pytest.mark.parametrize("struck", [("create", "the-box"), ("delete", "one")])
def test_a_replacement_that_breaks_off_is_finished(stage: Stage, struck: tuple[str, str]) -> None:
    infra = stage.stack("replaced", called="one")
    infra.up()
    infra.configure({"called": "two"})
    stage.cloud.fail(*struck)
    failing(infra)
    assert infra.compare() == []
    infra.up()
    assert infra.compare() == []
    assert {name for type, name in stage.cloud.things if type != NOTE} == {"two", "the-box"}
    stage.cloud.fail("create", "never")
    infra.destroy()
    assert stage.cloud.things == {}


def test_options_of_resources(stage: Stage) -> None:
    infra = stage.stack("options")
    infra.up()
    infra.configure({"owner": "bob"})
    changed = infra.up()
    assert stage.cloud.things[SHELF, "ignoring"] == {"name": "ignoring", "owner": "ada", "labels": {"seen": "ada"}}
    assert {f"{s.op} {s.name}" for s in changed.changes} == {
        "replace strict", "delete-replaced strict", "replace strict-note", "delete-replaced strict-note",
    }  # fmt: skip
    assert infra.compare() == []
    del stage.cloud.log[:]
    infra.destroy()
    assert set(stage.cloud.things) == {(NOTE, "retained")}
    assert [str(each)[:22] for each in infra.compare()] == ["mem:note:Note retained"]
    assert "delete above" not in stage.cloud.log


def test_files_and_archives(stage: Stage) -> None:
    infra = stage.stack("files")
    infra.up()
    held = stage.cloud.contents
    assert held["text.body"] == b"hello"
    assert held["file.body"] == b"a line of a file\n"
    with zipfile.ZipFile(io.BytesIO(held["archive.body"])) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "hello.txt": b"hello", "more/line.txt": b"a line of a file\n",
        }  # fmt: skip
    assert infra.compare() == []
    assert not infra.up().changes
    infra.configure({"text": "another"})
    assert sorted(steps(infra.up())) == ["update archive", "update text"]
    (stage.programs / "features" / "files" / "line.txt").write_text("changed")
    assert sorted(steps(infra.up())) == ["update archive", "update file"]
    assert infra.compare() == []
    infra.configure({"remote": True})
    assert "the file https://example.org/file is not rehearsed" in failing(infra).what


def test_another_stack_s_outputs(stage: Stage) -> None:
    stage.stack("store").up()
    infra = stage.stack("referring", "second", other="organization/features/dev")
    infra.up()
    assert stage.cloud.things[SHELF, "shelf"]["owner"] == "main"
    missing = failing(stage.stack("referring", "third", other="organization/features/none"))
    assert "refers to stack 'organization/features/none', which is not there" in missing.what


def test_what_somebody_else_owns_is_read_and_never_deleted(stage: Stage) -> None:
    stage.cloud.things[SHELF, "theirs"] = {"name": "theirs", "owner": "eve"}
    infra = stage.stack("reading", id="theirs")
    infra.up()
    assert stage.cloud.things[SHELF, "mine"]["owner"] == "mem://shelf/theirs"
    infra.destroy()
    assert set(stage.cloud.things) == {(SHELF, "theirs")}
    assert "there is no 'nobody'" in failing(stage.stack("reading", id="nobody")).what


def test_functions(stage: Stage) -> None:
    assert stage.stack("asking").up().outputs == {"sum": 6}
    assert "'mem:index:product' is not rehearsed" in failing(stage.stack("asking", token="mem:index:product")).what


CASES: list[tuple[str, dict[str, Any], str]] = [
    ("unheard", {}, "lamp: 'mem:lamp:Lamp' is not rehearsed"),
    ("wrong", {}, "box (mem:box:Box) is wrong: colour: there is no such property; size: 'large' is no number"),
    ("refused", {"option": "import"}, "shelf (mem:shelf:Shelf) uses what is not rehearsed: import_"),
    ("refused", {"option": "hide_diffs"}, "uses what is not rehearsed: hide_diffs"),
    ("refused", {"option": "url"}, "uses what is not rehearsed: plugin_download_url"),
    ("twice", {}, "two resources are called shelf (mem:shelf:Shelf)"),
    ("store", {"mem:speed": "fast"}, "provider 'default' of mem is not rehearsed so: speed is not followed"),
]


@pytest.mark.parametrize(("case", "config", "told"), CASES)
@pytest.mark.parametrize("operation", ["preview", "up"])
def test_what_is_not_rehearsed_is_refused_by_name(
    stage: Stage, case: str, config: dict[str, Any], told: str, operation: str
) -> None:
    infra = stage.stack(case, **config)
    assert told in failing(infra, operation).what
    assert infra.compare() == []
