"""Tensors on their way in and out: TensorProto, numpy array, TensorFlow's eager tensor.

Requests spend more time here than in a small model, hence the direct decoding: `tf.make_ndarray`
and `tf.constant` cost four to five times as much for the same result.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.server.errors import invalid

# dtype in the protocol → the TensorProto field of its values, and its numpy type.
_FIELDS: dict[int, tuple[str, type]] = {
    types_pb2.DT_FLOAT: ("float_val", np.float32),
    types_pb2.DT_DOUBLE: ("double_val", np.float64),
    types_pb2.DT_INT8: ("int_val", np.int8),
    types_pb2.DT_INT16: ("int_val", np.int16),
    types_pb2.DT_INT32: ("int_val", np.int32),
    types_pb2.DT_INT64: ("int64_val", np.int64),
    types_pb2.DT_UINT8: ("int_val", np.uint8),
    types_pb2.DT_UINT16: ("int_val", np.uint16),
    types_pb2.DT_UINT32: ("uint32_val", np.uint32),
    types_pb2.DT_UINT64: ("uint64_val", np.uint64),
    types_pb2.DT_BOOL: ("bool_val", np.bool_),
    types_pb2.DT_STRING: ("string_val", np.object_),
}
_DTYPES: dict[np.dtype, int] = {
    np.dtype(numpy_type): dtype for dtype, (_, numpy_type) in _FIELDS.items()
}
_NAMES = {types_pb2.DT_FLOAT: "float", types_pb2.DT_DOUBLE: "double", types_pb2.DT_HALF: "half"}

# Beyond this, a few bytes that stand for a huge tensor are an attack or a mistake.
_MOST_REPEATED = 2**24

GPUS = tf.config.list_physical_devices("GPU")
for _gpu in GPUS:
    # The other server and a training run share it: take what is needed, not all.
    tf.config.experimental.set_memory_growth(_gpu, True)

# The class behind every eager tensor: its constructor is `tf.constant` without the Python around
# it. Arrays may be shared with the tensor, so nobody writes to an array after handing it in.
_EagerTensor = type(tf.constant(0))
with tf.device("CPU:0"):
    _CPU = tf.constant(0).device


def dtype_name(dtype: int) -> str:
    """Return the name that TensorFlow's messages use, as `float` and not `float32`."""
    return _NAMES.get(dtype) or tf.as_dtype(dtype).name


def numpy_type(dtype: int) -> type:
    """Return the numpy type of a protocol dtype; strings are objects."""
    return _FIELDS[dtype][1] if dtype in _FIELDS else tf.as_dtype(dtype).as_numpy_dtype


def dtype_of(dtype: np.dtype) -> int:
    """Return the protocol dtype of a numpy one."""
    return _DTYPES.get(dtype) or tf.as_dtype(dtype).as_datatype_enum


def to_tensor(array: np.ndarray) -> tf.Tensor:
    """Return `array` as an eager tensor in host memory."""
    return _EagerTensor(array, _CPU, None)


def from_proto(name: str, proto: tensor_pb2.TensorProto) -> np.ndarray:
    """Decode the tensor called `name`; raises ServingError when values and shape disagree."""
    shape = [dim.size for dim in proto.tensor_shape.dim]
    if proto.tensor_shape.unknown_rank or min(shape, default=0) < 0:
        raise invalid(f"tensor parsing error: {name}: its shape is not fully known")
    if proto.dtype not in _FIELDS:
        try:
            return tf.make_ndarray(proto)
        except (TypeError, ValueError) as error:
            raise invalid(f"tensor parsing error: {name}: {error}") from error
    field, element = _FIELDS[proto.dtype]
    size = math.prod(shape)
    if proto.tensor_content:
        itemsize = np.dtype(element).itemsize
        if element is np.object_ or len(proto.tensor_content) != size * itemsize:
            raise invalid(
                f"tensor parsing error: {name}: {len(proto.tensor_content)} bytes of content do "
                f"not make a {dtype_name(proto.dtype)} tensor of shape {shape}"
            )
        return np.frombuffer(proto.tensor_content, element).reshape(shape)
    values = getattr(proto, field)[:size]
    if len(values) < size:
        if size > _MOST_REPEATED:
            raise invalid(f"tensor parsing error: {name}: {len(values)} values for shape {shape}")
        # As TensorFlow reads it: the last value repeats, and no value at all means zeros.
        last = values[-1] if values else (b"" if element is np.object_ else 0)
        values = [*values, *[last] * (size - len(values))]
    try:
        array: np.ndarray = np.array(values, element)
        return array if len(shape) == 1 else array.reshape(shape)
    except OverflowError as error:
        raise invalid(f"tensor parsing error: {name}: {error}") from error


def to_proto(array: np.ndarray, proto: tensor_pb2.TensorProto) -> None:
    """Fill `proto` with the array in typed fields (`float_val`), as TensorFlow Serving answers."""
    dtype = dtype_of(array.dtype)
    if dtype not in _FIELDS:
        proto.CopyFrom(tf.make_tensor_proto(array))
        return
    proto.dtype = dtype
    for size in array.shape:
        proto.tensor_shape.dim.add().size = size
    getattr(proto, _FIELDS[dtype][0]).extend(array.ravel().tolist())
