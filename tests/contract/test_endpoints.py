"""What every endpoint promises, on the laptop and on AWS alike (``seatrial.clouds.base``)."""

from __future__ import annotations

from pathlib import Path

import pytest

from seatrial.errors import EndpointError
from seatrial.project import Endpoint
from tests.contract.endpoint_samples import MODEL, Harbour, wrong_golden


def test_a_version_comes_up_answers_and_is_champion(harbour: Harbour) -> None:
    served = harbour.deploy(1)
    assert (served.version, served.changed, harbour.champion) == ("1", True, 1)
    assert harbour.endpoints.get(MODEL).digest == harbour.registry.version(MODEL, 1).digest
    assert harbour.endpoints.fingerprint(MODEL) == {"version": "1", "digest": served.digest, "healthy": True}
    assert harbour.endpoints.verify(MODEL, "1").rows > 0
    answer = harbour.endpoints.predict(MODEL, {"instances": harbour.rows()})
    assert len(answer["predictions"]) == 3
    assert (answer["model"]["version"], answer["model"]["digest"]) == ("1", served.digest)


def test_deploying_what_serves_promotes_and_changes_nothing_else(harbour: Harbour) -> None:
    """A run killed after the switch repeats the deployment."""
    harbour.deploy(1)
    asked: list[int] = []
    served = harbour.deploy(1, before_switch=lambda: asked.append(1))
    assert (served.changed, asked) == (False, [1])


def test_the_next_version_takes_over_and_the_way_back_leads_to_the_first(harbour: Harbour) -> None:
    harbour.deploy(1)
    assert harbour.deploy(2).changed
    assert (harbour.endpoints.get(MODEL).version, harbour.champion) == ("2", 2)
    with pytest.raises(EndpointError, match="serves v2, not v1"):
        harbour.endpoints.verify(MODEL, "1")
    with pytest.raises(EndpointError, match="serves v2, not v3"):  # somebody else has put v3 back meanwhile
        harbour.endpoints.rollback(
            MODEL, settings=Endpoint(), leaving="3", before_switch=lambda: pytest.fail("it began")
        )
    assert harbour.rollback().version == "1"
    assert (harbour.endpoints.get(MODEL).version, harbour.champion) == ("1", 1)
    assert harbour.endpoints.verify(MODEL, "1").rows > 0
    with pytest.raises(EndpointError, match="no previous version"):
        harbour.rollback()
    assert harbour.champion == 1


def test_a_version_that_answers_its_golden_sample_wrong_changes_nothing(harbour: Harbour, tmp_path: Path) -> None:
    harbour.deploy(1)
    number = harbour.register(wrong_golden(harbour.packages[1], tmp_path / "wrong"))
    with pytest.raises(EndpointError, match=r"answers 1 of \d+ golden rows wrong"):
        harbour.deploy(number)
    assert (harbour.endpoints.get(MODEL).version, harbour.champion) == ("1", 1)
    assert harbour.endpoints.verify(MODEL, "1").rows > 0


def test_a_promotion_that_is_refused_leaves_the_traffic_where_it_is(harbour: Harbour) -> None:
    harbour.deploy(1)

    def refuse() -> None:
        raise EndpointError("stale evidence", why="-", todo="-")

    with pytest.raises(EndpointError, match="stale evidence"):
        harbour.deploy(2, before_switch=refuse)
    assert (harbour.endpoints.get(MODEL).version, harbour.champion) == ("1", 1)


def test_a_request_that_the_server_refuses_is_explained(harbour: Harbour) -> None:
    """On AWS the refusal arrives as a ModelError with the server's text inside."""
    harbour.deploy(1)
    with pytest.raises(
        EndpointError, match=r"400.*problems in the request; nothing was predicted\n  0 month is missing"
    ):
        harbour.endpoints.predict(MODEL, {"instances": [{"nonsense": 1}]})


def test_an_endpoint_that_is_stopped_is_gone(harbour: Harbour) -> None:
    harbour.deploy(1)
    assert [(e["name"], e["status"], e["version"]) for e in harbour.endpoints.list()] == [(MODEL, "healthy", "1")]
    assert harbour.endpoints.stop(MODEL)
    assert not harbour.endpoints.stop(MODEL)
    assert harbour.endpoints.fingerprint(MODEL) == {"version": None, "digest": None, "healthy": False}
    with pytest.raises(EndpointError, match="no running endpoint 'parcels'"):
        harbour.endpoints.get(MODEL)
    assert harbour.champion == 1


def test_an_endpoint_that_never_was(harbour: Harbour) -> None:
    assert not harbour.endpoints.stop(MODEL)
    for call in (harbour.endpoints.get, lambda name: harbour.endpoints.predict(name, {"instances": []})):
        with pytest.raises(EndpointError, match="no running endpoint"):
            call(MODEL)
