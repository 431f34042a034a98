"""Run as a script: what ``infra/aws`` registers for a stack, as JSON. Pulumi's own mocks, in a process of their own.

Every resource is answered with its inputs, an ARN of its kind and nothing else, so that only what the program asks for
is looked at. More arguments: ``preview`` leaves all outputs unknown, ``everything`` switches on what is optional.
"""

from __future__ import annotations

import asyncio
import json
import runpy
import sys
from pathlib import Path
from typing import Any

import pulumi
import yaml
from google.protobuf import json_format
from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.stack import run_in_stack
from pulumi.runtime.sync_await import _sync_await

PROGRAM = Path(__file__).resolve().parents[4] / "infra" / "aws"
ACCOUNT, REGION = "123456789012", "eu-central-1"
ARNS = {
    "aws:s3/bucket:Bucket": "arn:aws:s3:::{name}",
    "aws:kms/key:Key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{{name}}",
    "aws:ecr/repository:Repository": f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{{name}}",
    "aws:iam/role:Role": f"arn:aws:iam::{ACCOUNT}:role/{{name}}",
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": (
        f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
    ),
    "aws:sns/topic:Topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:{{name}}",
    "aws:lambda/function:Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{name}}",
    "aws:cloudwatch/eventRule:EventRule": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{{name}}",
    "aws:cloudwatch/logGroup:LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{name}}",
}
EVERYTHING = {
    "github": {
        "repository": "acme/seatrial",
        "environment": "prod",
        "state": {"bucket": "acme-pulumi-state", "key_arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/state"},
    },
    "boundary": f"arn:aws:iam::{ACCOUNT}:policy/seatrial-boundary",
    "tracking": {"size": "Small"},
    "readers": ["111122223333"],
    "emails": ["ml@example.com"],
    "network": {"cidr": "10.64.0.0/20"},
}
ANSWERS = {
    "getCallerIdentity": {"accountId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:user/tester", "userId": "U", "id": "1"},
    "getPartition": {
        "partition": "aws",
        "dnsSuffix": "amazonaws.com",
        "id": "aws",
        "reverseDnsPrefix": "com.amazonaws",
    },
    "getRegion": {"region": REGION, "name": REGION, "id": REGION, "endpoint": "", "description": "Europe (Frankfurt)"},
}


class Echo(mocks.Mocks):
    """Answers with what was asked for."""

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        return ANSWERS[args.token.rpartition(":")[2]], []

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        name = next((args.inputs[each] for each in ("name", "bucket") if args.inputs.get(each)), args.name)
        arn = ARNS.get(args.typ, f"arn:aws:{args.typ.split(':')[1].split('/')[0]}:{REGION}:{ACCOUNT}:{{name}}")
        return f"{args.name}-id", {"name": name, "arn": arn.format(name=name), "keyId": args.name, **args.inputs}


class Recorder(mocks.MockMonitor):
    """Keeps what Pulumi's own forgets, and runs the program's transforms, which it does not."""

    def __init__(self) -> None:
        super().__init__(Echo())
        self.kept: dict[str, dict[str, Any]] = {}
        """By URN: Pulumi's mocks begin a stack themselves. Registrations come from several threads."""

    def RegisterResource(self, request: resource_pb2.RegisterResourceRequest) -> Any:  # noqa: N802
        for transform in self.get_registered_transforms():
            self._transform(transform, request)
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        self.kept[answer.urn] = {
            "urn": answer.urn,
            "type": request.type,
            "name": request.name,
            "inputs": plain(json_format.MessageToDict(request.object)),
            "parent": request.parent,
            "protect": bool(request.protect),
            "dependencies": list(request.dependencies),
            "property_dependencies": {name: list(each.urns) for name, each in request.propertyDependencies.items()},
        }
        return answer

    def _transform(self, transform: Any, request: resource_pb2.RegisterResourceRequest) -> None:
        given = rpc.deserialize_properties(request.object)
        changed = transform(
            pulumi.ResourceTransformArgs(request.custom, request.type, request.name, given, pulumi.ResourceOptions())
        )
        if changed is not None:
            request.object.CopyFrom(_sync_await(rpc.serialize_properties(changed.props, {})))

    def RegisterResourceOutputs(self, request: resource_pb2.RegisterResourceOutputsRequest) -> Any:  # noqa: N802
        kept = self.kept.get(request.urn)
        if kept is not None and kept["type"] == "pulumi:pulumi:Stack":
            kept["inputs"] = plain(json_format.MessageToDict(request.outputs))
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def plain(value: Any) -> Any:
    """Without secrets' wrapping, with integers where protobuf has floats, and files as the engine hands them over."""
    if isinstance(value, dict):
        if value.get(rpc._special_sig_key) == rpc._special_secret_sig:
            return plain(value["value"])
        if rpc._special_sig_key in value:
            return {rpc._special_sig_key: value[rpc._special_sig_key], "hash": "0" * 64}
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def main(stack: str, preview: bool, everything: bool) -> None:
    """Prints a list of registrations."""
    settled = yaml.safe_load((PROGRAM / f"Pulumi.{stack}.yaml").read_text())["config"]
    settled |= {f"seatrial-aws:{name}": each for name, each in EVERYTHING.items()} if everything else {}
    config = {name: json.dumps(each) if isinstance(each, dict | list) else str(each) for name, each in settled.items()}
    config = {name: {"True": "true", "False": "false"}.get(each, each) for name, each in config.items()}
    pulumi.runtime.set_all_config(config)
    recorder = Recorder()

    def execute() -> None:
        runpy.run_path(str(PROGRAM / "__main__.py"), run_name="__main__")

    async def program() -> None:
        mocks.set_mocks(recorder.mocks, project="seatrial-aws", stack=stack, preview=preview, monitor=recorder)
        settings.set_root_resource(None)  # type: ignore[arg-type]
        await run_in_stack(execute)

    asyncio.run(program())
    json.dump(list(recorder.kept.values()), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], "preview" in sys.argv[2:], "everything" in sys.argv[2:])
