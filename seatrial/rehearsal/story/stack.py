"""The infrastructure that a rehearsal plays in: the project's own Pulumi program, up at first, destroyed at last.

What the engine sees of it is what it sees of a real one: the outputs, read as a file.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from seatrial.clouds.aws.session import new_session
from seatrial.clouds.aws.stack import StackOutputs
from seatrial.errors import RehearsalError
from seatrial.rehearsal.aws import OfflineAws
from seatrial.rehearsal.infra.compare import compared
from seatrial.rehearsal.infra.compare import differences as found_differences
from seatrial.rehearsal.infra.lifecycle import Applied, Infra
from seatrial.rehearsal.infra.provider.aws import AwsProvider

Json = Any
_BUCKET = "aws:s3/bucket:Bucket"
_TOPIC = "aws:sns/topic:Topic"
_NOTIFICATIONS = "notifications"
_EAR = "seatrial-rehearsal"
_PATIENCE_S = 20.0
_WAIT_S = 1


@contextmanager
def _after(what: Future[Any]) -> Iterator[None]:
    what.result()
    yield


class Stack:
    """Brings the infrastructure up and takes it away, as the account's owner would."""

    def __init__(self, infra: Infra, provider: AwsProvider, aws: OfflineAws, region: str) -> None:
        """Nothing is made yet."""
        self._infra, self._provider = infra, provider
        self.region = region
        self._clients = {
            name: new_session().client(name, **aws.client_settings(region))
            for name in ("s3", "sts", "sagemaker", "application-autoscaling", "logs", "sns", "sqs")
        }
        self._before: set[tuple[str, str]] = set()
        self._ear: tuple[str, str] | None = None
        """Queue and subscription by which the rehearsal hears what people are told."""
        self._heard: list[str] = []

    def up(self) -> Applied:
        """As ``pulumi up`` would.

        Raises:
            DeploymentFailed: it broke off.
        """
        with ThreadPoolExecutor(1) as beside:  # the program takes as long to start as the inventory takes
            before = beside.submit(self._provider.inventory)
            made = self._infra.up(turn=lambda _: _after(before))
            self._before = before.result()
        return made

    def outputs(self) -> StackOutputs:
        """What the program exports."""
        return StackOutputs.model_validate(self._infra.outputs)

    def differences(self) -> list[str]:
        """Where state and cloud disagree, property by property."""
        return [str(each) for each in found_differences(self._infra.resources, self._provider)]

    def compared(self) -> tuple[int, int]:
        """Resources and properties that `differences` looks at."""
        return compared(self._infra.resources, self._provider)

    def launching(self, role: str) -> dict[str, str]:
        """Credentials of the role that launches, as variables of the environment."""
        told = self._clients["sts"].assume_role(RoleArn=role, RoleSessionName="rehearsal")["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": told["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": told["SecretAccessKey"],
            "AWS_SESSION_TOKEN": told["SessionToken"],
        }

    def listen(self) -> None:
        """Subscribe to the stack's notifications, as a person's mailbox is.

        Raises:
            RehearsalError: it has none.
        """
        topic = next((e.id for e in self._infra.resources if (e.type, e.name) == (_TOPIC, _NOTIFICATIONS)), None)
        if topic is None:
            raise RehearsalError(
                f"the stack has no topic '{_NOTIFICATIONS}'",
                why="People hear there of pipelines, jobs and endpoints that failed, and of alarms.",
                todo="Declare it in the program, as infra/aws/notifications.py does.",
            )
        sqs, sns = self._clients["sqs"], self._clients["sns"]
        queue = sqs.create_queue(QueueName=_EAR)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        raw = {"RawMessageDelivery": "true"}
        made = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=raw, ReturnSubscriptionArn=True)
        self._ear = (queue, made["SubscriptionArn"])

    def told_of(self, what: str) -> str:
        """What people were told that holds this text; empty when nothing came for a while."""
        assert self._ear is not None
        end = time.monotonic() + _PATIENCE_S
        while True:
            found = next((each for each in self._heard if what in each), "")
            if found or time.monotonic() > end:
                return found
            answer = self._clients["sqs"].receive_message(
                QueueUrl=self._ear[0], MaxNumberOfMessages=10, WaitTimeSeconds=_WAIT_S
            )
            for each in answer.get("Messages", []):
                self._heard.append(each["Body"])
                self._clients["sqs"].delete_message(QueueUrl=self._ear[0], ReceiptHandle=each["ReceiptHandle"])

    def empty(self) -> None:
        """Remove what the engine keeps for good: pipelines, versions, everything in buckets; and the jobs' logs."""
        if self._ear is not None:
            queue, subscription = self._ear
            self._clients["sns"].unsubscribe(SubscriptionArn=subscription)
            self._clients["sqs"].delete_queue(QueueUrl=queue)
            self._ear = None
        sagemaker, s3, logs = (self._clients[name] for name in ("sagemaker", "s3", "logs"))
        for pipeline in sagemaker.list_pipelines()["PipelineSummaries"]:
            sagemaker.delete_pipeline(PipelineName=pipeline["PipelineName"], ClientRequestToken="r" * 32)
        for group in sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]:
            listed = sagemaker.list_model_packages(ModelPackageGroupName=group["ModelPackageGroupName"])
            for version in listed["ModelPackageSummaryList"]:
                sagemaker.delete_model_package(ModelPackageName=version["ModelPackageArn"])
        for bucket in [each.id for each in self._infra.resources if each.type == _BUCKET]:
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
                there = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                keys = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in there]
                if keys:
                    s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})
        own = {each.id for each in self._infra.resources}
        for group in logs.describe_log_groups()["logGroups"]:
            if group["logGroupName"] not in own:
                logs.delete_log_group(logGroupName=group["logGroupName"])

    def unprotect(self) -> list[str]:
        """Take the protection away, as a person does who means it; the names of what was protected."""
        protected = self._infra.protected()
        self._infra.unprotect(*(each.urn for each in protected))
        return [each.urn.rpartition("::")[2] for each in protected]

    def destroy(self) -> Applied:
        """As ``pulumi destroy`` would.

        Raises:
            DeploymentFailed: it broke off.
        """
        return self._infra.destroy()

    def left(self) -> list[str]:
        """Everything that was not there before, as ``kind name``. Finished jobs are records, which AWS keeps."""
        own = (f"{type.rpartition(':')[2]} {id}" for type, id in self._provider.inventory() - self._before)
        return sorted({*own, *(f"{kind} {name}" for kind, name in self._made_by_the_engine())})

    def _made_by_the_engine(self) -> Iterator[tuple[str, str]]:
        sagemaker = self._clients["sagemaker"]
        listings: tuple[tuple[str, Json, str, str], ...] = (
            ("endpoint", sagemaker.list_endpoints, "Endpoints", "EndpointName"),
            ("endpoint configuration", sagemaker.list_endpoint_configs, "EndpointConfigs", "EndpointConfigName"),
            ("model", sagemaker.list_models, "Models", "ModelName"),
            ("pipeline", sagemaker.list_pipelines, "PipelineSummaries", "PipelineName"),
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
