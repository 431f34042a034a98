"""The policy pack: every seeded mistake is caught by the policy that is meant for it, and valid stacks pass."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from seatrial.errors import RehearsalError
from seatrial.rehearsal.infra.analyzer import Analyzer, PolicyViolated, analyzing, stop_at
from seatrial.rehearsal.infra.provider.base import UNKNOWN
from tests.rehearsal.infra.checks.conftest import ROOT, STACKS, Capture
from tests.rehearsal.infra.checks.program import Program
from tests.rehearsal.infra.checks.seeds import SEEDS, oidc


@pytest.mark.parametrize("what", SEEDS)
def test_a_seeded_mistake_is_caught_by_its_policy_and_by_no_other(
    what: str, pack: Analyzer, registered: Capture
) -> None:
    policy, damage = SEEDS[what]
    program = Program(registered("prod"))
    damage(program)
    found = pack.everything(program.all)
    assert {each.policy for each in found} == {policy}, found
    assert {each.level for each in found} == {pack.policies[policy]}


def test_every_policy_has_a_seeded_mistake(pack: Analyzer) -> None:
    """A policy that nothing breaks may as well be missing."""
    assert {policy for policy, _ in SEEDS.values()} == set(pack.policies)


def test_the_readme_lists_every_policy_with_its_level(pack: Analyzer) -> None:
    rows = re.findall(
        r"^\| `([\w-]+)` \| (\w+) \|", (ROOT / "infra" / "policy" / "README.md").read_text(), re.MULTILINE
    )
    assert dict(rows) == pack.policies


@pytest.mark.parametrize("how", ["up", "preview", "everything"])
@pytest.mark.parametrize("stack", STACKS)
def test_the_programs_stacks_break_no_policy(stack: str, how: str, pack: Analyzer, registered: Capture) -> None:
    """Also at preview, where ARNs and documents are unknown, and with everything that a stack may ask for."""
    assert pack.everything(registered(stack, how)) == []


def test_what_preview_does_not_know_breaks_no_policy(pack: Analyzer, registered: Capture) -> None:
    """Each property alone, and all at once."""
    program = Program(registered("prod")).all
    for each in program:
        if each.type.startswith("aws:"):
            for name in each.inputs:
                assert pack.resource(replace(each, inputs={**each.inputs, name: UNKNOWN})) == [], (each.name, name)
    blank = [replace(each, inputs=dict.fromkeys(each.inputs, UNKNOWN)) for each in program]
    assert pack.everything(blank) == []


@pytest.mark.parametrize("repository", ["acme/seatrial", "acme@123456/seatrial@456789"])
def test_a_repository_is_named_with_githubs_numbers_or_without(
    repository: str, pack: Analyzer, registered: Capture
) -> None:
    """Which of the two a token says is GitHub's choice, by the repository's age."""
    program = Program(registered("prod"))
    oidc(StringEquals=f"repo:{repository}:environment:prod")(program)
    assert pack.everything(program.all) == []


def test_development_may_be_emptied(pack: Analyzer, registered: Capture) -> None:
    """Protection is asked of production only: the stack's name is in the URN."""
    program = Program(registered("dev"))
    bucket = program.all[program.find("Bucket", "artifacts")]
    assert not bucket.protect and bucket.inputs["forceDestroy"]
    assert pack.resource(bucket) == []


def test_an_allow_list_is_a_setting_of_the_pack(registered: Capture) -> None:
    program = Program(registered("prod"))
    SEEDS["an endpoint on eight graphics processors"][1](program)
    SEEDS["deletion of any endpoint"][1](program)
    with analyzing(ROOT / "infra" / "policy", project="seatrial-aws", stack="prod") as analyzer:
        assert {each.policy for each in analyzer.everything(program.all)} == {
            "instance-types",
            "star-resource-has-reason",
        }
        analyzer.configure(
            {
                "instance-types": {"types": ["ml.p5.48xlarge"]},
                "star-resource-has-reason": {"reasons": {"sagemaker:DeleteEndpoint": "a janitor of the whole account"}},
            }
        )
        assert analyzer.everything(program.all) == []


def test_a_mandatory_violation_stops_and_an_advisory_one_is_handed_on(pack: Analyzer, registered: Capture) -> None:
    advised, forbidden = Program(registered("prod")), Program(registered("prod"))
    SEEDS["a way out to everywhere"][1](advised)
    SEEDS["no budget"][1](forbidden)
    assert [each.policy for each in stop_at(pack.everything(advised.all))] == ["no-open-egress"]
    with pytest.raises(PolicyViolated, match="breaks a mandatory policy: mandatory: budget-present: the stack"):
        stop_at(pack.everything(forbidden.all))


def test_a_pack_that_does_not_start_says_why(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("pack")
    (folder / "__main__.py").write_text("raise ValueError('no rules today')")
    with pytest.raises(RehearsalError, match="no rules today"), analyzing(folder, project="p", stack="dev"):
        pass
