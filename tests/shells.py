"""What the infrastructure keeps ready for a model, furnished by hand: its package group and its guardrails' alarms.

For tests that need no whole stack.
"""

from __future__ import annotations

from typing import Any

from seatrial.clouds.aws import guardrails
from seatrial.clouds.aws.names import Names
from seatrial.clouds.aws.stack import StackOutputs
from seatrial.project import Rollout

Json = Any


def furnish(stack: StackOutputs, model: str, rollout: Rollout, *, sagemaker: Json, cloudwatch: Json) -> None:
    """Make the group and the alarms that the stack names for a model, with plain boto3 clients."""
    names = Names.of(stack, model)
    sagemaker.create_model_package_group(ModelPackageGroupName=names.group, Tags=stack.tag_list())
    for alarm in guardrails.alarms(names, rollout):
        cloudwatch.put_metric_alarm(
            AlarmName=alarm.name, AlarmDescription=alarm.description, Tags=stack.tag_list(), **alarm.rule()
        )


def clear(stack: StackOutputs, model: str, *, sagemaker: Json, cloudwatch: Json) -> None:
    """Remove them, and the versions that the group holds."""
    names = Names.of(stack, model)
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=names.group)
    for version in [each for page in pages for each in page["ModelPackageSummaryList"]]:
        sagemaker.delete_model_package(ModelPackageName=version["ModelPackageArn"])
    sagemaker.delete_model_package_group(ModelPackageGroupName=names.group)
    if names.shell.alarms:
        cloudwatch.delete_alarms(AlarmNames=sorted(names.shell.alarms.values()))
