"""Alarms are evaluated on what was really put, all the time; a change of state reaches rules, topics, the history."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from moto.cloudwatch.models import cloudwatch_backends

from seatrial.rehearsal.aws.alarms import watch
from seatrial.rehearsal.aws.alarms.rule import judge
from seatrial.rehearsal.aws.alarms.samples import Samples
from seatrial.rehearsal.aws.world import ACCOUNT, World

NOW = 1_000_000.0
RULE: dict[str, Any] = {
    "Namespace": "Seatrial",
    "MetricName": "drift",
    "Statistic": "Maximum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 0.2,
    "ComparisonOperator": "GreaterThanThreshold",
}


def datum(value: float, ago: float, unit: str | None = None, **dimensions: str) -> Any:
    """As moto keeps it."""
    at = datetime.fromtimestamp(NOW - ago, UTC).replace(tzinfo=None)
    named = [SimpleNamespace(name=name, value=held) for name, held in dimensions.items()]
    return SimpleNamespace(namespace="n", name="m", dimensions=named, timestamp=at, unit=unit, value=value)


def summary(count: float, total: float, ago: float) -> Any:
    plain = datum(0, ago)
    del plain.value
    plain.min, plain.max, plain.sum, plain.sample_count = 0.0, total, total, count
    return plain


def verdict(data: list[Any], **rule: Any) -> Any:
    """What becomes of an alarm on "m" with periods of 60 s; a statistic above 5 alarms."""
    settings: dict[str, Any] = {
        "namespace": "n",
        "metric_name": "m",
        "dimensions": [],
        "period": 60,
        "evaluation_periods": 1,
        "datapoints_to_alarm": None,
        "treat_missing_data": None,
        "statistic": "Average",
        "extended_statistic": None,
        "comparison_operator": "GreaterThanThreshold",
        "threshold": 5.0,
        "unit": None,
    }
    samples = Samples()
    samples.take(data, NOW)
    return judge(SimpleNamespace(**settings | rule), samples, now=NOW, pace=rule.pop("pace", 1.0))


@pytest.mark.parametrize(
    ("data", "rule", "state"),
    [
        ([datum(9, 10)], {}, "ALARM"),
        ([datum(5, 10)], {}, "OK"),
        ([datum(5, 10)], {"comparison_operator": "GreaterThanOrEqualToThreshold"}, "ALARM"),
        ([datum(1, 10)], {"comparison_operator": "LessThanThreshold"}, "ALARM"),
        ([datum(9, 70)], {}, "INSUFFICIENT_DATA"),  # over before the period
        ([datum(9, 70)], {"treat_missing_data": "notBreaching"}, "OK"),
        ([datum(9, 70)], {"treat_missing_data": "breaching"}, "ALARM"),
        ([datum(9, 70)], {"treat_missing_data": "ignore"}, None),
        ([datum(4, 10), datum(4, 20)], {"statistic": "Sum"}, "ALARM"),
        ([datum(4, 10), datum(4, 20)], {"statistic": "SampleCount"}, "OK"),
        ([summary(2, 14.0, 10)], {}, "ALARM"),
        ([summary(4, 14.0, 10)], {}, "OK"),
        ([summary(2, 14.0, 10)], {"statistic": None, "extended_statistic": "p99"}, "INSUFFICIENT_DATA"),
        ([datum(9, 10, "Seconds")], {"unit": "Seconds"}, "ALARM"),
        ([datum(9, 10, "Seconds")], {"unit": "Count"}, "INSUFFICIENT_DATA"),
        ([datum(9, 10, kind="a")], {}, "INSUFFICIENT_DATA"),  # another metric: dimensions belong to the name
        ([datum(9, 10), datum(9, 70)], {"evaluation_periods": 2}, "ALARM"),
        ([datum(9, 10), datum(1, 70)], {"evaluation_periods": 2}, "OK"),
        ([datum(9, 10), datum(1, 70)], {"evaluation_periods": 2, "datapoints_to_alarm": 1}, "ALARM"),
        ([datum(9, 0.5)], {"pace": 100.0}, "ALARM"),
        ([datum(9, 10)], {"pace": 100.0}, "INSUFFICIENT_DATA"),
    ],
)
def test_a_rule_is_judged_as_it_says(data: list[Any], rule: dict[str, Any], state: str | None) -> None:
    pace = rule.get("pace", 1.0)
    found = verdict(data, **{**rule, "pace": pace})
    assert (None if found is None else found.state) == state


@pytest.mark.parametrize(("threshold", "state"), [(60.0, "ALARM"), (120.0, "OK")])
def test_an_alarm_on_a_percentile_is_evaluated_on_it(threshold: float, state: str) -> None:
    """98 quick requests and two slow ones: the mean is 12 ms, the 99th percentile 100 ms."""
    data = [datum(100.0 if number < 2 else 10.0, 10) for number in range(100)]
    assert verdict(data, statistic=None, extended_statistic="p99", threshold=threshold).state == state


def test_what_is_read_once_is_not_read_again() -> None:
    data, samples = [datum(4, 10)], Samples()
    samples.take(data, NOW)
    data.append(datum(4, 5))
    samples.take(data, NOW)
    samples.take(data, NOW)
    assert len(samples.between(("n", "m", frozenset()), NOW - 60, NOW)) == 2
    samples.take([datum(4, 5)], NOW)  # moto was reset
    assert len(samples.between(("n", "m", frozenset()), NOW - 60, NOW)) == 1


def test_what_was_put_between_two_looks_is_seen_however_far_they_are_apart() -> None:
    """A busy machine looks late; the errors that came meanwhile are in the period that it then looks at."""
    data, samples = [datum(1, 100)], Samples()
    samples.take(data, NOW - 100)
    data += [datum(9, 60), datum(9, 150)]
    samples.take(data, NOW)
    found = samples.between(("n", "m", frozenset()), NOW - 0.2, NOW)
    assert [(each.at, each.total) for each in found] == [(NOW, 9)]  # what is stamped as older stays where it is


# over HTTP


def state(bench: Any, name: str) -> str:
    return str(bench.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"])


def put(bench: Any, metric: str, value: float) -> None:
    bench.client("cloudwatch").put_metric_data(
        Namespace="Seatrial", MetricData=[{"MetricName": metric, "Value": value}]
    )


def history(bench: Any, name: str) -> list[str]:
    found = bench.client("cloudwatch").describe_alarm_history(AlarmName=name, HistoryItemType="StateUpdate")
    return [item["HistorySummary"] for item in found["AlarmHistoryItems"]]


def queue(bench: Any, name: str) -> tuple[str, str]:
    sqs = bench.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def messages(bench: Any, url: str) -> list[Any]:
    sqs = bench.client("sqs")
    found = []
    for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        found.append(json.loads(message["Body"]))
    return found


def test_drift_starts_the_training_pipeline(bench: Any) -> None:
    """A job's own metric, an alarm on it, a rule: the retraining begins. A metric below the limit starts nothing."""
    definition = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "Why", "Type": "String"}],
        "Steps": [{"Name": "say", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Parameters.Why"}}}],
    }
    made = bench.sagemaker.create_pipeline(
        PipelineName="retrain",
        PipelineDefinition=json.dumps(definition),
        RoleArn=bench.role,
        ClientRequestToken="r" * 32,
    )
    cloudwatch, events = bench.client("cloudwatch"), bench.client("events")
    cloudwatch.put_metric_alarm(AlarmName="drifted", **RULE)
    assert state(bench, "drifted") == "INSUFFICIENT_DATA"
    pattern = {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "detail": {"alarmName": ["drifted"], "state": {"value": ["ALARM"]}},
    }
    events.put_rule(Name="drift", EventPattern=json.dumps(pattern))
    parameters = {"PipelineParameterList": [{"Name": "Why", "Value": "$.detail.state.reason"}]}
    target = {
        "Id": "1",
        "Arn": made["PipelineArn"],
        "RoleArn": bench.role,
        "SageMakerPipelineParameters": parameters,
    }
    events.put_targets(Rule="drift", Targets=[target])

    def runs() -> Any:
        return bench.sagemaker.list_pipeline_executions(PipelineName="retrain")["PipelineExecutionSummaries"]

    put(bench, "drift", 0.1)
    assert bench.until(lambda: history(bench, "drifted"), bool)[-1] == "Alarm updated from INSUFFICIENT_DATA to OK"
    assert runs() == []
    put(bench, "drift", 0.5)
    (run,) = bench.until(runs, bool)
    ended = bench.until(
        lambda: bench.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=run["PipelineExecutionArn"]),
        lambda steps: steps["PipelineExecutionSteps"] and "FailureReason" in steps["PipelineExecutionSteps"][0],
    )
    assert "Threshold Crossed: 1 datapoint [0.5]" in ended["PipelineExecutionSteps"][0]["FailureReason"]
    assert bench.until(lambda: state(bench, "drifted"), lambda now: now != "ALARM") == "INSUFFICIENT_DATA"
    assert history(bench, "drifted")[1].endswith("to ALARM")
    assert len(runs()) == 1


