"""What sessions of one process have in common, and what they must not."""

from __future__ import annotations

import pytest

from seatrial.clouds.aws.session import new_session


def test_sessions_share_descriptions_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    found, keys = [], []
    for key, region in (("one", "us-east-1"), ("two", "eu-west-1")):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        found.append(new_session(region))
        keys.append(found[-1].get_credentials().access_key)
    first, second = (session._session.get_component("data_loader") for session in found)
    assert first is second
    assert keys == ["one", "two"]
    clients = [session.client("sagemaker") for session in found]
    assert [client.meta.region_name for client in clients] == ["us-east-1", "eu-west-1"]
    monkeypatch.setenv("AWS_DATA_PATH", "/elsewhere")
    assert new_session()._session.get_component("data_loader") is not first
