"""Somebody hears of it: endpoints have alarms, alarms act, money has a limit, events arrive."""

from __future__ import annotations

from collections.abc import Iterator

from rules.resources import ADVISORY, UNKNOWN, Resource, Settings, Stack, resource_rule, stack_rule, strings

_ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
_BUDGET = "aws:budgets/budget:Budget"
_IDENTITY = ("notificationType", "comparisonOperator", "threshold", "thresholdType")
"""What AWS knows a budget's notification by."""


@stack_rule(
    "endpoint-alarmed",
    "Every endpoint has its guardrail alarms, before it exists.",
    settings={"namespaces": strings(("AWS/SageMaker",), "Namespaces of the metrics that guard an endpoint.")},
)
def endpoint_alarmed(stack: Stack, settings: Settings) -> Iterator[tuple[Resource, str]]:
    """A model's package group and its endpoint have one name; a rollout without alarms cannot come back by itself."""
    alarms = stack.of(_ALARM)
    guarding = [each for each in alarms if each.props.get("namespace") in (*settings["namespaces"], UNKNOWN)]
    for shell in stack.of("aws:sagemaker/modelPackageGroup:ModelPackageGroup", "aws:sagemaker/endpoint:Endpoint"):
        name = shell.props.get("modelPackageGroupName") or shell.props.get("name")
        if not any(name is UNKNOWN or {name, UNKNOWN} & set(_endpoints(each)) for each in guarding):
            yield shell, f"no alarm has the dimension EndpointName={name if isinstance(name, str) else shell.name}"
    made = {each.props.get("name") for each in alarms}
    for root in stack.of("pulumi:pulumi:Stack"):
        if UNKNOWN not in made and (missing := [each for each in _promised(root) if each not in made]):
            yield root, f"the output models names alarms that no resource makes: {', '.join(missing)}"


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


@resource_rule("budget-notification-taken", "A budget's notification has one topic, and comes once.", _BUDGET)
def budget_notification_taken(budget: Resource, _settings: Settings) -> Iterator[str]:
    """AWS refuses another topic (CreationLimitExceededException), and the same moment twice (DuplicateRecordException).

    https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Notification.html
    """
    seen: list[tuple[object, ...]] = []
    for at, each in enumerate(budget.each("notifications")):
        topics = each.get("subscriberSnsTopicArns")
        if isinstance(topics, list) and len(topics) > 1:
            yield f"notifications[{at}] has {len(topics)} topics"
        identity = tuple(each.get(part) for part in _IDENTITY)
        if UNKNOWN not in identity and identity in seen:
            yield f"notifications[{at}] is there already: {', '.join(map(str, identity))}"
        seen.append(identity)


@resource_rule(
    "event-target-arrives",
    "An event's target can be reached, or what was lost is kept.",
    "aws:cloudwatch/eventTarget:EventTarget",
)
def event_target_arrives(target: Resource, _settings: Settings) -> Iterator[str]:
    """Pipelines are started as a role, topics and queues say whom they let in; the rest has to keep what is lost."""
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
    """Which endpoints it watches, by one metric or by a formula over some; `UNKNOWN` where that is not known yet."""
    queried = [each["metric"] for each in alarm.each("metricQueries") if isinstance(each.get("metric"), dict)]
    dimensions = [alarm.props.get("dimensions"), *(each.get("dimensions") for each in queried)]
    return [each.get("EndpointName") if isinstance(each, dict) else each for each in dimensions]


def _promised(root: Resource) -> list[str]:
    """The alarms that a rollout will be told to watch."""
    models = root.props.get("models")
    shells = [each for each in models.values() if isinstance(each, dict)] if isinstance(models, dict) else []
    alarms = [each["alarms"] for each in shells if isinstance(each.get("alarms"), dict)]
    return [name for each in alarms for name in each.values() if isinstance(name, str)]


POLICIES = (
    endpoint_alarmed,
    alarm_acts,
    budget_present,
    budget_notifies,
    budget_notification_taken,
    event_target_arrives,
    rule_has_target,
)
