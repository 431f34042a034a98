"""What the program's process talks to: Pulumi's ResourceMonitor and Engine services, over gRPC on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, resource_pb2, resource_pb2_grpc

from seatrial.errors import RehearsalError, SeatrialError
from seatrial.rehearsal.infra.deployment import Deployment
from seatrial.rehearsal.infra.goal import goal_of
from seatrial.rehearsal.infra.provider.base import UnsupportedType
from seatrial.rehearsal.infra.reading import read
from seatrial.rehearsal.infra.registration import register
from seatrial.rehearsal.infra.state import STACK
from seatrial.rehearsal.infra.transforms import ProgramEnded, Transforms
from seatrial.rehearsal.infra.values import decode, encode, has_unknown, plain

ORGANIZATION = "organization"
"""Of stacks that no service keeps, as Pulumi calls it."""
_FEATURES = (
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
)
_THREADS = 256
"""More than a program registers at a time."""
_LARGEST = 400 * 1024 * 1024  # Pulumi's own limit of a message
_Context = Any  # grpc has no types


class Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    """Answers for one deployment. What it does not support it refuses by name, and the program fails."""

    def __init__(self, deployment: Deployment, transforms: Transforms) -> None:
        """One program's."""
        self._deployment = deployment
        self._transforms = transforms

    def GetDeploymentInfo(self, request: Any, context: _Context) -> resource_pb2.DeploymentInfo:
        """What is deployed, and what can be asked for."""
        settings = self._deployment.settings
        return resource_pb2.DeploymentInfo(
            project=settings.project,
            stack=settings.stack,
            organization=ORGANIZATION,
            dryRun=self._deployment.dry_run,
            supportedFeatures=_FEATURES,
        )

    def RegisterResource(self, request: resource_pb2.RegisterResourceRequest, context: _Context) -> Any:
        """Bring a resource to its goal."""

        def answer() -> resource_pb2.RegisterResourceResponse:
            if request.type != STACK:
                self._transforms.apply(request)
            goal = goal_of(request)
            with self._deployment.turn(self._deployment.urn(goal.parent, goal.type, goal.name)):
                made = register(self._deployment, goal)
            return resource_pb2.RegisterResourceResponse(urn=made.urn, id=made.id, object=encode(made.outputs))

        return self._answer(answer, context)

    def RegisterResourceOutputs(self, request: resource_pb2.RegisterResourceOutputsRequest, context: _Context) -> Any:
        """Take what a component, or the stack, gives out."""

        def answer() -> empty_pb2.Empty:
            from dataclasses import replace

            with self._deployment.lock:
                made = self._deployment.new[request.urn]
                self._deployment.record(replace(made, outputs=decode(request.outputs)))
            return empty_pb2.Empty()

        return self._answer(answer, context)

    def ReadResource(self, request: resource_pb2.ReadResourceRequest, context: _Context) -> Any:
        """Read what somebody else owns."""

        def answer() -> resource_pb2.ReadResourceResponse:
            found = read(self._deployment, request)
            return resource_pb2.ReadResourceResponse(urn=found.urn, id=found.id, properties=encode(found.outputs))

        return self._answer(answer, context)

    def Invoke(self, request: resource_pb2.ResourceInvokeRequest, context: _Context) -> Any:
        """Answer a function of the provider."""

        def answer() -> resource_pb2.ResourceInvokeResponse:
            arguments = decode(request.args)
            if has_unknown(arguments):
                return resource_pb2.ResourceInvokeResponse(unknown=True)
            if request.tok.startswith("pulumi:"):
                raise UnsupportedType(request.tok, ())
            found = self._deployment.provider.invoke(request.tok, plain(arguments))
            return resource_pb2.ResourceInvokeResponse(**{"return": encode(found)})

        return self._answer(answer, context)

    def RegisterStackTransform(self, request: Any, context: _Context) -> empty_pb2.Empty:
        """Take a transform of everything that follows."""
        self._transforms.add(request)
        return empty_pb2.Empty()

    def SignalAndWaitForShutdown(self, request: Any, context: _Context) -> empty_pb2.Empty:
        """The program has registered everything."""
        return empty_pb2.Empty()

    def Call(self, request: Any, context: _Context) -> Any:
        """Methods of remote components."""
        self._refuse(f"the method {request.tok}", context)

    def ExistsResource(self, request: Any, context: _Context) -> Any:
        """Whether something exists."""
        self._refuse(f"asking whether {request.type} {request.id} exists", context)

    def RegisterStackInvokeTransform(self, request: Any, context: _Context) -> Any:
        """Transforms of functions."""
        self._refuse("register_invoke_transform", context)

    def RegisterResourceHook(self, request: Any, context: _Context) -> Any:
        """Hooks."""
        self._refuse(f"the resource hook {request.name}", context)

    def RegisterErrorHook(self, request: Any, context: _Context) -> Any:
        """Hooks on errors."""
        self._refuse(f"the error hook {request.name}", context)

    def RegisterPackage(self, request: Any, context: _Context) -> Any:
        """Parameterized packages."""
        self._refuse(f"the parameterized package {request.name}", context)

    def _answer(self, answer: Callable[[], Any], context: _Context) -> Any:
        try:
            return answer()
        except ProgramEnded:
            context.abort(grpc.StatusCode.CANCELLED, "the program ended")
        except SeatrialError as problem:
            self._deployment.fail(problem)
            context.abort(grpc.StatusCode.UNKNOWN, self._deployment.hide(problem.what))
        except Exception as problem:  # noqa: BLE001 told as what it is, a fault of the engine, and not as the program's
            what = f"the rehearsal's engine failed: {type(problem).__name__}: {problem}"
            self._deployment.fail(
                RehearsalError(what, why="This is a defect of the rehearsal.", todo="Report it, with the program.")
            )
            context.abort(grpc.StatusCode.INTERNAL, self._deployment.hide(what))

    def _refuse(self, what: str, context: _Context) -> None:
        problem = RehearsalError(
            f"{what} is not rehearsed",
            why="Leaving it out would rehearse another program than yours.",
            todo="Do without it, or add it to seatrial/rehearsal/infra.",
        )
        self._deployment.fail(problem)
        context.abort(grpc.StatusCode.UNIMPLEMENTED, problem.what)


