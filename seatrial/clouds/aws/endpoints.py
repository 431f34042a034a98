"""Endpoints on SageMaker: a version proves itself on a temporary endpoint, then takes over by blue/green deployment.

What serves is read from SageMaker each time (endpoint -> configuration -> model), and each configuration names the one
that it replaced. Nothing about an endpoint is remembered here, so whoever asks next continues a killed deployment.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from seatrial.clouds.aws import alarms, guardrails, made, scaling
from seatrial.clouds.aws.calls import LISTING, Call, declare
from seatrial.clouds.aws.deployment import TEMPORARY, Plan, deployment_config
from seatrial.clouds.aws.failures import Refused
from seatrial.clouds.aws.made import BUSY, Made, Serving
from seatrial.clouds.aws.names import Names
from seatrial.clouds.aws.session import Aws
from seatrial.clouds.aws.stack import StackOutputs
from seatrial.clouds.base import Registry, Replayed, Served
from seatrial.clouds.replay import replay, require_serving
from seatrial.errors import EndpointError, RegistryError
from seatrial.project import Endpoint, Rollout

Json = Any
_log = logging.getLogger(__name__)
_CLOCKS_DIFFER = timedelta(seconds=10)
_GONE = ("Failed", "OutOfService")
"""What an endpoint is that answers nobody. Others may answer still, whatever else is wrong with them."""
_NO_REASON = "SageMaker gives no reason"
_PROOFS = 3
"""How often a version may begin to prove itself, where other deployments of it remove what it does so on."""

_ENDPOINT = ("sagemaker:endpoint/{endpoint}",)
_CHECK = ("sagemaker:endpoint/{endpoint}-check-v*",)
_ALARMS = ("cloudwatch:alarm:{alarm}",)
DEPLOYS = declare(
    *made.MAKES,
    *scaling.CALLS,
    Call("sagemaker-runtime:InvokeEndpoint", _CHECK, "replay the golden sample where no caller sees it"),
    Call(
        "sagemaker:UpdateEndpoint",
        (*_ENDPOINT, "sagemaker:endpoint-config/{endpoint}-v*"),
        "move the traffic to another version",
    ),
    Call("cloudwatch:DescribeAlarms", _ALARMS, "see that the guardrails are there, quiet, and as model.toml says"),
    Call("cloudwatch:DescribeAlarmHistory", _ALARMS, "say what the alarm saw that brought the traffic back"),
)
VERIFIES = declare(
    *made.READS, Call("sagemaker-runtime:InvokeEndpoint", _ENDPOINT, "replay the golden sample through the endpoint")
)
ASKS = declare(
    *made.READS,
    Call("sagemaker-runtime:InvokeEndpoint", _ENDPOINT, "ask for predictions"),
)
STOPS = declare(
    *made.MAKES,
    *scaling.CALLS,
    Call("sagemaker:ListEndpoints", ("*",), "find endpoints on which versions prove themselves", star_reason=LISTING),
)
"""What ending an endpoint for good asks: no role does it, but the stack's owner."""