def test_an_alarm_tells_its_topics_each_state_that_they_asked_for(bench: Any) -> None:
    url, arn = queue(bench, "told")
    silent_url, silent_arn = queue(bench, "silent")
    sns, cloudwatch = bench.client("sns"), bench.client("cloudwatch")
    topics = {}
    for name, endpoint in (("told", arn), ("silent", silent_arn)):
        topics[name] = sns.create_topic(Name=name)["TopicArn"]
        sns.subscribe(TopicArn=topics[name], Protocol="sqs", Endpoint=endpoint)
    rule = {**RULE, "MetricName": "load", "TreatMissingData": "notBreaching"}
    cloudwatch.put_metric_alarm(AlarmName="loud", AlarmActions=[topics["told"]], OKActions=[topics["told"]], **rule)
    cloudwatch.put_metric_alarm(AlarmName="muted", AlarmActions=[topics["silent"]], ActionsEnabled=False, **rule)
    put(bench, "load", 3.0)
    heard: list[Any] = []

    def listen() -> list[str]:
        heard.extend(json.loads(each["Message"]) for each in messages(bench, url))
        return [each["NewStateValue"] for each in heard]

    said = bench.until(listen, lambda states: states[-2:] == ["ALARM", "OK"])
    assert said[-2:] == ["ALARM", "OK"]
    alarmed = heard[-2]
    assert (alarmed["AlarmName"], alarmed["OldStateValue"] != "ALARM") == ("loud", True)
    assert alarmed["Trigger"]["Threshold"] == 0.2
    assert any(each.endswith("to ALARM") for each in history(bench, "muted"))
    assert messages(bench, silent_url) == []


