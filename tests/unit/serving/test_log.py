"""The log is whole lines, one format, and does not fill the disk."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from seatrial.serving.log import JsonFormatter, rotating, to_descriptor


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    path = tmp_path / "server.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    yield path, descriptor
    os.close(descriptor)


def line(number: int) -> bytes:
    return b'{"n": %06d}\n' % number


def test_a_full_log_is_renamed_once_and_its_descriptor_follows(opened: tuple[Path, int]) -> None:
    path, descriptor = opened
    write = rotating(path, descriptor=descriptor, most_bytes=10_000)
    for number in range(5000):
        write(line(number))
    old = Path(f"{path}.1")
    assert path.stat().st_size + old.stat().st_size < 22_000
    numbers = [int(text[6:12]) for text in (old.read_text() + path.read_text()).splitlines()]
    assert numbers == list(range(numbers[0], 5000)), "no line is lost at the turn"
    os.write(descriptor, b"traceback\n")
    assert path.read_text().endswith("traceback\n")


def test_two_servers_of_one_version_share_a_log(opened: tuple[Path, int]) -> None:
    path, first = opened
    second = os.open(path, os.O_WRONLY | os.O_APPEND)
    sinks = [rotating(path, descriptor=d, most_bytes=10_000) for d in (first, second)]
    for number in range(4000):
        sinks[number % 2](line(number))
    assert path.stat().st_size + Path(f"{path}.1").stat().st_size < 23_000
    assert os.fstat(first).st_ino == os.fstat(second).st_ino == path.stat().st_ino
    os.close(second)


def test_a_log_deleted_by_hand_is_begun_again(opened: tuple[Path, int]) -> None:
    path, descriptor = opened
    write = rotating(path, descriptor=descriptor, most_bytes=6400)
    path.unlink()
    for number in range(20):
        write(line(number))
    assert path.exists()


def test_a_log_that_cannot_be_written_loses_lines_and_nothing_else(tmp_path: Path) -> None:
    """A full disk must not be an outage."""
    full = os.open("/dev/full", os.O_WRONLY)
    to_descriptor(full)(b"x\n")
    rotating(tmp_path / "missing" / "x.log", descriptor=full)(b"x\n")
    os.close(full)


def test_a_traceback_is_one_line_of_json() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError as exc:
        record = logging.LogRecord(
            "app", logging.ERROR, "f.py", 1, "failed %s", ("x",), (type(exc), exc, exc.__traceback__)
        )
    text = JsonFormatter().format(record)
    assert "\n" not in text
    told = json.loads(text)
    assert (told["event"], told["message"]) == ("error", "failed x")
    assert "ValueError: first\nsecond" in told["traceback"]
