"""Runs the program in this process against Pulumi's own mocks, and keeps every registration as it was requested."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import runpy
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pulumi.runtime import mocks, rpc
from pulumi.runtime.settings import SETTINGS, get_root_resource, set_root_resource
from pulumi.runtime.stack import run_pulumi_func

PROGRAM = Path(__file__).parents[4] / "infra" / "aws"
ACCOUNT = "111122223333"
PROJECT = "seatrial-aws"
Json = Any
quiet = pytest.mark.filterwarnings("ignore:.* has been deprecated in favor of:DeprecationWarning")
"""The SDK warns of its own old classes when it is imported."""


@dataclass(frozen=True)
class Registered:
    """One resource as the program asked for it."""

    type: str
    name: str
    inputs: dict[str, Json]
    protect: bool
    parent: str
    depends: tuple[str, ...]


@dataclass(frozen=True)
class Ran:
    """What a run of the program registered and exported."""

    resources: tuple[Registered, ...]
    outputs: dict[str, Json]

    def of(self, kind: str) -> list[Registered]:
        """Resources whose type ends so: ``s3/bucket:Bucket`` or only ``:Bucket``."""
        return [each for each in self.resources if each.type.endswith(kind)]

    def one(self, kind: str, name: str) -> Registered:
        """The only one of that type and name."""
        (found,) = [each for each in self.of(kind) if each.name == name]
        return found


class _Cloud(mocks.Mocks):
    """Answers what a provider would compute, and nothing else: an output that is missing here stays missing."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Json]]:
        given = dict(args.inputs)
        module, _, kind = args.typ.partition("/")
        name = next((given[key] for key in ("name", "bucket", "modelPackageGroupName") if key in given), args.name)
        short = kind.partition(":")[0]
        arn = f"arn:aws:{module.split(':')[1]}:eu-central-1:{ACCOUNT}:{short}/{name}"
        special = {
            "aws:iam/role:Role": f"arn:aws:iam::{ACCOUNT}:role/{name}",
            "aws:s3/bucket:Bucket": f"arn:aws:s3:::{name}",
            "aws:sns/topic:Topic": f"arn:aws:sns:eu-central-1:{ACCOUNT}:{name}",
            "aws:ecr/repository:Repository": f"arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/{name}",
            "aws:kms/key:Key": f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/{args.name}",
            "aws:cloudwatch/metricAlarm:MetricAlarm": f"arn:aws:cloudwatch:eu-central-1:{ACCOUNT}:alarm:{name}",
            "aws:cloudwatch/eventRule:EventRule": f"arn:aws:events:eu-central-1:{ACCOUNT}:rule/{name}",
        }
        given.setdefault("arn", special.get(args.typ, arn))
        if short == "key":
            given["keyId"] = args.name
        prefixes = {"vpc": "vpc", "subnet": "subnet", "securityGroup": "sg", "routeTable": "rtb", "vpcEndpoint": "vpce"}
        return f"{prefixes.get(short, 'id')}-{args.name}", given

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Json], list[tuple[str, str]] | None]:
        known: dict[str, dict[str, Json]] = {
            "aws:index/getCallerIdentity:getCallerIdentity": {
                "accountId": ACCOUNT,
                "arn": "a",
                "userId": "u",
                "id": "i",
            },
            "aws:index/getRegion:getRegion": {"region": "eu-central-1", "id": "eu-central-1", "name": "eu-central-1"},
            "aws:index/getPartition:getPartition": {"partition": "aws", "id": "aws", "dnsSuffix": "amazonaws.com"},
        }
        return known[args.token], []


class _Recorder(mocks.MockMonitor):
    """Keeps requests with what `mocks.MockMonitor` drops, after the program's transforms, which it does not run."""

    def __init__(self) -> None:
        super().__init__(_Cloud())
        self.found: list[Registered] = []
        self.loops: set[asyncio.AbstractEventLoop] = set()

    def Invoke(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        answer = super().Invoke(request)  # type: ignore[no-untyped-call]
        self._note_loop()
        return answer

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != "pulumi:pulumi:Stack":
            self._note_loop()
        inputs = rpc.deserialize_properties(request.object)
        for transform in self.get_registered_transforms():
            told = pulumi.ResourceTransformArgs(
                request.custom, request.type, request.name, inputs, pulumi.ResourceOptions()
            )
            changed = transform(told)
            assert changed is None or isinstance(changed, pulumi.ResourceTransformResult)
            inputs = inputs if changed is None else dict(changed.props)
        names = tuple(urn.split("::")[-1] for urn in request.dependencies)
        self.found.append(
            Registered(request.type, request.name, inputs, request.protect, request.parent.split("::")[-1], names)
        )
        return answer

    def _note_loop(self) -> None:
        """The base class makes a loop in every worker's thread, and closes none."""
        if threading.current_thread() is not threading.main_thread():
            self.loops.add(asyncio.get_event_loop_policy().get_event_loop())


def _main() -> None:
    runpy.run_path(str(PROGRAM), run_name="__main__")


def settings_of(stack: str) -> dict[str, str]:
    """``Pulumi.<stack>.yaml`` as Pulumi hands it to the program: structures as JSON, the rest as text."""
    table = yaml.safe_load((PROGRAM / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))["config"]
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in table.items()}


def run(stack: str, changed: Mapping[str, str | None] | None = None, *, preview: bool = False) -> Ran:
    """Run the program as it is; this project, with the same settings, once for all tests.

    Args:
        stack: whose settings.
        changed: settings of the program that differ; ``None``: left out.
        preview: what only an update would know stays unknown.
    """
    asked = (stack, tuple((changed or {}).items()), preview)
    return _run(*asked) if "SEATRIAL_PROJECT" in os.environ else _kept(*asked)


@functools.cache
def _kept(stack: str, changed: tuple[tuple[str, str | None], ...], preview: bool) -> Ran:
    return _run(stack, changed, preview)


def _run(stack: str, changed: tuple[tuple[str, str | None], ...], preview: bool) -> Ran:
    config = settings_of(stack)
    for key, value in changed:
        if value is None:
            del config[f"{PROJECT}:{key}"]
        else:
            config[f"{PROJECT}:{key}"] = value
    recorder = _Recorder()
    pulumi.runtime.set_all_config(config, [])
    set_root_resource(None)  # type: ignore[arg-type]  # else the stack of the run before this one is kept

    async def program() -> dict[str, Json]:
        mocks.set_mocks(recorder.mocks, project=PROJECT, stack=stack, preview=preview, monitor=recorder)
        SETTINGS.outputs.clear()
        await run_pulumi_func(_main)
        exported = get_root_resource().outputs  # type: ignore[union-attr]
        return {name: await pulumi.Output.from_input(value).future() for name, value in exported.items()}

    try:
        outputs = asyncio.run(program())
    finally:
        for loop in recorder.loops:
            loop.close()
    return Ran(tuple(recorder.found), outputs)
