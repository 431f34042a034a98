"""What the image does with SageMaker's two words, where that needs no container."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from seatrial.cli.container import main, package_in, serve, train
from seatrial.errors import PackageError, UsageError
from tests.ports import free_port
from tests.unit.package.example import CANDIDATES, build_example


@pytest.mark.parametrize("folder", [".", "package", "0/package"])
def test_the_package_is_found_in_an_archives_content(tmp_path: Path, folder: str) -> None:
    """People archive a folder, or what is in it."""
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    (tmp_path / folder / "manifest.json").write_text("{}")
    assert package_in(tmp_path) == tmp_path / folder


def test_no_package_and_two_packages_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="holds no model package"):
        package_in(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text("{}")
    with pytest.raises(PackageError, match="2 model packages: a, b"):
        package_in(tmp_path)


@pytest.mark.parametrize("port", ["", "http", "0", "65536", "-1"])
def test_a_port_that_is_none_is_refused(tmp_path: Path, port: str) -> None:
    with pytest.raises(UsageError, match=f"SAGEMAKER_BIND_TO_PORT is '{port}', and not a number from 1 to 65535"):
        serve({"SAGEMAKER_BIND_TO_PORT": port}, tmp_path)


def test_every_wrong_limit_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"SEATRIAL_MAX_ROWS is 'many', .*; SEATRIAL_MAX_BODY_BYTES is '0'"):
        serve({"SEATRIAL_MAX_ROWS": "many", "SEATRIAL_MAX_BODY_BYTES": "0"}, tmp_path)


def test_another_package_than_the_deployments_is_not_served(tmp_path: Path) -> None:
    build_example(tmp_path / "model", CANDIDATES["logistic"])
    with pytest.raises(PackageError, match=r"holds the package .*, not 0000"):
        serve({"SEATRIAL_DIGEST": "0" * 64}, tmp_path)


def test_a_job_without_its_channel_says_so_where_the_service_reads_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no .*input/data/job/job\.json"):
        train(tmp_path)
    assert "job.json" in (tmp_path / "output" / "failure").read_text()


def test_another_word_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bash", "-c"]) == 2
    assert "'bash -c' is neither train nor serve" in capsys.readouterr().err


def test_a_package_is_served_on_the_port_of_the_platform_until_sigterm(tmp_path: Path) -> None:
    """The platform's stop is SIGTERM; an orderly end is exit code 0."""
    built = build_example(tmp_path / "model" / "package", CANDIDATES["logistic"]).package
    port = free_port()
    code = "import os, sys; from pathlib import Path; from seatrial.cli.container import serve; "
    code += "sys.exit(serve(os.environ, Path(sys.argv[1])))"
    environment = {
        **os.environ,
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "SEATRIAL_MODEL": "flights",
        "SEATRIAL_VERSION": "7",
        "SEATRIAL_DIGEST": built.digest,
        "SEATRIAL_MAX_ROWS": "2",
    }
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env=environment) as process:
        try:
            end = time.monotonic() + 60
            while True:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=2) as answer:
                        health = json.load(answer)
                    break
                except OSError:
                    assert process.poll() is None
                    assert time.monotonic() < end
                    time.sleep(0.05)
            assert (health["name"], health["version"], health["digest"]) == ("flights", "7", built.digest)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metadata", timeout=60) as answer:
                assert json.load(answer)["limits"]["max_rows"] == 2
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()