def test_a_state_that_somebody_sets_is_an_event_and_does_not_last(bench: Any) -> None:
    cloudwatch = bench.client("cloudwatch")
    cloudwatch.put_metric_alarm(AlarmName="by-hand", **{**RULE, "MetricName": "nobody-puts-it"})
    cloudwatch.set_alarm_state(AlarmName="by-hand", StateValue="ALARM", StateReason="an exercise")
    assert bench.until(lambda: state(bench, "by-hand"), lambda now: now != "ALARM") == "INSUFFICIENT_DATA"
    assert history(bench, "by-hand") == [
        "Alarm updated from ALARM to INSUFFICIENT_DATA",
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
    ]
    told = cloudwatch.describe_alarm_history(AlarmName="by-hand", HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    assert (told[0]["Timestamp"] - told[1]["Timestamp"]).total_seconds() >= 0.6  # a period, at 100 times the pace


def test_a_state_that_is_set_while_another_is_told_lasts_its_period(monkeypatch: pytest.MonkeyPatch) -> None:
    """To tell a topic takes a while, in which somebody may set a state; it was taken for the one just evaluated."""
    telling, go_on = threading.Event(), threading.Event()

    def slow(*_: Any, **__: Any) -> None:
        telling.set()
        assert go_on.wait(60)

    monkeypatch.setattr(watch, "publish", slow)
    world = SimpleNamespace(speed=100.0, waits=lambda seconds: seconds / 100, events=SimpleQueue())
    backend = cloudwatch_backends[ACCOUNT]["us-east-1"]
    rule = {"comparison_operator": "GreaterThanThreshold", "evaluation_periods": 1, "period": 60, "threshold": 1.0}
    more = {"statistic": "Sum", "treat_missing_data": "notBreaching", "ok_actions": ["arn:aws:sns:us-east-1:1:topic"]}
    with watch.watching(cast("World", world)):
        alarm = backend.put_metric_alarm(
            name="told", namespace="N", metric_name="M", description="", dimensions=[], alarm_actions=[], **rule, **more
        )
        assert telling.wait(60)  # that it is OK
        backend.set_alarm_state("told", "an exercise", "{}", "ALARM")
        begun = alarm.state_updated_timestamp
        go_on.set()
        end = time.monotonic() + 60
        while alarm.state_value == "ALARM" and time.monotonic() < end:
            time.sleep(0.02)
    backend.delete_alarms(["told"])
    assert alarm.state_value == "OK"
    assert (alarm.state_updated_timestamp - begun).total_seconds() >= 0.6


def test_a_changed_rule_keeps_the_state_until_it_is_evaluated(bench: Any) -> None:
    cloudwatch = bench.client("cloudwatch")
    rule = {**RULE, "MetricName": "kept", "Period": 86_400}
    cloudwatch.put_metric_alarm(AlarmName="kept", **rule)
    put(bench, "kept", 1.0)
    assert bench.until(lambda: state(bench, "kept"), lambda now: now == "ALARM") == "ALARM"
    cloudwatch.put_metric_alarm(AlarmName="kept", **{**rule, "Threshold": 0.5})
    assert state(bench, "kept") == "ALARM"
    cloudwatch.put_metric_alarm(AlarmName="kept", **{**rule, "Threshold": 2.0})
    assert bench.until(lambda: state(bench, "kept"), lambda now: now == "OK") == "OK"


MATH = [{"Id": "e", "Expression": "1 + 1", "ReturnData": True}]


@pytest.mark.parametrize(
    ("operation", "request_", "code"),
    [
        ("put_composite_alarm", {"AlarmName": "c", "AlarmRule": "ALARM(a)"}, "UnsupportedOperation"),
        (
            "put_metric_alarm",
            {"AlarmName": "m", "Metrics": MATH, **{k: RULE[k] for k in ("EvaluationPeriods", "ComparisonOperator")}},
            "UnsupportedOperation",
        ),
        (
            "put_metric_alarm",
            {"AlarmName": "a", **RULE, "ComparisonOperator": "GreaterThanUpperThreshold"},
            "UnsupportedOperation",
        ),
        ("put_metric_alarm", {"AlarmName": "s", **RULE, "Statistic": "Median"}, "ValidationError"),
        ("put_metric_alarm", {"AlarmName": "p", **RULE, "ExtendedStatistic": "p99"}, "ValidationError"),
        ("put_metric_alarm", {"AlarmName": "n", **{k: v for k, v in RULE.items() if k != "Period"}}, "ValidationError"),
    ],
)
def test_an_alarm_that_would_never_be_evaluated_is_refused(
    bench: Any, operation: str, request_: dict[str, Any], code: str
) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(bench.client("cloudwatch"), operation)(**request_)
    assert refused.value.response["Error"]["Code"] == code
