"""Scheduled rules fire when EventBridge would fire them, on the rehearsal's clock, and really start their targets."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from seatrial.rehearsal.aws.schedule import Clock, Cron, Timetable, period_of
from tests.unit.rehearsal.aws.test_alarms import messages, queue

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


def fired(expression: str, *, until: datetime, state: str = "ENABLED") -> list[datetime]:
    """The moments of a rule that was made at BEGIN and is looked at every 7 minutes."""
    rule, table = SimpleNamespace(arn="a", scheduled_expression=expression, state=state), Timetable()
    now = BEGIN
    found: list[datetime] = []
    while now <= until:
        found += table.due(rule, now)
        now += timedelta(minutes=7)
    return found


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("rate(1 minute)", 60),
        ("rate(5 minutes)", 300),
        ("rate(1 day)", 86_400),
        ("rate(5 minute)", None),
        ("rate(1 hours)", None),
        ("rate(0 minutes)", None),
        ("rate(1 week)", None),
    ],
)
def test_a_rate_is_read_as_it_is_spelt(expression: str, seconds: float | None) -> None:
    assert period_of(expression) == seconds


@pytest.mark.parametrize(
    ("expression", "first"),
    [
        ("cron(0 6 * * ? *)", ["01-01 06:00", "01-02 06:00"]),
        ("cron(0/30 23 1 * ? *)", ["01-01 23:00", "01-01 23:30", "02-01 23:00"]),
        ("cron(15 12 ? * MON-FRI *)", [f"01-0{day} 12:15" for day in (1, 2, 3, 4, 5, 8)]),
        ("cron(0 0 ? * 1 *)", ["01-07 00:00", "01-14 00:00"]),
        ("cron(0 0 L * ? *)", ["01-31 00:00", "02-29 00:00"]),
        ("cron(0 0 ? * 6L *)", ["01-26 00:00", "02-23 00:00"]),
        ("cron(0 0 ? * TUE#2 *)", ["01-09 00:00", "02-13 00:00"]),
        ("cron(0 0 6W * ? *)", ["01-05 00:00", "02-06 00:00"]),
        ("cron(0 12 1,15 feb ? 2024)", ["02-01 12:00", "02-15 12:00"]),
    ],
)  # fmt: skip
def test_a_cron_expression_fires_at_its_minutes(expression: str, first: list[str]) -> None:
    moments = fired(expression, until=datetime(2024, 3, 1, tzinfo=UTC))
    assert [f"{moment:%m-%d %H:%M}" for moment in moments[: len(first)]] == first


@pytest.mark.parametrize(
    "expression",
    [
        "cron(0 6 * * *)",
        "cron(0 6 * * * *)",
        "cron(0 6 ? * ? *)",
        "cron(60 6 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 6 * 13 ? *)",
        "cron(0 6 ? * MOND *)",
        "cron(0 6 ? * 2#6 *)",
        "cron(5-1 6 * * ? *)",
        "cron(0/0 6 * * ? *)",
        "0 6 * * ? *",
    ],
)
def test_an_expression_that_eventbridge_refuses_is_none(expression: str) -> None:
    assert Cron.of(expression) is None


def test_a_rate_counts_from_when_the_rule_was_made() -> None:
    hour = timedelta(hours=1)
    assert fired("rate(1 hour)", until=BEGIN + 3 * hour) == [BEGIN + hour, BEGIN + 2 * hour]
    assert fired("rate(1 hour)", until=BEGIN + 3 * hour, state="DISABLED") == []


def test_a_rule_that_is_made_anew_does_not_catch_up() -> None:
    rule, table = SimpleNamespace(arn="a", scheduled_expression="rate(1 hour)", state="ENABLED"), Timetable()
    assert list(table.due(rule, BEGIN)) == []
    table.forget_all_but([])
    assert list(table.due(rule, BEGIN + timedelta(days=1))) == []
    assert len(list(table.due(rule, BEGIN + timedelta(days=1, hours=1)))) == 1


def test_the_clock_runs_at_the_rehearsals_pace() -> None:
    seconds = iter([1000.0, 1002.0])
    clock = Clock(30.0, real=lambda: next(seconds))
    assert clock.now() == datetime.fromtimestamp(1060.0, UTC)


# over HTTP, at 100 times the pace


def test_a_schedule_starts_its_pipeline_again_and_again_until_it_is_disabled(bench: Any) -> None:
    definition = {
        "Version": "2020-12-01",
        "Steps": [{"Name": "no", "Type": "Fail", "Arguments": {"ErrorMessage": "ran"}}],
    }
    made = bench.sagemaker.create_pipeline(
        PipelineName="nightly",
        PipelineDefinition=json.dumps(definition),
        RoleArn=bench.role,
        ClientRequestToken="n" * 32,
    )
    events = bench.client("events")
    events.put_rule(Name="off", ScheduleExpression="rate(1 minute)", State="DISABLED")
    url, arn = queue(bench, "never")
    events.put_targets(Rule="off", Targets=[{"Id": "1", "Arn": arn}])
    events.put_rule(Name="nightly", ScheduleExpression="rate(1 minute)")
    events.put_targets(Rule="nightly", Targets=[{"Id": "1", "Arn": made["PipelineArn"], "RoleArn": bench.role}])

    def runs() -> int:
        return len(bench.sagemaker.list_pipeline_executions(PipelineName="nightly")["PipelineExecutionSummaries"])

    assert bench.until(runs, lambda count: count >= 2) >= 2
    events.disable_rule(Name="nightly")
    assert messages(bench, url) == []


def test_a_schedule_tells_a_topic_and_a_wrong_expression_is_refused(bench: Any) -> None:
    url, arn = queue(bench, "scheduled")
    sns, events = bench.client("sns"), bench.client("events")
    topic = bench.topic("scheduled")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    events.put_rule(Name="told", ScheduleExpression="cron(* * * * ? *)")
    events.put_targets(Rule="told", Targets=[{"Id": "1", "Arn": topic}])
    found = bench.until(lambda: messages(bench, url), bool)[0]
    events.disable_rule(Name="told")
    assert (found["source"], found["detail-type"], found["time"][-4:]) == ("aws.events", "Scheduled Event", ":00Z")
    assert found["resources"][0].endswith(":rule/told")
    with pytest.raises(ClientError, match="ScheduleExpression is not valid"):
        events.put_rule(Name="wrong", ScheduleExpression="cron(0 6 * * * *)")


def test_a_rule_tells_a_topic_in_the_words_that_its_target_asks_for(bench: Any) -> None:
    """And says nothing of events that its pattern does not name."""
    url, arn = queue(bench, "words")
    sns, events = bench.client("sns"), bench.client("events")
    topic = bench.topic("words")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    events.put_rule(Name="words", EventPattern=json.dumps({"source": ["mine"], "detail": {"kind": ["wanted"]}}))
    transformed = {"InputPathsMap": {"who": "$.detail.who"}, "InputTemplate": '{"hello": "<who>"}'}
    events.put_targets(
        Rule="words",
        Targets=[
            {"Id": "whole", "Arn": topic},
            {"Id": "part", "Arn": topic, "InputPath": "$.detail"},
            {"Id": "fixed", "Arn": topic, "Input": '"always"'},
            {"Id": "said", "Arn": topic, "InputTransformer": transformed},
        ],
    )
    for kind in ("other", "wanted"):
        detail = json.dumps({"kind": kind, "who": "Ada"})
        events.put_events(Entries=[{"Source": "mine", "DetailType": "d", "Detail": detail}])
    heard: list[Any] = []

    def listen() -> int:
        heard.extend(messages(bench, url))
        return len(heard)

    bench.until(listen, lambda count: count >= 4)
    plain = [each if not isinstance(each, dict) or "id" not in each else each["detail"] for each in heard]
    expected = [{"kind": "wanted", "who": "Ada"}, {"kind": "wanted", "who": "Ada"}, "always", {"hello": "Ada"}]
    assert sorted(map(str, plain)) == sorted(map(str, expected))
