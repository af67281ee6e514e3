"""Tensors in JSON, by the rules of TensorFlow Serving's REST API.

Integer literals pass for floats, floats never pass for integers; booleans and strings are strict;
`{"b64": …}` stands for bytes; NaN and Infinity are tokens in both directions.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from itertools import chain
from typing import Any

import numpy as np
from tensorflow.core.framework import types_pb2

from serving.server.errors import Code, ServingError, invalid
from serving.server.tensors import dtype_name, numpy_type

_INTEGERS = {
    types_pb2.DT_INT8,
    types_pb2.DT_INT16,
    types_pb2.DT_INT32,
    types_pb2.DT_INT64,
    types_pb2.DT_UINT8,
    types_pb2.DT_UINT16,
    types_pb2.DT_UINT32,
    types_pb2.DT_UINT64,
}
# The largest integer that the type's mantissa holds, and so every smaller one.
_EXACT_INTEGERS = {types_pb2.DT_FLOAT: 2**24 - 1, types_pb2.DT_DOUBLE: 2**53 - 1}
_JSON_TYPES = {
    type(None): "Null",
    dict: "Object",
    list: "Array",
    str: "String",
    int: "Number",
    float: "Number",
}


def to_array(value: Any, dtype: int) -> np.ndarray:
    """Return a JSON value (a scalar or nested lists of equal lengths) as an array."""
    flat, shape = _flatten(value)
    return np.array(_converted(flat, dtype), numpy_type(dtype)).reshape(shape)


def _flatten(value: Any) -> tuple[list, list[int]]:
    flat: list = [value]
    shape: list[int] = []
    while flat and isinstance(flat[0], list):
        size = len(flat[0])
        for item in flat:
            if not isinstance(item, list):
                raise invalid(
                    f"JSON Value: {show(item)} found at incorrect level: {len(shape) + 1} in the "
                    f"JSON DOM. Expected at level: {_rank(value)}"
                )
            if len(item) != size:
                raise invalid(
                    f"Encountered list at unexpected size: {len(item)} at level: {len(shape)} "
                    f"expected size: {size}"
                )
        shape.append(size)
        flat = list(chain.from_iterable(flat))
    if any(isinstance(item, list) for item in flat):
        raise invalid(f"Encountered list at unexpected level: {len(shape)} expected < {len(shape)}")
    return flat, shape


def _rank(value: Any) -> int:
    rank = 0
    while isinstance(value, list):
        rank, value = rank + 1, value[0] if value else None
    return rank


def _converted(flat: list, dtype: int) -> list:
    """Return the values as numpy takes them; raises ServingError naming the first misfit."""
    types = set(map(type, flat))
    if dtype == types_pb2.DT_STRING:
        return [to_bytes(value) for value in flat]
    if dtype in _EXACT_INTEGERS:
        allowed: set[type] = {int, float}
    elif dtype in _INTEGERS:
        allowed = {int}
    elif dtype == types_pb2.DT_BOOL:
        allowed = {bool}
    else:
        raise ServingError(
            Code.UNIMPLEMENTED,
            f"Conversion of JSON Value: {show(flat[0]) if flat else '[]'} to type: "
            f"{dtype_name(dtype)}",
        )
    if not types <= allowed:
        raise _type_error(next(v for v in flat if type(v) not in allowed), dtype)
    if dtype in _EXACT_INTEGERS:
        _check_lossless(flat, types, dtype)
    elif dtype in _INTEGERS and flat:
        limits: np.iinfo = np.iinfo(numpy_type(dtype))
        if min(flat) < limits.min or max(flat) > limits.max:
            raise _type_error(next(v for v in flat if not limits.min <= v <= limits.max), dtype)
    return flat


def _check_lossless(flat: list, types: set[type], dtype: int) -> None:
    largest = float(np.finfo(numpy_type(dtype)).max)
    exact = _EXACT_INTEGERS[dtype]

    def lossy(value: float) -> bool:
        if isinstance(value, int):
            return abs(value) > exact
        return math.isfinite(value) and abs(value) > largest

    if (int in types or dtype == types_pb2.DT_FLOAT) and any(map(lossy, flat)):
        value = next(filter(lossy, flat))
        raise invalid(
            f"Cannot convert JSON value: {show(value)} to {dtype_name(dtype)} without loss of "
            "precision."
        )


def _type_error(value: Any, dtype: int) -> ServingError:
    kind = str(value) if isinstance(value, bool) else _JSON_TYPES[type(value)]
    return invalid(
        f"JSON Value: {show(value)} Type: {kind} is not of expected type: {dtype_name(dtype)}"
    )


def is_base64(value: Any) -> bool:
    """Tell whether `value` is `{"b64": "…"}`."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def to_bytes(value: Any) -> bytes:
    """Return a JSON string or `{"b64": "…"}` as bytes; raises ServingError for anything else."""
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError as error:
            raise invalid("JSON Parse error: The surrogate pair in string is invalid.") from error
    if not isinstance(value, dict):
        raise _type_error(value, types_pb2.DT_STRING)
    if not is_base64(value):
        raise invalid(f"JSON Value: {show(value)} not formatted correctly for base64 data")
    try:
        text = value["b64"]
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise invalid("Unable to base64 decode") from error


def to_json(name: str, array: np.ndarray) -> Any:
    """Return an array as nested lists that `json.dumps` can write."""
    if array.dtype == object:
        as_bytes = name.endswith("_bytes")
        flat = [_text(value, as_bytes) for value in array.ravel().tolist()]
        return _nest(flat, array.shape)
    if array.dtype in (np.float32, np.float16):
        # By way of the shortest decimal: 0.2, not the 0.20000000298023224 of the wider type.
        return _nest(list(map(float, array.ravel().astype(str).tolist())), array.shape)
    if array.dtype.kind in "fiub":
        return array.tolist()
    raise invalid(f"Failed to write JSON value for tensor type: {array.dtype.name}")


def _text(value: bytes, as_bytes: bool) -> Any:
    if as_bytes:
        return {"b64": base64.b64encode(value).decode()}
    # Bytes that are not UTF-8 leave as they came.
    return value.decode("utf-8", "surrogateescape")


def _nest(flat: list, shape: tuple[int, ...]) -> Any:
    for size in reversed(shape[1:]):
        if size == 0:
            return np.empty(shape, object).tolist()
        flat = [flat[i : i + size] for i in range(0, len(flat), size)]
    return flat if shape else flat[0]


def show(value: Any) -> str:
    """Return `value` as it stands in error messages."""
    return json.dumps(value, indent=4, ensure_ascii=False)
