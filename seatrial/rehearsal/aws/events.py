"""EventBridge: the services' own events are sent, and rules reach pipelines and topics.

moto sends none of the first, and breaks off at those targets. Delivery is asynchronous, in order, by one thread, as
the real bus is asynchronous; a target that cannot be started is logged and dropped, as there.
"""

from __future__ import annotations

import copy
import json
import logging
import queue
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from seatrial.rehearsal.aws.topics import publish
from seatrial.rehearsal.aws.world import ACCOUNT, World

_LOG = logging.getLogger(__name__)
_PIPELINE, _TOPIC = ":pipeline/", ":sns:"
_SERVICE = "events.amazonaws.com"


@contextmanager
def delivering(world: World) -> Iterator[None]:
    """Deliver the world's events, and let moto's rules start pipelines, until the block ends."""
    from moto.events.models import Rule

    original = Rule.send_to_targets

    def send_to_targets(rule: Any, event: Any, transform_input: bool = True) -> None:
        pipelines = [each for each in rule.targets if _PIPELINE in each["Arn"]]
        if pipelines and rule.event_pattern.matches_event(event):
            for target in pipelines:
                _start_pipeline(world, str(rule.arn), target, event)
        topics = [each for each in rule.targets if _TOPIC in each["Arn"]]
        if topics and rule.event_pattern.matches_event(event):
            for target in topics:
                publish(world, _SERVICE, str(rule.arn), target["Arn"], _words(target, event))
        others = [each for each in rule.targets if each not in pipelines and each not in topics]
        transformed = [each for each in others if transform_input and "InputTransformer" in each]
        _send(original, rule, transformed, event, transform=True)
        # moto's own template for the rest leaves the account out
        plain = {key: value for key, value in event.items() if key != "ingestion-time"}
        _send(original, rule, [each for each in others if each not in transformed], plain, transform=False)

    Rule.send_to_targets = send_to_targets
    over = threading.Event()
    thread = threading.Thread(target=_deliver, args=(world.events, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        world.events.put(None)
        thread.join()
        Rule.send_to_targets = original


def _send(original: Any, rule: Any, targets: list[Any], event: Any, *, transform: bool) -> None:
    if targets:
        part = copy.copy(rule)
        part.targets = targets
        original(part, event, transform)


def _deliver(events: queue.Queue[dict[str, Any] | None], over: threading.Event) -> None:
    from moto.events.models import events_backends

    while not over.is_set():
        event = events.get()
        if event is None:
            continue
        for bus in list(events_backends[ACCOUNT][event["region"]].event_buses.values()):
            for rule in list(bus.rules.values()) if bus.name == "default" else []:
                if rule.state == "ENABLED":
                    to_rule(rule, event)


def to_rule(rule: Any, event: dict[str, Any]) -> None:
    """Hand an event to the targets of a rule, if it matches; what cannot be delivered is logged."""
    try:
        rule.send_to_targets(event)
    except NotImplementedError:
        _LOG.warning("rule %s: the rehearsal cannot deliver to one of its targets", rule.name)
    except Exception:  # noqa: BLE001 whatever breaks in one target, the others must still hear of it
        _LOG.exception("rule %s: a target broke", rule.name)


def _start_pipeline(world: World, rule: str, target: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    _, _, _, region, _, resource = target["Arn"].split(":", 5)
    given = target.get("SageMakerPipelineParameters", {}).get("PipelineParameterList", [])
    parameters = [{"Name": each["Name"], "Value": _value(each["Value"], event)} for each in given]
    role = str(target.get("RoleArn", ""))
    if world.iam.enforced(role) and not world.iam.trusts_service(role, _SERVICE, rule):
        _LOG.warning("%s could not start %s: the role %s does not let EventBridge in", rule, target["Arn"], role)
        return
    try:
        world.client("sagemaker", region, role).start_pipeline_execution(
            PipelineName=resource.removeprefix("pipeline/"), PipelineParameters=parameters
        )
    except (ClientError, BotoCoreError) as refused:
        _LOG.warning("the event %s could not start %s: %s", event.get("detail-type"), target["Arn"], refused)


def _words(target: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """What a topic is told of an event, as the target asks for it."""
    from moto.events.utils import EventTemplateParser

    told: dict[str, Any] = {key: value for key, value in event.items() if key != "ingestion-time"}
    told["time"] = datetime.fromtimestamp(float(event["time"]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if "InputTransformer" in target:
        wanted = target["InputTransformer"]
        known = {**event, "time": told["time"]}
        return json.dumps(EventTemplateParser.parse(wanted["InputTemplate"], wanted.get("InputPathsMap", {}), known))
    if "InputPath" in target:
        return _value(target["InputPath"], told)
    return str(target["Input"]) if "Input" in target else json.dumps(told)


def _value(value: str, event: Mapping[str, Any]) -> str:
    """A parameter's value; '$.detail.name' takes it from the event."""
    if not value.startswith("$."):
        return value
    found: Any = event
    for part in value[2:].split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else json.dumps(found)


def sagemaker_event(detail_type: str, *, arn: str, detail: Mapping[str, Any]) -> dict[str, Any]:
    """An event of SageMaker about one of its resources."""
    return event_of("aws.sagemaker", detail_type, arn=arn, detail=detail)


def event_of(source: str, detail_type: str, *, arn: str, detail: Mapping[str, Any]) -> dict[str, Any]:
    """An event of a service; times in ``detail`` become milliseconds since 1970, as in SageMaker's."""
    now = datetime.now(UTC)
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": ACCOUNT,
        "time": now.timestamp(),  # as moto keeps it; what it sends spells it out
        "ingestion-time": now.timestamp(),  # moto's templates read it, as a number
        "region": arn.split(":")[3],
        "resources": [arn],
        "detail": json.loads(json.dumps(detail, default=_plain)),
    }


def _plain(value: Any) -> Any:
    return int(value.timestamp() * 1000) if isinstance(value, datetime) else str(value)
