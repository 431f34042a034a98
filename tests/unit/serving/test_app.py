"""The server's contract with its callers, without a socket."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from seatrial.package.read import Package
from seatrial.serving.app import ServerSettings
from seatrial.serving.servable import Row
from tests.unit.serving.bench import JSON, Doubler, Wire

GOOD = {"month": 5, "carrier": "UA", "wind_gust": 31.5, "origin": None, "seats": 180}


@pytest.mark.parametrize("path", ["/ping", "/health"])
def test_a_ready_server_is_healthy_and_says_what_it_serves(wire: Wire, path: str) -> None:
    """SageMaker asks /ping; a deployment compares the digest."""
    reply = wire.get(path)
    assert reply.status == 200
    assert reply.json == {"status": "healthy", "name": "doubler", "version": "7", "digest": "ab" * 32}


def test_metadata_is_enough_to_write_a_client(tides: Wire, package: Package) -> None:
    reply = tides.get("/metadata")
    assert reply.status == 200
    assert reply.json["limits"] == {"max_rows": 500, "max_body_bytes": 6_291_456}
    assert [c["name"] for c in reply.json["signature"]["columns"]] == list(package.signature.by_name)
    assert reply.json["digest"] == package.digest


@pytest.mark.parametrize("path", ["/invocations", "/predict"])
def test_a_request_is_answered_with_one_prediction_per_row_and_by_whom(
    tides: Wire, package: Package, path: str
) -> None:
    golden = package.golden
    reply = tides.post({"instances": [dict(r) for r in golden.rows[:40]]}, path=path)
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.json["predictions"] == pytest.approx(golden.expected[:40], abs=1e-6)
    assert reply.json["model"] == {"name": "tides", "version": "3", "digest": package.digest}


def test_columns_may_come_in_any_order_and_vertex_sends_empty_parameters(tides: Wire) -> None:
    straight = tides.post({"instances": [GOOD]})
    turned = tides.post({"parameters": {}, "instances": [dict(reversed(GOOD.items()))]})
    assert straight.json == turned.json


def test_routes_of_vertex_can_be_added() -> None:
    found = Wire(settings=ServerSettings(health_routes=("/ping", "/v1/h"), predict_routes=("/v1/m:predict",)))
    assert found.get("/v1/h").status == 200
    assert found.post({"instances": [{"x": 1}]}, path="/v1/m:predict").json["predictions"] == [2.0]
    assert found.post({"instances": [{"x": 1}]}, path="/predict").status == 404


def test_an_unknown_route_names_the_known_ones(wire: Wire) -> None:
    reply = wire.get("/v2/models")
    assert (reply.status, reply.error["code"]) == (404, "not_found")
    assert all(path in reply.error["message"] for path in ("/health", "/invocations", "/metadata", "/ping", "/predict"))


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/predict", "POST"),
        ("PUT", "/invocations", "POST"),
        ("POST", "/ping", "GET, HEAD"),
        ("DELETE", "/metadata", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(wire: Wire, method: str, path: str, allow: str) -> None:
    reply = wire.get(path, method)
    assert (reply.status, reply.error["code"], reply.headers["allow"]) == (405, "method_not_allowed", allow)


def test_head_has_the_headers_of_get_and_no_body(wire: Wire) -> None:
    reply = wire.get("/ping", "HEAD")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["content-length"] == str(len(wire.get("/ping").body))


def test_everything_wrong_with_a_request_is_named_at_once(tides: Wire) -> None:
    """Correcting a client one round trip per mistake is what makes people hate an API."""
    rows: list[Any] = [
        GOOD,
        {k: v for k, v in GOOD.items() if k != "month"},
        {**GOOD, "wind_gsut": 3},
        {**GOOD, "month": "May", "seats": 1.5},
        {**GOOD, "carrier": None, "origin": 7},
        [1, 2],
        {**GOOD, "month": True, "wind_gust": 1e300},
        None,
    ]
    reply = tides.post({"instances": rows, "parameters": {"k": 1}, "options": {}})
    assert (reply.status, reply.error["code"]) == (400, "invalid_request")
    assert reply.problems == [
        (None, None),
        (None, None),
        (1, "month"),
        (2, "wind_gsut"),
        (3, "month"),
        (3, "seats"),
        (4, "carrier"),
        (4, "origin"),
        (5, None),
        (6, "month"),
        (6, "wind_gust"),
        (7, None),
    ]
    assert reply.error["problems_total"] == 12
    messages = [p["message"] for p in reply.error["problems"]]
    assert "'options'" in messages[0] and "'parameters'" in messages[1]
    assert "did you mean 'wind_gust'" in messages[3]
    assert messages[8] == "is an array, not an object with one field per column"


def test_the_total_counts_the_problems_that_are_not_listed(tides: Wire) -> None:
    reply = tides.post({"instances": [{**GOOD, "month": "x", "seats": "y"}] * 200})
    assert reply.error["problems_total"] == 400
    assert len(reply.problems) == 100
    assert all(row is not None for row, _ in reply.problems)


def test_nan_and_infinity_are_named_by_row_and_column(tides: Wire) -> None:
    """Python's json and JavaScript people send them; "invalid character at byte 40213" helps nobody."""
    text = json.dumps({"instances": [GOOD, {**GOOD, "wind_gust": float("nan")}, {**GOOD, "seats": float("-inf")}]})
    reply = tides.post(text.replace("31.5", "1e999").encode())
    assert (reply.status, reply.error["code"]) == (400, "invalid_request")
    assert reply.problems == [(0, "wind_gust"), (1, "wind_gust"), (2, "wind_gust"), (2, "seats")]
    assert "send null" in reply.error["problems"][1]["message"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "truncated"),
        (b"{", "truncated"),
        (b'{"instances": [{"x": 1}]', "truncated"),
        (b'{"instances": [{"x": 1},]}', "byte 24"),
        (b"x=1&y=2", "byte 0"),
        (b'{"instances": [{"\xff": 1}]}', "UTF-8"),
        (b"[" * 50_000, "nested"),
        (b'{"a":' * 15_000, "nested"),
        (b"\xef\xbb\xbf{}", "byte 0"),
    ],
)
def test_what_is_not_json_is_told_where(wire: Wire, body: bytes, says: str) -> None:
    reply = wire.post(body)
    assert (reply.status, reply.error["code"]) == (400, "not_json")
    assert says in reply.error["problems"][0]["message"]
    assert reply.error["problems_total"] == 1


