"""Budgets: moto's, with changes, subscribers of notifications and their limits, and tags."""

from __future__ import annotations

import copy
import json
from typing import Any

from moto.budgets.exceptions import DuplicateRecordException, NotFoundException
from moto.budgets.models import Budget, Notification
from moto.budgets.responses import BudgetsResponse

from seatrial.rehearsal.aws.refusals import Refused


class Budgets(BudgetsResponse):  # type: ignore[misc]  # moto counts as Any
    """One request."""

    def create_budget(self) -> str:
        """moto's, which forgets the tags and takes any number of subscribers."""
        known: list[Any] = []
        for each in self._get_param("NotificationsWithSubscribers") or ():
            _addressed(each["Subscribers"])
            _new(each["Notification"], known)
            known.append(each["Notification"])
        answer: str = super().create_budget()
        self._budget().tags = {each["Key"]: each["Value"] for each in self._get_param("ResourceTags") or ()}
        return answer

    def _budget(self) -> Any:
        given = self._get_param("Budget") or {}
        name = self._get_param("BudgetName") or given.get("BudgetName")
        return self._named(name or self._get_param("ResourceARN").rpartition("budget/")[2])

    def _named(self, name: str) -> Any:
        budget = self.backend.budgets[self._get_param("AccountId") or self.current_account].get(name)
        if budget is None:
            raise NotFoundException(f"Unable to get budget: {name} - the budget doesn't exist.")
        return budget

    def update_budget(self) -> str:
        """Replace what the budget says. Its notifications and its tags stay."""
        known, given = self._named(self._get_param("NewBudget")["BudgetName"]), self._get_param("NewBudget")
        known.budget = Budget({"TimePeriod": copy.deepcopy(known.budget["TimePeriod"])} | given, []).budget
        return "{}"

    def create_notification(self) -> str:
        """Add one; AWS refuses it twice."""
        _new(self._get_param("Notification"), [each.details for each in self._budget().notifications])
        _addressed(self._get_param("Subscribers"))
        answer: str = super().create_notification()
        return answer

    def delete_notification(self) -> str:
        """Take one away, if there is one."""
        self._notification()
        answer: str = super().delete_notification()
        return answer

    def describe_notifications_for_budget(self) -> str:
        """Those of a budget that exists."""
        self._budget()
        answer: str = super().describe_notifications_for_budget()
        return answer

    def describe_subscribers_for_notification(self) -> str:
        """Who hears of it."""
        return json.dumps({"Subscribers": self._notification().subscribers, "NextToken": None})

    def _notification(self) -> Notification:
        asked = self._get_param("Notification")
        for each in self._budget().notifications:
            if each.details == asked:
                return each
        raise NotFoundException("Unable to get notification - the notification doesn't exist.")

    def list_tags_for_resource(self) -> str:
        """The tags of a budget."""
        return json.dumps({"ResourceTags": [{"Key": k, "Value": v} for k, v in self._budget().tags.items()]})

    def tag_resource(self) -> str:
        """Add tags, or change them."""
        self._budget().tags.update({each["Key"]: each["Value"] for each in self._get_param("ResourceTags")})
        return "{}"

    def untag_resource(self) -> str:
        """Take tags away."""
        tags = self._budget().tags
        for key in self._get_param("ResourceTagKeys"):
            tags.pop(key, None)
        return "{}"


def _addressed(subscribers: list[dict[str, str]]) -> None:
    """One topic, and ten addresses.

    https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Notification.html
    """
    for kind, most in (("SNS", 1), ("EMAIL", 10)):
        if sum(each["SubscriptionType"] == kind for each in subscribers) > most:
            raise Refused(
                "CreationLimitExceededException",
                f"one notification can only have {most} subscribers with type of {kind}",
            )


def _new(notification: dict[str, Any], known: list[dict[str, Any]]) -> None:
    """AWS refuses it twice."""
    if notification in known:
        raise DuplicateRecordException("notification", json.dumps(notification))
