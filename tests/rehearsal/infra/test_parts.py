"""Parts of the engine alone: names, paths, values, the record, the order of deletions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime import rpc

from seatrial.errors import RehearsalError
from seatrial.rehearsal.infra.deletion import in_order
from seatrial.rehearsal.infra.paths import parse, touched, with_ignored
from seatrial.rehearsal.infra.provider import base
from seatrial.rehearsal.infra.state import Resource, StateFile
from seatrial.rehearsal.infra.urns import Alias, former_urns, urn_of
from seatrial.rehearsal.infra.values import REFERENCE, SECRET, decode, encode, plain, secret, shown

STORE = "urn:pulumi:dev::shop::test:index:Store::store"


def test_the_marks_are_pulumi_s() -> None:
    assert base.UNKNOWN == rpc.UNKNOWN
    assert rpc._special_sig_key == base.SIGNATURE
    assert [base.digest_of(kind, "")[base.SIGNATURE] for kind in ("asset", "archive")] == [
        rpc._special_asset_sig, rpc._special_archive_sig,
    ]  # fmt: skip
    assert [rpc._special_secret_sig, rpc._special_resource_sig] == [SECRET, REFERENCE]


_json = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5) | st.floats(-1e6, 1e6, allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=3), _json, max_size=4))
def test_values_come_back_from_the_wire(properties: dict[str, Any]) -> None:
    assert decode(encode(properties)) == properties


def test_nulls_do_not_come_from_the_wire_and_whole_numbers_are_ints() -> None:
    struct = Struct()
    struct.update({"a": None, "b": {"c": None, "d": 2.0, "e": 2.5}})
    assert decode(struct) == {"b": {"d": 2, "e": 2.5}}
    assert type(decode(struct)["b"]["d"]) is int


def test_a_secret_is_shown_to_nobody() -> None:
    assert shown({"a": secret("b"), "c": [secret({"d": 1})]}) == '{"a": "[secret]", "c": ["[secret]"]}'
    assert plain({"a": secret({"b": secret("c")})}) == {"a": {"b": "c"}}


def test_urns_hold_the_types_of_the_parents() -> None:
    stack = urn_of("dev", "shop", "", "pulumi:pulumi:Stack", "shop-dev")
    assert urn_of("dev", "shop", stack, "test:index:Store", "store") == STORE
    shelf = urn_of("dev", "shop", STORE, "mem:shelf:Shelf", "a")
    assert shelf == "urn:pulumi:dev::shop::test:index:Store$mem:shelf:Shelf::a"


@pytest.mark.parametrize(
    ("alias", "former"),
    [
        (Alias(name="b"), "urn:pulumi:dev::shop::test:index:Store$mem:shelf:Shelf::b"),
        (Alias(type="mem:rack:Rack"), "urn:pulumi:dev::shop::test:index:Store$mem:rack:Rack::store-a"),
        (Alias(no_parent=True), "urn:pulumi:dev::shop::mem:shelf:Shelf::store-a"),
        (Alias(stack="qa", project="bar"), "urn:pulumi:qa::bar::test:index:Store$mem:shelf:Shelf::store-a"),
        (Alias(urn="urn:pulumi:x::y::z::w"), "urn:pulumi:x::y::z::w"),
    ],
)
def test_aliases(alias: Alias, former: str) -> None:
    urn = urn_of("dev", "shop", STORE, "mem:shelf:Shelf", "store-a")
    assert former in former_urns(urn, "mem:shelf:Shelf", STORE, [alias], [])


def test_a_child_follows_its_parent_s_alias() -> None:
    urn = urn_of("dev", "shop", STORE, "mem:shelf:Shelf", "store-a")
    once = STORE.replace("::store", "::depot")
    assert former_urns(urn, "mem:shelf:Shelf", STORE, [], [once]) == (
        "urn:pulumi:dev::shop::test:index:Store$mem:shelf:Shelf::depot-a",
    )


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("a", ("a",)),
        ("a.b[0].c", ("a", "b", 0, "c")),
        ('a["b.c"].d', ("a", "b.c", "d")),
        ("a[*].b", ("a", "*", "b")),
        ("*", ("*",)),
    ],
)
def test_paths(path: str, steps: tuple[str | int, ...]) -> None:
    assert parse(path) == steps


@pytest.mark.parametrize("path", ["", "a[", "a[x]", 'a["b'])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(RehearsalError, match="is no path to a property"):
        parse(path)


def test_ignored_changes() -> None:
    olds = {"a": 1, "b": {"c": [{"d": 1, "e": 1}, {"d": 2}]}, "g": 1}
    news = {"a": 2, "b": {"c": [{"d": 5, "e": 6}, {"d": 7}]}, "f": 3}
    assert with_ignored(news, olds, ["a"]) == news | {"a": 1}
    assert with_ignored(news, olds, ["b.c[0].d"])["b"] == {"c": [{"d": 1, "e": 6}, {"d": 7}]}
    assert with_ignored(news, olds, ["b.c[*].d"])["b"] == {"c": [{"d": 1, "e": 6}, {"d": 2}]}
    assert with_ignored(news, olds, ["f", "g"]) == {"a": 2, "b": news["b"], "g": 1}
    assert with_ignored(news, olds, ["*"]) == olds
    assert touched("b.c[*].d", olds, news)
    assert not touched("b.x", olds, news)


def _resource(number: int, needs: list[int], *, delete: bool = False) -> Resource:
    return Resource(f"u{number}", "t", custom=True, dependencies=tuple(f"u{n}" for n in needs), delete=delete)


@given(st.data())
def test_everything_is_deleted_before_what_it_needs(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    needs = [data.draw(st.lists(st.integers(0, n - 1), max_size=3)) if n else [] for n in range(count)]
    resources = [_resource(n, needs[n]) for n in range(count)]
    order = in_order(data.draw(st.permutations(resources)))
    place = {each.urn: number for number, each in enumerate(order)}
    assert len(place) == count
    assert all(place[each.urn] < place[urn] for each in resources for urn in each.needs)


def test_a_replaced_resource_that_needs_its_successor_goes_first() -> None:
    order = in_order([_resource(1, [2]), _resource(2, []), _resource(2, [1], delete=True)])
    assert (order[0].urn, order[0].delete) == ("u2", True)


def test_a_record_comes_back(tmp_path: Path) -> None:
    first = Resource("u0", "t", custom=True, id="i", inputs={"a": secret([1])}, protect=True, aliases=("x",))
    second = Resource(
        "u1", "t", custom=False, parent="u0", property_dependencies={"p": ("u0",)}, outputs={"o": {"n": 1}}
    )
    StateFile(tmp_path / "s.json", "pass").save([first, second])
    assert StateFile(tmp_path / "s.json", "pass").load() == (first, second)


def test_a_record_that_is_not_whole_is_neither_written_nor_read(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "s.json", "pass")
    with pytest.raises(RehearsalError, match="u1 needs u0, which is not recorded before it"):
        file.save([_resource(1, [0]), _resource(0, [])])
    assert not file.path.exists()
    file.save([_resource(0, []), _resource(1, [0])])
    written = json.loads(file.path.read_text())
    written["deployment"]["resources"].reverse()
    file.path.write_text(json.dumps(written))
    with pytest.raises(RehearsalError, match="is not whole"):
        file.load()
