"""The HTTP side of endpoints: SageMaker's operations, and InvokeEndpoint of the runtime."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from botocore.exceptions import ClientError
from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.models import sagemaker_backends
from moto.sagemaker.responses import SageMakerResponse
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from seatrial.rehearsal.aws.endpoints.endpoint import Endpoint, NoServer, NoVariant
from seatrial.rehearsal.aws.endpoints.fleet import Fleet, config_gaps
from seatrial.rehearsal.aws.operations import executed
from seatrial.rehearsal.aws.refusals import Refused, invalid, unsupported
from seatrial.rehearsal.aws.world import World

_LARGEST_BODY = 6_291_456
_HANDED_ON = ("Content-Type", "Accept", "X-Amzn-SageMaker-Custom-Attributes")


class EndpointOperations(SageMakerResponse):  # type: ignore[misc]  # moto counts as Any
    """Creating, updating, describing and deleting endpoints."""

    world: ClassVar[World]

    def create_model(self) -> Any:
        """Remember a model, once."""
        self._refuse_taken(self.sagemaker_backend._models, self.params["ModelName"], "model")
        return super().create_model()

    def create_endpoint_config(self) -> Any:
        """Remember a configuration, once, whose models exist."""
        self._refuse_taken(
            self.sagemaker_backend.endpoint_configs, self.params["EndpointConfigName"], "endpoint configuration"
        )
        for variant in self.params["ProductionVariants"]:
            name = variant.get("ModelName")
            if name and name not in self.sagemaker_backend._models:
                raise self._not_found("model", name)
        return super().create_endpoint_config()

    def _refuse_taken(self, known: Any, name: str, what: str) -> None:
        if name in known:
            raise invalid(f'Cannot create already existing {what} "{self._arn(what, name)}".')

    def _not_found(self, what: str, name: str) -> Refused:
        return invalid(f'Could not find {what} "{self._arn(what, name)}".')

    def _arn(self, what: str, name: str) -> str:
        kind = {"endpoint configuration": "endpoint-config"}.get(what, what)
        return f"arn:aws:sagemaker:{self.region}:{self.current_account}:{kind}/{name}"

    def _fleet(self) -> Fleet:
        name = self.params["EndpointConfigName"]
        if name not in self.sagemaker_backend.endpoint_configs:
            raise self._not_found("endpoint configuration", name)
        config = self.sagemaker_backend.describe_endpoint_config(name)
        models = {key: model.response_object for key, model in self.sagemaker_backend._models.items()}
        gaps = config_gaps(config, models)
        for variant in config["ProductionVariants"]:
            uri = models.get(variant.get("ModelName", ""), {}).get("PrimaryContainer", {}).get("Image", "")
            if not any(image.serves for image in self.world.images if image.answers_to(uri)):
                gaps.append(f"image '{uri}', whose 'serve' command it does not know (Image.serve)")
        if gaps:
            raise unsupported(f"in endpoints: {'; '.join(gaps)}")
        return Fleet(self.world, self.region, self.params["EndpointName"], name)

    def _endpoint(self) -> Endpoint:
        name = self.params["EndpointName"]
        record = self.sagemaker_backend.endpoints.get(name)
        endpoint: Endpoint | None = getattr(record, "rehearsed", None)  # moto has its record a moment earlier
        if endpoint is None:
            raise self._not_found("endpoint", name)
        return endpoint

    def _ready_endpoint(self, what: str) -> Endpoint:
        endpoint = self._endpoint()
        if endpoint.status not in ("InService", *(["Failed"] if what == "delete" else [])):
            raise invalid(f'Cannot {what} in-progress endpoint "{endpoint.arn}".')
        return endpoint

    @executed
    def create_endpoint(self) -> Any:
        """Start the servers; InService once all are healthy."""
        name = self.params["EndpointName"]
        self._refuse_taken(self.sagemaker_backend.endpoints, name, "endpoint")
        fleet = self._fleet()
        answer = super().create_endpoint()
        record = self.sagemaker_backend.endpoints[name]
        record.rehearsed = Endpoint(self.world, self.region, record, fleet)
        record.rehearsed.create()
        return answer

    @executed
    def update_endpoint(self) -> Any:
        """Deploy another configuration: all at once, canary or linear, with alarms that roll it back."""
        endpoint = self._ready_endpoint("update")
        deployment = self.params.get("DeploymentConfig")
        for key in ("ExcludeRetainedVariantProperties", "RetainDeploymentConfig"):
            if self.params.get(key):
                raise unsupported(key)
        if deployment and deployment.get("RollingUpdatePolicy"):
            raise unsupported("RollingUpdatePolicy")
        routing = (deployment or {}).get("BlueGreenUpdatePolicy", {}).get("TrafficRoutingConfiguration", {})
        for key in ("CanarySize", "LinearStepSize"):
            if routing.get(key, {}).get("Type", "CAPACITY_PERCENT") != "CAPACITY_PERCENT":
                raise unsupported(f"{key} by INSTANCE_COUNT")
            if routing.get(key, {}).get("Value", 1) > 50:
                raise invalid(f"{key} must be at most 50 percent of the capacity")
        missing = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}.get(routing.get("Type", ""))
        if missing and missing not in routing:
            raise invalid(f"{missing} is required for traffic routing of type {routing['Type']}")
        fleet = self._fleet()
        self._require_alarms(deployment or {}, fleet.role)
        if self.params.get("RetainAllVariantProperties"):
            endpoint.hand_on(fleet)
        endpoint.update(fleet, deployment)
        return ActionResult({"EndpointArn": endpoint.arn})

    def _require_alarms(self, deployment: dict[str, Any], role: str) -> None:
        names = [each["AlarmName"] for each in deployment.get("AutoRollbackConfiguration", {}).get("Alarms", [])]
        if not names:
            return
        cloudwatch = self.world.client("cloudwatch", self.region, role)
        try:
            found = cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]
        except ClientError as denied:
            raise invalid(f"Could not look at the rollback alarms as the model's role: {denied}") from denied
        known = {each["AlarmName"] for each in found}
        missing = [name for name in names if name not in known]
        if missing:
            raise invalid(f"Could not find the rollback alarm(s) {', '.join(missing)}")

    @executed
    def update_endpoint_weights_and_capacities(self) -> Any:
        """Change the split between variants, at once; capacities are not rehearsed."""
        endpoint = self._ready_endpoint("update")
        wanted = self.params["DesiredWeightsAndCapacities"]
        said = endpoint.describe()
        known = [each["VariantName"] for each in said["ProductionVariants"]]
        names = [each["VariantName"] for each in wanted]
        for name in names:
            if names.count(name) > 1:
                raise invalid(f'The variant name "{name}" was non-unique within the request.')
            if name not in known:
                raise invalid(
                    f'The variant name(s) "{name}" is/are not present within endpoint configuration '
                    f'"{said["EndpointConfigName"]}".'
                )
        endpoint.set_weights({e["VariantName"]: float(e["DesiredWeight"]) for e in wanted if "DesiredWeight" in e})
        return ActionResult({"EndpointArn": endpoint.arn})

    @executed
    def describe_endpoint(self) -> Any:
        """The state of the servers."""
        return ActionResult(self._endpoint().describe())

    @executed
    def delete_endpoint(self) -> Any:
        """End the servers after their last request."""
        endpoint = self._ready_endpoint("delete")
        endpoints = self.sagemaker_backend.endpoints
        endpoint.delete(lambda: endpoints.pop(endpoint.name, None))
        return EmptyResult()


class Runtime(SageMakerRuntimeResponse):  # type: ignore[misc]  # moto counts as Any
    """InvokeEndpoint. moto answers with canned text whatever the endpoint."""

    world: ClassVar[World]
    use_raw_body = True

    def invoke_endpoint(self) -> Any:
        """Hand the request to a server of the endpoint."""
        name = self.path.split("/")[2]
        record = sagemaker_backends[self.current_account][self.region].endpoints.get(name)
        if not hasattr(record, "rehearsed") or record.endpoint_status in ("Creating", "Deleting", "Failed"):
            return _error(400, "ValidationError", f"Endpoint {name} of account {self.current_account} not found.")
        if len(self.raw_body) > _LARGEST_BODY:
            return _error(413, "ValidationError", f"The request is larger than {_LARGEST_BODY} bytes.")
        headers = {key: self.headers[key] for key in _HANDED_ON if key in self.headers}
        try:
            target = self.headers.get("X-Amzn-SageMaker-Target-Variant")
            variant, answer = record.rehearsed.invoke(self.raw_body, headers, target)
        except NoVariant as unknown:
            return _error(400, "ValidationError", str(unknown))
        except NoServer as restarting:
            return _error(503, "ServiceUnavailable", str(restarting))
        if answer.status != 200:
            text = answer.body.decode("utf-8", "replace")[:1024]
            said = f'Received server error ({answer.status or "no answer"}) from primary with message "{text}".'
            return _error(424, "ModelError", said, OriginalStatusCode=answer.status or 500, OriginalMessage=text)
        found = {"Content-Type": answer.content_type, "x-Amzn-Invoked-Production-Variant": variant.name}
        return 200, found, answer.body

    def invoke_endpoint_async(self) -> Any:
        """Refused: nothing stands behind moto's answer."""
        return _error(
            400, "ValidationError", "The rehearsal does not support InvokeEndpointAsync. See docs/rehearsal.md."
        )


def _error(status: int, code: str, message: str, **more: Any) -> Any:
    headers = {"Content-Type": "application/json", "x-amzn-errortype": code, "status": status}
    return status, headers, json.dumps({"Message": message, "message": message, **more})
