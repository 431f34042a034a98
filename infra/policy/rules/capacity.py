"""Machines are of the kinds that the budget was made for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rules.resources import Resource, Settings, Stack, resource_rule, stack_rule, strings

_TYPES = {
    "types": strings(
        (
            *(
                f"ml.{family}.{size}"
                for family in ("m5", "c5", "m6i", "c6i", "m7i", "c7i")
                for size in ("large", "xlarge", "2xlarge")
            ),
            "ml.t3.medium",
            "ml.t3.large",
        ),
        "Instance types that may be had without asking.",
    )
}


@resource_rule("instance-types", "Machines are of an allowed type.", settings=_TYPES)
def instance_types(resource: Resource, settings: Settings) -> Iterator[str]:
    """A type with eight graphics processors costs more in a day than the rest in a month."""
    if resource.type.startswith("aws:sagemaker/"):
        for found in _named(resource.props, "instanceType"):
            if found not in settings["types"]:
                yield f"{found} is not allowed; allowed are {_shown(settings)}"


@resource_rule(
    "tracking-server-size",
    "A tracking server is of an allowed size.",
    "aws:sagemaker/mlflowTrackingServer:MlflowTrackingServer",
    settings={"sizes": strings(("Small",), "Sizes that may be had without asking.")},
)
def tracking_server_size(server: Resource, settings: Settings) -> Iterator[str]:
    """It costs by the hour, used or not."""
    size = server.props.get("trackingServerSize", "Small")
    if isinstance(size, str) and size not in settings["sizes"]:
        yield f"trackingServerSize {size} is not allowed; allowed is {', '.join(settings['sizes'])}"


@stack_rule("output-instance-type", "Endpoints are told to use an allowed type of machine.", settings=_TYPES)
def output_instance_type(stack: Stack, settings: Settings) -> Iterator[tuple[Resource, str]]:
    """The program makes no endpoint: the engine does, with what the stack's output ``endpoint`` says."""
    for root in stack.of("pulumi:pulumi:Stack"):
        for name in ("instance_type", "instanceType"):
            for found in _named({"endpoint": root.props.get("endpoint")}, name):
                if found not in settings["types"]:
                    yield root, f"the output endpoint.{name} is {found}; allowed are {_shown(settings)}"


def _named(value: Any, name: str) -> Iterator[str]:
    """Texts under a name, at any depth."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            if key == name and isinstance(each, str):
                yield each
            else:
                yield from _named(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from _named(each, name)


def _shown(settings: Settings) -> str:
    types = settings["types"]
    return ", ".join(types[:6]) + (f" and {len(types) - 6} more" if len(types) > 6 else "")


POLICIES = (instance_types, tracking_server_size, output_instance_type)
