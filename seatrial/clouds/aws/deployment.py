"""What a deployment asks SageMaker for: models, configurations, traffic, computed and not yet sent.

Models and configurations are named by what is in them, so the same deployment asks for the same names however often it
is repeated, and nothing that serves is ever changed in place.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.clouds.aws.names import VARIANT, Names
from seatrial.clouds.aws.stack import StackOutputs
from seatrial.errors import UsageError
from seatrial.project import Endpoint, Rollout

Json = Any
REPLACES = "seatrial:replaces"
"""The tag of a configuration that names the one that served before it."""
TEMPORARY = {"Key": "seatrial:temporary", "Value": "true"}
"""The tag of an endpoint that nobody calls: one that is left over may be deleted by whoever watches the budget."""
_SHIFT_MOST = 50  # percent: https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green.html
_LINEAR_LEAST = 10
_LONGEST_WAIT_S = 3600
_LONGEST_ROLLOUT_S = 28_800


@dataclass(frozen=True)
class Plan:
    """One version behind one endpoint."""

    stack: StackOutputs
    model: str
    version: str
    digest: str
    package_uri: str
    settings: Endpoint
    made: str | None = None
    """The SageMaker model that is there already, of a version that comes back; None: one is made."""

    @property
    def names(self) -> Names:
        """What belongs to the endpoint."""
        return Names.of(self.stack, self.model)

    def sagemaker_model(self) -> dict[str, Json]:
        """``CreateModel``: the image, the package, and what the server has to know about itself."""
        request: dict[str, Json] = {
            "PrimaryContainer": {
                "Image": self.stack.image,
                "ModelDataUrl": self.package_uri,
                "Environment": {
                    "SEATRIAL_MODEL": self.model,
                    "SEATRIAL_VERSION": self.version,
                    "SEATRIAL_DIGEST": self.digest,
                    "SEATRIAL_MAX_ROWS": str(self.settings.max_rows),
                    "SEATRIAL_MAX_BODY_BYTES": str(self.settings.max_body_bytes),
                },
            },
            "ExecutionRoleArn": self.stack.roles.endpoint,
            "EnableNetworkIsolation": True,
            "Tags": self.stack.tag_list(),
        }
        if self.stack.subnets:
            request["VpcConfig"] = {
                "Subnets": list(self.stack.subnets),
                "SecurityGroupIds": list(self.stack.security_groups),
            }
        return {"ModelName": f"{self.names.endpoint}-{_hash(request, 12)}", **request}

    def config(self, replaces: str | None) -> dict[str, Json]:
        """``CreateEndpointConfig`` for the endpoint that callers know."""
        capacity = self.stack.endpoint
        request = self._config(capacity.instances)
        if capacity.capture_percent:
            request["DataCaptureConfig"] = {
                "EnableCapture": True,
                "InitialSamplingPercentage": capacity.capture_percent,
                "DestinationS3Uri": self.stack.uri("capture", self.model),
                "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
                "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
                **({"KmsKeyId": self.stack.kms_key} if self.stack.kms_key else {}),
            }
        request["Tags"] = [*self.stack.tag_list(), {"Key": REPLACES, "Value": replaces or ""}]
        return self._named(f"{self.names.endpoint}-v{self.version}", request)

    def check_config(self) -> dict[str, Json]:
        """``CreateEndpointConfig`` for the temporary endpoint: one machine, nothing captured."""
        return self._named(
            f"{self.names.endpoint}-check-v{self.version}", {**self._config(1), "Tags": self.stack.tag_list()}
        )

    def _config(self, instances: int) -> dict[str, Json]:
        variant = {
            "VariantName": VARIANT,
            "ModelName": self.made or self.sagemaker_model()["ModelName"],
            "InitialInstanceCount": instances,
            "InstanceType": self.stack.endpoint.instance_type,
            "InitialVariantWeight": 1.0,
        }
        return {"ProductionVariants": [variant]}

    def _named(self, name: str, request: Mapping[str, Json]) -> dict[str, Json]:
        return {"EndpointConfigName": f"{name}-{_hash(request, 10)}", **request}


def routing(rollout: Rollout, instances: int) -> dict[str, Json]:
    """``TrafficRoutingConfiguration``: SageMaker knows one canary step, or equal steps, and none above half.

    Steps of another kind become a canary at the first of them, which waits as long as all of them would have. A step
    is one instance at least, which is half of two; of one there is no half, so that all traffic moves at once, is
    watched as long as the steps would have been, and goes back on an alarm all the same.

    Raises:
        UsageError: SageMaker does not wait so long.
    """
    steps, bake = rollout.steps, round(rollout.bake_minutes * 60)
    if bake > _LONGEST_WAIT_S:
        raise UsageError(
            f"rollout.bake_minutes is {rollout.bake_minutes:g}, and SageMaker waits at most {_LONGEST_WAIT_S // 60}",
            why="Each step of a rollout is watched for that long before the next.",
            todo="Lower it in model.toml, or take more steps.",
        )
    first = steps[0]
    equal = steps == tuple(range(first, 101, first))
    wait = min(bake * max(1, len(steps) - 1), _LONGEST_WAIT_S)
    if first == 100 or instances < 2:
        return {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": wait}
    step = max(first, math.ceil(100 / instances))
    if len(steps) > 2 and equal and _LINEAR_LEAST <= first <= _SHIFT_MOST:
        waits = math.ceil(100 / step)  # between the steps, and before what served goes
        if waits * bake >= _LONGEST_ROLLOUT_S:
            raise UsageError(
                f"the rollout takes {waits} steps of {rollout.bake_minutes:g} minutes, and SageMaker ends it after "
                f"{_LONGEST_ROLLOUT_S // 3600} hours",
                why="It would go back although nothing was wrong.",
                todo="Take fewer steps in model.toml, or shorter ones.",
            )
        return {"Type": "LINEAR", "WaitIntervalInSeconds": bake, "LinearStepSize": _percent(step)}
    return {"Type": "CANARY", "WaitIntervalInSeconds": wait, "CanarySize": _percent(min(step, _SHIFT_MOST))}


def deployment_config(names: Names, rollout: Rollout, instances: int) -> dict[str, Json]:
    """``DeploymentConfig`` of ``UpdateEndpoint``: blue/green, and back by itself when a guardrail's alarm goes off."""
    policy = {
        "TrafficRoutingConfiguration": routing(rollout, instances),
        "TerminationWaitInSeconds": round(rollout.bake_minutes * 60),
        "MaximumExecutionTimeoutInSeconds": _LONGEST_ROLLOUT_S,
    }
    alarms = [{"AlarmName": names.alarm(guardrail)} for guardrail in sorted(rollout.guardrails)]
    config: dict[str, Json] = {"BlueGreenUpdatePolicy": policy}
    if alarms:
        config["AutoRollbackConfiguration"] = {"Alarms": alarms}
    return config


def _percent(value: int) -> dict[str, Json]:
    return {"Type": "CAPACITY_PERCENT", "Value": value}


def _hash(request: Mapping[str, Json], digits: int) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:digits]
