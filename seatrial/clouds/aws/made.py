"""Endpoints, configurations and models as SageMaker has them: read, waited for, made once, removed.

What is made is named by what is in it. So making it again is no error, and what is there is right. In a dry run nothing
is made; what would be there is answered from the requests, so that those that follow are the ones of a real run.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from seatrial.clouds.aws.calls import LISTING, Call, declare
from seatrial.clouds.aws.deployment import REPLACES
from seatrial.clouds.aws.failures import Refused
from seatrial.clouds.aws.names import Names
from seatrial.clouds.aws.session import Aws
from seatrial.clouds.aws.stack import StackOutputs
from seatrial.errors import EndpointError
from seatrial.project import Endpoint

Json = Any
_CONFIGS = ("sagemaker:endpoint-config/{endpoint}-v*", "sagemaker:endpoint-config/{endpoint}-check-v*")
_MODELS = ("sagemaker:model/{endpoint}-????????????",)
_ENDPOINT = ("sagemaker:endpoint/{endpoint}",)
_ENDPOINTS = (*_ENDPOINT, "sagemaker:endpoint/{endpoint}-check-v*")
READS = declare(
    Call("sagemaker:DescribeEndpoint", _ENDPOINT, "see what the endpoint does"),
    Call("sagemaker:DescribeEndpointConfig", _CONFIGS[:1], "see what it serves"),
    Call("sagemaker:ListTags", _CONFIGS[:1], "see what served before"),
    Call("sagemaker:DescribeModel", _MODELS, "see which version that is"),
)
MAKES = declare(
    *READS,
    Call("sagemaker:DescribeEndpoint", _ENDPOINTS, "wait for an endpoint"),
    Call("sagemaker:CreateModel", _MODELS, "make a version ready to be served"),
    Call("sagemaker:CreateEndpointConfig", _CONFIGS, "say how it is served"),
    Call("sagemaker:CreateEndpoint", (*_ENDPOINTS, *_CONFIGS), "bring it up"),
    Call("sagemaker:AddTags", (*_ENDPOINTS, *_CONFIGS, *_MODELS), "tag what is made"),
    Call("sagemaker:DeleteEndpoint", _ENDPOINTS, "end the endpoint on which a version proved itself"),
    Call("sagemaker:DeleteEndpointConfig", _CONFIGS, "remove what nobody goes back to"),
    Call("sagemaker:DeleteModel", _MODELS, "remove what nobody goes back to"),
    Call("sagemaker:ListEndpointConfigs", ("*",), "find what nobody goes back to", star_reason=LISTING),
    Call("sagemaker:ListModels", ("*",), "find what nobody goes back to", star_reason=LISTING),
    Call("iam:PassRole", ("role:endpoint",), "let model servers run as their role"),
)
BUSY = ("Creating", "Updating", "RollingBack", "SystemUpdating", "Deleting")
_FIRST_LOOK_S = 0.05
_SLOWEST_LOOK_S = 15.0
_BELIEVED_S = 60.0
_SEEN_S = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Pauses in which what was just made becomes visible: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpoint.html"""
_LONGEST_S = 10 * 3600.0
_KEPT = 3
"""Configurations of the chain that stay: what serves, and two to go back to."""


@dataclass(frozen=True)
class Serving:
    """What a configuration serves."""

    config: str
    sagemaker_model: str
    version: str
    digest: str
    settings: Endpoint
    replaces: str | None
    instance_type: str


