"""What the review forbids is not made; what it advises is handed on."""

from __future__ import annotations

from pathlib import Path

import pytest

from seatrial.errors import RehearsalError
from seatrial.rehearsal.infra.analyzer import analyzing
from seatrial.rehearsal.infra.lifecycle import Infra
from seatrial.rehearsal.infra.review import Checks, Unproven
from seatrial.rehearsal.infra.state import Resource
from tests.rehearsal.infra.conftest import Stage, failing

PACK = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy, StackValidationPolicy

def small(args, report):
    if args.resource_type == "mem:box:Box" and args.props["size"] > 0:
        report("too large", args.urn)

def one_shelf(args, report):
    shelves = [each for each in args.resources if each.resource_type == "mem:shelf:Shelf"]
    boxes = [each for each in args.resources if each.resource_type == "mem:box:Box"]
    if not all(each.property_dependencies["shelf"] for each in boxes) or len(shelves) != 1:
        report("what boxes stand on is not told")
    report("there are shelves")

PolicyPack("p", [
    ResourceValidationPolicy("small-boxes", "boxes are small", small, EnforcementLevel.MANDATORY),
    StackValidationPolicy("shelves", "shelves are counted", one_shelf, EnforcementLevel.ADVISORY),
])
"""


def reviewed(stage: Stage, checks: Checks, boxes: int = 2) -> Infra:
    config = {"case": "store", "owner": "ada", "boxes": boxes}
    return Infra(stage.programs / "features", "dev", stage.cloud, stage.state, config=config, review=checks)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "__main__.py").write_text(PACK)
    return folder


def test_a_forbidden_resource_is_not_made_and_the_update_stops(stage: Stage, pack: Path) -> None:
    with analyzing(pack, project="features", stack="dev") as analyzer:
        infra = reviewed(stage, Checks(analyzer))
        failed = failing(infra)
    assert "breaks a mandatory policy: mandatory: small-boxes: store-box-1: too large" in str(failed)
    made = {each.name for each in infra.resources if each.type == "mem:box:Box"}
    assert "store-box-1" not in made


def test_a_preview_is_reviewed_and_advice_stops_nothing(stage: Stage, pack: Path) -> None:
    with analyzing(pack, project="features", stack="dev") as analyzer:
        checks = Checks(analyzer)
        infra = reviewed(stage, checks, boxes=1)
        infra.preview()
        assert [each.message for each in checks.advice] == ["there are shelves"]
        infra.up()
        assert len(checks.advice) == 2


def test_what_the_static_proof_finds_is_not_made(pack: Path) -> None:
    bucket = Resource("urn:pulumi:dev::p::aws:s3/bucket:Bucket::b", "aws:s3/bucket:Bucket", True, inputs={"bucket": 7})
    with analyzing(pack, project="p", stack="dev") as analyzer, pytest.raises(Unproven, match="expected text") as found:
        Checks(analyzer).resource(bucket)
    assert isinstance(found.value, RehearsalError)
