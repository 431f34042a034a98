"""What happens by itself: an event of the account, and what it starts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.aws.models import ModelShell
from infra.aws.notifications import Topic
from infra.aws.scope import Scope
from seatrial.component import ROLES as JOBS

Pattern = Mapping[str, Any]
_RETRY = aws.cloudwatch.EventTargetRetryPolicyArgs(maximum_event_age_in_seconds=3600, maximum_retry_attempts=10)
"""A pipeline that starts a day late, on what was decided then, would surprise more than one that did not start."""


_CHANGED = "UpdatedModelPackageFields"
"""What an update of a version changed; a version that is registered as approved says nothing there."""


class ModelEvents(pulumi.ComponentResource):
    """What starts a model's pipelines without a person.

    Owns: the rules and their targets. An approved version starts ``release`` with that version; the alarm for drift
    starts ``train``; a schedule starts ``monitor``. Each only if the project has a pipeline of that name: there is no
    schedule for a monitor that nobody wrote.

    Does not own: the pipelines. The engine makes them (``seatrial launch``); until a model's pipeline was launched
    once, its rules find nothing to start, and EventBridge counts failed invocations.
    """

    def __init__(self, scope: Scope, shell: ModelShell, role: aws.iam.Role) -> None:
        """``role``: whom EventBridge starts pipelines as."""
        super().__init__("seatrial:aws:ModelEvents", f"{shell.names.model}-events")
        self._scope = scope
        self._shell = shell
        self._role = role
        names = shell.names
        approved = {
            "source": ["aws.sagemaker"],
            "detail-type": ["SageMaker Model Package State Change"],
            "detail": {
                "ModelPackageGroupName": [names.group],
                "ModelApprovalStatus": ["Approved"],
                "ModelPackageStatus": ["Completed"],  # an approved version that is deleted is told, too
                # and so is one whose notes change: who takes its place or gives it back writes that on it
                "$or": [{_CHANGED: ["ModelApprovalStatus"]}, {_CHANGED: [{"exists": False}]}],
            },
        }
        drifted = {
            "source": ["aws.cloudwatch"],
            "detail-type": ["CloudWatch Alarm State Change"],
            "resources": [scope.arn("cloudwatch", f"alarm:{names.endpoint}-drift")],
            "detail": {"state": {"value": ["ALARM"]}},
        }
        schedule = scope.settings.monitor_schedule
        version = {"version": "$.detail.ModelPackageVersion"}
        self._starts("release", "approved", f"Somebody approved a version of {names.model}", version, pattern=approved)
        self._starts("train", "drifted", f"Traffic of {names.model} has drifted", {}, pattern=drifted)
        self._starts("monitor", "due", f"{names.model} is due to be looked at", {}, schedule=schedule)
        self.register_outputs({})

    def _starts(
        self,
        pipeline: str,
        when: str,
        description: str,
        parameters: Mapping[str, str],
        *,
        pattern: Pattern | None = None,
        schedule: str | None = None,
    ) -> None:
        names = self._shell.names
        if pipeline not in names.shell.pipelines:
            return
        rule = aws.cloudwatch.EventRule(
            f"{names.model}-{when}",
            name=f"{names.endpoint}-{when}",
            description=f"{description}: pipeline {pipeline}.",
            event_pattern=None if pattern is None else json.dumps(pattern, sort_keys=True),
            schedule_expression=schedule,
            opts=pulumi.ResourceOptions(parent=self),
        )
        given = {"model": names.model, **parameters}
        aws.cloudwatch.EventTarget(
            f"{names.model}-{when}-{pipeline}",
            rule=rule.name,
            target_id=pipeline,
            arn=self._scope.arn("sagemaker", f"pipeline/{names.shell.pipelines[pipeline]}"),
            role_arn=self._role.arn,
            sagemaker_pipeline_target=aws.cloudwatch.EventTargetSagemakerPipelineTargetArgs(
                pipeline_parameter_lists=[
                    aws.cloudwatch.EventTargetSagemakerPipelineTargetPipelineParameterListArgs(name=name, value=value)
                    for name, value in given.items()
                ]
            ),
            retry_policy=_RETRY,
            opts=pulumi.ResourceOptions(parent=self),
        )


class Failures(pulumi.ComponentResource):
    """Who hears of what failed.

    Owns: rules for pipelines, jobs and endpoints of this stack that failed, and their way to the topic.

    Does not own: what is done about them, and failures of the launch itself, which tells whoever launched.
    """

    def __init__(self, scope: Scope, topic: Topic) -> None:
        super().__init__("seatrial:aws:Failures", "failures")
        self._topic = topic
        self._scope = scope
        ours = [{"prefix": f"{scope.prefix}-"}]
        pipelines = [{"prefix": scope.arn("sagemaker", f"pipeline/{scope.prefix}-")}]
        jobs = [scope.arn("iam", f"role/{scope.name(job)}", region="") for job in JOBS]
        self._told(
            "pipelines",
            "SageMaker Model Building Pipeline Execution Status Change",
            {"currentPipelineExecutionStatus": ["Failed"], "pipelineArn": pipelines},
            {"what": "$.detail.pipelineExecutionArn"},
        )
        for job in ("Processing", "Training"):
            self._told(
                job.lower(),
                f"SageMaker {job} Job State Change",
                {f"{job}JobStatus": ["Failed"], "RoleArn": jobs},
                {"what": f"$.detail.{job}JobName", "why": "$.detail.FailureReason"},
            )
        self._told(
            "endpoints",
            "SageMaker Endpoint State Change",
            {"EndpointStatus": ["FAILED"], "EndpointName": ours},
            {"what": "$.detail.EndpointName", "why": "$.detail.FailureReason"},
        )
        self.register_outputs({})

    def _told(self, kind: str, change: str, detail: Mapping[str, Sequence[Any]], said: Mapping[str, str]) -> None:
        pattern = {"source": ["aws.sagemaker"], "detail-type": [change], "detail": dict(detail)}
        rule = aws.cloudwatch.EventRule(
            f"failed-{kind}",
            name=self._scope.name("failed", kind),
            description=f"{change}: failed.",
            event_pattern=json.dumps(pattern, sort_keys=True),
            opts=pulumi.ResourceOptions(parent=self),
        )
        text = f"{self._scope.prefix}: " + ": ".join(f"<{name}>" for name in said) + " failed."
        aws.cloudwatch.EventTarget(
            f"failed-{kind}-told",
            rule=rule.name,
            target_id="notifications",
            arn=self._topic.arn,
            input_transformer=aws.cloudwatch.EventTargetInputTransformerArgs(
                input_paths=dict(said), input_template=json.dumps(text)
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