class Engine(engine_pb2_grpc.EngineServicer):
    """Takes messages, and remembers the root."""

    def __init__(self, deployment: Deployment) -> None:
        """One program's."""
        self._deployment = deployment
        self._root = ""
        self.errors: list[str] = []
        """What the program called errors."""

    def Log(self, request: engine_pb2.LogRequest, context: _Context) -> empty_pb2.Empty:
        """Keep warnings and errors."""
        text = self._deployment.hide(request.message)
        if request.severity == engine_pb2.ERROR:
            self.errors.append(text)
        elif request.severity == engine_pb2.WARNING:
            self._deployment.messages.append(text)
        return empty_pb2.Empty()

    def GetRootResource(self, request: Any, context: _Context) -> engine_pb2.GetRootResourceResponse:
        """The stack's URN."""
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    def SetRootResource(
        self, request: engine_pb2.SetRootResourceRequest, context: _Context
    ) -> engine_pb2.SetRootResourceResponse:
        """Take the stack's URN."""
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()

    def RequirePulumiVersion(self, request: Any, context: _Context) -> Any:
        """This engine is of no version of Pulumi."""
        problem = RehearsalError(
            "require_pulumi_version is not rehearsed",
            why=f"The program wants {request.pulumi_version_range}, and Pulumi's command line does not run here.",
            todo="Say it as requiredPulumiVersion where the command line is installed.",
        )
        self._deployment.fail(problem)
        context.abort(grpc.StatusCode.UNIMPLEMENTED, problem.what)


class Server:
    """Both services, for as long as one program runs."""

    def __init__(self, deployment: Deployment) -> None:
        """Not started yet."""
        self._transforms = Transforms()
        self.engine = Engine(deployment)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="pulumi-monitor")
        sizes = [("grpc.max_receive_message_length", _LARGEST), ("grpc.max_send_message_length", _LARGEST)]
        self._server = grpc.server(self._pool, options=sizes)
        resource_pb2_grpc.add_ResourceMonitorServicer_to_server(Monitor(deployment, self._transforms), self._server)
        engine_pb2_grpc.add_EngineServicer_to_server(self.engine, self._server)
        self.address = ""

    def __enter__(self) -> Server:
        """Listen on a free port of loopback."""
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what is being applied: it has to be recorded."""
        self._transforms.close()
        stopped: threading.Event = self._server.stop(None)
        stopped.wait()
        self._pool.shutdown(wait=True)