class Made:
    """What exists in a stack for its endpoints. ``told`` hears what is waited for."""

    def __init__(self, aws: Aws, stack: StackOutputs, told: Callable[[str], None]) -> None:
        self._aws = aws
        self._stack = stack
        self._told = told
        self._planned: dict[tuple[str, str], dict[str, Json] | None] = {}  # by kind and name; None: it would be gone

    def describe(self, endpoint: str) -> dict[str, Json] | None:
        return self._described("Endpoint", endpoint)

    def _described(self, kind: str, name: str) -> dict[str, Json] | None:
        if (kind, name) in self._planned:
            return self._planned[kind, name]
        try:
            found: dict[str, Json] = self._aws.ask("sagemaker", f"Describe{kind}", **{f"{kind}Name": name})
            if kind == "EndpointConfig":
                found["Tags"] = self._aws.ask("sagemaker", "ListTags", ResourceArn=found["EndpointConfigArn"])["Tags"]
        except Refused as refused:
            if refused.absent:
                return None
            raise
        return found

    def serving(self, config: str) -> Serving | None:
        """What a configuration serves; None when it is gone, or not one of Seatrial's."""
        found = self._described("EndpointConfig", config)
        name = "" if found is None else found["ProductionVariants"][0]["ModelName"]
        model = self._described("Model", name) if name else None
        if found is None or model is None:
            return None
        known = model["PrimaryContainer"].get("Environment", {})
        if "SEATRIAL_VERSION" not in known:
            return None
        return Serving(
            config=config,
            sagemaker_model=name,
            version=known["SEATRIAL_VERSION"],
            digest=known["SEATRIAL_DIGEST"],
            settings=Endpoint(
                max_rows=int(known["SEATRIAL_MAX_ROWS"]), max_body_bytes=int(known["SEATRIAL_MAX_BODY_BYTES"])
            ),
            replaces=next((tag["Value"] for tag in found["Tags"] if tag["Key"] == REPLACES), "") or None,
            instance_type=found["ProductionVariants"][0].get("InstanceType", ""),
        )

    def settled(self, endpoint: str, *, until: str | None = None) -> dict[str, Json] | None:
        """Wait until nothing is going on; None when there is no such endpoint (any more).

        ``until``: the configuration that was just asked for. SageMaker may still tell the state before that for a
        while: an endpoint in service with another configuration is believed at once only if it says why.
        """
        begun = time.monotonic()
        end, believed = begun + _LONGEST_S, begun + _BELIEVED_S
        pause, last = _FIRST_LOOK_S, ""
        while True:
            state = self.describe(endpoint)
            if state is None or self._aws.dry_run:
                return state
            busy = state["EndpointStatus"] in BUSY
            told = until in (None, state["EndpointConfigName"]) or bool(last) or "FailureReason" in state
            if not busy and (told or time.monotonic() > believed):
                return state
            if busy and state["EndpointStatus"] != last:
                last = state["EndpointStatus"]
                self._told(f"endpoint {endpoint} is {last}")
            if time.monotonic() > end:
                raise EndpointError(
                    f"endpoint '{endpoint}' has been {last} for {_LONGEST_S / 3600:.0f} hours",
                    why="SageMaker ends a deployment by itself after eight.",
                    todo="Look at it in SageMaker, then run the same command again: it goes on from there.",
                )
            time.sleep(pause)
            pause = min(_SLOWEST_LOOK_S, pause * 1.1)

    def make_config(self, request: Mapping[str, Json]) -> str:
        self.make("CreateEndpointConfig", request)
        return str(request["EndpointConfigName"])

    def make(self, operation: str, request: Mapping[str, Json]) -> None:
        """Create something whose name says what is in it: when it is there, it is right."""
        try:
            self._seen(operation, request)
        except Refused as refused:
            if not refused.taken:
                raise
        if self._aws.dry_run:
            kind = operation.removeprefix("Create")
            self._planned[kind, request[f"{kind}Name"]] = {**request, "EndpointStatus": "InService"}

    def _seen(self, operation: str, request: Mapping[str, Json]) -> None:
        """Send it, again where what was made just before is not visible yet."""
        for pause in (*_SEEN_S, None):
            try:
                self._aws.submit("sagemaker", operation, **request)
            except Refused as refused:
                if not refused.absent or pause is None:
                    raise
                time.sleep(pause)
            else:
                return

    def update(self, request: Mapping[str, Json]) -> None:
        """Move an endpoint to another configuration; how it ends, :meth:`settled` tells."""
        self._seen("UpdateEndpoint", request)
        if self._aws.dry_run:
            self._planned["Endpoint", request["EndpointName"]] = {**request, "EndpointStatus": "InService"}

    def delete(self, kind: str, name: str) -> bool:
        """Delete an ``Endpoint``, an ``EndpointConfig`` or a ``Model``; False when it was not there."""
        try:
            self._aws.submit("sagemaker", f"Delete{kind}", **{f"{kind}Name": name})
        except Refused as refused:
            if not refused.absent:
                raise
            return False
        if self._aws.dry_run:
            self._planned[kind, name] = None
        return True

    def delete_endpoint(self, endpoint: str) -> bool:
        """Delete an endpoint, after what is going on with it; False when there was none."""
        if self.settled(endpoint) is None:
            return False
        try:
            self.delete("Endpoint", endpoint)
        except Refused:  # somebody else deletes it, or did; or this very request was repeated after a lost answer
            state = self.describe(endpoint)
            if state is not None and state["EndpointStatus"] != "Deleting":
                raise
        self.settled(endpoint)
        return True

    def tidy(self, name: str) -> None:
        """Remove configurations and models that nobody goes back to: neither what serves nor what served before it.

        Nor what is of a later version: another deployment may be about to put it there.
        """
        names = Names.of(self._stack, name)
        state = self.describe(names.endpoint)
        serving = None if state is None else self.serving(state["EndpointConfigName"])
        if serving is None:
            return  # somebody has ended the endpoint since, or put something of their own there
        keep, newest = list[Serving](), int(serving.version)
        while serving is not None and len(keep) < _KEPT:
            keep.append(serving)
            serving = None if serving.replaces is None else self.serving(serving.replaces)
        self._remove(names, {each.config for each in keep}, {each.sagemaker_model for each in keep}, newest)

    def remove(self, names: Names) -> None:
        """Remove every configuration and model of an endpoint that has been ended."""
        self._remove(names, set(), set(), math.inf)

    def _remove(self, names: Names, configs: Set[str], models: Set[str], newest: float) -> None:
        """All but these, and but what is of a later version than ``newest``."""
        for config in self._names("EndpointConfigs", "EndpointConfigName", names):
            version = names.version_of(config)
            if version is not None and version <= newest and config not in configs:
                self.delete("EndpointConfig", config)
        for model in self._names("Models", "ModelName", names):
            if names.is_model(model) and model not in models and self._version_of(model) <= newest:
                self.delete("Model", model)

    def _version_of(self, model: str) -> int:
        found = self._described("Model", model) or {}
        return int(found.get("PrimaryContainer", {}).get("Environment", {}).get("SEATRIAL_VERSION", 0))

    def _names(self, kind: str, member: str, names: Names) -> Sequence[str]:
        found = self._aws.pages("sagemaker", f"List{kind}", kind, NameContains=names.endpoint)
        return [str(each[member]) for each in found]
