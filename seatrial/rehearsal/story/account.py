"""The account that a rehearsal plays in, furnished by hand: a bucket, roles, a model's shell, a release rule.

`infra/aws` will make the same with Pulumi; what the engine sees of it is the same `StackOutputs`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from seatrial.clouds.aws.names import model_shell
from seatrial.clouds.aws.permissions import Permissions, derive, place_of
from seatrial.clouds.aws.session import new_session
from seatrial.clouds.aws.stack import Roles, StackOutputs
from seatrial.project import Model, Project
from seatrial.rehearsal.story import shell

Json = Any
_SERVICE = "{}.amazonaws.com"


class Account:
    """Makes and removes what a stack owns, with plain boto3 clients of the offline AWS."""

    def __init__(self, client_settings: Mapping[str, str], *, account: str, prefix: str) -> None:
        """Nothing is made yet."""
        session = new_session()
        self._clients = {
            name: session.client(name, **client_settings)
            for name in ("s3", "iam", "sts", "events", "sagemaker", "cloudwatch", "application-autoscaling", "logs")
        }
        self._account, self._prefix = account, prefix
        self._region = client_settings["region_name"]
        self._bucket = f"{prefix}-{account}"
        self.permissions = Permissions(())
        """What the roles are granted, once they are there."""

    def furnish(self, image: str, opened: Project, model: Model, pipelines: Iterable[str]) -> StackOutputs:
        """Make the bucket, the roles with what they need, and the model's shell; jobs and servers run on ``image``."""
        self._clients["s3"].create_bucket(Bucket=self._bucket)
        guardrails = model.rollout.guardrails
        stack = StackOutputs(
            region=self._region,
            account=self._account,
            prefix=self._prefix,
            artifact_root=f"s3://{self._bucket}/artifacts",
            image=image,
            roles=Roles(**{name: self._role(name) for name in Roles.model_fields}),
            tags={"seatrial:stack": self._prefix},
            models={model.name: model_shell(self._prefix, model.name, guardrails=guardrails, pipelines=pipelines)},
        )
        clients = {name: self._clients[name] for name in ("sagemaker", "cloudwatch")}
        shell.furnish(stack, model.name, model.rollout, **clients)
        self._role("events")
        self.permissions = derive(opened, [model.name], place_of(stack))
        for role in self.permissions.roles():
            self._clients["iam"].put_role_policy(
                RoleName=f"{self._prefix}-{role}",
                PolicyName="derived",
                PolicyDocument=json.dumps(self.permissions.policy(role)),
            )
        return stack

    def _role(self, name: str) -> str:
        """A role: of the service that acts as it; of the account's people where they launch."""
        service = {"Service": _SERVICE.format("events" if name == "events" else "sagemaker")}
        statement: dict[str, Json] = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{self._account}:root"} if name == "launch" else service,
            "Action": "sts:AssumeRole",
        }
        if name != "launch":
            statement["Condition"] = {"StringEquals": {"aws:SourceAccount": self._account}}
        made = self._clients["iam"].create_role(
            RoleName=f"{self._prefix}-{name}",
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
        return str(made["Role"]["Arn"])

    def launching(self, stack: StackOutputs) -> dict[str, str]:
        """Credentials of the role that launches, as variables of the environment."""
        told = self._clients["sts"].assume_role(RoleArn=stack.roles.launch, RoleSessionName="rehearsal")["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": told["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": told["SecretAccessKey"],
            "AWS_SESSION_TOKEN": told["SessionToken"],
        }

    def release_on_approval(self, group: str, pipeline: str, parameters: Mapping[str, str]) -> None:
        """Have the approval of a version in ``group`` start ``pipeline``; a parameter ``$.detail.X`` is the event's."""
        rule = f"{self._prefix}-approved"
        pattern = {
            "source": ["aws.sagemaker"],
            "detail-type": ["SageMaker Model Package State Change"],
            "detail": {"ModelPackageGroupName": [group], "ModelApprovalStatus": ["Approved"]},
        }
        self._clients["events"].put_rule(Name=rule, EventPattern=json.dumps(pattern))
        self._clients["events"].put_targets(
            Rule=rule,
            Targets=[
                {
                    "Id": "release",
                    "Arn": f"arn:aws:sagemaker:{self._region}:{self._account}:pipeline/{pipeline}",
                    "RoleArn": f"arn:aws:iam::{self._account}:role/{self._prefix}-events",
                    "SageMakerPipelineParameters": {
                        "PipelineParameterList": [{"Name": k, "Value": v} for k, v in sorted(parameters.items())]
                    },
                }
            ],
        )

    def clear(self) -> None:
        """Remove what this account's owner made, and what the engine keeps for good: versions, packages, pipelines."""
        events, iam, sagemaker, s3 = (self._clients[n] for n in ("events", "iam", "sagemaker", "s3"))
        for rule in events.list_rules()["Rules"]:
            targets = [each["Id"] for each in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]]
            if targets:
                events.remove_targets(Rule=rule["Name"], Ids=targets)
            events.delete_rule(Name=rule["Name"])
        for pipeline in sagemaker.list_pipelines()["PipelineSummaries"]:
            sagemaker.delete_pipeline(PipelineName=pipeline["PipelineName"], ClientRequestToken="r" * 32)
        for group in sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]:
            name = group["ModelPackageGroupName"]
            for version in sagemaker.list_model_packages(ModelPackageGroupName=name)["ModelPackageSummaryList"]:
                sagemaker.delete_model_package(ModelPackageName=version["ModelPackageArn"])
            sagemaker.delete_model_package_group(ModelPackageGroupName=name)
        alarms = [each["AlarmName"] for each in self._clients["cloudwatch"].describe_alarms()["MetricAlarms"]]
        if alarms:
            self._clients["cloudwatch"].delete_alarms(AlarmNames=alarms)
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket):
            keys = [{"Key": each["Key"]} for each in page.get("Contents", [])]
            if keys:
                s3.delete_objects(Bucket=self._bucket, Delete={"Objects": keys})
        s3.delete_bucket(Bucket=self._bucket)
        for role in iam.list_roles()["Roles"]:
            for policy in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
                iam.delete_role_policy(RoleName=role["RoleName"], PolicyName=policy)
            iam.delete_role(RoleName=role["RoleName"])
        for group in self._clients["logs"].describe_log_groups()["logGroups"]:
            self._clients["logs"].delete_log_group(logGroupName=group["logGroupName"])

    def left(self) -> list[str]:
        """Everything that is still there, as ``kind name``. Finished jobs are records, which AWS keeps."""
        return sorted(f"{kind} {name}" for kind, name in self._left())

    def _left(self) -> Iterator[tuple[str, str]]:
        sagemaker = self._clients["sagemaker"]
        listings: tuple[tuple[str, Json, str, str], ...] = (
            ("endpoint", sagemaker.list_endpoints, "Endpoints", "EndpointName"),
            ("endpoint configuration", sagemaker.list_endpoint_configs, "EndpointConfigs", "EndpointConfigName"),
            ("model", sagemaker.list_models, "Models", "ModelName"),
            ("pipeline", sagemaker.list_pipelines, "PipelineSummaries", "PipelineName"),
            (
                "model package group",
                sagemaker.list_model_package_groups,
                "ModelPackageGroupSummaryList",
                "ModelPackageGroupName",
            ),
            ("bucket", self._clients["s3"].list_buckets, "Buckets", "Name"),
            ("role", self._clients["iam"].list_roles, "Roles", "RoleName"),
            ("rule", self._clients["events"].list_rules, "Rules", "Name"),
            ("alarm", self._clients["cloudwatch"].describe_alarms, "MetricAlarms", "AlarmName"),
            ("log group", self._clients["logs"].describe_log_groups, "logGroups", "logGroupName"),
        )
        for kind, listing, member, name in listings:
            for each in listing()[member]:
                yield kind, each[name]
        scaling = self._clients["application-autoscaling"]
        for each in scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]:
            yield "scalable target", each["ResourceId"]
        for job in sagemaker.list_processing_jobs(StatusEquals="InProgress")["ProcessingJobSummaries"]:
            yield "running job", job["ProcessingJobName"]
        for job in sagemaker.list_training_jobs(StatusEquals="InProgress")["TrainingJobSummaries"]:
            yield "running job", job["TrainingJobName"]
