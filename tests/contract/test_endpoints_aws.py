"""What is the AWS endpoints' own: rollouts that SageMaker brings back, kills between requests, nothing left over."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from seatrial.clouds.aws import alarms, guardrails
from seatrial.clouds.aws.cloud import AwsCloud, connect
from seatrial.clouds.aws.deployment import Plan, deployment_config, routing
from seatrial.clouds.aws.endpoints import AwsEndpoints
from seatrial.clouds.aws.failures import translated
from seatrial.clouds.aws.made import Made
from seatrial.clouds.aws.names import LONGEST, Names, model_shell
from seatrial.clouds.aws.session import Aws, Request
from seatrial.clouds.aws.stack import StackOutputs
from seatrial.clouds.replay import replay
from seatrial.errors import EndpointError, ProjectError, RegistryError, SeatrialError, UsageError
from seatrial.project import Endpoint, Rollout
from seatrial.rehearsal.aws import OfflineAws
from tests.contract.aws_stack import GUARDED
from tests.contract.conftest import aws_harbour
from tests.contract.endpoint_samples import MODEL, Harbour
from tests.unit.clouds.aws.stacks import model_table, stack_table


class Killed(BaseException):
    """Nothing in the code under test handles it, as nothing handles SIGKILL."""


class Mortal(Aws):
    """Dies right after one operation; the dead send nothing more, whatever ``finally`` says."""

    dead = False

    def __init__(self, region: str, operation: str) -> None:
        super().__init__(region)
        self.last = operation

    def _call(self, service: str, operation: str, parameters: Mapping[str, Any]) -> Any:
        if self.dead:
            raise Killed
        answer = super()._call(service, operation, parameters)
        if operation == self.last:
            self.dead = True
            raise Killed
        return answer


@pytest.fixture
def harbour(
    stack: StackOutputs, tmp_path: Path, packages: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> Harbour:
    return aws_harbour(stack, tmp_path / "state", packages, monkeypatch)


@contextmanager
def traffic(harbour: Harbour, rows: int) -> Iterator[list[str]]:
    """Callers who never stop while the block runs; the versions that answered, and what went wrong."""
    seen: list[str] = []
    over = threading.Event()
    document = {"instances": harbour.rows(rows)}

    def call() -> None:
        while not over.wait(0.01):
            try:
                seen.append("v" + harbour.endpoints.predict(MODEL, document)["model"]["version"])
            except SeatrialError as exc:
                seen.append(exc.what)

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


def left(stack: StackOutputs) -> list[str]:
    """Every name of the stack that SageMaker and Auto Scaling still know, but for the registry's."""
    aws = Aws(stack.region)
    found = [e["EndpointName"] for e in aws.pages("sagemaker", "ListEndpoints", "Endpoints")]
    found += [e["EndpointConfigName"] for e in aws.pages("sagemaker", "ListEndpointConfigs", "EndpointConfigs")]
    found += [e["ModelName"] for e in aws.pages("sagemaker", "ListModels", "Models")]
    targets = aws.ask("application-autoscaling", "DescribeScalableTargets", ServiceNamespace="sagemaker")
    found += [e["ResourceId"].removeprefix("endpoint/") for e in targets["ScalableTargets"]]
    return sorted(name for name in found if name.startswith(f"{stack.prefix}-"))


def test_a_guarded_rollout_that_goes_well_ends_on_the_new_version(harbour: Harbour) -> None:
    harbour.deploy(1)
    with traffic(harbour, 3) as seen:
        served = harbour.deploy(2, rollout=GUARDED)
    assert (served.version, harbour.champion) == ("2", 2)
    assert set(seen) == {"v1", "v2"}


