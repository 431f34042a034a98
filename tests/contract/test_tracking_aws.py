"""Runs on AWS: one object each, replaced whole."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import pytest

from seatrial.clouds.aws.session import Aws
from seatrial.clouds.aws.stack import StackOutputs
from seatrial.clouds.aws.tracking import AwsTracking
from seatrial.clouds.base import CandidateRecord, RunRecord
from seatrial.errors import RegistryError

RECORD = RunRecord(
    "r-1",
    "flights",
    "running",
    dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    metrics={"roc_auc": 0.7},
    candidates={"lightgbm": CandidateRecord({"leaves": 31}, {"roc_auc": 0.7})},
)


def test_a_run_is_kept_once_and_replaced_whole(stack: StackOutputs) -> None:
    tracking = AwsTracking(Aws(stack.region), stack)
    place = tracking.log_run(RECORD)
    assert tracking.log_run(replace(RECORD, status="finished", metrics={})) == place
    aws = Aws(stack.region)
    listed = aws.ask("s3", "ListObjectsV2", Bucket=stack.bucket, Prefix=stack.key("runs"))["Contents"]
    assert [each["Key"] for each in listed] == ["dev/runs/flights/r-1.json"]
    kept = json.loads(aws.ask("s3", "GetObject", Bucket=stack.bucket, Key=listed[0]["Key"])["Body"].read())
    assert (kept["status"], kept["metrics"]) == ("finished", {})
    assert kept["candidates"]["lightgbm"]["parameters"] == {"leaves": 31}


def test_a_name_that_leads_elsewhere_is_refused(stack: StackOutputs) -> None:
    tracking = AwsTracking(Aws(stack.region), stack)
    for run in ("../x", "", "a/b", "x" * 201):
        with pytest.raises(RegistryError, match="cannot be tracked"):
            tracking.log_run(replace(RECORD, run=run))
