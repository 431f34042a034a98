"""Runs a CrossGuard policy pack as Pulumi's command line does: in a process of its own, asked over gRPC.

The pack is not imported and knows nothing of this: what it says here is what it says to ``pulumi up --policy-pack``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from seatrial.errors import MissingExtra, RehearsalError
from seatrial.rehearsal.infra.provider.base import is_blob
from seatrial.rehearsal.infra.registered import Registration
from seatrial.rehearsal.infra.rpc import quieten

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_ASSET = "c44067f5952c0a294b673a41bacd8c17"
_ANSWER_S = 60.0
_END_S = 10.0

Level = Literal["advisory", "mandatory"]


@dataclass(frozen=True)
class Violation:
    """What a policy has against a resource, or against the stack as a whole."""

    policy: str
    level: Level
    """``mandatory``: `pulumi up` stops here."""
    urn: str
    message: str

    def __str__(self) -> str:
        return f"{self.level}: {self.policy}: {self.urn.rpartition('::')[2] or 'the stack'}: {self.message}"


class PolicyViolated(RehearsalError):
    """Mandatory policies of the pack forbid what the program asks for."""

    def __init__(self, violations: Iterable[Violation]) -> None:
        found = list(violations)
        count = "a mandatory policy" if len(found) == 1 else f"{len(found)} mandatory policies"
        super().__init__(
            f"The program breaks {count}: " + "; ".join(map(str, found)),
            why="`pulumi up --policy-pack ../policy` stops at the same place, and nothing after it is made.",
            todo="Change the program. Where the policy is wrong for this resource, change infra/policy and say why.",
        )


class Analyzer:
    """A running policy pack. See `analyzing`."""

    def __init__(self, stub: Any, stack_tags: Mapping[str, str]) -> None:
        """``stub``: an ``AnalyzerStub``; grpc has no types here."""
        from google.protobuf.empty_pb2 import Empty
        from pulumi.runtime.proto import analyzer_pb2

        self._stub, self._pb = stub, analyzer_pb2
        stub.ConfigureStack(analyzer_pb2.AnalyzerStackConfigureRequest(tags=dict(stack_tags)), timeout=_ANSWER_S)
        info = stub.GetAnalyzerInfo(Empty(), timeout=_ANSWER_S)
        self.policies: dict[str, str] = {
            policy.name: analyzer_pb2.EnforcementLevel.Name(policy.enforcementLevel).lower() for policy in info.policies
        }
        """Every policy of the pack with its level."""

    def configure(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """Set policies' properties, as ``--policy-pack-config`` does: policy -> property -> value."""
        levels = self._pb.EnforcementLevel
        self._stub.Configure(
            self._pb.ConfigureAnalyzerRequest(
                policyConfig={
                    name: self._pb.PolicyConfig(
                        enforcementLevel=levels.Value(self.policies[name].upper()), properties=_struct(properties)
                    )
                    for name, properties in settings.items()
                }
            ),
            timeout=_ANSWER_S,
        )

    def resource(self, registration: Registration) -> list[Violation]:
        """What the policies on single resources say, before it is created."""
        answer = self._stub.Analyze(
            self._pb.AnalyzeRequest(
                type=registration.type,
                properties=_struct(registration.inputs),
                urn=registration.urn,
                name=registration.name,
                options=self._options(registration),
            ),
            timeout=_ANSWER_S,
        )
        return [self._violation(each, registration.urn) for each in answer.diagnostics]

    def stack(self, registrations: Iterable[Registration]) -> list[Violation]:
        """What the policies on the whole stack say, once every resource is known."""
        answer = self._stub.AnalyzeStack(
            self._pb.AnalyzeStackRequest(
                resources=[
                    self._pb.AnalyzerResource(
                        type=each.type,
                        properties=_struct(each.inputs),
                        urn=each.urn,
                        name=each.name,
                        parent=each.parent,
                        dependencies=each.dependencies,
                        propertyDependencies={
                            name: self._pb.AnalyzerPropertyDependencies(urns=urns)
                            for name, urns in each.property_dependencies.items()
                        },
                        options=self._options(each),
                    )
                    for each in registrations
                ]
            ),
            timeout=_ANSWER_S,
        )
        return [self._violation(each, "") for each in answer.diagnostics]

    def everything(self, registrations: Iterable[Registration]) -> list[Violation]:
        """Both, in the order in which ``pulumi up`` asks."""
        known = list(registrations)
        return [found for each in known for found in self.resource(each)] + self.stack(known)

    def _options(self, registration: Registration) -> Any:
        return self._pb.AnalyzerResourceOptions(protect=registration.protect, parent=registration.parent)

    def _violation(self, diagnostic: Any, urn: str) -> Violation:
        level: Level = "mandatory" if diagnostic.enforcementLevel == self._pb.MANDATORY else "advisory"
        message = diagnostic.message.removeprefix(diagnostic.description).strip()
        return Violation(diagnostic.policyName, level, diagnostic.urn or urn, message or diagnostic.description)


