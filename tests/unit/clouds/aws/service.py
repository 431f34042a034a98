"""Executes a pipeline definition on this machine: S3 is a folder, a step is the process that its entry point names.

Small and literal: it reads nothing but the definition and what lies in its S3, as the service does. Paths below
``/opt/ml`` in job files are moved into a folder of each job's own, since a test does not own ``/opt``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = Any


@dataclass
class Service:
    """One execution of one definition."""

    definition: Json
    parameters: Mapping[str, Json]
    folder: Path
    """Where S3 and the containers' file systems lie."""
    project: Path
    """The working folder in the image."""
    ran: list[str] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)
    """Step -> what its process printed."""
    taken: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        declared = {p["Name"]: p.get("DefaultValue") for p in self.definition["Parameters"]}
        unknown = set(self.parameters) - set(declared)
        assert not unknown, unknown
        self.values = {**declared, **self.parameters}
        assert None not in self.values.values(), self.values
        self.steps: dict[str, Json] = {}

    def local(self, uri: str) -> Path:
        """Where an object lies."""
        assert uri.startswith("s3://"), uri
        return self.folder / "s3" / uri.removeprefix("s3://")

    def upload(self, root: str, files: Mapping[str, bytes]) -> None:
        """Put job files where the definition looks for them."""
        for name, content in files.items():
            path = self.local(f"{root}/{name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def run(self) -> None:
        """Run every step; a definition lists them so that each comes after what it reads."""
        self.branch(self.definition["Steps"])

    def branch(self, steps: list[Json]) -> None:
        for step in steps:
            if step["Type"] == "Condition":
                holds = all(self.holds(c) for c in step["Arguments"]["Conditions"])
                self.taken[step["Name"]] = holds
                self.branch(step["Arguments"]["IfSteps" if holds else "ElseSteps"])
                continue
            assert set(step.get("DependsOn", ())) <= set(self.ran), step["Name"]
            getattr(self, step["Type"].lower())(step["Name"], step["Arguments"])
            self.steps[step["Name"]] = step
            self.ran.append(step["Name"])

    def value(self, found: Json) -> Json:
        """What an expression stands for."""
        if not isinstance(found, dict):
            return found
        if "Std:Join" in found:
            parts = (self.value(part) for part in found["Std:Join"]["Values"])
            texts = [str(p).lower() if isinstance(p, bool) else str(p) for p in parts]
            return str(found["Std:Join"]["On"]).join(texts)
        if "Std:JsonGet" in found:
            return self.json_get(found["Std:JsonGet"])
        kind, _, rest = found["Get"].partition(".")
        if kind == "Parameters":
            return self.values[rest]
        if kind == "Execution":
            return "e1"
        name, _, path = rest.partition(".")
        if path == "TrainingJobName":
            return f"job-{name}"
        if path == "OutputDataConfig.S3OutputPath":
            return self.value(self.steps[name]["Arguments"]["OutputDataConfig"]["S3OutputPath"])
        if path == "ModelArtifacts.S3ModelArtifacts":
            return f"{self.value({'Get': f'Steps.{name}.OutputDataConfig.S3OutputPath'})}/job-{name}/output/model"
        return self.value(self.output(name, path.split("'")[1])["S3Output"]["S3Uri"])

    def output(self, step: str, name: str) -> Json:
        outputs = self.steps[step]["Arguments"]["ProcessingOutputConfig"]["Outputs"]
        return next(output for output in outputs if output["OutputName"] == name)

    def json_get(self, found: Json) -> Json:
        if "S3Uri" in found:
            path = self.local(self.value(found["S3Uri"]))
        else:
            _, step, _, name = found["PropertyFile"]["Get"].split(".")
            file = next(f for f in self.steps[step]["PropertyFiles"] if f["PropertyFileName"] == name)
            uri = self.value(self.output(step, file["OutputName"])["S3Output"]["S3Uri"])
            path = self.local(uri) / file["FilePath"]
        value = json.loads(path.read_text())
        for part in found["Path"].replace("[", ".[").split("."):
            value = value[json.loads(part[1:-1].replace("'", '"'))] if part.startswith("[") else value[part]
        return value

    def holds(self, condition: Json) -> bool:
        kind = condition["Type"]
        if kind == "Not":
            return not self.holds(condition["Condition"])
        if kind == "Or":
            return any(self.holds(inner) for inner in condition["Conditions"])
        left, right = self.value(condition["LeftValue"]), self.value(condition["RightValue"])
        same = isinstance(left, str) == isinstance(right, str) and isinstance(left, bool) == isinstance(right, bool)
        assert same, (left, right)
        return bool(
            {
                "Equals": left == right,
                "GreaterThan": kind == "GreaterThan" and left > right,
                "GreaterThanOrEqualTo": kind == "GreaterThanOrEqualTo" and left >= right,
                "LessThan": kind == "LessThan" and left < right,
                "LessThanOrEqualTo": kind == "LessThanOrEqualTo" and left <= right,
            }[kind]
        )

    def processing(self, name: str, arguments: Json) -> None:
        opt = self.folder / "containers" / name
        for given in arguments["ProcessingInputs"]:
            place = given["S3Input"]
            self.fetch(self.value(place["S3Uri"]), self.inside(opt, place["LocalPath"]))
        self.start(name, arguments["AppSpecification"]["ContainerEntrypoint"], arguments, opt)
        for made in arguments["ProcessingOutputConfig"]["Outputs"]:
            place = made["S3Output"]
            self.keep(self.inside(opt, place["LocalPath"]), self.value(place["S3Uri"]))

    def training(self, name: str, arguments: Json) -> None:
        opt = self.folder / "containers" / name
        for channel in arguments["InputDataConfig"]:
            uri = self.value(channel["DataSource"]["S3DataSource"]["S3Uri"])
            self.fetch(uri, opt / "ml" / "input" / "data" / channel["ChannelName"])
        self.start(name, arguments["AlgorithmSpecification"]["ContainerEntrypoint"], arguments, opt)
        self.keep(
            opt / "ml" / "model", f"{self.value(arguments['OutputDataConfig']['S3OutputPath'])}/job-{name}/output/model"
        )

    def inside(self, opt: Path, path: str) -> Path:
        return opt / path.removeprefix("/opt/")

    def fetch(self, uri: str, place: Path) -> None:
        source = self.local(uri)
        place.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, dirs_exist_ok=True)
        else:
            shutil.copy(source, place / source.name)

    def keep(self, place: Path, uri: str) -> None:
        if place.exists():
            shutil.copytree(place, self.local(uri), dirs_exist_ok=True)

    def start(self, name: str, entry: list[str], arguments: Json, opt: Path) -> None:
        program, *words = [word.replace("/opt/ml", str(opt / "ml")) for word in entry]
        file = Path(words[-1])
        quote = '"' if file.suffix == ".json" else ""
        file.write_text(file.read_text().replace(f"{quote}/opt/ml", f"{quote}{opt}/ml"))
        given = {key: self.value(value) for key, value in arguments["Environment"].items()}
        assert all(isinstance(value, str) and len(value) <= 256 for value in given.values())
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""), **given}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_engine()), environment["PYTHONPATH"]]))
        ended = subprocess.run(
            [sys.executable if program == "python3" else program, *words],
            cwd=self.project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        self.said[name] = ended.stdout + ended.stderr
        assert ended.returncode == 0, f"step '{name}' failed:\n{self.said[name]}"


def _engine() -> Path:
    import seatrial

    return Path(seatrial.__file__).parents[1]
