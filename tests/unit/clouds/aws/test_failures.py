"""What a person reads when AWS says no: real botocore against a server that answers as AWS does."""

from __future__ import annotations

import pickle
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from seatrial.clouds.aws.failures import Refused
from seatrial.clouds.aws.session import Aws, Request
from seatrial.errors import EndpointError, ResourceError
from tests.unit.clouds.aws.answering import Answering, answering

REGION = "us-east-1"
DENIED = (
    "User: arn:aws:sts::123456789012:assumed-role/trial-job/s is not authorized to perform: "
    "sagemaker:DescribeEndpoint on resource: arn:aws:sagemaker:us-east-1:123456789012:endpoint/m "
    "because no identity-based policy allows the sagemaker:DescribeEndpoint action"
)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    with answering() as found:
        monkeypatch.setenv("AWS_ENDPOINT_URL", found.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
        yield found


def refusal(aws: Aws, operation: str = "DescribeEndpoint", **parameters: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        aws.ask("sagemaker", operation, **(parameters or {"EndpointName": "m"}))
    return caught.value


@pytest.mark.parametrize(
    ("status", "code", "message", "what", "todo"),
    [
        (400, "ExpiredTokenException", "The security token is expired", "credentials have expired", "aws sso login"),
        (400, "UnrecognizedClientException", "invalid", "does not know these credentials", "get-caller-identity"),
        (400, "ResourceLimitExceeded", "ml.m5.large: 0 Instances", "quota of the account.*0 Instances", "Quotas"),
        (400, "ResourceInUse", "it exists", "name is taken", "is used"),
        (400, "ResourceNotFound", "no such", "does not find it", "region"),
        (
            400,
            "ValidationException",
            "1 validation error detected: Value 'x'",
            "refused.*1 validation error",
            "--dry-run",
        ),
    ],
)
def test_a_refusal_says_what_why_and_what_to_do_and_is_not_tried_again(
    service: Answering, status: int, code: str, message: str, what: str, todo: str
) -> None:
    service.will_say(status, code, message)
    refused = refusal(Aws(REGION))
    assert service.asked == 1
    assert (refused.code, refused.status, refused.said) == (code, status, message)
    assert re.search(what, refused.what)
    assert todo in refused.todo
    assert "very-secret" not in str(refused)


def test_access_denied_names_who_what_and_on_what(service: Answering) -> None:
    service.will_say(400, "AccessDeniedException", DENIED)
    refused = refusal(Aws(REGION))
    assert refused.what == (
        "access denied: role trial-job lacks sagemaker:DescribeEndpoint on "
        "arn:aws:sagemaker:us-east-1:123456789012:endpoint/m"
    )
    assert service.asked == 1


def test_access_denied_without_words_still_names_the_request(service: Answering) -> None:
    """S3 often says no more than ``Access Denied``."""
    service.will_say_in_xml(403, "AccessDenied", "Access Denied")
    with pytest.raises(Refused, match="this identity lacks s3:GetObject on s3://b/k"):
        Aws(REGION).ask("s3", "GetObject", Bucket="b", Key="k")


@pytest.mark.parametrize(("status", "code"), [(400, "ThrottlingException"), (500, "InternalFailure")])
def test_what_passes_is_tried_again_and_then_explained(service: Answering, status: int, code: str) -> None:
    service.will_say(status, code, "wait")
    refused = refusal(Aws(REGION, attempts=2))
    assert service.asked == 2
    assert "again" in refused.todo


def test_throttling_that_passes_is_not_noticed(service: Answering) -> None:
    service.will_say(400, "ThrottlingException", "Rate exceeded")
    service.will_succeed({"EndpointName": "m"})
    assert Aws(REGION, attempts=2).ask("sagemaker", "DescribeEndpoint", EndpointName="m")["EndpointName"] == "m"
    assert service.asked == 2


def test_short_capacity_is_waited_for(service: Answering) -> None:
    for _ in range(2):
        service.will_say(400, "InsufficientInstanceCapacity", "no ml.g5.xlarge")
    service.will_succeed({})
    pauses: list[float] = []
    Aws(REGION, sleep=pauses.append).submit("sagemaker", "DeleteEndpoint", EndpointName="m")
    assert (service.asked, pauses) == (3, [5.0, 20.0])


def test_capacity_that_does_not_come_is_explained_as_no_quota(service: Answering) -> None:
    service.will_say(400, "InsufficientInstanceCapacity", "no ml.g5.xlarge")
    with pytest.raises(Refused, match="no such machine free") as caught:
        Aws(REGION, sleep=lambda _: None).submit("sagemaker", "DeleteEndpoint", EndpointName="m")
    assert "not your quota" in caught.value.why
    assert service.asked == 4


def test_absent_and_taken_are_told_apart_by_sagemakers_words(service: Answering) -> None:
    service.will_say(400, "ValidationException", 'Could not find endpoint "m".')
    service.will_say(400, "ValidationException", 'Cannot create already existing endpoint "m".')
    service.will_say(400, "ValidationException", "1 validation error detected")
    found = [refusal(Aws(REGION)) for _ in range(3)]
    assert [(f.absent, f.taken) for f in found] == [(True, False), (False, True), (False, False)]


@pytest.mark.parametrize(("status", "code"), [(412, "PreconditionFailed"), (409, "ConditionalRequestConflict")])
def test_a_conditional_write_that_lost_is_told_apart(service: Answering, status: int, code: str) -> None:
    service.will_say_in_xml(status, code, "At least one of the pre-conditions you specified did not hold")
    with pytest.raises(Refused, match="somebody else changed it") as caught:
        Aws(REGION).submit("s3", "PutObject", Bucket="b", Key="k", Body=b"", IfNoneMatch="*")
    assert caught.value.moved
    assert service.asked == 1


def test_a_model_that_fails_is_an_endpoint_error(service: Answering) -> None:
    service.will_say(424, "ModelError", "server error", OriginalStatusCode=500, OriginalMessage="shape mismatch")
    with pytest.raises(EndpointError, match="answered 500: shape mismatch"):
        Aws(REGION).ask("sagemaker-runtime", "InvokeEndpoint", EndpointName="m", Body=b"{}")


def test_nobody_there_is_explained(monkeypatch: pytest.MonkeyPatch, service: Answering) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(ResourceError, match="AWS cannot be reached: sagemaker:DescribeEndpoint") as caught:
            Aws(REGION, attempts=1).ask("sagemaker", "DescribeEndpoint", EndpointName="m")
    assert "AWS_ENDPOINT_URL" in caught.value.todo


def test_no_credentials_are_explained(monkeypatch: pytest.MonkeyPatch, service: Answering, tmp_path: Any) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(ResourceError, match="no AWS credentials") as caught:
        Aws(REGION).ask("sagemaker", "DescribeEndpoint", EndpointName="m")
    assert "aws sso login" in caught.value.todo
    assert service.asked == 0


def test_a_profile_that_does_not_exist_is_explained(monkeypatch: pytest.MonkeyPatch, service: Answering) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ResourceError, match="no AWS credentials: The config profile"):
        Aws(REGION).ask("sagemaker", "DescribeEndpoint", EndpointName="m")


def test_a_wrong_request_is_not_sent_and_all_its_problems_are_told(service: Answering) -> None:
    with pytest.raises(ResourceError, match="2 problems") as caught:
        Aws(REGION).submit("sagemaker", "DeleteEndpoint", EndpointName="under_score", Force=True)
    assert "EndpointName" in str(caught.value)
    assert "Force" in str(caught.value)
    assert service.asked == 0


def test_a_dry_run_records_and_sends_nothing(service: Answering) -> None:
    seen: list[Request] = []
    assert Aws(REGION, record=seen.append).submit("sagemaker", "DeleteEndpoint", EndpointName="m") == {}
    assert seen == [Request("sagemaker", "DeleteEndpoint", {"EndpointName": "m"})]
    assert service.asked == 0


def test_a_refusal_survives_a_process_boundary(service: Answering) -> None:
    service.will_say(400, "ResourceNotFound", "no such")
    refused = refusal(Aws(REGION))
    again = pickle.loads(pickle.dumps(refused))
    assert (str(again), type(again)) == (str(refused), Refused)