@pytest.mark.parametrize("body", [b"[]", b"null", b"3", b'"instances"', b"true"])
def test_what_is_no_object_is_told_what_is_expected(wire: Wire, body: bytes) -> None:
    reply = wire.post(body)
    assert (reply.status, reply.error["code"]) == (400, "invalid_request")
    assert '{"instances": [' in reply.error["problems"][0]["message"]


@pytest.mark.parametrize("body", [{}, {"instances": None}, {"instances": {"x": 1}}, {"instances": "x"}, {"rows": [{}]}])
def test_instances_are_an_array(wire: Wire, body: object) -> None:
    reply = wire.post(body)
    assert (reply.status, reply.error["code"]) == (400, "invalid_request")
    assert any("'instances'" in p["message"] for p in reply.error["problems"])


def test_no_instances_is_a_mistake(wire: Wire) -> None:
    reply = wire.post({"instances": []})
    assert (reply.status, reply.error["code"], reply.error["problems_total"]) == (400, "no_instances", 1)


def test_too_many_rows_are_refused_with_the_mistakes_in_those_that_fit(wire: Wire) -> None:
    assert wire.post({"instances": [{"x": 1}] * 100}).status == 200
    reply = wire.post({"instances": [{"x": 1}] * 99 + [{"y": 1}] * 2})
    assert (reply.status, reply.error["code"]) == (400, "too_many_rows")
    assert "101 instances" in reply.error["problems"][0]["message"]
    assert "at most 100" in reply.error["problems"][0]["message"]
    assert reply.problems[1:] == [(99, "y"), (99, "x")]


def test_a_body_that_says_it_is_too_large_is_not_read_before_the_answer(wire: Wire) -> None:
    reply = wire.post(b"[" + b"1," * 60_000 + b"1]")
    assert (reply.status, reply.error["code"]) == (413, "body_too_large")
    assert "100000 bytes" in reply.error["problems"][0]["message"]
    assert reply.headers["connection"] == "close"
    assert wire.log[-1]["bytes_in"] == 0


def test_a_chunked_body_is_read_no_further_than_the_limit_and_a_little() -> None:
    """Without a length there is nothing to refuse beforehand; a body without end must not fill the memory."""
    found = Wire(settings=ServerSettings(linger_bytes=100_000))

    def endless() -> Any:
        while True:
            yield b" " * 10_000

    reply = found.chunked(endless())
    assert reply is not None and (reply.status, reply.error["code"]) == (413, "body_too_large")
    assert found.taken <= 11 + 10  # the limit, and as much again so that the caller sees the answer
    assert found.log[-1]["bytes_in"] == 110_000


def test_a_chunked_body_within_the_limit_is_a_request(wire: Wire) -> None:
    reply = wire.chunked([b'{"insta', b"", b'nces": [{"x"', b": 4}]}"])
    assert reply is not None and reply.json["predictions"] == [8.0]