def stop_at(violations: Iterable[Violation]) -> list[Violation]:
    """Give the advisory ones.

    Raises:
        PolicyViolated: one is mandatory.
    """
    found = list(violations)
    mandatory = [each for each in found if each.level == "mandatory"]
    if mandatory:
        raise PolicyViolated(mandatory)
    return found


@contextmanager
def analyzing(pack: Path, *, project: str, stack: str, tags: Mapping[str, str] | None = None) -> Iterator[Analyzer]:
    """Start a pack; it ends with the block.

    Args:
        pack: the folder with ``PulumiPolicy.yaml``.
        project: the Pulumi project's name; policies may read it.
        stack: the stack's name.
        tags: the stack's tags.

    Raises:
        MissingExtra: pulumi-policy is not installed.
        RehearsalError: the pack does not start; its own words are in the message.
    """
    quieten()
    try:
        import grpc
        import pulumi_policy  # noqa: F401 the pack needs it
        from pulumi.runtime.proto import analyzer_pb2_grpc
    except ModuleNotFoundError as missing:
        raise MissingExtra("The policy pack", "pulumi-policy", "infra") from missing
    with tempfile.TemporaryFile("w+") as said, _process(pack, project, stack, said) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port.isdigit():
            process.wait(_END_S)
            said.seek(0)
            raise RehearsalError(
                f"The policy pack '{pack}' does not start: {said.read().strip()[-2000:] or 'it said nothing'}",
                why="It printed no port, so that no resource can be shown to it.",
                todo=f"Run `python -m pulumi.policy 127.0.0.1:0 {pack}` and mend what it says.",
            )
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Analyzer(analyzer_pb2_grpc.AnalyzerStub(channel), tags or {})


@contextmanager
def _process(pack: Path, project: str, stack: str, said: IO[str]) -> Iterator[subprocess.Popen[str]]:
    """The pack's process, started in its folder as the command line does."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_"))},
        "PULUMI_PROJECT": project,
        "PULUMI_STACK": stack,
        "PULUMI_DRY_RUN": "true",
    }
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:0", "."],
        cwd=pack,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=said,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _struct(properties: Mapping[str, Any]) -> Any:
    from google.protobuf import json_format
    from google.protobuf.struct_pb2 import Struct

    return json_format.ParseDict(_without_blobs(dict(properties)), Struct())


def _without_blobs(value: Any) -> Any:
    """A blob's bytes mean nothing to a policy, and the pack reads an asset only by its text or its path."""
    if is_blob(value):
        return {_SIGNATURE: _ASSET, "text": ""}
    if isinstance(value, Mapping):
        return {name: _without_blobs(each) for name, each in value.items()}
    return [_without_blobs(each) for each in value] if isinstance(value, list | tuple) else value
