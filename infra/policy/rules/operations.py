"""Somebody hears of it: endpoints have alarms, alarms act, money has a limit, events arrive."""

from __future__ import annotations

from collections.abc import Iterator

from rules.resources import ADVISORY, UNKNOWN, Resource, Settings, Stack, resource_rule, stack_rule, strings

_ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
_BUDGET = "aws:budgets/budget:Budget"


@stack_rule(
    "endpoint-alarmed",
    "Every endpoint has its guardrail alarms, before it exists.",
    settings={"metrics": strings((), "Metrics that one of an endpoint's alarms has to watch; none: any one will do.")},
)
def endpoint_alarmed(stack: Stack, settings: Settings) -> Iterator[tuple[Resource, str]]:
    """A model's package group and its endpoint have one name; a rollout without alarms cannot come back by itself."""
    alarms = stack.of(_ALARM)
    for shell in stack.of("aws:sagemaker/modelPackageGroup:ModelPackageGroup", "aws:sagemaker/endpoint:Endpoint"):
        name = shell.props.get("modelPackageGroupName") or shell.props.get("name")
        watching = [
            each for each in alarms if name is UNKNOWN or name in _endpoints(each) or UNKNOWN in _endpoints(each)
        ]
        if not watching:
            yield shell, f"no alarm has the dimension EndpointName={name if isinstance(name, str) else shell.name}"
        watched = {metric for each in watching for metric in _metrics(each)}
        if watching and (missing := [each for each in settings["metrics"] if each not in watched]):
            yield shell, f"none of its alarms watches {', '.join(missing)}"


@resource_rule("alarm-acts", "An alarm tells somebody.", _ALARM)
def alarm_acts(alarm: Resource, _settings: Settings) -> Iterator[str]:
    """One that only turns red is looked at after the fact."""
    if not alarm.given("alarmActions"):
        yield "it has no alarmActions"
    if alarm.props.get("actionsEnabled") is False:
        yield "actionsEnabled is false"


@stack_rule("budget-present", "A stack has a budget.")
def budget_present(stack: Stack, _settings: Settings) -> Iterator[tuple[None, str]]:
    """An endpoint that nobody uses costs as much as one that everybody uses."""
    if any(each.type.startswith("aws:") for each in stack.resources) and not stack.of(_BUDGET):
        yield None, "it has no aws.budgets.Budget"


@resource_rule("budget-notifies", "A budget tells somebody before the month is over.", _BUDGET)
def budget_notifies(budget: Resource, _settings: Settings) -> Iterator[str]:
    """It stops nothing by itself."""
    told = [
        each
        for each in budget.each("notifications")
        if each.get("subscriberEmailAddresses") or each.get("subscriberSnsTopicArns")
    ]
    if budget.props.get("notifications") is not UNKNOWN and not told:
        yield "it has no notification with a subscriber"


@resource_rule(
    "event-target-arrives",
    "An event's target can be reached, or what was lost is kept.",
    "aws:cloudwatch/eventTarget:EventTarget",
)
def event_target_arrives(target: Resource, _settings: Settings) -> Iterator[str]:
    """Pipelines are started as a role; topics and queues say themselves whom they let in; the rest keeps what is lost."""
    arn = target.props.get("arn")
    service = arn.split(":")[2] if isinstance(arn, str) and arn.count(":") >= 5 else UNKNOWN
    if service is UNKNOWN or service in ("sns", "sqs", "logs", "events"):
        return
    if not target.given("roleArn") and not target.given("deadLetterConfig"):
        yield "it has neither roleArn nor deadLetterConfig"
    elif service == "sagemaker" and not target.given("roleArn"):
        yield "a SageMaker pipeline is started as a role, and roleArn is missing"


@stack_rule("rule-has-target", "An event rule does something.", level=ADVISORY)
def rule_has_target(stack: Stack, _settings: Settings) -> Iterator[tuple[Resource, str]]:
    """Advisory: a rule may be made first, and its target by another stack."""
    for rule in stack.of("aws:cloudwatch/eventRule:EventRule"):
        if not stack.belonging("aws:cloudwatch/eventTarget:EventTarget", rule, "rule"):
            yield rule, "it has no EventTarget"


def _endpoints(alarm: Resource) -> list[object]:
    queried = [each["metric"] for each in alarm.each("metricQueries") if isinstance(each.get("metric"), dict)]
    found: list[object] = []
    for dimensions in [alarm.props.get("dimensions"), *(each.get("dimensions") for each in queried)]:
        found.append(dimensions.get("EndpointName") if isinstance(dimensions, dict) else dimensions)
    return found


def _metrics(alarm: Resource) -> list[object]:
    queried = [
        each["metric"].get("metricName") for each in alarm.each("metricQueries") if isinstance(each.get("metric"), dict)
    ]
    return [alarm.props.get("metricName"), *queried]


POLICIES = (endpoint_alarmed, alarm_acts, budget_present, budget_notifies, event_target_arrives, rule_has_target)
