"""The few gRPC messages that the client needs, without importing TensorFlow.

The published stubs (`tensorflow-serving-api`) import TensorFlow, at some 4 CPU seconds a process;
on the wire these messages are theirs. Names and numbers are TensorFlow Serving's `predict.proto`
and `model.proto`, and TensorFlow's `tensor.proto`; fields that the client never reads are left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)

_FILE = text_format.Parse(
    """
    name: "sluice/serving/wire.proto"
    package: "sluice.wire"
    syntax: "proto3"
    dependency: "google/protobuf/wrappers.proto"
    message_type {
      name: "Tensor"
      nested_type {
        name: "Shape"
        nested_type {
          name: "Dim"
          field { name: "size" number: 1 type: TYPE_INT64 label: LABEL_OPTIONAL }
        }
        field { name: "dim" number: 2 label: LABEL_REPEATED
                type: TYPE_MESSAGE type_name: ".sluice.wire.Tensor.Shape.Dim" }
      }
      field { name: "dtype" number: 1 type: TYPE_INT32 label: LABEL_OPTIONAL }
      field { name: "tensor_shape" number: 2 label: LABEL_OPTIONAL
              type: TYPE_MESSAGE type_name: ".sluice.wire.Tensor.Shape" }
      field { name: "tensor_content" number: 4 type: TYPE_BYTES label: LABEL_OPTIONAL }
      field { name: "float_val" number: 5 type: TYPE_FLOAT label: LABEL_REPEATED }
      field { name: "double_val" number: 6 type: TYPE_DOUBLE label: LABEL_REPEATED }
      field { name: "int_val" number: 7 type: TYPE_INT32 label: LABEL_REPEATED }
      field { name: "string_val" number: 8 type: TYPE_BYTES label: LABEL_REPEATED }
      field { name: "int64_val" number: 10 type: TYPE_INT64 label: LABEL_REPEATED }
      field { name: "bool_val" number: 11 type: TYPE_BOOL label: LABEL_REPEATED }
      field { name: "uint32_val" number: 16 type: TYPE_UINT32 label: LABEL_REPEATED }
      field { name: "uint64_val" number: 17 type: TYPE_UINT64 label: LABEL_REPEATED }
    }
    message_type {
      name: "ModelSpec"
      field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
      field { name: "version" number: 2 label: LABEL_OPTIONAL
              type: TYPE_MESSAGE type_name: ".google.protobuf.Int64Value" }
      field { name: "signature_name" number: 3 type: TYPE_STRING label: LABEL_OPTIONAL }
    }
    message_type {
      name: "PredictRequest"
      nested_type {
        name: "InputsEntry"
        options { map_entry: true }
        field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
        field { name: "value" number: 2 label: LABEL_OPTIONAL
                type: TYPE_MESSAGE type_name: ".sluice.wire.Tensor" }
      }
      field { name: "model_spec" number: 1 label: LABEL_OPTIONAL
              type: TYPE_MESSAGE type_name: ".sluice.wire.ModelSpec" }
      field { name: "inputs" number: 2 label: LABEL_REPEATED
              type: TYPE_MESSAGE type_name: ".sluice.wire.PredictRequest.InputsEntry" }
    }
    message_type {
      name: "PredictResponse"
      nested_type {
        name: "OutputsEntry"
        options { map_entry: true }
        field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
        field { name: "value" number: 2 label: LABEL_OPTIONAL
                type: TYPE_MESSAGE type_name: ".sluice.wire.Tensor" }
      }
      field { name: "outputs" number: 1 label: LABEL_REPEATED
              type: TYPE_MESSAGE type_name: ".sluice.wire.PredictResponse.OutputsEntry" }
      field { name: "model_spec" number: 2 label: LABEL_OPTIONAL
              type: TYPE_MESSAGE type_name: ".sluice.wire.ModelSpec" }
    }
    """,
    descriptor_pb2.FileDescriptorProto(),
)
_POOL = descriptor_pool.DescriptorPool()
_POOL.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
_POOL.AddSerializedFile(_FILE.SerializeToString())


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"sluice.wire.{name}"))


PredictRequest = _message("PredictRequest")
PredictResponse = _message("PredictResponse")
PREDICT = "/tensorflow.serving.PredictionService/Predict"

# DataType of TensorFlow's types.proto → its number, the field of its values, its numpy type.
_DTYPES: dict[str, tuple[int, str, type]] = {
    "DT_FLOAT": (1, "float_val", np.float32),
    "DT_DOUBLE": (2, "double_val", np.float64),
    "DT_INT32": (3, "int_val", np.int32),
    "DT_UINT8": (4, "int_val", np.uint8),
    "DT_INT16": (5, "int_val", np.int16),
    "DT_INT8": (6, "int_val", np.int8),
    "DT_STRING": (7, "string_val", np.object_),
    "DT_INT64": (9, "int64_val", np.int64),
    "DT_BOOL": (10, "bool_val", np.bool_),
    "DT_UINT16": (17, "int_val", np.uint16),
    "DT_UINT32": (22, "uint32_val", np.uint32),
    "DT_UINT64": (23, "uint64_val", np.uint64),
}
_BY_NUMBER = {number: (field, kind) for number, field, kind in _DTYPES.values()}


def fill_tensor(tensor: Any, values: Any, dtype: str) -> None:
    """Fill `tensor` with `values` as `dtype` ("DT_FLOAT", …) in typed fields.

    Raises ValueError or TypeError for values that are not of that type, KeyError for a dtype that
    cannot be sent.
    """
    number, field, kind = _DTYPES[dtype]
    text = kind is np.object_
    array = np.asarray(values, object) if text else _exact(np.asarray(values), kind)
    tensor.dtype = number
    for size in array.shape:
        tensor.tensor_shape.dim.add().size = size
    flat = array.ravel().tolist()
    if text:
        flat = [value.encode() if isinstance(value, str) else value for value in flat]
    getattr(tensor, field).extend(flat)


def _exact(array: np.ndarray, kind: type) -> np.ndarray:
    """Convert by the server's REST rules: integers pass for floats, nothing else changes kind."""
    to = np.dtype(kind).kind
    allowed = {"f": "fiu", "i": "iu", "u": "iu"}.get(to, to)
    if array.size and array.dtype.kind not in allowed:
        raise TypeError(f"{array.dtype} values where {np.dtype(kind)} is expected")
    converted: np.ndarray = array.astype(kind)
    if to in "iu" and (converted != array).any():
        raise ValueError(f"values do not fit into {np.dtype(kind)}")
    return converted


def read_tensor(tensor: Any) -> np.ndarray:
    """Return a tensor of the server's as an array, strings as bytes objects."""
    field, kind = _BY_NUMBER[tensor.dtype]
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, kind).reshape(shape)
    return np.array(list(getattr(tensor, field)), kind).reshape(shape)
