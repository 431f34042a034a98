"""The List operations: filters, order and pages as the service gives them.

moto cuts the page before it filters and sorts, or knows neither pages nor filters. Here it only supplies the
summaries. ListTrainingJobs alone cuts the page before it looks at the state: the service documents that it does.
A token names the last item of its page, so that what is created or deleted between two pages neither
repeats an item nor hides one.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.sagemaker.responses import SageMakerResponse

from seatrial.rehearsal.aws.operations import executed
from seatrial.rehearsal.aws.refusals import invalid

_HANDLED = frozenset(
    {
        "NextToken", "MaxResults", "SortBy", "SortOrder", "NameContains", "PipelineNamePrefix", "StatusEquals",
        "CreationTimeAfter", "CreationTimeBefore", "LastModifiedTimeAfter", "LastModifiedTimeBefore", "CreatedAfter",
        "CreatedBefore", "ModelApprovalStatus",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Listing:
    """Where an operation's summaries stand, and what their members are called."""

    summaries: str
    what: str  # the prefix of the members: ProcessingJobName, ProcessingJobStatus
    descending: bool = False  # where the request leaves SortOrder out
    name: str = ""
    created: str = "CreationTime"
    page: int = 10
    status_after_cut: bool = False  # the page is cut first, and may then hold fewer than there are

    def kept(self, summary: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
        """Whether a summary passes every filter of the request."""
        name = str(summary.get(self._name) or "")
        after, before = (asked.get(f"CreationTime{end}") or asked.get(f"Created{end}") for end in ("After", "Before"))
        created: datetime = summary[self.created]
        changed: datetime = summary.get("LastModifiedTime") or created
        tests = (
            asked.get("NameContains", "").lower() in name.lower(),
            name.startswith(asked.get("PipelineNamePrefix", "")),
            self.status_after_cut or self.in_status(summary, asked),
            asked.get("ModelApprovalStatus") in (None, summary.get("ModelApprovalStatus")),
            after is None or created > _like(after, created),
            before is None or created < _like(before, created),
            "LastModifiedTimeAfter" not in asked or changed > _like(asked["LastModifiedTimeAfter"], changed),
            "LastModifiedTimeBefore" not in asked or changed < _like(asked["LastModifiedTimeBefore"], changed),
        )
        return all(tests)

    def in_status(self, summary: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
        """Whether a summary is in the state that is asked for."""
        return asked.get("StatusEquals") in (None, summary.get(f"{self.what}Status"))

    @property
    def _name(self) -> str:
        return self.name or f"{self.what}Name"

    def place(self, summary: Mapping[str, Any], asked: Mapping[str, Any]) -> tuple[str, str, str]:
        """What a summary is sorted by; unique, so that every order is a whole one."""
        created = summary[self.created].isoformat(timespec="microseconds")
        by = asked.get("SortBy")
        first = {"Status": str(summary.get(f"{self.what}Status")), "CreationTime": created, None: created}
        name = str(summary.get(f"{self.what}Arn") or summary.get(self._name))
        return first.get(by, name), created, name


LISTINGS = {
    "list_endpoint_configs": Listing("EndpointConfigs", "EndpointConfig", descending=True),
    "list_endpoints": Listing("Endpoints", "Endpoint", descending=True),
    "list_model_package_groups": Listing("ModelPackageGroupSummaryList", "ModelPackageGroup"),
    "list_model_packages": Listing("ModelPackageSummaryList", "ModelPackage"),
    "list_models": Listing("Models", "Model", descending=True),
    "list_pipeline_executions": Listing(
        "PipelineExecutionSummaries",
        "PipelineExecution",
        descending=True,
        name="PipelineExecutionArn",
        created="StartTime",
    ),
    "list_pipelines": Listing("PipelineSummaries", "Pipeline", descending=True),
    "list_processing_jobs": Listing("ProcessingJobSummaries", "ProcessingJob"),
    "list_training_jobs": Listing("TrainingJobSummaries", "TrainingJob", status_after_cut=True),
}


def page_of(
    listing: Listing, summaries: list[Mapping[str, Any]], asked: Mapping[str, Any]
) -> tuple[list[Mapping[str, Any]], str | None]:
    """One page of what passes the request's filters, in its order, and the token of the next page.

    Raises:
        Refused: the token is none of ours.
    """
    order = asked.get("SortOrder") or ("Descending" if listing.descending else "Ascending")
    chosen = sorted(
        ((listing.place(each, asked), each) for each in summaries if listing.kept(each, asked)),
        key=lambda pair: pair[0],
        reverse=order == "Descending",
    )
    if asked.get("NextToken"):
        last = _read_token(asked["NextToken"])
        chosen = [(place, each) for place, each in chosen if (place < last if order == "Descending" else place > last)]
    count = int(asked.get("MaxResults") or listing.page)
    more = _token(chosen[count - 1][0]) if len(chosen) > count else None
    return [each for _, each in chosen[:count] if listing.in_status(each, asked)], more


def _like(asked: Any, kept: datetime) -> datetime:
    """A time of a request, comparable with moto's, which has no zone and is UTC."""
    moment = asked if isinstance(asked, datetime) else datetime.fromtimestamp(float(asked), kept.tzinfo)
    return moment.replace(tzinfo=kept.tzinfo)


def _token(place: tuple[str, str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _read_token(token: str) -> tuple[str, str, str]:
    try:
        first, second, third = json.loads(base64.urlsafe_b64decode(token))
    except ValueError as unreadable:
        raise invalid('Invalid pagination token because "{0}".') from unreadable
    return str(first), str(second), str(third)


class ListOperations(SageMakerResponse):  # type: ignore[misc]  # moto counts as Any
    """The operations of `LISTINGS`; each asks moto for everything and answers with one page."""

    params: Any

    def _listed(self, name: str, everything: Callable[[], Any]) -> Any:
        asked, listing = dict(self.params), LISTINGS[name]
        summaries: list[Mapping[str, Any]] = []
        token: str | None = None
        while True:
            kept = {key: value for key, value in asked.items() if key not in _HANDLED}
            self.params = kept | ({"NextToken": token} if token else {})
            answer = everything().result
            summaries += answer[listing.summaries]
            token = answer.get("NextToken")
            if token is None:
                break
        self.params = asked
        page, more = page_of(listing, summaries, asked)
        return ActionResult({listing.summaries: page} | ({"NextToken": more} if more else {}))

    def list_endpoint_configs(self) -> Any:
        """Remembered by moto."""
        return self._listed("list_endpoint_configs", super().list_endpoint_configs)

    @executed
    def list_endpoints(self) -> Any:
        """From moto's records, which the endpoints keep in step."""
        return self._listed("list_endpoints", super().list_endpoints)

    def list_model_package_groups(self) -> Any:
        """Remembered by moto."""
        return self._listed("list_model_package_groups", super().list_model_package_groups)

    def list_models(self) -> Any:
        """Remembered by moto."""
        return self._listed("list_models", super().list_models)

    @executed
    def list_pipeline_executions(self) -> Any:
        """From moto's records, which the executions keep in step."""
        return self._listed("list_pipeline_executions", super().list_pipeline_executions)

    def list_pipelines(self) -> Any:
        """Remembered by moto."""
        return self._listed("list_pipelines", super().list_pipelines)

    @executed
    def list_processing_jobs(self) -> Any:
        """From moto's records, which the jobs keep in step."""
        return self._listed("list_processing_jobs", super().list_processing_jobs)

    @executed
    def list_training_jobs(self) -> Any:
        """From moto's records, which the jobs keep in step."""
        return self._listed("list_training_jobs", super().list_training_jobs)
