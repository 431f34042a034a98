"""Drives the offline AWS with the unmodified ``sagemaker`` 3.x SDK, and prints what worked.

Usage: python tests/conformance/strangers_sdk.py PYTHON [WORD ...]

PYTHON is the interpreter of an environment with ``sagemaker==3.27.0`` and ``moto`` (as for ``sagemaker_sdk.py``); it
runs ``strangers_sdk_calls.py``. Words choose rows. *worked*: the calls had the effect that the row asserts. *refused*:
the offline AWS said 'unsupported'. *wrong*: anything else. Exit code 1 where a row is wrong, or is refused and not
listed here.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from seatrial.rehearsal.aws import Image, OfflineAws

REFUSED = frozenset(
    {
        "selective execution",
        "versions: latest_pipeline_version_id",
        "step types that are not rehearsed: EMR, loops, clean-up",
        "several instances",
        "HyperParameterTuningJob.get_all",
        "serverless variants",
    }
)
# The image's program: a processing job says what it found and was told; the accuracy comes from the data.
RUN = """
import json, os, sys
from pathlib import Path
config = json.loads(Path("/opt/ml/config/processingjobconfig.json").read_text())
inputs = Path("/opt/ml/processing/input")
files = sorted(p for p in inputs.rglob("*") if p.is_file()) if inputs.is_dir() else []
accuracy = [p.read_text() for p in files if p.name == "accuracy.txt"] or ["0"]
told = {
    "arguments": sys.argv[1:], "word": os.environ.get("WORD"), "inputs": [str(p.relative_to(inputs)) for p in files],
}
for output in config.get("ProcessingOutputConfig", {}).get("Outputs", []):
    folder = Path(output["S3Output"]["LocalPath"])
    (folder / "told.json").write_text(json.dumps(told))
    (folder / "accuracy.txt").write_text(accuracy[0])
    (folder / "evaluation.json").write_text(json.dumps({"metrics": {"accuracy": {"value": float(accuracy[0])}}}))
"""
TRAIN = """
from pathlib import Path
Path("/opt/ml/model/model.txt").write_text("fitted")
"""
SERVE = """
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
text = Path("/opt/ml/model/model.txt").read_text()
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer("")
    def do_POST(self):
        self.answer(f"{text}:{self.rfile.read(int(self.headers['Content-Length'])).decode()}")
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())
ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


def image(folder: Path) -> Image:
    """One image that processes, trains and serves, its program at /opt/program."""
    program = folder / "program"
    program.mkdir()
    for name, text in (("run.py", RUN), ("train.py", TRAIN), ("serve.py", SERVE)):
        (program / name).write_text(text)
    return Image(
        uri="123456789012.dkr.ecr.us-east-1.amazonaws.com/*",
        python=Path(sys.executable),
        workdir=program,
        mounts={"/opt/program": program},
        train=("python", "train.py"),
        serve=("python", "serve.py"),
    )


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("python", type=Path)
    parser.add_argument("words", nargs="*")
    given = parser.parse_args()
    script = Path(__file__).with_name("strangers_sdk_calls.py")
    with tempfile.TemporaryDirectory() as name, OfflineAws([image(Path(name))], speed=100) as aws:
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        done = subprocess.run(
            [str(given.python), str(script), *given.words],
            env=environment | aws.environment() | {"HOME": name, "SAGEMAKER_TELEMETRY_OPT_OUT": "true"},
            capture_output=True,
            text=True,
            check=False,
        )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode or not lines:
        print(done.stderr[-4000:])
        return 1
    complaints = 0
    for line in lines:
        print(f"{line['outcome']:<8}{line['area']:<12}{line['what']}")
        if line["outcome"] == "wrong" or (line["outcome"] == "refused") != (line["what"] in REFUSED):
            complaints += 1
            print(line["detail"] or "listed as refused, and it worked")
    counts = {kind: sum(line["outcome"] == kind for line in lines) for kind in ("worked", "refused", "wrong")}
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()), f"of {len(lines)}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
