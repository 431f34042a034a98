"""``pipelines/train.py`` and ``pipelines/release.py`` whole, in the offline AWS, through ``seatrial launch``."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seatrial import clouds
from tests.rehearsal.offline import Cloud, offline

RELEASE = "trial-parcels-release"


def rewrite(root: Path, old: str, new: str) -> None:
    """Change the candidates."""
    path = root / "recipes" / "parcels" / "candidates.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def approving_starts_the_release(cloud: Cloud) -> None:
    """The rule that infra/aws makes for a stack in which people approve."""
    put = cloud.json("launch", "parcels", "--pipeline", "release", "--no-start")
    made = cloud.client("sagemaker").describe_pipeline(PipelineName=put["pipeline"])
    events = cloud.client("events")
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {
            "ModelPackageGroupName": ["trial-parcels"],
            "ModelApprovalStatus": ["Approved"],
            "UpdatedModelPackageFields": ["ModelApprovalStatus"],
        },
    }
    events.put_rule(Name="approved", EventPattern=json.dumps(pattern))
    parameters = [{"Name": "model", "Value": "parcels"}, {"Name": "version", "Value": "$.detail.ModelPackageVersion"}]
    target = {
        "Id": "release",
        "Arn": made["PipelineArn"],
        "RoleArn": made["RoleArn"],
        "SageMakerPipelineParameters": {"PipelineParameterList": parameters},
    }
    events.put_targets(Rule="approved", Targets=[target])


def until(found: Callable[[], Any], limit_s: float = 1200) -> Any:
    """What is found at last; the last look after ``limit_s``."""
    end = time.monotonic() + limit_s
    while not (seen := found()) and time.monotonic() < end:
        time.sleep(0.1)
    return seen


def status(sagemaker: Any, execution: str) -> str:
    return str(sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution)["PipelineExecutionStatus"])


def test_approved_by_a_person_then_replaced_then_refused(
    shell: Any, tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "aws" / "project"
    shutil.copytree(shell.root, other)
    alone = shell.json("run", "parcels", "--arguments", '{"release": false}')
    assert alone["verdict"] == "promote"
    assert shell.json("endpoint", "list") == []
    (kept,) = clouds.load("local", shell.state).registry.versions("parcels")
    rewrite(other, "n_estimators=40", "n_estimators=6")
    serve = ("python", str(repository / "tests" / "contract" / "serve_package.py"))
    with offline(other, serve=serve) as cloud:
        for name, value in cloud.aws.environment().items():
            monkeypatch.setenv(name, value)
        approving_starts_the_release(cloud)
        target = clouds.load("aws", cloud.state)
        sagemaker = cloud.client("sagemaker")

        waiting = cloud.json("launch", "parcels", "--arguments", '{"release": false}')
        assert (waiting["verdict"], waiting["version"], waiting["endpoint"]) == ("promote", 1, None)
        assert target.registry.champion("parcels") is None
        assert cloud.executions(RELEASE) == []
        (package,) = sagemaker.list_model_packages(ModelPackageGroupName="trial-parcels")["ModelPackageSummaryList"]
        assert package["ModelApprovalStatus"] == "PendingManualApproval"
        assert target.registry.version("parcels", 1).tags["champion_version"] == "0"

        sagemaker.update_model_package(ModelPackageArn=package["ModelPackageArn"], ModelApprovalStatus="Approved")
        (release,) = until(lambda: cloud.executions(RELEASE))
        assert until(lambda: status(sagemaker, release) != "Executing")
        assert status(sagemaker, release) == "Succeeded"
        assert target.endpoints.get("parcels").version == "1"
        assert "champion" in target.registry.version("parcels", 1).aliases

        rewrite(other, "n_estimators=6", "n_estimators=40")
        second = cloud.json("launch", "parcels")
        assert (second["verdict"], second["version"]) == ("promote", 2)
        assert sum(1 for step in second["steps"] if step["job"]) == 3
        champion = target.registry.champion("parcels")
        assert champion is not None
        assert (champion.number, champion.digest) == (2, kept.digest), "the package that a run on a laptop makes"
        example = json.loads((other / "recipes" / "parcels" / "example.json").read_text())
        assert target.endpoints.predict("parcels", example)["model"]["version"] == "2"

        rewrite(other, "n_estimators=40", "n_estimators=39")
        refused = cloud.json("launch", "parcels", code=3)
        assert refused["verdict"] == "reject"
        assert target.endpoints.get("parcels").version == "2"
