"""The infrastructure that a rehearsal plays in: the project's own Pulumi program, up at first, destroyed at last.

What the engine sees of it is what it sees of a real one: the outputs, read as a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seatrial.clouds.aws.session import new_session
from seatrial.clouds.aws.stack import StackOutputs
from seatrial.rehearsal.aws import OfflineAws
from seatrial.rehearsal.infra.compare import compared
from seatrial.rehearsal.infra.compare import differences as found_differences
from seatrial.rehearsal.infra.lifecycle import Applied, Infra
from seatrial.rehearsal.infra.provider.aws import AwsProvider

Json = Any
_BUCKET = "aws:s3/bucket:Bucket"


class Stack:
    """Brings the infrastructure up and takes it away, as the account's owner would."""

    def __init__(self, infra: Infra, provider: AwsProvider, aws: OfflineAws, region: str) -> None:
        """Nothing is made yet."""
        self._infra, self._provider = infra, provider
        self.region = region
        self._clients = {
            name: new_session().client(name, **aws.client_settings(region))
            for name in ("s3", "sts", "sagemaker", "application-autoscaling", "logs")
        }
        self._before = provider.inventory()

    def up(self) -> Applied:
        """As ``pulumi up`` would.

        Raises:
            DeploymentFailed: it broke off.
        """
        return self._infra.up()

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

    def empty(self) -> None:
        """Remove what the engine keeps for good: pipelines, versions, everything in buckets; and the jobs' logs."""
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
