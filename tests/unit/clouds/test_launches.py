"""By which token a launch is known: drawn, or given where nothing that is written down lasts."""

from __future__ import annotations

from pathlib import Path

import pytest

from seatrial import project
from seatrial.clouds.base import Prepared
from seatrial.clouds.launch import Launches
from seatrial.errors import UsageError

WORK = Prepared("p", "d", "{}", {}, {}, {})
TOKEN = "run-7".ljust(32, "-")


def test_a_given_token_is_taken_and_others_are_drawn(tmp_path: Path) -> None:
    first = Launches(tmp_path / "first", TOKEN).open(WORK)
    assert first.token == TOKEN
    assert Launches(tmp_path / "second", TOKEN).open(WORK) == first
    drawn = {Launches(tmp_path / name).open(WORK).token for name in ("third", "fourth")}
    assert len(drawn | {TOKEN}) == 3


def test_starting_anew_draws_one(tmp_path: Path) -> None:
    """With the given one the service would find the execution that is not wanted any more."""
    launches = Launches(tmp_path, TOKEN)
    launches.open(WORK)
    assert launches.open(WORK, again=True).token != TOKEN


def test_what_was_written_half_is_replaced_by_the_given_one(tmp_path: Path) -> None:
    launches = Launches(tmp_path, TOKEN)
    (tmp_path / "launches" / "p").mkdir(parents=True)
    (tmp_path / "launches" / "p" / "d.json").write_text("{")
    assert launches.open(WORK).token == TOKEN
    assert [each.token for each in launches.of("p")] == [TOKEN]


@pytest.mark.parametrize(("length", "taken"), [(31, False), (32, True), (128, True), (129, False)])
def test_a_token_that_aws_would_refuse_is_refused_here(length: int, taken: bool, tmp_path: Path) -> None:
    if taken:
        assert len(Launches(tmp_path, "t" * length).open(WORK).token) == length
        return
    with pytest.raises(UsageError, match=f"SEATRIAL_LAUNCH_TOKEN has {length} characters") as refused:
        Launches(tmp_path, "t" * length)
    assert "32 to 128" in (refused.value.why or "")


def test_it_is_a_setting_of_the_environment(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEATRIAL_LAUNCH_TOKEN", raising=False)
    assert project.load(repository).launch_token == ""
    monkeypatch.setenv("SEATRIAL_LAUNCH_TOKEN", TOKEN)
    assert project.load(repository).launch_token == TOKEN