@pytest.mark.parametrize("given", ["text/csv", "application/x-www-form-urlencoded", "application/jsonl", ""])
def test_another_content_type_is_refused(wire: Wire, given: str) -> None:
    reply = wire.post({"instances": [{"x": 1}]}, {"content-type": given} if given else {})
    assert (reply.status, reply.error["code"]) == (415, "unsupported_media_type")
    assert "application/json" in reply.error["problems"][0]["message"]


@pytest.mark.parametrize("given", ["application/json", "Application/JSON; charset=utf-8", "application/json;x=y"])
def test_json_with_parameters_is_json(wire: Wire, given: str) -> None:
    assert wire.post({"instances": [{"x": 1}]}, {"content-type": given}).status == 200


def test_a_compressed_body_is_refused_together_with_its_content_type(wire: Wire) -> None:
    body = gzip.compress(b'{"instances": [{"x": 1}]}')
    reply = wire.post(body, {"content-type": "application/gzip", "content-encoding": "gzip"})
    assert (reply.status, reply.error["problems_total"]) == (415, 2)
    assert wire.post(body, {**JSON, "content-encoding": "gzip"}).error["problems_total"] == 1
    assert wire.post({"instances": [{"x": 1}]}, {**JSON, "content-encoding": "identity"}).status == 200


@pytest.mark.parametrize("path", ["/nowhere", "/ping", "/predict"])
def test_a_large_body_that_nobody_wants_is_not_read_to_its_end(path: str) -> None:
    """A refusal that leaves the connection open would read (and forget) ten gigabytes."""
    wire = Wire(settings=ServerSettings(linger_bytes=100_000))
    chunks = [b"x" * 10_000] * 1000
    reply = wire.call("POST", path, chunks, {"content-type": "text/csv", "content-length": str(10_000_000)})
    assert reply is not None and reply.status in (404, 405, 415)
    assert reply.headers["connection"] == "close"
    assert wire.taken <= 11
    small = wire.call("POST", path, [b"x" * 100], {"content-type": "text/csv", "content-length": "100"})
    assert small is not None and "connection" not in small.headers


def test_a_body_that_does_not_arrive_is_given_up() -> None:
    """Also when not even its first byte comes."""
    found = Wire(settings=ServerSettings(body_timeout_s=0.02, linger_s=0.02))
    never = asyncio.Event

    async def stuck(first: list[Any]) -> list[Any]:
        sent: list[Any] = []

        async def receive() -> Any:
            if first:
                return {"type": "http.request", "body": first.pop(), "more_body": True}
            return await never().wait()

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"content-type", b"application/json"), (b"content-length", b"40")]
        await found.app({"type": "http", "method": "POST", "path": "/predict", "headers": headers}, receive, send)
        return sent

    for first in ([], [b'{"insta']):
        sent = asyncio.run(stuck(first))
        assert sent[0]["status"] == 408
        assert (b"connection", b"close") in sent[0]["headers"]


def test_a_caller_that_goes_away_is_not_answered(wire: Wire) -> None:
    assert wire.chunked([b'{"instances": [{"x": 1}'], leaves=True) is None
    assert wire.log[-1]["status"] == 499


def raise_with(row: Row) -> Sequence[float]:
    raise RuntimeError("the graph burst")


@pytest.mark.parametrize("rows", [1, 3000])
def test_a_fault_inside_is_an_id_for_the_caller_and_a_traceback_for_the_log(
    caplog: pytest.LogCaptureFixture, rows: int
) -> None:
    """Inline, and in a thread."""
    found = Wire(Doubler(max_rows=5000, fault=lambda rows: raise_with(rows[0])))
    with caplog.at_level(logging.ERROR):
        reply = found.post({"instances": [{"x": 1}] * rows})
    assert (reply.status, reply.error["code"]) == (500, "internal_error")
    assert b"burst" not in reply.body and b"Traceback" not in reply.body and b"raise_with" not in reply.body
    (record,) = caplog.records
    assert reply.error["id"] in record.getMessage()
    assert record.exc_info is not None and "burst" in str(record.exc_info[1])
    assert found.log[-1]["error_id"] == reply.error["id"]
    found.app.close()


@pytest.mark.parametrize("answers", [[], [1.0, 2.0], [float("nan")], [float("inf")]])
def test_a_model_that_answers_nonsense_is_a_fault_and_no_prediction(
    caplog: pytest.LogCaptureFixture, answers: list[float]
) -> None:
    found = Wire(Doubler(fault=lambda rows: answers))
    assert found.post({"instances": [{"x": 1}]}).status == 500
    assert "1 rows" in caplog.text
    found.app.close()