class AwsEndpoints:
    """The endpoint contract of ``seatrial.clouds.base``.

    Args:
        aws: how requests are made.
        stack: where everything is.
        registry: knows where packages lie, and takes a champion back whose rollout a guardrail ended.
        package_uri: from a digest, the archive that a model server gets.
        told: hears what a deployment waits for.
    """

    def __init__(
        self,
        aws: Aws,
        stack: StackOutputs,
        registry: Registry,
        package_uri: Callable[[str], str],
        *,
        told: Callable[[str], None] = _log.info,
    ) -> None:
        self._aws = aws
        self._stack = stack
        self._registry = registry
        self._package_uri = package_uri
        self._told = told
        self._made = Made(aws, stack, told)

    def deploy(
        self,
        name: str,
        version: str,
        package: Path,
        *,
        digest: str,
        settings: Endpoint,
        rollout: Rollout | None = None,
        before_switch: Callable[[], None] | None = None,
    ) -> Served:
        """Put a version behind the endpoint; see the contract."""
        plan = Plan(self._stack, name, version, digest, self._package_uri(digest), settings)
        return self._deploy(plan, package, rollout or Rollout(), before_switch or (lambda: None))

    def rollback(
        self,
        name: str,
        *,
        settings: Endpoint,  # noqa: ARG002 - it comes back as it served, limits and image included
        leaving: str | None = None,
        before_switch: Callable[[], None] | None = None,
    ) -> Served:
        """Put the version back that served before; see the contract. Once more goes further back, never forth."""
        serving = self._required(name)
        if leaving is not None:
            require_serving(name, serving.version, leaving)
        before = None if serving.replaces is None else self._made.serving(serving.replaces)
        if before is None:
            raise EndpointError(
                f"endpoint '{name}' has no previous version",
                why="No other version served before this one, or its configuration was deleted.",
                todo=f"Deploy another one, or end it: seatrial endpoint stop {name}",
            )
        uri = self._package_uri(before.digest)
        plan = Plan(self._stack, name, before.version, before.digest, uri, before.settings, made=before.sagemaker_model)
        package = self._package(name, before)
        return self._deploy(plan, package, Rollout(), before_switch or (lambda: None), back_to=before.config)

    def _deploy(
        self,
        plan: Plan,
        package: Path,
        rollout: Rollout,
        before_switch: Callable[[], None],
        *,
        back_to: str | None = None,
    ) -> Served:
        names = plan.names
        # refuses what SageMaker cannot do, before anything is made
        deployment = deployment_config(names, rollout, self._stack.endpoint.instances)
        guards = guardrails.alarms(names, rollout)
        alarms.require(self._aws, guards)
        state = self._made.settled(names.endpoint)
        if state is not None and state["EndpointStatus"] in _GONE:
            self._told(f"endpoint {names.endpoint} is {state['EndpointStatus']}: it is made anew")
            self._made.delete_endpoint(names.endpoint)
            state = None
        if state is not None and state["EndpointStatus"] != "InService":
            raise EndpointError(
                f"endpoint {names.endpoint} is {state['EndpointStatus']}: {state.get('FailureReason') or _NO_REASON}",
                why="It may still answer callers, so that it is neither changed nor made anew.",
                todo=f"Look at it in SageMaker, or end it: seatrial endpoint stop {plan.model} --cloud aws",
            )
        serving = None if state is None else self._made.serving(state["EndpointConfigName"])
        wanted = plan.config(_replaced_by(plan, serving))
        if serving is not None and serving.config == (back_to or wanted["EndpointConfigName"]):
            before_switch()
            scaling.apply(self._aws, self._stack, names.endpoint)  # of a run that ended before it, or newly wanted
            self._made.tidy(plan.model)
            return self._served(plan.model, serving, changed=False)
        self._prove(plan, package)
        if state is not None:
            alarms.await_quiet(self._aws, guards, self._told)
        begun = datetime.now(UTC) - _CLOCKS_DIFFER
        before_switch()
        config = back_to or wanted["EndpointConfigName"]
        try:
            if back_to is None:
                self._made.make_config(wanted)
            if state is None:
                self._create(names, config)
            else:
                self._make_way(names, serving, config)
                self._shift(names, config, deployment)
        except Refused as refused:
            state = self._made.describe(names.endpoint)
            if state is None or state["EndpointStatus"] not in BUSY:
                failed = self._refused(plan, refused, back=back_to is not None)
                self._scales_on(names, state)
                raise failed from refused
            self._told(f"endpoint {names.endpoint} is moved by another deployment already: {refused.what}")
        found = self._made.settled(names.endpoint, until=config)
        if found is None or found["EndpointStatus"] != "InService" or found["EndpointConfigName"] != config:
            failed = self._came_back(plan, found, alarms.evidence(self._aws, guards, begun), back=back_to is not None)
            self._scales_on(names, found)
            raise failed
        scaling.apply(self._aws, self._stack, names.endpoint)
        self._made.tidy(plan.model)
        return self._served(plan.model, self._made.serving(config) or self._required(plan.model), changed=True)

    # steps of a deployment

    def _prove(self, plan: Plan, package: Path) -> None:
        """Bring the version up where no caller sees it, and replay its golden sample. The temporary endpoint goes.

        Deployments of one version share it (an approval may be told twice). Whoever is done first removes it; who was
        not done begins anew.
        """
        for left in reversed(range(_PROOFS)):
            if plan.made is None:
                self._made.make("CreateModel", plan.sagemaker_model())
            try:
                self._prove_once(plan, package)
            except _TakenAway as taken:
                if not left:
                    raise taken.failed from taken
                self._told(f"another deployment of v{plan.version} removed {plan.names.check(plan.version)}: once more")
            else:
                return

    def _prove_once(self, plan: Plan, package: Path) -> None:
        version, check = f"challenger {plan.model} v{plan.version}", plan.names.check(plan.version)
        config = plan.check_config()
        there = self._made.settled(check)
        used: Json = None
        try:
            if there is not None and _serves(there, config["EndpointConfigName"]):
                used = _made_at(there)
            else:
                self._made.delete_endpoint(check)  # left over by a process that was killed
                self._made.make_config(config)
                self._told(f"{plan.model} v{plan.version} is starting on {check}")
                self._made.make(
                    "CreateEndpoint",
                    {
                        "EndpointName": check,
                        "EndpointConfigName": config["EndpointConfigName"],
                        "Tags": [*self._stack.tag_list(), TEMPORARY],
                    },
                )
                used = _made_at(self._made.describe(check))
                there = self._made.settled(check)
            if there is None or not _serves(there, config["EndpointConfigName"]):
                reason = (there or {}).get("FailureReason", "it was deleted meanwhile")
                raise EndpointError(
                    f"{version} did not become healthy: {reason}",
                    why="It was tried on an endpoint of its own. What served before still serves.",
                    todo=f"Its log group: /aws/sagemaker/Endpoints/{check}",
                )
            if not self._aws.dry_run:
                replay(version, package, plan.digest, plan.settings, lambda body: self._invoke(check, body))
        except (EndpointError, Refused) as failed:
            state = self._made.describe(check)
            gone = state is None or state["EndpointStatus"] == "Deleting" or _made_at(state) != used
            if (isinstance(failed, Refused) and failed.absent) or (used is not None and gone):
                raise _TakenAway(failed) from failed
            raise
        finally:
            if _made_at(self._made.describe(check)) in (None, used):
                self._made.delete_endpoint(check)
                self._made.delete("EndpointConfig", config["EndpointConfigName"])

    def _create(self, names: Names, config: str) -> None:
        self._told(f"endpoint {names.endpoint} is being made")
        request = {"EndpointName": names.endpoint, "EndpointConfigName": config, "Tags": self._stack.tag_list()}
        self._made.make("CreateEndpoint", request)

    def _shift(self, names: Names, config: str, deployment: Mapping[str, Json]) -> None:
        """Start the blue/green deployment."""
        kind = deployment["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["Type"]
        self._told(f"endpoint {names.endpoint} moves to {config} ({kind})")
        self._made.update(
            {
                "EndpointName": names.endpoint,
                "EndpointConfigName": config,
                "RetainAllVariantProperties": self._stack.endpoint.max_instances is not None,  # what it scaled to
                "DeploymentConfig": dict(deployment),
            }
        )

    def _make_way(self, names: Names, serving: Serving | None, config: str) -> None:
        """SageMaker changes no machine type while the endpoint scales; `scaling.apply` begins that anew."""
        wanted = self._made.serving(config)
        if serving is not None and wanted is not None and serving.instance_type != wanted.instance_type:
            scaling.remove(self._aws, names.endpoint)

    def _scales_on(self, names: Names, state: Mapping[str, Json] | None) -> None:
        """What stays in service scales as before, also where it had to stop for machines of another type."""
        if state is None or state["EndpointStatus"] != "InService":
            return
        try:
            scaling.apply(self._aws, self._stack, names.endpoint)
        except Refused as refused:  # what failed before matters more, and is told
            self._told(f"endpoint {names.endpoint} may have stopped scaling: {refused.what}")

    def _refused(self, plan: Plan, refused: Refused, *, back: bool) -> EndpointError:
        """The traffic did not begin to move: make the registry agree with the endpoint, and say why."""
        version = f"{plan.model} v{plan.version}"
        if back:
            return EndpointError(
                f"{version} could not be put back: {refused.what}",
                why=f"{refused.why} What was to leave still serves, although the registry has taken it back.",
                todo=f"{refused.todo} Then run the same command again: it finishes the way back.",
            )
        return EndpointError(
            f"{version} proved itself, and did not get the traffic: {refused.what}",
            why=f"{refused.why} What served before serves. {self._champion_of_what_serves(plan)}",
            todo=f"{refused.todo} Then release it with again = true.",
        )

    def _came_back(self, plan: Plan, found: Mapping[str, Json] | None, seen: str, *, back: bool) -> EndpointError:
        """The traffic did not stay with the version: make the registry agree with the endpoint, and say why."""
        names = plan.names
        if found is not None and found["EndpointStatus"] in _GONE:
            self._made.delete_endpoint(names.endpoint)
        evidence = str((found or {}).get("FailureReason") or _NO_REASON) + seen
        log = f"The server's log group: /aws/sagemaker/Endpoints/{names.endpoint}"
        if back:
            return EndpointError(
                f"{plan.model} v{plan.version} could not be put back: {evidence}",
                why="What was to leave still serves, although the registry has taken it back.",
                todo=f"Run the same command again: it finishes the way back. {log}",
            )
        return EndpointError(
            f"{plan.model} v{plan.version} was rolled back by SageMaker: {evidence}",
            why=f"What served before serves. {self._champion_of_what_serves(plan)}",
            todo=log,
        )

    def _champion_of_what_serves(self, plan: Plan) -> str:
        """Take the champion back that no longer serves; says who is champion now."""
        state = self._made.describe(plan.names.endpoint)
        serving = None if state is None else self._made.serving(state["EndpointConfigName"])
        champion = self._registry.champion(plan.model)
        lost = champion is not None and champion.digest == plan.digest
        if champion is not None and lost and (serving is None or serving.digest != plan.digest):
            try:
                champion = self._registry.rollback(plan.model, champion.number)
            except RegistryError as exc:
                return f"The registry could not be brought back: {exc.what}."
            return f"The champion is {'none' if champion is None else f'v{champion.number}'} again."
        return f"The champion is {'none' if champion is None else f'v{champion.number}'}."

    # reading

    def get(self, name: str) -> Served:
        """What serves now."""
        return self._served(name, self._required(name), changed=False)

    def list(self) -> Sequence[Mapping[str, Json]]:
        """Every endpoint of the stack: name, status, url, version."""
        rows = []
        for model in sorted(self._stack.models):
            name = Names.of(self._stack, model).endpoint
            state = self._made.describe(name)
            if state is None:
                continue
            serving = self._made.serving(state["EndpointConfigName"])
            before = None if serving is None or serving.replaces is None else self._made.serving(serving.replaces)
            status = state["EndpointStatus"]
            rows.append(
                {
                    "name": model,
                    "status": "healthy" if status == "InService" else status.lower(),
                    "url": self._url(name),
                    "version": None if serving is None else serving.version,
                    "digest": None if serving is None else serving.digest,
                    "previous": None if before is None else before.version,
                    "log": f"/aws/sagemaker/Endpoints/{name}",
                }
            )
        return rows

    def fingerprint(self, name: str) -> Mapping[str, Json]:
        """Which version serves, and whether SageMaker's health checks pass."""
        state = self._made.describe(Names.of(self._stack, name).endpoint)
        serving = None if state is None else self._made.serving(state["EndpointConfigName"])
        if state is None or serving is None or state["EndpointStatus"] not in ("InService", "Updating", "RollingBack"):
            return {"version": None, "digest": None, "healthy": False}
        return {"version": serving.version, "digest": serving.digest, "healthy": True}

    def verify(self, name: str, version: str) -> Replayed:
        """Replay the serving version's golden sample through the endpoint."""
        serving = self._required(name)
        require_serving(name, serving.version, version)
        endpoint = Names.of(self._stack, name).endpoint
        return replay(
            f"endpoint {name} v{version}",
            self._package(name, serving),
            serving.digest,
            serving.settings,
            lambda body: self._invoke(endpoint, body),
        )

    def predict(self, name: str, document: Json) -> Json:
        """Ask for predictions; see the contract."""
        try:
            return self._invoke(Names.of(self._stack, name).endpoint, json.dumps(document).encode())
        except Refused as refused:
            if refused.absent:
                raise self._unknown(name) from refused
            raise

    def _invoke(self, endpoint: str, body: bytes) -> Json:
        answer = self._aws.ask(
            "sagemaker-runtime",
            "InvokeEndpoint",
            EndpointName=endpoint,
            Body=body,
            ContentType="application/json",
            Accept="application/json",
        )
        return json.loads(answer["Body"].read())

    def _package(self, name: str, serving: Serving) -> Path:
        return self._registry.package_path(self._registry.version(name, int(serving.version)))

    def _required(self, name: str) -> Serving:
        state = self._made.describe(Names.of(self._stack, name).endpoint)
        if state is None:
            raise self._unknown(name)
        serving = self._made.serving(state["EndpointConfigName"])
        if serving is None or state["EndpointStatus"] in ("Creating", "Failed", "Deleting"):
            raise EndpointError(
                f"endpoint '{name}' serves nothing ({state['EndpointStatus']})",
                why=state.get("FailureReason") or "It is not up, or something else than Seatrial configured it.",
                todo=f"Run the model again, or end it: seatrial endpoint stop {name}",
            )
        return serving

    def _unknown(self, name: str) -> EndpointError:
        running = [str(each["name"]) for each in self.list()]
        return EndpointError(
            f"there is no running endpoint '{name}'",
            why=f"Running in {self._stack.region}: {', '.join(running) or 'none'}.",
            todo=f"Bring it up: seatrial launch {name} --cloud aws",
        )

    def _served(self, name: str, serving: Serving, *, changed: bool) -> Served:
        url = self._url(Names.of(self._stack, name).endpoint)
        return Served(name=name, url=url, version=serving.version, digest=serving.digest, changed=changed)

    def _url(self, endpoint: str) -> str:
        root = self._aws.client("sagemaker-runtime").meta.endpoint_url
        return f"{root}/endpoints/{endpoint}/invocations"

    # making and removing

    def stop(self, name: str) -> bool:
        """Delete the endpoint and everything that belongs to it; the registry keeps its versions."""
        names = Names.of(self._stack, name)
        was_there = self._made.delete_endpoint(names.endpoint)
        scaling.remove(self._aws, names.endpoint)
        listed = self._aws.pages("sagemaker", "ListEndpoints", "Endpoints", NameContains=names.endpoint)
        for check in [each["EndpointName"] for each in listed if names.is_check(each["EndpointName"])]:
            self._made.delete_endpoint(check)
        self._made.remove(names)
        return was_there


class _TakenAway(Exception):
    """The temporary endpoint was removed or replaced while a version proved itself on it."""

    def __init__(self, failed: EndpointError | Refused) -> None:
        super().__init__(failed)
        self.failed = failed


def _serves(endpoint: Mapping[str, Json], config: str) -> bool:
    return (endpoint["EndpointStatus"], endpoint["EndpointConfigName"]) == ("InService", config)


def _made_at(endpoint: Mapping[str, Json] | None) -> Json:
    """What tells an endpoint from another one of its name; None where there is none, or in a dry run."""
    return None if endpoint is None else endpoint.get("CreationTime")


def _replaced_by(plan: Plan, serving: Serving | None) -> str | None:
    """The configuration that a deployment replaces. The same version on other machines keeps its predecessor."""
    if serving is None:
        return None
    return serving.replaces if serving.digest == plan.digest and serving.version == plan.version else serving.config
