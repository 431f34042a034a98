"""Transforms: functions of the program that change a registration, called back in the program's process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from seatrial.errors import RehearsalError

if TYPE_CHECKING:
    import grpc
    from pulumi.runtime.proto.callback_pb2 import Callback
    from pulumi.runtime.proto.resource_pb2 import RegisterResourceRequest, TransformResourceOptions

# option of a transform -> field of the request, where the names differ
_LISTS = {
    "depends_on": "dependencies",
    "ignore_changes": "ignoreChanges",
    "replace_on_changes": "replaceOnChanges",
    "aliases": "aliases",
    "additional_secret_outputs": "additionalSecretOutputs",
    "replace_with": "replace_with",
    "hide_diff": "hideDiffs",
}
_SCALARS = {
    "version": "version",
    "provider": "provider",
    "plugin_download_url": "pluginDownloadURL",
    "deleted_with": "deletedWith",
    "import": "importId",
}
_OPTIONAL = {"protect": "protect", "retain_on_delete": "retainOnDelete"}
_MESSAGES = {"custom_timeouts": "customTimeouts", "replacement_trigger": "replacement_trigger", "hooks": "hooks"}
_MAPS = {"providers": "providers", "plugin_checksums": "pluginChecksums"}


class ProgramEnded(Exception):
    """The program is not there any more to transform what it registered: it failed for another reason."""


class Transforms:
    """Those of the stack, and how any of them is called."""

    def __init__(self) -> None:
        """None are registered yet."""
        self._of_stack: list[Callback] = []
        self._channels: dict[str, grpc.Channel] = {}
        self._lock = threading.Lock()

    def add(self, callback: Callback) -> None:
        """One more for everything that is registered from now on."""
        with self._lock:
            self._of_stack.append(callback)

    def apply(self, request: RegisterResourceRequest) -> None:
        """Have every transform change the request: the resource's own, its parents' and then the stack's.

        Raises:
            RehearsalError: a transform failed in the program.
            ProgramEnded: it ended meanwhile.
        """
        with self._lock:
            callbacks = [*request.transforms, *self._of_stack]
        for each in callbacks:
            self._call(each, request)

    def close(self) -> None:
        """Let go of the program's process."""
        with self._lock:
            for channel in self._channels.values():
                channel.close()
            self._channels.clear()

    def _call(self, callback: Callback, request: RegisterResourceRequest) -> None:
        import grpc
        from pulumi.runtime.proto import callback_pb2, callback_pb2_grpc, resource_pb2

        asked = resource_pb2.TransformRequest(
            type=request.type,
            name=request.name,
            custom=request.custom,
            parent=request.parent,
            properties=request.object,
            options=_options(request),
        )
        with self._lock:
            channel = self._channels.setdefault(callback.target, grpc.insecure_channel(callback.target))
        try:
            answer = callback_pb2_grpc.CallbacksStub(channel).Invoke(
                callback_pb2.CallbackInvokeRequest(token=callback.token, request=asked.SerializeToString())
            )
        except grpc.RpcError as failed:
            if failed.code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE):
                raise ProgramEnded from failed
            raise RehearsalError(
                f"a transform of {request.name} ({request.type}) failed: {failed.details()}",
                why="The resource would be registered without it.",
                todo="Correct the function that the program gave to register_resource_transform or transforms.",
            ) from failed
        changed = resource_pb2.TransformResponse.FromString(answer.response)
        if changed.HasField("properties"):
            request.object.CopyFrom(changed.properties)
        if changed.HasField("options"):
            _take(changed.options, request)


def _options(request: RegisterResourceRequest) -> TransformResourceOptions:
    from pulumi.runtime.proto import resource_pb2

    options = resource_pb2.TransformResourceOptions()
    for option, field in _LISTS.items():
        getattr(options, option).extend(getattr(request, field))
    for option, field in _SCALARS.items():
        setattr(options, option, getattr(request, field))
    for option, field in _OPTIONAL.items():
        if request.HasField(field):  # type: ignore[arg-type]
            setattr(options, option, getattr(request, field))
    for option, field in _MESSAGES.items():
        if request.HasField(field):  # type: ignore[arg-type]
            getattr(options, option).CopyFrom(getattr(request, field))
    for option, field in _MAPS.items():
        getattr(options, option).update(getattr(request, field))
    if request.deleteBeforeReplaceDefined:
        options.delete_before_replace = request.deleteBeforeReplace
    return options


def _take(options: TransformResourceOptions, request: RegisterResourceRequest) -> None:
    """The program's answer holds all options, changed or not."""
    for option, field in _LISTS.items():
        request.ClearField(field)  # type: ignore[arg-type]
        getattr(request, field).extend(getattr(options, option))
    for option, field in _SCALARS.items():
        setattr(request, field, getattr(options, option))
    for option, field in (_OPTIONAL | _MESSAGES).items():
        request.ClearField(field)  # type: ignore[arg-type]
        if options.HasField(option):  # type: ignore[arg-type]
            if option in _OPTIONAL:
                setattr(request, field, getattr(options, option))
            else:
                getattr(request, field).CopyFrom(getattr(options, option))
    for option, field in _MAPS.items():
        request.ClearField(field)  # type: ignore[arg-type]
        getattr(request, field).update(getattr(options, option))
    request.deleteBeforeReplaceDefined = options.HasField("delete_before_replace")
    request.deleteBeforeReplace = options.delete_before_replace