def test_a_check_that_fails_is_a_fault_too(caplog: pytest.LogCaptureFixture) -> None:
    class Careless(Doubler):
        def check(self, rows: Sequence[Row]) -> Any:
            raise KeyError("oops")

    assert Wire(Careless()).post({"instances": [{"x": 1}]}).status == 500
    assert "oops" in caplog.text


def test_the_access_log_says_what_happened_and_nothing_of_what_was_in_it(tides: Wire) -> None:
    """Rows are personal data in many models, a query may hold a token, and a refusal quotes column names."""
    tides.post({"instances": [{**GOOD, "carrier": "Sesame", "wind_gust": 90417.625}]})
    tides.post({"instances": [{**GOOD, "carrier": 4711, "Sesame": "Sesame"}]})
    tides.get("/metadata")
    text = b"".join(tides.lines)
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in tides.lines)
    assert b"Sesame" not in text and b"4711" not in text and b"wind_gust" not in text
    assert b"90417" not in text  # a number that no time or duration in the log can look like
    good, bad, told = tides.log
    assert (good["status"], good["rows"], good["path"], good["version"]) == (200, 1, "/predict", "3")
    assert good["ms"] > 0 and good["bytes_in"] > 50
    assert (bad["status"], bad["code"], bad["problems"]) == (400, "invalid_request", 2)
    assert (told["method"], told["status"]) == ("GET", 200)


def test_the_access_log_leaves_out_health_checks_as_long_as_all_is_well(wire: Wire) -> None:
    """SageMaker asks every five seconds, and a line costs money there. A refusal is news."""
    wire.get("/ping")
    wire.get("/health", "HEAD")
    assert wire.log == []
    wire.app.drain()
    wire.get("/ping")
    assert [(line["path"], line["status"]) for line in wire.log] == [("/ping", 503)]


def test_a_long_or_strange_path_cannot_break_the_log(wire: Wire) -> None:
    wire.get('/x"\n' + "y" * 5000)
    assert wire.log[-1]["path"].startswith('/x"\n')
    assert len(wire.lines[-1]) < 500


def test_a_draining_server_answers_and_ends_each_connection(wire: Wire) -> None:
    assert "connection" not in wire.post({"instances": [{"x": 1}]}).headers
    wire.app.drain()
    reply = wire.post({"instances": [{"x": 1}]})
    assert (reply.status, reply.headers["connection"]) == (200, "close")
    health = wire.get("/ping")
    assert (health.status, health.error["code"]) == (503, "draining")


def test_a_large_request_does_not_hold_up_a_health_check() -> None:
    """SageMaker gives /ping two seconds; a batch may take longer. Controlled by the small one, which runs inline."""
    holding, go_on = threading.Event(), threading.Event()

    def hold(rows: Sequence[Row]) -> Sequence[float]:
        if len(rows) > 1:
            holding.set()
            assert go_on.wait(60)
        return [1.0] * len(rows)

    model = Doubler(max_rows=10_000, fault=hold)
    found = Wire(model)

    async def both() -> tuple[Any, Any]:
        body = json.dumps({"instances": [{"x": 1}] * 3000}).encode()
        large = asyncio.create_task(found.ask("POST", "/predict", [body], JSON))
        await asyncio.to_thread(holding.wait, 10)
        ping = await found.ask("GET", "/ping", [], {})
        small = await found.ask("POST", "/predict", [b'{"instances": [{"x": 1}]}'], JSON)
        assert small is not None and small.status == 200
        assert not large.done()
        go_on.set()
        return ping, await large

    ping, large = asyncio.run(both())
    assert ping.status == large.status == 200
    assert len(large.json["predictions"]) == 3000
    assert {name.partition("_")[0] for name in model.threads} == {"predict", "MainThread"}
    found.app.close()


def test_more_large_requests_than_can_wait_are_told_to_come_back() -> None:
    go_on = threading.Event()

    def hold(rows: Sequence[Row]) -> Sequence[float]:
        assert go_on.wait(60)
        return [1.0] * len(rows)

    found = Wire(Doubler(max_rows=10_000, fault=hold), ServerSettings(threads=1, max_waiting=2))

    async def three() -> list[Any]:
        body = json.dumps({"instances": [{"x": 1}] * 3000}).encode()
        tasks = [asyncio.create_task(found.ask("POST", "/predict", [body], JSON)) for _ in range(3)]
        refused = await tasks[2]
        go_on.set()
        return [refused, *await asyncio.gather(*tasks[:2])]

    refused, *answered = asyncio.run(three())
    assert (refused.status, refused.error["code"], refused.headers["retry-after"]) == (503, "busy", "1")
    assert [reply.status for reply in answered] == [200, 200]
    found.app.close()
