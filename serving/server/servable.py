"""One version of a model in memory: a SavedModel whose signatures can be run from many threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from serving.server import tensors
from serving.server.batching import Batching
from serving.server.errors import Code, ServingError, invalid

DEFAULT_SIGNATURE = "serving_default"


class _Input:
    """What a signature expects of one input, read once from its message: requests are many."""

    def __init__(self, name: str, info: meta_graph_pb2.TensorInfo) -> None:
        self.name = name
        self._dtype: np.dtype = np.dtype(tensors.numpy_type(info.dtype))
        self._dims = [dim.size for dim in info.tensor_shape.dim]
        self._any_rank = info.tensor_shape.unknown_rank
        self._fixed = [(axis, size) for axis, size in enumerate(self._dims) if size != -1]

    def check(self, position: int, array: np.ndarray) -> None:
        """Raise ServingError unless the array is of the right dtype and shape."""
        if array.dtype != self._dtype:
            wanted, given = map(
                tensors.dtype_name, map(tensors.dtype_of, (self._dtype, array.dtype))
            )
            raise invalid(
                f"Expects arg[{position}] to be {wanted} but {given} is provided "
                f"(input '{self.name}')"
            )
        if self._any_rank:
            return
        shape = array.shape
        if len(shape) != len(self._dims) or any(shape[axis] != n for axis, n in self._fixed):
            raise invalid(
                f"Input '{self.name}' has shape {_shape(shape)} but the signature expects "
                f"{_shape(self._dims)}"
            )


class Signature:
    """A named function of the model: arrays in, arrays out, keyed by the signature's names."""

    def __init__(
        self,
        definition: meta_graph_pb2.SignatureDef,
        function: Any,
        queue: str,
        batching: Batching | None,
    ) -> None:
        self.definition = definition
        self.method_name = definition.method_name
        self.inputs: dict[str, meta_graph_pb2.TensorInfo] = dict(definition.inputs)
        self._queue = queue
        self._batching = batching
        self._function = function
        self._captures = list(function.captured_inputs)
        # A signature's arguments and results are flattened in the order of their sorted names.
        self._input_names = sorted(definition.inputs)
        self._output_names = sorted(definition.outputs)
        self._output_dtypes = [output.dtype for output in function.outputs]
        self._expected = [_Input(name, definition.inputs[name]) for name in self._input_names]
        self._check_order()

    def _check_order(self) -> None:
        inputs = self._function.inputs[: len(self._function.inputs) - len(self._captures)]
        declared = [self.definition.inputs[name].dtype for name in self._input_names]
        returned = [self.definition.outputs[name].dtype for name in self._output_names]
        if [i.dtype.as_datatype_enum for i in inputs] != declared or [
            dtype.as_datatype_enum for dtype in self._output_dtypes
        ] != returned:
            raise ServingError(
                Code.FAILED_PRECONDITION, f"{self._queue}: function and signature differ"
            )

    def check(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Raise ServingError unless the arrays fit the signature's names, dtypes and shapes."""
        if arrays.keys() != self.inputs.keys():
            given, wanted = set(arrays), set(self.inputs)
            raise invalid(
                f"input size does not match signature: {len(given)}!={len(wanted)} "
                f"len({_names(given)}) != len({_names(wanted)}). "
                f"Sent extra: {_names(given - wanted)}. "
                f"Missing but required: {_names(wanted - given)}."
            )
        for position, expected in enumerate(self._expected):
            expected.check(position, arrays[expected.name])

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the signature's outputs. Blocks; safe to call from many threads.

        Raises ServingError for inputs that do not fit, TensorFlow's errors for what fails inside.
        """
        self.check(arrays)
        ordered = [arrays[name] for name in self._input_names]
        if self._batching:
            self._batching.check(ordered)
        results = self._call([tensors.to_tensor(array) for array in ordered])
        return {
            name: np.asarray(result.numpy(), object)
            if result.dtype == tf.string
            else result.numpy()
            for name, result in zip(self._output_names, results, strict=True)
        }

    def _call(self, args: list[tf.Tensor]) -> list[tf.Tensor]:
        if self._batching:
            return self._batching.call(
                self._queue, self._function, args, self._captures, self._output_dtypes
            )
        if tensors.GPUS:
            # The slow way knows which arguments, as text, must stay off the GPU.
            outputs = self._function(**dict(zip(self._input_names, args, strict=True)))
            return [outputs[name] for name in self._output_names]
        # It does the same through 450 µs of Python: ten times the cost of this operation.
        return tf.raw_ops.StatefulPartitionedCall(
            args=args + self._captures, Tout=self._output_dtypes, f=self._function
        )


def _names(names: set[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"


def _shape(sizes: Any) -> str:
    return "[" + ",".join(map(str, sizes)) + "]"


@dataclass(frozen=True, eq=False)
class Servable:
    """A loaded version. Whoever holds one may run it; it leaves memory with its last holder."""

    name: str
    version: int
    path: Path
    definitions: Mapping[str, meta_graph_pb2.SignatureDef]
    signatures: Mapping[str, Signature]
    # The functions die with the object that they were loaded with.
    loaded: Any


def load(name: str, version: int, path: Path, batching: Batching | None) -> Servable:
    """Load the SavedModel at `path` (tag `serve`).

    Raises ServingError or TensorFlow's own errors when it is missing, torn or not servable.
    """
    definitions = _signature_definitions(path)
    loaded = tf.saved_model.load(str(path), tags=["serve"])
    signatures = {
        key: Signature(definitions[key], function, f"{name}/{version}/{key}", batching)
        for key, function in loaded.signatures.items()
        if key in definitions
    }
    return Servable(name, version, path, definitions, signatures, loaded)


def _signature_definitions(path: Path) -> dict[str, meta_graph_pb2.SignatureDef]:
    model = saved_model_pb2.SavedModel()
    try:
        model.ParseFromString((path / "saved_model.pb").read_bytes())
    except OSError as error:
        raise ServingError(
            Code.NOT_FOUND,
            f"Could not find SavedModel .pb at supplied export directory path: {path}. "
            "Check that the directory exists and that you have the right permissions for "
            f"accessing it ({error.strerror}).",
        ) from error
    except DecodeError as error:
        raise ServingError(
            Code.DATA_LOSS, f"Can't parse {path}/saved_model.pb as binary proto"
        ) from error
    for graph in model.meta_graphs:
        if set(graph.meta_info_def.tags) == {"serve"}:
            return {key: _copy(definition) for key, definition in graph.signature_def.items()}
    raise ServingError(
        Code.NOT_FOUND,
        f"Could not find meta graph def matching supplied tags: {{ serve }} in {path}",
    )


def _copy(definition: meta_graph_pb2.SignatureDef) -> meta_graph_pb2.SignatureDef:
    # A reference into the parsed file would keep the whole graph in memory.
    copy = meta_graph_pb2.SignatureDef()
    copy.CopyFrom(definition)
    return copy
