"""One endpoint: its states, its fleets, and the deployment that moves traffic from one to the other and back."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from seatrial.rehearsal.aws.endpoints.capture import Capture
from seatrial.rehearsal.aws.endpoints.fleet import Fleet, Variant
from seatrial.rehearsal.aws.endpoints.modelserver import Answer, NotHealthy
from seatrial.rehearsal.aws.endpoints.traffic import Observation, Traffic
from seatrial.rehearsal.aws.events import sagemaker_event
from seatrial.rehearsal.aws.world import World

_LOOK_S = 0.05
_SEND_S = 0.1
_CAPTURE_S = 0.5


class NoVariant(Exception):
    """The request names a variant that the endpoint does not have."""


class NoServer(Exception):
    """The variant's server has ended or hangs, and the next one is not healthy yet."""


class RolledBack(Exception):
    """An alarm went off while traffic was shifting."""


class Endpoint:
    """A named address. ``record`` is moto's own entry, kept in step for List and tags."""

    def __init__(self, world: World, region: str, record: Any, fleet: Fleet) -> None:
        """Nothing runs before `create`."""
        self.name, self.arn = str(record.endpoint_name), str(record.arn)
        self.failure_reason: str | None = None
        self.created = self.modified = datetime.now(UTC)
        self.deployment: Mapping[str, Any] | None = None
        self._world, self._region, self._record = world, region, record
        self._blue = fleet
        self._green: Fleet | None = None
        self._share = 0.0  # of traffic, to the green fleet
        self._stage: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._traffic = Traffic(self.name, region)
        self._capture = Capture(self.name, fleet.config.get("DataCaptureConfig") or {})
        self._set_status("Creating")

    @property
    def status(self) -> str:
        """As in EndpointStatus."""
        return str(self._record.endpoint_status)

    def _set_status(self, status: str) -> None:
        self._record.endpoint_status = status
        self.modified = self._record.last_modified_time = datetime.now(UTC)
        detail = {"EndpointName": self.name, "EndpointArn": self.arn, "EndpointStatus": status.upper()}
        self._world.events.put(sagemaker_event("SageMaker Endpoint State Change", arn=self.arn, detail=detail))

    # operations

    def create(self) -> None:
        """Come up, in a thread."""
        forget = self._world.on_close(self._over.set)
        threading.Thread(target=self._send_metrics, args=(forget,), daemon=True).start()
        threading.Thread(target=self._create, daemon=True).start()

    def _create(self) -> None:
        try:
            self._blue.start()
            self._set_status("InService")
        except NotHealthy as failed:
            self.failure_reason = str(failed)
            self._set_status("Failed")

    def update(self, fleet: Fleet, deployment: Mapping[str, Any] | None) -> None:
        """Deploy another configuration, in a thread. What serves now goes on until the new fleet has taken over."""
        self.deployment = deployment
        self.failure_reason = None
        self._set_status("Updating")
        threading.Thread(target=self._update, args=(fleet, deployment or {}), daemon=True).start()

    def delete(self, forget: Callable[[], None]) -> None:
        """End every server, then ``forget`` the record."""
        self._set_status("Deleting")

        def work() -> None:
            self._over.set()
            self._blue.retire()
            forget()

        threading.Thread(target=work, daemon=True).start()

    def set_weights(self, weights: Mapping[str, float]) -> None:
        """UpdateEndpointWeightsAndCapacities, at once."""
        for variant in self._blue.variants:
            variant.weight = weights.get(variant.name, variant.weight)

    def hand_on(self, fleet: Fleet) -> None:
        """Give another fleet the weights and the instances that this one's variants of the same names have now."""
        now = {variant.name: variant for variant in self._blue.variants}
        for variant in fleet.variants:
            if variant.name in now:
                variant.weight, variant.instances = now[variant.name].weight, now[variant.name].instances

    # deployment

    def _update(self, green: Fleet, deployment: Mapping[str, Any]) -> None:
        policy = deployment.get("BlueGreenUpdatePolicy", {})
        alarms = [each["AlarmName"] for each in deployment.get("AutoRollbackConfiguration", {}).get("Alarms", [])]
        try:
            self._enter("Creating", "Starting the new fleet", green)
            green.start()
            for share, wait_s in steps_of(policy.get("TrafficRoutingConfiguration", {})):
                self._shift(share, green)
                self._bake(wait_s, alarms, green.role)
            self._bake(policy.get("TerminationWaitInSeconds", 0), alarms, green.role)
        except NotHealthy as failed:
            self._stage = {}
            self.failure_reason = str(failed)
            self._set_status("InService")
            return
        except (RolledBack, ClientError, BotoCoreError) as alarmed:  # an alarm that cannot be read counts as raised
            self._set_status("RollingBack")
            self._shift(0.0, None)
            green.retire()
            self.failure_reason = str(alarmed)
            self._set_status("InService")
            return
        with self._lock:
            blue, self._blue, self._green, self._share = self._blue, green, None, 0.0
            self._stage = {}
            self._capture.configure(green.config.get("DataCaptureConfig") or {})
        self._record.endpoint_config_name = green.config_name
        blue.retire()
        self._set_status("InService")

    def _enter(self, status: str, message: str, green: Fleet) -> None:
        now = datetime.now(UTC)
        entered = [{"Status": status, "StatusMessage": message, "StartTime": now}]
        variants = [each.describe() | {"VariantStatus": entered} for each in green.variants]
        begun = self._stage.get("StartTime", now)
        self._stage = {"EndpointConfigName": green.config_name, "ProductionVariants": variants, "StartTime": begun}

    def _shift(self, share: float, green: Fleet | None) -> None:
        with self._lock:
            self._share, self._green = share, green
            if green is None:
                self._stage = {}
            else:
                self._enter("Baking", f"{share:.0%} of the traffic goes to the new fleet", green)

    def _bake(self, seconds: float, alarms: list[str], role: str) -> None:
        end = time.monotonic() + self._world.waits(seconds)
        while True:
            raised = self._raised(alarms, role) if alarms else None
            if raised is not None:
                raise RolledBack(
                    f"One or more rollback alarms were raised during the deployment: {raised}. "
                    "Traffic is back on the previous configuration."
                )
            left = end - time.monotonic()
            if left <= 0 or self._over.is_set():
                return
            self._over.wait(min(_LOOK_S, left))

    def _raised(self, names: list[str], role: str) -> str | None:
        """The first in alarm, whatever the reason: SageMaker looks at states, and only CloudWatch at metrics.

        ``role``: of the model that comes up; SageMaker looks as it.
        https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-configuration.html
        """
        cloudwatch = self._world.client("cloudwatch", self._region, role)
        found = {alarm["AlarmName"]: alarm for alarm in cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]}
        return next((name for name in names if name in found and found[name]["StateValue"] == "ALARM"), None)

    # traffic

    def invoke(self, body: bytes, headers: Mapping[str, str], target: str | None) -> tuple[Variant, Answer]:
        """Answer one request from the fleet and the variant that its turn falls to.

        Raises:
            NoVariant: ``target`` is no variant of this endpoint.
            NoServer: the variant has no healthy server just now.
        """
        with self._lock:
            green = self._green is not None and random.random() < self._share  # noqa: S311 a split, not a secret
            fleet = self._green if green and self._green is not None else self._blue
            variant = fleet.choose(target)
            if variant is None:
                raise NoVariant(f"Variant {target} not found")
            server = variant.server.reserve()
        if server is None:
            self._traffic.add(Observation(variant.name, 503, 0.0))
            raise NoServer(f"Variant {variant.name} of endpoint {self.name} has no healthy server just now.")
        answer = server.invoke(body, headers)
        self._traffic.add(Observation(variant.name, answer.status, answer.seconds))
        self._capture.add(variant.name, body, headers.get("Content-Type", ""), answer)
        return variant, answer

    def _send_metrics(self, forget: Callable[[], None]) -> None:
        captured = time.monotonic()
        while not self._over.wait(_SEND_S):
            self._traffic.send()
            if time.monotonic() - captured < _CAPTURE_S:
                continue
            captured = time.monotonic()
            try:
                self._capture.send(self._world.client("s3", self._region, self._blue.role))
            except (ClientError, BotoCoreError) as refused:
                self.failure_reason = f"Captured data could not be written: {refused}"
        forget()

    def describe(self) -> dict[str, Any]:
        """DescribeEndpoint."""
        status = self.status  # before the rest: who reads that nothing is going on any more reads what came of it
        said = {
            "EndpointName": self.name,
            "EndpointArn": self.arn,
            "EndpointConfigName": self._record.endpoint_config_name,
            "EndpointStatus": status,
            "ProductionVariants": [each.describe() for each in self._blue.variants],
            "PendingDeploymentSummary": self._stage or None,
            "DataCaptureConfig": self._capture.describe(),
            "LastDeploymentConfig": self.deployment,
            "FailureReason": self.failure_reason,
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
        }
        return {key: value for key, value in said.items() if value is not None}


def steps_of(routing: Mapping[str, Any]) -> Iterator[tuple[float, float]]:
    """The shares of traffic that a deployment gives to the new fleet, each with the seconds to wait after it."""
    wait = float(routing.get("WaitIntervalInSeconds", 0))
    kind = routing.get("Type", "ALL_AT_ONCE")
    if kind == "CANARY":
        yield routing["CanarySize"]["Value"] / 100, wait
    elif kind == "LINEAR":
        step = routing["LinearStepSize"]["Value"]
        for percent in range(step, 100, step):
            yield percent / 100, wait
    yield 1.0, wait if kind == "ALL_AT_ONCE" else 0.0
