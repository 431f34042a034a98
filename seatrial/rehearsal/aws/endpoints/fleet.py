"""The servers of one endpoint configuration, and which of them a request goes to."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.rehearsal.aws.endpoints.keeper import Keeper
from seatrial.rehearsal.aws.endpoints.modelserver import NotHealthy, Served
from seatrial.rehearsal.aws.world import World

_HEALTH_S = 600  # the service's, where ContainerStartupHealthCheckTimeoutInSeconds is left out


@dataclass
class Variant:
    """One production variant and its server."""

    name: str
    weight: float
    instances: int
    server: Keeper

    def describe(self) -> dict[str, Any]:
        """As DescribeEndpoint tells it."""
        weight, count = self.weight, self.instances
        return {
            "VariantName": self.name,
            "CurrentWeight": weight,
            "DesiredWeight": weight,
            "CurrentInstanceCount": count,
            "DesiredInstanceCount": count,
        }


class Fleet:
    """All variants of one configuration. Healthy once `start` returns."""

    def __init__(self, world: World, region: str, endpoint: str, config_name: str) -> None:
        """Read the configuration and its models; nothing runs yet."""
        client = world.client("sagemaker", region)
        self.config: Mapping[str, Any] = client.describe_endpoint_config(EndpointConfigName=config_name)
        self.config_name = config_name
        self.role = ""
        """Whom its first variant runs as, and its traffic is captured as."""
        self.variants: list[Variant] = []
        for declared in self.config["ProductionVariants"]:
            model = client.describe_model(ModelName=declared["ModelName"])
            container = model["PrimaryContainer"]
            health = declared.get("ContainerStartupHealthCheckTimeoutInSeconds", _HEALTH_S)
            served = Served(
                endpoint=endpoint,
                variant=declared["VariantName"],
                image=container["Image"],
                model_uri=container.get("ModelDataUrl", ""),
                environment=container.get("Environment", {}),
                health_limit_s=health,
                instance=declared.get("InstanceType", ""),
                role=str(model.get("ExecutionRoleArn", "")),
            )
            self.role = self.role or served.role
            weight = float(declared.get("InitialVariantWeight", 1.0))
            instances = int(declared.get("InitialInstanceCount", 1))
            self.variants.append(Variant(served.variant, weight, instances, Keeper(world, region, served)))

    def start(self) -> None:
        """Start every server; all of them end again when one of them is not healthy.

        Raises:
            NotHealthy: one did not come up.
        """
        try:
            for variant in self.variants:
                variant.server.start()
        except NotHealthy:
            self.kill()
            raise

    def choose(self, target: str | None) -> Variant | None:
        """The variant that was asked for, or one by weight. None where there is no such variant."""
        if target is not None:
            return next((each for each in self.variants if each.name == target), None)
        weights = [each.weight for each in self.variants]
        if not any(weights):
            return None
        return random.choices(self.variants, weights)[0]  # noqa: S311 a split of traffic, not a secret

    def retire(self) -> None:
        """End every server after its last request."""
        for variant in self.variants:
            variant.server.retire()

    def kill(self) -> None:
        """End every server at once."""
        for variant in self.variants:
            variant.server.kill()


def config_gaps(config: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What AWS would serve and this rehearsal does not."""
    gaps = [key for key in ("ShadowProductionVariants", "AsyncInferenceConfig", "ExplainerConfig") if config.get(key)]
    for variant in config["ProductionVariants"]:
        if variant.get("ServerlessConfig"):
            gaps.append(f"variant '{variant['VariantName']}': ServerlessConfig")
        model = models.get(variant.get("ModelName", ""))
        if model is None or "Image" not in model.get("PrimaryContainer", {}):
            gaps.append(f"variant '{variant['VariantName']}': a model without one PrimaryContainer with an Image")
    return gaps
