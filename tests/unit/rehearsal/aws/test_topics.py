"""A service publishes on a topic only as the topic and its key let it in, with what it says of itself and no more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.unit.rehearsal.aws.test_alarms import RULE, messages, queue

ACCOUNT = "123456789012"
ROOT = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}
OF_ACCOUNT = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
OF_TOPICS = {"ArnLike": {"kms:EncryptionContext:aws:sns:topicArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:*"}}


def letting(service: str, action: Any, condition: Mapping[str, Any] | None) -> dict[str, Any]:
    more = {} if condition is None else {"Condition": condition}
    return {"Effect": "Allow", "Principal": {"Service": service}, "Action": action, "Resource": "*", **more}


def topic(bench: Any, name: str, endpoint: str, *statements: Any, key: Any = None) -> str:
    """A topic whose messages reach the queue: with these statements as its policy, and encrypted under ``key``'s."""
    sns = bench.client("sns")
    attributes = {"KmsMasterKeyId": bench.client("kms").create_key(Policy=key)["KeyMetadata"]["Arn"]} if key else {}
    arn = str(sns.create_topic(Name=name, Attributes=attributes)["TopicArn"])
    if statements:
        policy = json.dumps({"Statement": list(statements)})
        sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=endpoint)
    return arn


def key(*statements: Any) -> str:
    return json.dumps({"Statement": [ROOT, *statements]})


def heard(bench: Any, url: str, last: str) -> set[str]:
    """The topics that told something, up to the one that is told last."""
    found: set[str] = set()

    def listen() -> set[str]:
        found.update(each["TopicArn"].rpartition(":")[2] for each in messages(bench, url))
        return found

    bench.until(listen, lambda names: last in names)
    return {each.partition("-")[2] for each in found}


def test_eventbridge_comes_in_where_nobody_asks_whose_event_it_is(bench: Any) -> None:
    url, endpoint = queue(bench, "let-in-events")
    service, encrypts = "events.amazonaws.com", ["kms:Decrypt", "kms:GenerateDataKey"]
    plain = letting(service, "sns:Publish", None)
    tls = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sns:Publish",
        "Resource": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    cases = {
        "as-it-was-made": ((), None),
        "by-account": ((letting(service, "sns:Publish", OF_ACCOUNT),), None),
        "of-another-service": ((letting("cloudwatch.amazonaws.com", "sns:Publish", None),), None),
        "for-reading": ((letting(service, "sns:GetTopicAttributes", None),), None),
        "key-of-the-account": ((plain,), key()),
        "key-by-account": ((plain,), key(letting(service, encrypts, OF_ACCOUNT))),
        "key-half": ((plain,), key(letting(service, "kms:Decrypt", OF_TOPICS))),
        "odd": ((letting(service, "sns:Publish", {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}),), None),
        "key-by-topic": ((plain,), key(letting(service, encrypts, OF_TOPICS))),
        "plain": ((plain, tls), None),
    }
    arns = [topic(bench, f"event-{name}", endpoint, *policy, key=by) for name, (policy, by) in cases.items()]
    events = bench.client("events")
    for number in range(0, len(arns), 5):  # a rule has five targets at most
        name = f"let-in-{number}"
        events.put_rule(Name=name, EventPattern=json.dumps({"source": ["let-in"]}))
        events.put_targets(
            Rule=name, Targets=[{"Id": str(n), "Arn": arn} for n, arn in enumerate(arns[number : number + 5])]
        )
    events.put_events(Entries=[{"Source": "let-in", "DetailType": "d", "Detail": "{}"}])
    assert heard(bench, url, "event-plain") == {"key-by-topic", "plain"}


def test_cloudwatch_says_which_alarm_it_is_and_comes_in_for_that_one(bench: Any) -> None:
    url, endpoint = queue(bench, "let-in-alarms")
    service, encrypts = "cloudwatch.amazonaws.com", ["kms:Decrypt", "kms:GenerateDataKey"]
    own = {"ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:let-in*"}}
    other = {"ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:other"}}
    plain = letting(service, "sns:Publish", OF_ACCOUNT)
    cases = {
        "of-another-alarm": ((letting(service, "sns:Publish", other),), None),
        "key-of-the-account": ((plain,), key()),
        "as-it-was-made": ((), None),
        "key-by-account": ((plain,), key(letting(service, encrypts, OF_ACCOUNT))),
        "own": ((letting(service, "sns:Publish", own),), None),
    }
    arns = [topic(bench, f"alarm-{name}", endpoint, *policy, key=by) for name, (policy, by) in cases.items()]
    cloudwatch = bench.client("cloudwatch")
    cloudwatch.put_metric_alarm(AlarmName="let-in", AlarmActions=arns, **{**RULE, "MetricName": "nobody-puts-it"})
    cloudwatch.set_alarm_state(AlarmName="let-in", StateValue="ALARM", StateReason="an exercise")
    assert heard(bench, url, "alarm-own") == {"as-it-was-made", "key-by-account", "own"}
