"""What clients asked is counted by what the answers are worth; what the server asks itself is not."""

from __future__ import annotations

import contextlib

import boto3
from botocore.exceptions import ClientError

from seatrial.rehearsal.aws import OfflineAws


def test_calls_are_counted_by_service_operation_and_worth() -> None:
    with OfflineAws() as aws:
        client = {
            name: boto3.client(name, **aws.client_settings()) for name in ("sagemaker", "s3", "iam", "cloudwatch")
        }
        assert aws.calls() == {"executed": {}, "stored": {}, "unsupported": {}}
        client["s3"].create_bucket(Bucket="counted")
        client["s3"].put_object(Bucket="counted", Key="a/b", Body=b"x")
        client["iam"].list_roles()
        client["cloudwatch"].describe_alarms()
        client["sagemaker"].list_processing_jobs()
        client["sagemaker"].list_processing_jobs()
        client["sagemaker"].list_models()
        with contextlib.suppress(ClientError):
            client["sagemaker"].list_domains()
        assert aws.calls() == {
            "executed": {"sagemaker:ListProcessingJobs": 2},
            "stored": {
                "cloudwatch:DescribeAlarms": 1,
                "iam:ListRoles": 1,
                "s3:PUT bucket": 1,
                "s3:PUT object": 1,
                "sagemaker:ListModels": 1,
            },
            "unsupported": {"sagemaker:ListDomains": 1},
        }
