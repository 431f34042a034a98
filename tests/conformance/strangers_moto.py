"""Runs moto's own SageMaker tests against plain moto and against the offline AWS, and compares.

Usage: python tests/conformance/strangers_moto.py PYTHON SDIST [--verbose]

PYTHON is the interpreter of an environment with ``moto[server]``, ``pytest`` and ``freezegun``; SDIST is the source
distribution of the same moto (``pip download moto==5.2.5 --no-binary moto --no-deps``), which holds the tests. They are
unpacked into a temporary folder, and run in moto's server mode three times: against plain moto, the offline AWS, and
the offline AWS prepared (``strangers_moto_plugin``: roles and definitions that exist).

The last run is held to ``strangers_moto_differences.toml``: each test that passes with plain moto and fails here must
be listed there under a reason, and must fail with what that reason says. Exit code 1 where a test is not listed, fails
with something else, or is listed and passes.
"""

from __future__ import annotations

import argparse
import collections
import os
import re
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import urllib.request
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from seatrial.rehearsal.aws import Image, OfflineAws

HERE = Path(__file__).parent
PARTS = ("tests/__init__.py", "tests/conftest.py", "tests/test_sagemaker")  # metrics and runtime too
PASSED, SKIPPED = "passed", "skipped"
# What moto's tests take for granted: a job of any image ends well, an endpoint of any image is healthy.
TRAIN = "import pathlib; pathlib.Path('/opt/ml/model/model.txt').write_text('fitted')"
SERVE = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


def unpack(sdist: Path, folder: Path) -> None:
    """The tests alone, out of the source distribution."""
    with tarfile.open(sdist) as archive:
        for member in archive.getmembers():
            member.name = member.name.partition("/")[2]
            if member.name.startswith(PARTS):
                archive.extract(member, folder, filter="data")


@contextmanager
def plain_moto(python: Path) -> Iterator[str]:
    """moto's server as it is, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [str(python), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{url}/moto-api/data.json", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait()


def results(python: Path, folder: Path, url: str, *plugins: str) -> dict[str, str]:
    """By test: 'passed', 'skipped' or how it failed."""
    for path in (folder / "tests" / "test_sagemakerruntime").glob("*.py"):  # the one address that is written out
        path.write_text(re.sub(r'"(localhost|127\.0\.0\.1):\d+"', f'"{url.removeprefix("http://")}"', path.read_text()))
    report = folder / "report.xml"
    report.unlink(missing_ok=True)
    subprocess.run(
        [str(python), "-m", "pytest", "tests", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *plugins],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(HERE),
            "TEST_SERVER_MODE": "true",
            "TEST_SERVER_MODE_ENDPOINT": url,
            "MOTO_PORT": url.rpartition(":")[2],
        },
        stdout=subprocess.DEVNULL,
        check=False,
    )
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        failed = [each for each in case if each.tag in ("failure", "error")]
        skipped = case.find("skipped") is not None
        name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
        found[name] = (failed[0].get("message") or "no message") if failed else SKIPPED if skipped else PASSED
    return found


@dataclass(frozen=True)
class Difference:
    """An intended one: why, what the failing test then shows, and the tests."""

    reason: str
    shows: str
    tests: frozenset[str]
    sometimes: bool = False  # it depends on how far a job has come


def read_differences(path: Path) -> list[Difference]:
    """The reasons of the file."""
    return [
        Difference(each["reason"], each["shows"], frozenset(each["tests"]), each.get("sometimes", False))
        for each in tomllib.loads(path.read_text())["difference"]
    ]


def unexplained(plain: Mapping[str, str], ours: Mapping[str, str], differences: list[Difference]) -> list[str]:
    """What the file does not explain, and what it explains though it is not so."""
    complaints = []
    listed = collections.Counter(test for each in differences for test in each.tests)
    complaints += [f"{test}: listed {count} times" for test, count in listed.items() if count > 1]
    for test, outcome in plain.items():
        said = ours.get(test, "not run")
        if outcome == said or said == PASSED:
            if any(test in each.tests and not each.sometimes for each in differences):
                complaints.append(f"{test}: listed as a difference, and there is none")
            continue
        reasons = [each for each in differences if test in each.tests]
        if not reasons:
            complaints.append(f"{test}: {said}")
        elif not re.search(reasons[0].shows, said):
            complaints.append(f"{test}: listed as '{reasons[0].reason}', but it shows: {said}")
    complaints += [f"{test}: listed, and moto has no such test" for test in sorted(set(listed) - set(plain))]
    return complaints


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("python", type=Path)
    parser.add_argument("sdist", type=Path)
    parser.add_argument("--verbose", action="store_true", help="also print how each test differs, roles made")
    given = parser.parse_args()
    python = given.python.absolute()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        unpack(given.sdist, folder)
        train, serve = ("python", "-c", TRAIN), ("python", "-c", SERVE)
        image = Image(uri="*", python=Path(sys.executable), workdir=folder, train=train, serve=serve)
        with plain_moto(python) as url:
            plain = results(python, folder, url)
        with OfflineAws([image], speed=100) as aws:
            unchanged = results(python, folder, aws.endpoint_url)
        with OfflineAws([image], speed=100) as aws:
            ours = results(python, folder, aws.endpoint_url, "-p", "strangers_moto_plugin")
    differences = read_differences(HERE / "strangers_moto_differences.toml")
    print(f"{'moto tests against':<36}{'passed':>8}{'failed':>8}{'skipped':>9}")
    runs = {"plain moto": plain, "the offline AWS": unchanged, "the offline AWS, prepared": ours}
    for label, run in runs.items():
        passed, skipped = (sum(each == kind for each in run.values()) for kind in (PASSED, SKIPPED))
        print(f"{label:<36}{passed:>8}{len(run) - passed - skipped:>8}{skipped:>9}")
    print("\nintended differences, prepared:")
    for each in sorted(differences, key=lambda each: -len(each.tests)):
        print(f"{len(each.tests):>5}  {each.reason}")
    complaints = unexplained(plain, ours, differences)
    for complaint in complaints:
        print(f"unexplained: {complaint}")
    if given.verbose:
        for test, said in ours.items():
            if said not in (plain[test], PASSED):
                print(f"{test}: {said}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