def test_a_version_that_fails_under_traffic_is_brought_back_in_the_registry_too(
    harbour: Harbour, stack: StackOutputs
) -> None:
    """Its golden sample was right; real requests are not. SageMaker's alarm ends the attempt."""
    harbour.deploy(1)
    with (
        traffic(harbour, 2) as seen,
        pytest.raises(EndpointError, match="parcels v2 was rolled back by SageMaker") as caught,
    ):
        harbour.deploy(2, rollout=GUARDED)
    assert f"{stack.prefix}-parcels-error-rate" in caught.value.what
    assert "The champion is v1 again." in caught.value.why
    assert (harbour.endpoints.get(MODEL).version, harbour.champion) == ("1", 1)
    assert harbour.registry.version(MODEL, 2).rolled_back
    assert any("the model server answered 500" in each for each in seen)
    with pytest.raises(RegistryError, match="v2 was rolled back and is not promoted again"):
        harbour.deploy(2, rollout=GUARDED)
    assert harbour.endpoints.get(MODEL).version == "1"


def test_a_rollout_that_is_refused_leaves_the_champion_that_serves(harbour: Harbour, offline_aws: OfflineAws) -> None:
    """The registry has promoted it by then, and SageMaker does not even begin."""
    harbour.deploy(1)
    offline_aws.fault("quota", operation="UpdateEndpoint", times=1)
    with pytest.raises(EndpointError, match="parcels v2 proved itself, and did not get the traffic: a quota") as caught:
        harbour.deploy(2)
    assert "The champion is v1 again." in caught.value.why
    assert (harbour.endpoints.get(MODEL).version, harbour.champion) == ("1", 1)


def test_what_stays_in_service_scales_on_when_other_machines_are_refused(
    stack: StackOutputs,
    tmp_path: Path,
    packages: tuple[Path, ...],
    monkeypatch: pytest.MonkeyPatch,
    offline_aws: OfflineAws,
) -> None:
    """SageMaker changes no machine type while an endpoint scales, so that scaling ends before it is asked."""
    capacity = stack.endpoint.model_copy(update={"max_instances": 3})
    scaled = stack.model_copy(update={"endpoint": capacity})
    harbour = aws_harbour(scaled, tmp_path / "state", packages, monkeypatch)
    harbour.deploy(1)
    assert isinstance(harbour.endpoints, AwsEndpoints)
    larger = capacity.model_copy(update={"instance_type": "ml.c5.4xlarge"})
    harbour.endpoints._stack = scaled.model_copy(update={"endpoint": larger})
    offline_aws.fault("quota", operation="UpdateEndpoint", times=1)
    with pytest.raises(EndpointError, match="did not get the traffic"):
        harbour.deploy(2)
    told = Aws(stack.region).ask("application-autoscaling", "DescribeScalableTargets", ServiceNamespace="sagemaker")
    assert f"endpoint/{stack.prefix}-{MODEL}/variant/live" in [each["ResourceId"] for each in told["ScalableTargets"]]


