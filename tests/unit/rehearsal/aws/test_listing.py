"""Lists: whatever the page size, order and filter, each item comes once and in its place."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from seatrial.rehearsal.aws.listing import LISTINGS, page_of

_BEGUN = datetime(2026, 1, 1)  # as moto keeps times: UTC, without saying so
_LISTING = LISTINGS["list_training_jobs"]
_JOBS = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 3), st.sampled_from(["Completed", "Failed"])),
    unique_by=lambda each: each[0],
)
_ASKED = st.fixed_dictionaries(
    {"MaxResults": st.integers(1, 4)},
    optional={
        "SortBy": st.sampled_from(["Name", "CreationTime", "Status"]),
        "SortOrder": st.sampled_from(["Ascending", "Descending"]),
        "StatusEquals": st.just("Failed"),
        "NameContains": st.sampled_from(["A", "c"]),
        "CreationTimeAfter": st.integers(0, 3).map(lambda hours: (_BEGUN + timedelta(hours=hours)).replace(tzinfo=UTC)),
    },
)


def _summary(name: str, hours: int, status: str) -> dict[str, Any]:
    arn = f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{name}"
    return {
        "TrainingJobName": name,
        "TrainingJobArn": arn,
        "TrainingJobStatus": status,
        "CreationTime": _BEGUN + timedelta(hours=hours),
    }


def _pages(summaries: list[dict[str, Any]], asked: dict[str, Any]) -> list[str]:
    names, token = [], None
    for _ in range(len(summaries) + 1):
        page, token = page_of(_LISTING, list(summaries), asked | ({"NextToken": token} if token else {}))
        assert len(page) <= asked["MaxResults"]
        names += [str(each["TrainingJobName"]) for each in page]
        if token is None:
            return names
    raise AssertionError("the pages do not end")


@given(_JOBS, _ASKED)
def test_pages_hold_each_item_once_and_in_order(jobs: list[tuple[str, int, str]], asked: dict[str, Any]) -> None:
    """Compared with a plain filter and a plain sort."""
    after = asked.get("CreationTimeAfter")
    wanted = [
        each
        for each in jobs
        if asked.get("StatusEquals") in (None, each[2])
        and asked.get("NameContains", "").lower() in each[0]
        and (after is None or (_BEGUN + timedelta(hours=each[1])).replace(tzinfo=UTC) > after)
    ]
    keys = {"Name": lambda e: (e[0],), "Status": lambda e: (e[2], e[1], e[0])}
    wanted.sort(
        key=keys.get(asked.get("SortBy", ""), lambda e: (e[1], e[0])), reverse=asked.get("SortOrder") == "Descending"
    )
    assert _pages([_summary(*each) for each in jobs], asked) == [each[0] for each in wanted]


@given(_JOBS, st.sampled_from(["Ascending", "Descending"]), st.data())
def test_what_comes_and_goes_between_pages_repeats_and_hides_nothing(
    jobs: list[tuple[str, int, str]], order: str, data: st.DataObject
) -> None:
    """A token that counts items would do both: moto's does."""
    summaries = [_summary(*each) for each in jobs]
    asked = {"MaxResults": 2, "SortBy": "Name", "SortOrder": order}
    first, token = page_of(_LISTING, list(summaries), asked)
    gone = data.draw(st.sampled_from(summaries)) if summaries else None
    now = [each for each in summaries if each is not gone] + [_summary("", 0, "Failed"), _summary("z", 0, "Failed")]
    rest = _pages(now, asked | {"NextToken": token}) if token else []
    seen = [str(each["TrainingJobName"]) for each in first] + rest
    assert len(seen) == len(set(seen))
    if token:
        assert {each[0] for each in jobs} - set(seen) <= {gone["TrainingJobName"] if gone else ""}


def test_training_jobs_are_chosen_by_state_after_the_page_is_cut() -> None:
    """As its documentation says; a client that stops at the first short page misses jobs there as it does here."""
    jobs = [_summary("a", 0, "Completed"), _summary("b", 1, "Failed"), _summary("c", 2, "Completed")]
    asked = {"MaxResults": 1, "StatusEquals": "Failed"}
    page, token = page_of(_LISTING, list(jobs), asked)
    assert page == []
    assert token is not None
    page, token = page_of(LISTINGS["list_processing_jobs"], [_as_processing(each) for each in jobs], asked)
    assert [each["ProcessingJobName"] for each in page] == ["b"]
    assert token is None


def _as_processing(summary: dict[str, Any]) -> dict[str, Any]:
    return {key.replace("Training", "Processing"): value for key, value in summary.items()}


def _names(bench: Any, operation: str, key: str, member: str, **asked: Any) -> list[str]:
    pages = bench.sagemaker.get_paginator(operation).paginate(**asked)
    return [each[member] for page in pages for each in page[key]]


def test_models_are_paged_filtered_and_sorted_over_http(bench: Any) -> None:
    """moto's ListModels gives everything whatever is asked."""
    for number in (2, 0, 3, 1):
        container = {"Image": bench.uri}
        bench.sagemaker.create_model(
            ModelName=f"listed-{number}", ExecutionRoleArn=bench.role, PrimaryContainer=container
        )
    asked = {"NameContains": "LISTED-", "PaginationConfig": {"PageSize": 3}}
    assert _names(bench, "list_models", "Models", "ModelName", **asked) == [f"listed-{n}" for n in (1, 3, 0, 2)]
    by_name = {**asked, "SortBy": "Name", "SortOrder": "Ascending"}
    assert _names(bench, "list_models", "Models", "ModelName", **by_name) == [f"listed-{n}" for n in range(4)]
    assert len(bench.sagemaker.list_models(MaxResults=2)["Models"]) == 2


def test_jobs_are_filtered_before_the_page_is_cut(bench: Any) -> None:
    """moto cuts first: one page of the right state could be empty, and its sort order is not looked at."""
    for number, ending in enumerate("0101"):
        bench.process(
            f"paged-{number}", f"open('/opt/ml/processing/out/x', 'w').write('x'); raise SystemExit({ending})"
        )
    asked = {"NameContains": "paged-", "StatusEquals": "Failed", "SortBy": "Name", "SortOrder": "Descending"}
    page = bench.sagemaker.list_processing_jobs(**asked, MaxResults=2)
    assert [each["ProcessingJobName"] for each in page["ProcessingJobSummaries"]] == ["paged-3", "paged-1"]
    assert "NextToken" not in page
    now = datetime.now(UTC)
    for hours, found in ((-1, 4), (1, 0)):  # clients send whole seconds
        for filter_name in ("CreationTimeAfter", "LastModifiedTimeAfter"):
            cut = {filter_name: now + timedelta(hours=hours)}
            assert (
                len(bench.sagemaker.list_processing_jobs(NameContains="paged-", **cut)["ProcessingJobSummaries"])
                == found
            )
    listed = bench.sagemaker.list_processing_jobs(NameContains="paged-1")["ProcessingJobSummaries"][0]
    said = bench.sagemaker.describe_processing_job(ProcessingJobName="paged-1")
    assert {key: said[key] for key in listed} == listed


def test_a_token_that_is_none_is_refused(bench: Any) -> None:
    """Not taken for the first page."""
    for operation, token in itertools.product(("list_models", "list_training_jobs"), ("7", "bm90aGluZw==")):
        with pytest.raises(ClientError, match="Invalid pagination token"):
            getattr(bench.sagemaker, operation)(NextToken=token)
