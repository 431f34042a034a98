"""Budgets, and who hears when they run out. They have no region."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from seatrial.rehearsal.infra.provider.base import Props
from seatrial.rehearsal.infra.provider.fields import TAGS, Block, Field, Fields, holds_unknown
from seatrial.rehearsal.infra.provider.forms import SET, Amount, Many
from seatrial.rehearsal.infra.provider.resource import Change, Known, ResourceType, Tagging

_TAGGING = Tagging(
    "budgets",
    ("ListTagsForResource", "ResourceTags"),
    "TagResource",
    "UntagResource",
    "ResourceARN",
    "ResourceTags",
    "ResourceTagKeys",
)
_SAID = {
    "notificationType": Field(required=True),
    "comparisonOperator": Field(required=True),
    "threshold": Field(required=True),
    "thresholdType": Field(required=True),
}
_HEARD = {"subscriberSnsTopicArns": "SNS", "subscriberEmailAddresses": "EMAIL"}
_NOTIFICATION = Block({**_SAID, **{name: Field(form=SET) for name in _HEARD}})
_FILTER = Block({"name": Field(required=True), "values": Field(form=SET, required=True)})


class Budget(ResourceType):
    """A budget. Its id is ``account:name``."""

    type: ClassVar[str] = "aws:budgets/budget:Budget"
    service: ClassVar[str] = "budgets"
    creates: ClassVar[str] = "CreateBudget"
    identity: ClassVar[tuple[str, ...]] = ("name",)
    named: ClassVar[str] = "name"
    gone: ClassVar[tuple[str, ...]] = ("NotFoundException",)
    fields: ClassVar[Fields] = {
        "name": Field("BudgetName", replaces=True),
        "budgetType": Field(required=True),
        "timeUnit": Field(required=True),
        "limitAmount": Field(form=Amount(), required=True),
        "limitUnit": Field(required=True),
        "costFilters": Field(form=Many(_FILTER)),
        "notifications": Field(form=Many(_NOTIFICATION)),
        "arn": Field(output=True),
        "accountId": Field(output=True),
        "tags": Field("ResourceTags", TAGS["tags"].form),
        "tagsAll": TAGS["tagsAll"],
    }

    def request(self, inputs: Props) -> dict[str, Any]:
        """The budget, who hears of it, its tags."""
        request: dict[str, Any] = {"AccountId": self.session.account, "Budget": self._budget(inputs)}
        notifications = inputs.get("notifications") or []
        if not holds_unknown(notifications):
            request["NotificationsWithSubscribers"] = [_spoken(each) for each in notifications]
        if inputs.get("tags"):
            request["ResourceTags"] = self.fields["tags"].form.to_cloud(inputs["tags"])
        return request

    def _budget(self, inputs: Props) -> dict[str, Any]:
        filters = inputs.get("costFilters") or []
        return {
            "BudgetName": inputs["name"],
            "BudgetType": inputs["budgetType"],
            "TimeUnit": inputs["timeUnit"],
            "BudgetLimit": {"Amount": inputs["limitAmount"], "Unit": inputs["limitUnit"]},
            "CostFilters": {} if holds_unknown(filters) else {each["name"]: each["values"] for each in filters},
        }

    def _address(self, id: str) -> dict[str, str]:
        account, _, name = id.partition(":")
        return {"AccountId": account, "BudgetName": name}

    def _arn(self, id: str) -> str:
        return self.session.arn("budgets", f"budget/{id.partition(':')[2]}", regional=False)

    def create(self, inputs: Props) -> str:
        """Make it."""
        self.send(inputs)
        return f"{self.session.account}:{inputs['name']}"

    def find(self, id: str) -> Props | None:
        """The budget, its notifications with who hears of each, its tags."""
        address = self._address(id)
        answer = self.ask("DescribeBudget", **address)
        if answer is None:
            return None
        budget = answer["Budget"]
        filters = budget.get("CostFilters") or {}
        return {
            "name": budget["BudgetName"],
            "budgetType": budget["BudgetType"],
            "timeUnit": budget["TimeUnit"],
            "limitAmount": budget["BudgetLimit"]["Amount"],
            "limitUnit": budget["BudgetLimit"]["Unit"],
            "costFilters": [{"name": name, "values": values} for name, values in filters.items()] or None,
            "notifications": [self._heard(address, each) for each in self._notifications(address)] or None,
            "accountId": address["AccountId"],
            "arn": (arn := self._arn(id)),
            "tags": (tags := _TAGGING.of(self.session, arn)),
            "tagsAll": tags,
        }

    def _notifications(self, address: dict[str, str]) -> list[dict[str, Any]]:
        return list(self.session.pages("budgets", "DescribeNotificationsForBudget", "Notifications", **address))

    def _heard(self, address: dict[str, str], notification: dict[str, Any]) -> Props:
        subscribers = self.call("DescribeSubscribersForNotification", **address, Notification=notification)[
            "Subscribers"
        ]
        told = {
            name: notification[each.called(name)] for name, each in _SAID.items() if each.called(name) in notification
        }
        for name, kind in _HEARD.items():
            addresses = [each["Address"] for each in subscribers if each["SubscriptionType"] == kind]
            if addresses:
                told[name] = addresses
        return told

    def update(self, change: Change) -> None:
        """The budget in place; its notifications one by one: what differs goes, and comes as it shall be."""
        address, changed = self._address(change.id), change.properties
        if changed - {"notifications", "tags"}:
            self.call("UpdateBudget", AccountId=address["AccountId"], NewBudget=self._budget(change.inputs))
        if "notifications" in changed:
            for each in self._notifications(address):
                self.call("DeleteNotification", **address, Notification=each)
            for each in change.inputs.get("notifications") or ():
                self.call("CreateNotification", **address, **_spoken(each))
        if "tags" in changed:
            _TAGGING.put(self.session, self._arn(change.id), change.inputs.get("tags"))

    def delete(self, known: Known) -> None:
        """Delete it with its notifications."""
        self.call("DeleteBudget", **self._address(known.id))

    def ids(self) -> Iterable[str]:
        """Every budget of the account."""
        account = self.session.account
        listed = self.session.pages("budgets", "DescribeBudgets", "Budgets", AccountId=account)
        return [f"{account}:{each['BudgetName']}" for each in listed]

    def problems(self, inputs: Props) -> Iterator[str]:
        """A notification that nobody hears."""
        for index, each in enumerate(inputs.get("notifications") or ()):
            if isinstance(each, dict) and not any(each.get(name) for name in _HEARD):
                yield f"notifications[{index}]: nobody hears it; give one of {', '.join(_HEARD)}"


def _spoken(notification: Props) -> dict[str, Any]:
    """One notification with its subscribers, as a request to create it holds them."""
    return {
        "Notification": Block(_SAID).to_cloud(notification),
        "Subscribers": [
            {"SubscriptionType": kind, "Address": address}
            for name, kind in _HEARD.items()
            for address in notification.get(name) or ()
        ],
    }


TYPES = (Budget,)