def test_an_endpoint_that_may_still_answer_is_not_made_anew(harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a rollback that failed itself, a mixture serves. It was deleted."""
    harbour.deploy(1)
    settled: Any = Made.settled

    def mixed(made: Made, endpoint: str, **more: Any) -> Any:
        found = settled(made, endpoint, **more)
        return found and {**found, "EndpointStatus": "UpdateRollbackFailed", "FailureReason": "a mixture"}

    with monkeypatch.context() as patched:
        patched.setattr(Made, "settled", mixed)
        with pytest.raises(EndpointError, match="parcels is UpdateRollbackFailed: a mixture"):
            harbour.deploy(2)
    assert (harbour.endpoints.get(MODEL).version, harbour.champion) == ("1", 1)


class Late(Aws):
    """What was just made is not visible yet, the first time; an update shows the state before it for a while."""

    def __init__(self, region: str) -> None:
        super().__init__(region)
        self.refused: list[str] = []
        self.stale: dict[str, Any] | None = None

    def _call(self, service: str, operation: str, parameters: Mapping[str, Any]) -> Any:
        if operation == "DescribeEndpoint" and self.stale is not None:
            stale, self.stale = self.stale, None
            return stale
        if operation in ("CreateEndpoint", "UpdateEndpoint") and operation not in self.refused:
            self.refused.append(operation)
            name = parameters["EndpointConfigName"]
            missing = {"Code": "ValidationException", "Message": f'Could not find endpoint configuration "{name}".'}
            with translated(service, operation, self.region):
                raise ClientError({"Error": missing}, operation)
        before = None
        if operation == "UpdateEndpoint":
            before = super()._call(service, "DescribeEndpoint", {"EndpointName": parameters["EndpointName"]})
        answer = super()._call(service, operation, parameters)
        self.stale = before
        return answer


def test_what_sagemaker_shows_late_is_waited_for(
    stack: StackOutputs, tmp_path: Path, packages: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seatrial.clouds.aws.made._SEEN_S", (0.0,))
    late = Late(stack.region)
    harbour = aws_harbour(stack, tmp_path / "state", packages, monkeypatch)
    assert isinstance(harbour.endpoints, AwsEndpoints)
    harbour.endpoints._aws = harbour.endpoints._made._aws = late
    harbour.deploy(1)
    assert harbour.deploy(2).version == "2"
    assert (late.refused, late.stale, harbour.champion) == (["CreateEndpoint", "UpdateEndpoint"], None, 2)


class Doubled(Aws):
    """An approval that is told twice: another deployment of the same version is a step ahead at one operation."""

    def __init__(self, region: str, operation: str) -> None:
        super().__init__(region)
        self.before: str | None = operation

    def _call(self, service: str, operation: str, parameters: Mapping[str, Any]) -> Any:
        if operation == self.before:
            self.before = None
            super()._call(service, operation, parameters)
        return super()._call(service, operation, parameters)


def test_who_meets_another_deployment_under_way_waits_for_how_it_ends(
    stack: StackOutputs, tmp_path: Path, packages: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SageMaker refuses the second update. The champion was given back, and the first one went on."""
    harbour = aws_harbour(stack, tmp_path / "state", packages, monkeypatch)
    harbour.deploy(1)
    endpoints = harbour.endpoints
    assert isinstance(endpoints, AwsEndpoints)
    endpoints._aws = endpoints._made._aws = doubled = Doubled(stack.region, "UpdateEndpoint")
    assert harbour.deploy(2).version == "2"
    assert (doubled.before, harbour.champion, endpoints.get(MODEL).version) == (None, 2, "2")


def test_what_another_deployment_proves_on_is_not_removed(
    harbour: Harbour, stack: StackOutputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took the place of ours, which therefore fails; ours goes on, on that one."""
    harbour.deploy(1)
    check = f"{stack.prefix}-{MODEL}-check-v2"
    sagemaker = Aws(stack.region).client("sagemaker")
    waiter, made = sagemaker.get_waiter("endpoint_deleted"), Made(Aws(stack.region), stack, print)
    begun = list[Any]()

    def replaced(*given: Any) -> Any:
        begun.append(made.describe(check)["CreationTime"])  # type: ignore[index]
        if len(begun) > 1:
            return replay(*given)
        config = made.describe(check)["EndpointConfigName"]  # type: ignore[index]
        sagemaker.delete_endpoint(EndpointName=check)
        waiter.wait(EndpointName=check, WaiterConfig={"Delay": 1})
        time.sleep(1.1)  # moto keeps whole seconds
        sagemaker.create_endpoint(EndpointName=check, EndpointConfigName=config)
        begun.append(made.settled(check)["CreationTime"])  # type: ignore[index]
        raise EndpointError("ours is gone", why="", todo="")

    monkeypatch.setattr("seatrial.clouds.aws.endpoints.replay", replaced)
    assert harbour.deploy(2).version == "2"
    ours, theirs, then = begun
    assert ours != theirs
    assert theirs == then
    assert harbour.champion == 2


def test_a_version_does_not_prove_itself_for_ever(
    harbour: Harbour, stack: StackOutputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    harbour.deploy(1)
    check, begun = f"{stack.prefix}-{MODEL}-check-v2", list[str]()
    made = Made(Aws(stack.region), stack, print)

    def removed(who: str, *_: Any) -> Any:
        begun.append(who)
        made.delete_endpoint(check)
        raise EndpointError(f"attempt {len(begun)}: it does not answer", why="", todo="")

    monkeypatch.setattr("seatrial.clouds.aws.endpoints.replay", removed)
    with pytest.raises(EndpointError, match="attempt 3: it does not answer"):
        harbour.deploy(2)
    assert harbour.champion == 1
    assert not [name for name in left(stack) if "check" in name]


def test_the_champion_stays_when_only_its_new_machines_fail(harbour: Harbour, stack: StackOutputs) -> None:
    """The same version on other machines was brought back: it still serves, on the old ones."""
    harbour.deploy(1)
    harbour.deploy(2)
    endpoints = harbour.endpoints
    assert isinstance(endpoints, AwsEndpoints)
    endpoints._stack = stack.model_copy(update={"endpoint": stack.endpoint.model_copy(update={"instances": 3})})
    with ExitStack() as callers:

        def call() -> None:
            callers.enter_context(traffic(harbour, 2))

        with pytest.raises(EndpointError, match="parcels v2 was rolled back by SageMaker") as caught:
            harbour.deploy(2, rollout=GUARDED, before_switch=call)
        assert f"{stack.prefix}-parcels-error-rate: Threshold Crossed" in caught.value.what
    assert "The champion is v2." in caught.value.why
    assert (endpoints.get(MODEL).version, harbour.champion) == ("2", 2)


def failing_after_the_proof(harbour: Harbour, stack: StackOutputs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The alarm goes off, not by this rollout, before any traffic moves."""
    prove: Any = vars(AwsEndpoints)["_prove"]

    def prove_and_fail(*given: Any) -> None:
        prove(harbour.endpoints, *given)
        Aws(stack.region).client("cloudwatch").set_alarm_state(
            AlarmName=stack.models[MODEL].alarms["error_rate"], StateValue="ALARM", StateReason="v1 fails"
        )

    monkeypatch.setattr(harbour.endpoints, "_prove", prove_and_fail)


def test_what_serves_may_not_be_in_alarm_when_the_traffic_is_to_move(
    harbour: Harbour, stack: StackOutputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be brought back at once, and the challenger would be blamed."""
    harbour.deploy(1)
    monkeypatch.setattr(alarms, "_LONGEST_S", 0.0)
    failing_after_the_proof(harbour, stack, monkeypatch)
    with pytest.raises(EndpointError, match=r"before any traffic was moved: t\d+-parcels-error-rate: v1 fails"):
        harbour.deploy(2, rollout=GUARDED)
    assert (harbour.endpoints.get(MODEL).version, harbour.champion) == ("1", 1)


def test_a_rollout_waits_for_an_alarm_that_ends(
    harbour: Harbour, stack: StackOutputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A former rollout's errors are no reason to bring this one back."""
    harbour.deploy(1)
    heard: list[str] = []
    monkeypatch.setattr(harbour.endpoints, "_told", heard.append)
    failing_after_the_proof(harbour, stack, monkeypatch)
    assert harbour.deploy(2, rollout=GUARDED).version == "2"
    assert any("waiting for the alarm to end" in each and "v1 fails" in each for each in heard)


def test_a_rollout_without_its_alarms_is_refused_before_anything_is_made(harbour: Harbour, stack: StackOutputs) -> None:
    """In the stack's outputs, in the account, and with the rule that model.toml says."""
    harbour.deploy(1)
    endpoints = harbour.endpoints
    assert isinstance(endpoints, AwsEndpoints)
    before = left(stack)
    stricter = Rollout(steps=(20, 100), guardrails={"error_rate": 0.01, "latency_p99_ms": 60_000})
    with pytest.raises(EndpointError, match=r"error-rate: Threshold is 0\.05, and model\.toml says 0\.01"):
        harbour.deploy(2, rollout=stricter)
    shell = stack.models[MODEL]
    Aws(stack.region).submit("cloudwatch", "DeleteAlarms", AlarmNames=[shell.alarms["error_rate"]])
    with pytest.raises(EndpointError, match=r"no alarm for error_rate \(t\d+-parcels-error-rate\)") as caught:
        harbour.deploy(2, rollout=GUARDED)
    assert "No traffic was moved." in caught.value.why
    endpoints._stack = stack.model_copy(
        update={"models": {MODEL: shell.model_copy(update={"alarms": {"latency_p99_ms": "x"}})}}
    )
    with pytest.raises(ProjectError, match="the stack has no alarm for the guardrail 'error_rate' of model 'parcels'"):
        harbour.deploy(2, rollout=GUARDED)
    assert (left(stack), harbour.champion) == (before, 1)


@pytest.mark.parametrize("last", ["CreateEndpoint", "PutObject", "UpdateEndpoint"])
def test_a_killed_deployment_is_finished_by_the_next(
    harbour: Harbour, stack: StackOutputs, last: str, tmp_path: Path
) -> None:
    """On the temporary endpoint, right after the promotion, and while the traffic moves."""
    harbour.deploy(1)
    assert isinstance(harbour.endpoints, AwsEndpoints)
    mortal = connect(tmp_path / "state")
    aws = Mortal(stack.region, last)
    for part in (mortal.registry, mortal.registry._ledger, mortal.endpoints, mortal.endpoints._made):
        part._aws = aws
    with pytest.raises(Killed):
        Harbour(mortal.registry, mortal.endpoints, harbour.packages).deploy(2)
    version = harbour.registry.version(MODEL, 2)

    def promote() -> None:
        harbour.registry.promote(MODEL, 2, expected_champion=1)

    served = harbour.deploy(2, before_switch=promote)
    assert (served.version, harbour.endpoints.get(MODEL).digest, harbour.champion) == ("2", version.digest, 2)
    assert not [name for name in left(stack) if "check" in name]


def test_stopping_leaves_nothing(
    stack: StackOutputs, tmp_path: Path, packages: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    scaled = stack.model_copy(update={"endpoint": stack.endpoint.model_copy(update={"max_instances": 3})})
    harbour = aws_harbour(scaled, tmp_path / "state", packages, monkeypatch)
    harbour.deploy(1)
    harbour.deploy(2, rollout=Rollout(guardrails={"error_rate": 0.05, "latency_p99_ms": 60_000}))
    assert [name for name in left(stack) if "/variant/live" in name]
    assert harbour.endpoints.stop(MODEL)
    assert left(stack) == []
    told = Aws(stack.region).ask("cloudwatch", "DescribeAlarms", AlarmNamePrefix=f"{stack.prefix}-parcels-")
    assert len(told["MetricAlarms"]) == 2, "the infrastructure's alarms stay"


def test_what_serves_already_scales_as_the_stack_says_now(harbour: Harbour, stack: StackOutputs) -> None:
    """After a run that ended before Auto Scaling heard of it, and after a change of ``max_instances`` alone."""
    harbour.deploy(1)
    endpoints = harbour.endpoints
    assert isinstance(endpoints, AwsEndpoints)

    def largest(max_instances: int | None) -> list[int]:
        capacity = stack.endpoint.model_copy(update={"max_instances": max_instances})
        endpoints._stack = stack.model_copy(update={"endpoint": capacity})
        assert not harbour.deploy(1).changed
        told = Aws(stack.region).ask("application-autoscaling", "DescribeScalableTargets", ServiceNamespace="sagemaker")
        mine = f"endpoint/{stack.models[MODEL].endpoint}/variant/live"
        return [each["MaxCapacity"] for each in told["ScalableTargets"] if each["ResourceId"] == mine]

    assert [largest(3), largest(4), largest(None)] == [[3], [4], []]


def test_what_nobody_goes_back_to_is_removed(harbour: Harbour, stack: StackOutputs, packages: tuple[Path, ...]) -> None:
    """Neither the live configuration nor the one before it is ever among that."""
    for number in (1, 2, 1, 2):
        harbour.deploy(number)
    configs = [n for n in left(stack) if Names.of(stack, MODEL).version_of(n) is not None]
    assert len(configs) == 3
    assert harbour.rollback().version == "1"


def test_captured_traffic_lies_below_the_artifact_root(harbour: Harbour, stack: StackOutputs) -> None:
    harbour.deploy(1)
    harbour.endpoints.predict(MODEL, {"instances": harbour.rows()})
    aws = Aws(stack.region)
    found: list[Any] = []
    end = threading.Event()
    for _ in range(2400):
        found = aws.ask("s3", "ListObjectsV2", Bucket=stack.bucket, Prefix=stack.key("capture", MODEL)).get(
            "Contents", []
        )
        if found or end.wait(0.05):
            break
    assert found


def test_an_image_without_a_server_leaves_what_serves(harbour: Harbour, stack: StackOutputs) -> None:
    harbour.deploy(1)
    number = 2
    key = stack.key("packages", f"{harbour.registry.version(MODEL, number).digest}.tar.gz")
    harbour.registry.package_path(harbour.registry.version(MODEL, number))
    Aws(stack.region).submit("s3", "PutObject", Bucket=stack.bucket, Key=key, Body=b"no archive")
    with pytest.raises(EndpointError, match="challenger parcels v2 did not become healthy") as caught:
        harbour.deploy(number)
    assert "What served before still serves." in caught.value.why
    assert (harbour.endpoints.get(MODEL).version, harbour.champion) == ("1", 1)
    assert not [name for name in left(stack) if "check" in name]


def test_a_dry_run_makes_nothing(harbour: Harbour, stack: StackOutputs, tmp_path: Path) -> None:
    seen: list[Request] = []
    cloud: AwsCloud = connect(tmp_path / "state", record=seen.append)
    assert cloud.aws.dry_run
    cloud.registry.reject(MODEL, 2, note="only said")
    assert [request.operation for request in seen] == ["UpdateModelPackage"]
    assert cloud.registry.approval(MODEL, 2) == "PendingManualApproval"


# requests, without a server

STACK = StackOutputs.model_validate(
    stack_table(kms_key="arn:aws:kms:us-east-1:123456789012:key/k", subnets=["subnet-1"], security_groups=["sg-1"])
)


def test_every_request_conforms_to_the_services_shapes() -> None:
    plan = Plan(STACK, MODEL, "12", "d" * 64, "s3://trial-artifacts/dev/packages/d.tar.gz", Endpoint())
    rollout = Rollout(steps=(10, 100), bake_minutes=10, guardrails={"error_rate": 0.01, "latency_p99_ms": 50})
    update = {
        "EndpointName": plan.names.endpoint,
        "EndpointConfigName": "c",
        "DeploymentConfig": deployment_config(plan.names, rollout, 2),
    }
    requests = [
        Request("sagemaker", "CreateModel", plan.sagemaker_model()),
        Request("sagemaker", "CreateEndpointConfig", plan.config("trial-parcels-v11-0123456789")),
        Request("sagemaker", "CreateEndpointConfig", plan.check_config()),
        Request("sagemaker", "UpdateEndpoint", update),
        *(
            Request("cloudwatch", "PutMetricAlarm", {"AlarmName": alarm.name, **alarm.rule()})
            for alarm in guardrails.alarms(plan.names, rollout)
        ),
    ]
    assert [problem for request in requests for problem in request.problems()] == []
    assert Request("sagemaker", "UpdateEndpoint", {**update, "EndpointName": "a_b"}).problems() != []


def test_the_longest_name_of_a_model_leaves_room_for_every_suffix() -> None:
    model = "x" * (LONGEST - len("trial-"))
    stack = StackOutputs.model_validate(stack_table(models=model_table("trial", model)))
    plan = Plan(stack, model, "9999", "d" * 64, "s3://b/d", Endpoint())
    check = {"EndpointName": plan.names.check("9999"), "EndpointConfigName": plan.check_config()["EndpointConfigName"]}
    requests = [
        Request("sagemaker", "CreateModel", plan.sagemaker_model()),
        Request("sagemaker", "CreateEndpointConfig", plan.config(None)),
        Request("sagemaker", "CreateEndpointConfig", plan.check_config()),
        Request("sagemaker", "CreateEndpoint", check),
    ]
    assert [problem for request in requests for problem in request.problems()] == []
    assert len(plan.check_config()["EndpointConfigName"]) == 63


def test_names_say_what_is_in_them() -> None:
    def plan(**more: Any) -> Plan:
        given = {"model": MODEL, "version": "1", "digest": "d" * 64, "package_uri": "s3://b/d", "settings": Endpoint()}
        return Plan(STACK, **{**given, **more})

    assert plan().sagemaker_model() == plan().sagemaker_model()
    names = {
        plan().sagemaker_model()["ModelName"],
        plan(digest="e" * 64).sagemaker_model()["ModelName"],
        plan(settings=Endpoint(max_rows=5)).sagemaker_model()["ModelName"],
    }
    assert len(names) == 3
    assert plan().config("a")["EndpointConfigName"] != plan().config("b")["EndpointConfigName"]
    own, other = (
        Names(model, model_shell("trial", model, guardrails=(), pipelines=())) for model in ("late", "late_flights")
    )
    made = f"{other.endpoint}-v3-0123456789"
    assert (own.version_of(made), other.version_of(made)) == (None, 3)
    assert other.is_check("trial-late-flights-check-v3")
    assert not other.is_check("trial-late-flights")


@pytest.mark.parametrize(
    ("steps", "bake", "instances", "kind", "size", "wait"),
    [
        ((100,), 2, 20, "ALL_AT_ONCE", None, 120),
        ((10, 100), 10, 20, "CANARY", 10, 600),
        ((10, 50, 100), 10, 20, "CANARY", 10, 1200),
        ((80, 100), 1, 20, "CANARY", 50, 60),
        ((25, 50, 75, 100), 5, 20, "LINEAR", 25, 300),
        ((5, 10, 100), 50, 20, "CANARY", 5, 3600),
        ((10, 50, 100), 10, 3, "CANARY", 34, 1200),
        ((25, 50, 75, 100), 5, 2, "LINEAR", 50, 300),
        ((10, 50, 100), 10, 1, "ALL_AT_ONCE", None, 1200),
    ],
)
def test_steps_become_what_sagemaker_can_do(
    steps: tuple[int, ...], bake: float, instances: int, kind: str, size: int | None, wait: int
) -> None:
    """A step is one instance at least, and half of them at most: of one instance there is none."""
    found = routing(Rollout(steps=steps, bake_minutes=bake), instances)
    sizes = [found[key]["Value"] for key in ("CanarySize", "LinearStepSize") if key in found]
    assert (found["Type"], sizes, found["WaitIntervalInSeconds"]) == (kind, [] if size is None else [size], wait)


def test_a_longer_bake_than_sagemaker_has_is_refused() -> None:
    with pytest.raises(UsageError, match="SageMaker waits at most 60"):
        routing(Rollout(bake_minutes=61), 2)


def test_a_rollout_that_sagemaker_would_end_is_refused() -> None:
    with pytest.raises(UsageError, match="10 steps of 60 minutes, and SageMaker ends it after 8 hours"):
        routing(Rollout(steps=tuple(range(10, 101, 10)), bake_minutes=60), 10)
