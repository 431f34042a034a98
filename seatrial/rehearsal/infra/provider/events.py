"""Rules on the default event bus, and what they start."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import ClassVar

from seatrial.rehearsal.infra.provider.base import UNKNOWN, Props
from seatrial.rehearsal.infra.provider.fields import TAGS, Block, Field, Fields
from seatrial.rehearsal.infra.provider.forms import DOCUMENT, Many, Map
from seatrial.rehearsal.infra.provider.resource import Change, Known, ResourceType, Tagging

_TAGGING = Tagging("events", ("ListTagsForResource", "Tags"), "TagResource", "UntagResource", "ResourceARN")
_GONE = ("ResourceNotFoundException",)
_RATE = re.compile(r"rate\((1 (minute|hour|day)|([2-9]|[1-9]\d+) (minutes|hours|days))\)")
_CRON = re.compile(r"cron\((\S+ ){5}\S+\)")


class EventRule(ResourceType):
    """A rule; its name is its id."""

    type: ClassVar[str] = "aws:cloudwatch/eventRule:EventRule"
    service: ClassVar[str] = "events"
    creates: ClassVar[str] = "PutRule"
    identity: ClassVar[tuple[str, ...]] = ("name",)
    named: ClassVar[str] = "name"
    gone: ClassVar[tuple[str, ...]] = _GONE
    fields: ClassVar[Fields] = {
        "name": Field(replaces=True),
        "description": Field(),
        "eventPattern": Field(form=DOCUMENT),
        "scheduleExpression": Field(),
        "state": Field(default="ENABLED"),
        "arn": Field(output=True),
        **TAGS,
    }

    def problems(self, inputs: Props) -> Iterator[str]:
        """A rule for nothing, or a schedule that AWS cannot read."""
        if "eventPattern" not in inputs and "scheduleExpression" not in inputs:
            yield "eventPattern: it, scheduleExpression or both have to be given"
        schedule = inputs.get("scheduleExpression", UNKNOWN)
        if schedule != UNKNOWN and not (_RATE.fullmatch(schedule) or _CRON.fullmatch(schedule)):
            yield "scheduleExpression: has to be 'rate(2 hours)' or 'cron(minute hour day month weekday year)'"

    def create(self, inputs: Props) -> str:
        """Put it."""
        self.send(inputs)
        return str(inputs["name"])

    def find(self, id: str) -> Props | None:
        """The rule and its tags."""
        rule = self.ask("DescribeRule", Name=id)
        if rule is None:
            return None
        tags = self.call("ListTagsForResource", ResourceARN=rule["Arn"])["Tags"]
        described, scheduled = rule.get("Description") or None, rule.get("ScheduleExpression") or None
        return self.told(rule | {"Tags": tags}, description=described, scheduleExpression=scheduled)

    def update(self, change: Change) -> None:
        """Put it again. Tags in a Put are for new rules only."""
        if change.properties - {"tags"}:
            self.send({key: value for key, value in change.inputs.items() if key != "tags"})
        if "tags" in change.properties:
            arn = self.call("DescribeRule", Name=change.id)["Arn"]
            _TAGGING.put(self.session, arn, change.inputs.get("tags"))

    def delete(self, known: Known) -> None:
        """Delete it; AWS refuses while it has targets."""
        self.call("DeleteRule", Name=known.id)

    def ids(self) -> Iterable[str]:
        """Rules of the default bus that no service made for itself."""
        return [each["Name"] for each in self.session.pages("events", "ListRules", "Rules") if "ManagedBy" not in each]


_PARAMETER = Block({"name": Field(required=True), "value": Field(required=True)})
_TRANSFORMED = Block({"inputPaths": Field("InputPathsMap", Map()), "inputTemplate": Field(required=True)})


class EventTarget(ResourceType):
    """What a rule starts. Its id is ``rule:target``."""

    type: ClassVar[str] = "aws:cloudwatch/eventTarget:EventTarget"
    service: ClassVar[str] = "events"
    creates: ClassVar[str] = "PutTargets"
    identity: ClassVar[tuple[str, ...]] = ("rule", "targetId")
    named: ClassVar[str] = "targetId"
    gone: ClassVar[tuple[str, ...]] = _GONE
    fields: ClassVar[Fields] = {
        "rule": Field(replaces=True, required=True),
        "targetId": Field("Id", replaces=True),
        "arn": Field(required=True),
        "roleArn": Field(),
        "input": Field(form=DOCUMENT),
        "inputPath": Field(),
        "inputTransformer": Field(form=_TRANSFORMED),
        "sagemakerPipelineTarget": Field(
            "SageMakerPipelineParameters",
            Block({"pipelineParameterLists": Field("PipelineParameterList", Many(_PARAMETER))}),
        ),
        "retryPolicy": Field(form=Block({"maximumEventAgeInSeconds": Field(), "maximumRetryAttempts": Field()})),
        "deadLetterConfig": Field(form=Block({"arn": Field()})),
    }

    def request(self, inputs: Props) -> Props:
        """One target of one rule."""
        target = super().request(inputs)
        return {"Rule": target.pop("Rule"), "Targets": [target]}

    def problems(self, inputs: Props) -> Iterator[str]:
        """More than one way to say what a target is told."""
        ways = [each for each in ("input", "inputPath", "inputTransformer") if each in inputs]
        if len(ways) > 1:
            yield f"{ways[0]}: only one of input, inputPath and inputTransformer may be given"

    def create(self, inputs: Props) -> str:
        """Put it."""
        self.update(Change("", inputs, frozenset()))
        return f"{inputs['rule']}:{inputs['targetId']}"

    def find(self, id: str) -> Props | None:
        """The target among those of its rule."""
        rule, _, name = id.partition(":")
        answer = self.ask("ListTargetsByRule", Rule=rule)
        found = next((each for each in (answer or {}).get("Targets", ()) if each["Id"] == name), None)
        return None if found is None else self.told(found, rule=rule)

    def update(self, change: Change) -> None:
        """Put it again. A target that is refused is refused in an answer of its own."""
        answer = self.send(change.inputs)
        for entry in answer["FailedEntries"]:
            raise self.session.refusal(self.creates, entry["ErrorCode"], entry["ErrorMessage"])

    def delete(self, known: Known) -> None:
        """Take it off its rule."""
        rule, _, name = known.id.partition(":")
        self.call("RemoveTargets", Rule=rule, Ids=[name])

    def ids(self) -> Iterator[str]:
        """Of every rule, every target."""
        for rule in self.session.pages("events", "ListRules", "Rules"):
            for target in self.session.pages("events", "ListTargetsByRule", "Targets", Rule=rule["Name"]):
                yield f"{rule['Name']}:{target['Id']}"


TYPES = (EventRule, EventTarget)
