"""What services publish on SNS topics, where the topic and its key let them in."""

from __future__ import annotations

import logging
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from seatrial.rehearsal.aws.iam.conditions import Context, NotUnderstood
from seatrial.rehearsal.aws.iam.policy import lets_in
from seatrial.rehearsal.aws.world import ACCOUNT, World

_LOG = logging.getLogger(__name__)
_TO_ENCRYPT = ("kms:Decrypt", "kms:GenerateDataKey")


def publish(world: World, service: str, source: str, topic: str, message: str, **more: str) -> None:
    """Publish for a service on behalf of ``source``, the ARN of a rule or an alarm; what is refused is logged.

    EventBridge does not tell topics and keys on whose behalf it comes: a policy that asks lets it in never.
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sns-permissions
    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
    """
    said = {} if service == "events.amazonaws.com" else _on_behalf_of(source)
    region = topic.split(":")[3]
    try:
        refusal = _refusal(service, topic, region, {"aws:SecureTransport": "true", **said})
        if refusal:
            _LOG.warning("%s could not publish for %s: %s", service, source, refusal)
            return
        world.client("sns", region).publish(TopicArn=topic, Message=message, **more)
    except (ClientError, BotoCoreError, NotUnderstood) as refused:
        _LOG.warning("%s could not publish on %s for %s: %s", service, topic, source, refused)


def _on_behalf_of(source: str) -> Context:
    account = source.split(":")[4]
    # the last is what a topic's own first policy asks for
    return {"aws:SourceAccount": account, "aws:SourceArn": source, "aws:SourceOwner": account}


def _refusal(service: str, topic: str, region: str, said: Context) -> str:
    """Why the service may not; empty where it may, and where the topic is missing, which SNS tells itself."""
    from moto.sns.models import sns_backends

    found: Any = sns_backends[ACCOUNT][region].topics.get(topic)
    if found is None:
        return ""
    if not lets_in(found.policy, service, "sns:Publish", topic, said):
        return f"the policy of {topic} does not let it in as it comes"
    key = found.kms_master_key_id
    asked = {**said, "kms:EncryptionContext:aws:sns:topicArn": topic}
    if key and not all(lets_in(_policy_of(key, region), service, each, key, asked) for each in _TO_ENCRYPT):
        return f"the policy of the key {key} of {topic} does not let it in as it comes"
    return ""


def _policy_of(key: str, region: str) -> str:
    from moto.kms.models import kms_backends

    backend = kms_backends[ACCOUNT][region]
    if key.startswith("alias/") and backend.get_key_id_from_alias(key) is None:
        return "{}"  # of AWS's own keys: it names no service, and nobody can change it
    found = backend.keys.get(backend.any_id_to_key_id(key))
    return "{}" if found is None else str(found.policy)
