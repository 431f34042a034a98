"""A release that starts later has to know what the evidence compared with."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from components.deploy import compared_with
from components.register import COMPARED_WITH
from seatrial.clouds.base import Version
from seatrial.errors import RegistryError

VERSION = Version("parcels", 2, "d" * 64, "r1", dt.datetime.now(dt.UTC), False, None, False)


@pytest.mark.parametrize("champion", [0, 3])
def test_a_version_says_what_it_was_compared_with(champion: int) -> None:
    assert compared_with(dataclasses.replace(VERSION, tags={COMPARED_WITH: str(champion)})) == champion


def test_a_version_that_does_not_say_so_is_not_released() -> None:
    """Promoted against whoever is champion by now, it would replace a model that it was never compared with."""
    with pytest.raises(RegistryError, match="v2 does not say which champion"):
        compared_with(VERSION)
