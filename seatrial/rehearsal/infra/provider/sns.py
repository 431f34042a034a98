"""Topics, who may publish on them, and who hears of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from seatrial.rehearsal.infra.provider.base import Props
from seatrial.rehearsal.infra.provider.fields import TAGS, Field, Fields
from seatrial.rehearsal.infra.provider.forms import POLICY
from seatrial.rehearsal.infra.provider.resource import Change, Known, ResourceType, Tagging

_TAGGING = Tagging("sns", ("ListTagsForResource", "Tags"), "TagResource", "UntagResource", "ResourceArn")
_GONE = ("NotFound", "NotFoundException", "ResourceNotFound")
_DEFAULT_POLICY = "__default_policy_ID"
_ATTRIBUTES = {"displayName": "DisplayName", "kmsMasterKeyId": "KmsMasterKeyId"}


class _OfTopic(ResourceType):
    service: ClassVar[str] = "sns"
    gone: ClassVar[tuple[str, ...]] = _GONE

    def _attributes(self, arn: str) -> dict[str, str] | None:
        answer = self.ask("GetTopicAttributes", TopicArn=arn)
        return None if answer is None else answer["Attributes"]

    def _topics(self) -> list[str]:
        return [each["TopicArn"] for each in self.session.pages("sns", "ListTopics", "Topics")]


class Topic(_OfTopic):
    """A topic; its ARN is its id."""

    type: ClassVar[str] = "aws:sns/topic:Topic"
    creates: ClassVar[str] = "CreateTopic"
    identity: ClassVar[tuple[str, ...]] = ("name",)
    named: ClassVar[str] = "name"
    fields: ClassVar[Fields] = {
        "name": Field(replaces=True),
        **{name: Field(attribute, apart=True) for name, attribute in _ATTRIBUTES.items()},
        "arn": Field(output=True),
        "owner": Field(output=True),
        **TAGS,
    }

    def request(self, inputs: Props) -> dict[str, Any]:
        """With its attributes in a map."""
        given = {cloud: inputs[name] for name, cloud in _ATTRIBUTES.items() if inputs.get(name) is not None}
        return super().request(inputs) | ({"Attributes": given} if given else {})

    def create(self, inputs: Props) -> str:
        """Make it."""
        return str(self.send(inputs)["TopicArn"])

    def find(self, id: str) -> Props | None:
        """The topic and its tags."""
        attributes = self._attributes(id)
        if attributes is None:
            return None
        tags = self.call("ListTagsForResource", ResourceArn=id)["Tags"]
        told = {name: attributes.get(cloud) or None for name, cloud in _ATTRIBUTES.items()}
        owner = attributes["Owner"]
        return self.told({"Tags": tags}, **told, name=id.rpartition(":")[2], arn=id, owner=owner)

    def update(self, change: Change) -> None:
        """Attribute by attribute."""
        for name, cloud in _ATTRIBUTES.items():
            if name in change.properties:
                value = change.inputs.get(name, "")
                self.call("SetTopicAttributes", TopicArn=change.id, AttributeName=cloud, AttributeValue=value)
        if "tags" in change.properties:
            _TAGGING.put(self.session, change.id, change.inputs.get("tags"))

    def delete(self, known: Known) -> None:
        """Delete it."""
        self.call("DeleteTopic", TopicArn=known.id)

    def ids(self) -> Iterable[str]:
        """Every topic."""
        return self._topics()


class TopicPolicy(_OfTopic):
    """Who may publish and subscribe. Its id is the topic's ARN; deleting it brings back the policy of new topics."""

    type: ClassVar[str] = "aws:sns/topicPolicy:TopicPolicy"
    creates: ClassVar[str] = "SetTopicAttributes"
    identity: ClassVar[tuple[str, ...]] = ("arn",)
    fields: ClassVar[Fields] = {
        "arn": Field("TopicArn", replaces=True, required=True),
        "policy": Field("AttributeValue", POLICY, required=True),
        "owner": Field(output=True),
    }

    def request(self, inputs: Props) -> dict[str, Any]:
        """The policy is one attribute."""
        return super().request(inputs) | {"AttributeName": "Policy"}

    def create(self, inputs: Props) -> str:
        """Set it."""
        self.send(inputs)
        return str(inputs["arn"])

    def find(self, id: str) -> Props | None:
        """The policy, if it is not the one that every topic has."""
        attributes = self._attributes(id)
        if attributes is None or json.loads(attributes["Policy"]).get("Id") == _DEFAULT_POLICY:
            return None
        return {"arn": id, "policy": attributes["Policy"], "owner": attributes["Owner"]}

    def update(self, change: Change) -> None:
        """Set it again."""
        self.send(change.inputs)

    def delete(self, known: Known) -> None:
        """Set the policy that every topic has."""
        owner = self.session.account
        actions = (
            *("AddPermission", "DeleteTopic", "GetTopicAttributes", "ListSubscriptionsByTopic", "Publish"),
            *("RemovePermission", "SetTopicAttributes", "Subscribe"),
        )
        allow = {
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": [f"SNS:{each}" for each in actions],
            "Resource": known.id,
            "Condition": {"StringEquals": {"AWS:SourceOwner": owner}},
        }
        policy = {"Version": "2008-10-17", "Id": _DEFAULT_POLICY, "Statement": [allow]}
        self.send({"arn": known.id, "policy": json.dumps(policy)})

    def ids(self) -> Iterator[str]:
        """The topics that have one of their own."""
        return (each for each in self._topics() if self.find(each) is not None)


class TopicSubscription(_OfTopic):
    """Who hears of a topic; its ARN is its id."""

    type: ClassVar[str] = "aws:sns/topicSubscription:TopicSubscription"
    creates: ClassVar[str] = "Subscribe"
    fields: ClassVar[Fields] = {
        "topic": Field("TopicArn", replaces=True, required=True),
        "protocol": Field(replaces=True, required=True),
        "endpoint": Field(replaces=True, required=True),
        "arn": Field("SubscriptionArn", output=True),
        "ownerId": Field("Owner", output=True),
    }

    def create(self, inputs: Props) -> str:
        """Subscribe, and be told the ARN even before an address has confirmed."""
        return str(self.call("Subscribe", **self.request(inputs), ReturnSubscriptionArn=True)["SubscriptionArn"])

    def find(self, id: str) -> Props | None:
        """The subscription."""
        answer = self.ask("GetSubscriptionAttributes", SubscriptionArn=id)
        return None if answer is None else self.told(answer["Attributes"])

    def delete(self, known: Known) -> None:
        """Unsubscribe."""
        self.call("Unsubscribe", SubscriptionArn=known.id)

    def ids(self) -> Iterable[str]:
        """Every subscription."""
        return [e["SubscriptionArn"] for e in self.session.pages("sns", "ListSubscriptions", "Subscriptions")]


TYPES = (Topic, TopicPolicy, TopicSubscription)
