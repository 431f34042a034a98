"""The one way in which a graph is run: training's features, parity, batch and every endpoint go through here.

One thread unless asked otherwise: onnxruntime adds up a tree ensemble in another order on several threads, and the
last digit of a probability would then depend on the machine.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from seatrial.errors import MissingExtra, PackageError
from seatrial.package.signature import Packed

try:
    import onnxruntime as ort
    from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
except ModuleNotFoundError as missing:
    if missing.name != "onnxruntime":
        raise
    raise MissingExtra("running a model package", "onnxruntime", "serve") from missing

BLOCK = 16_384
"""Rows per call: bounds memory, and is large enough that the call itself costs nothing."""

_NOWHERE = "/dev/null/external-data-is-refused"
"""A folder that cannot exist. A graph that names weights in other files fails to load instead of reading them."""

_REFUSALS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
    RuntimeError,
    ValueError,
)


class Graph:
    """A loaded graph of inputs ``numeric`` and ``text`` (either may be absent) and one output."""

    def __init__(self, model: bytes, *, threads: int = 1) -> None:
        """Load a graph.

        Args:
            model: serialised ONNX, complete in itself.
            threads: for one call, within operators.

        Raises:
            PackageError: onnxruntime refuses it, or it keeps weights in other files.
        """
        ort.disable_telemetry_events()
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 4
        options.use_deterministic_compute = True
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", _NOWHERE)
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except _REFUSALS as exc:
            raise PackageError(
                f"onnxruntime refuses the graph: {exc}",
                why="A package is one self-contained graph of standard operators.",
                todo="Build the package again; if it was built elsewhere, compare the onnxruntime versions.",
            ) from exc
        self._inputs = {i.name: (i.type, tuple(i.shape)) for i in self._session.get_inputs()}
        self._outputs = {o.name: (o.type, tuple(o.shape)) for o in self._session.get_outputs()}
        self._names = list(self._outputs)

    @property
    def inputs(self) -> dict[str, tuple[str, tuple[int | str | None, ...]]]:
        """Name -> (type, shape) as onnxruntime reports them."""
        return self._inputs

    @property
    def outputs(self) -> dict[str, tuple[str, tuple[int | str | None, ...]]]:
        """Name -> (type, shape) as onnxruntime reports them."""
        return self._outputs

    def run(self, packed: Packed) -> npt.NDArray[np.float32]:
        """The output for every row, computed block by block; shape (n,) or (n, k), float32."""
        rows = packed.rows
        if 0 < rows <= BLOCK:
            return self._run(packed)
        shape = next(iter(self._outputs.values()))[1]
        result = np.empty((rows, *(int(s) for s in shape[1:] if s is not None)), np.float32)
        for start in range(0, rows, BLOCK):
            result[start : start + BLOCK] = self._run(packed.take(slice(start, start + BLOCK)))
        return result

    def _run(self, packed: Packed) -> npt.NDArray[np.float32]:
        feed: dict[str, npt.NDArray[Any]] = {}
        if "numeric" in self._inputs:
            feed["numeric"] = packed.numeric
        if "text" in self._inputs:
            feed["text"] = packed.text
        try:
            return self._session.run(self._names, feed)[0]  # type: ignore[no-any-return]  # untyped library
        except _REFUSALS as exc:
            raise PackageError(
                f"the graph cannot be run on these rows: {exc}",
                why="Rows that passed the signature's check should never stop a package.",
                todo="Check the rows with check_rows first; if they pass, this is a fault in the package.",
            ) from exc
