"""Alarms, dashboards and groups of log lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import ClassVar

from seatrial.rehearsal.infra.provider.base import UNKNOWN, Props
from seatrial.rehearsal.infra.provider.forms import DOCUMENT, SET, TAGS, Field, Fields, Map, Pairs
from seatrial.rehearsal.infra.provider.resource import Change, Known, ResourceType, Tagging

_ALARM_TAGS = Tagging("cloudwatch", ("ListTagsForResource", "Tags"), "TagResource", "UntagResource", "ResourceARN")
_LOG_TAGS = Tagging(
    "logs", ("ListTagsForResource", "tags"), "TagResource", "UntagResource", "resourceArn", "tags", "tagKeys", Map()
)


class MetricAlarm(ResourceType):
    """An alarm on one metric; its name is its id."""

    type: ClassVar[str] = "aws:cloudwatch/metricAlarm:MetricAlarm"
    service: ClassVar[str] = "cloudwatch"
    creates: ClassVar[str] = "PutMetricAlarm"
    identity: ClassVar[tuple[str, ...]] = ("name",)
    named: ClassVar[str] = "name"
    gone: ClassVar[tuple[str, ...]] = ("ResourceNotFound", "ResourceNotFoundException")
    fields: ClassVar[Fields] = {
        "name": Field("AlarmName", replaces=True),
        "alarmDescription": Field(),
        "namespace": Field(required=True),
        "metricName": Field(required=True),
        "dimensions": Field(form=Pairs("Name", "Value")),
        "statistic": Field(),
        "extendedStatistic": Field(),
        "unit": Field(),
        "threshold": Field(required=True),
        "comparisonOperator": Field(required=True),
        "period": Field(required=True),
        "evaluationPeriods": Field(required=True),
        "datapointsToAlarm": Field(),
        "treatMissingData": Field(default="missing"),
        "actionsEnabled": Field(default=True),
        "alarmActions": Field(form=SET),
        "okActions": Field("OKActions", SET),
        "insufficientDataActions": Field(form=SET),
        "arn": Field("AlarmArn", output=True),
        **TAGS,
    }

    def problems(self, inputs: Props) -> Iterator[str]:
        """One statistic, no more and no less."""
        given = [each for each in ("statistic", "extendedStatistic") if each in inputs]
        if len(given) != 1:
            yield "statistic: either it or extendedStatistic has to be given, and not both"

    def create(self, inputs: Props) -> str:
        """Put it."""
        self.send(inputs)
        return str(inputs["name"])

    def find(self, id: str) -> Props | None:
        """The alarm and its tags."""
        found = self.call("DescribeAlarms", AlarmNames=[id], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
        if not found:
            return None
        tags = self.call("ListTagsForResource", ResourceARN=found[0]["AlarmArn"])["Tags"]
        return self.told(found[0] | {"Tags": tags}, alarmDescription=found[0].get("AlarmDescription") or None)

    def update(self, change: Change) -> None:
        """Put it again. Tags in a Put are for new alarms only."""
        if change.properties - {"tags"}:
            self.send({key: value for key, value in change.inputs.items() if key != "tags"})
        if "tags" in change.properties:
            arn = self.session.arn("cloudwatch", f"alarm:{change.id}")
            _ALARM_TAGS.put(self.session, arn, change.inputs.get("tags"))

    def delete(self, known: Known) -> None:
        """Delete it."""
        self.call("DeleteAlarms", AlarmNames=[known.id])

    def ids(self) -> Iterable[str]:
        """Every alarm on a metric."""
        return [each["AlarmName"] for each in self.session.pages("cloudwatch", "DescribeAlarms", "MetricAlarms")]


class Dashboard(ResourceType):
    """A dashboard; its name is its id."""

    type: ClassVar[str] = "aws:cloudwatch/dashboard:Dashboard"
    service: ClassVar[str] = "cloudwatch"
    creates: ClassVar[str] = "PutDashboard"
    identity: ClassVar[tuple[str, ...]] = ("dashboardName",)
    gone: ClassVar[tuple[str, ...]] = ("ResourceNotFound", "DashboardNotFoundError")
    fields: ClassVar[Fields] = {
        "dashboardName": Field(replaces=True, required=True),
        "dashboardBody": Field(form=DOCUMENT, required=True),
        "dashboardArn": Field(output=True),
    }

    def create(self, inputs: Props) -> str:
        """Put it."""
        self.send(inputs)
        return str(inputs["dashboardName"])

    def find(self, id: str) -> Props | None:
        """The dashboard."""
        answer = self.ask("GetDashboard", DashboardName=id)
        return None if answer is None else self.told(answer)

    def update(self, change: Change) -> None:
        """Put it again."""
        self.send(change.inputs)

    def delete(self, known: Known) -> None:
        """Delete it."""
        self.call("DeleteDashboards", DashboardNames=[known.id])

    def ids(self) -> Iterable[str]:
        """Every dashboard."""
        pages = self.session.pages("cloudwatch", "ListDashboards", "DashboardEntries")
        return [each["DashboardName"] for each in pages]


_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
_OF_JOBS = re.compile(r"/aws/sagemaker/(Processing|Training|Transform)Jobs")


class LogGroup(ResourceType):
    """A group of log streams; its name is its id."""

    type: ClassVar[str] = "aws:cloudwatch/logGroup:LogGroup"
    service: ClassVar[str] = "logs"
    creates: ClassVar[str] = "CreateLogGroup"
    identity: ClassVar[tuple[str, ...]] = ("name",)
    named: ClassVar[str] = "name"
    gone: ClassVar[tuple[str, ...]] = ("ResourceNotFoundException",)
    fields: ClassVar[Fields] = {
        "name": Field("logGroupName", replaces=True),
        "kmsKeyId": Field("kmsKeyId"),
        "retentionInDays": Field("retentionInDays", apart=True, default=0),
        "skipDestroy": Field(local="says whether a deletion leaves it", default=False),
        "arn": Field("arn", output=True),
        "tags": Field("tags", Map()),
        "tagsAll": TAGS["tagsAll"],
    }

    def problems(self, inputs: Props) -> Iterator[str]:
        """A retention that AWS does not have. 0: for ever."""
        if inputs["retentionInDays"] not in (0, UNKNOWN, *_DAYS):
            yield f"retentionInDays: has to be one of {', '.join(map(str, _DAYS))}, or 0 for ever"

    def create(self, inputs: Props) -> str:
        """Make it."""
        self.send(inputs)
        return str(inputs["name"])

    def complete(self, id: str, inputs: Props) -> None:
        """How long lines are kept."""
        if inputs.get("retentionInDays"):
            self.call("PutRetentionPolicy", logGroupName=id, retentionInDays=int(inputs["retentionInDays"]))

    def find(self, id: str) -> Props | None:
        """The group among those whose names begin so, and its tags."""
        groups = self.session.pages("logs", "DescribeLogGroups", "logGroups", logGroupNamePrefix=id)
        found = next((each for each in groups if each["logGroupName"] == id), None)
        if found is None:
            return None
        arn = found["arn"].removesuffix(":*")
        tags = self.call("ListTagsForResource", resourceArn=arn)["tags"]
        return self.told(found | {"tags": tags}, arn=arn, retentionInDays=found.get("retentionInDays", 0))

    def update(self, change: Change) -> None:
        """Each property has operations of its own."""
        id, inputs = change.id, change.inputs
        if "retentionInDays" in change.properties:
            if inputs["retentionInDays"]:
                self.complete(id, inputs)
            else:
                self.call("DeleteRetentionPolicy", logGroupName=id)
        if "kmsKeyId" in change.properties:
            if inputs.get("kmsKeyId"):
                self.call("AssociateKmsKey", logGroupName=id, kmsKeyId=inputs["kmsKeyId"])
            else:
                self.call("DisassociateKmsKey", logGroupName=id)
        if "tags" in change.properties:
            _LOG_TAGS.put(self.session, self.session.arn("logs", f"log-group:{id}"), inputs.get("tags"))

    def delete(self, known: Known) -> None:
        """Delete it with its lines, unless ``skipDestroy``."""
        if not known.outputs.get("skipDestroy"):
            self.call("DeleteLogGroup", logGroupName=known.id)

    def ids(self) -> Iterator[str]:
        """Every group but those that SageMaker makes for jobs."""
        for each in self.session.pages("logs", "DescribeLogGroups", "logGroups"):
            if not _OF_JOBS.fullmatch(each["logGroupName"]):
                yield each["logGroupName"]


TYPES = (MetricAlarm, Dashboard, LogGroup)
