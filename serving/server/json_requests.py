"""Predict in JSON: the row form (`instances`) and the column form (`inputs`), and their answers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from tensorflow.core.protobuf import meta_graph_pb2

from serving.server.errors import ServingError, invalid
from serving.server.json_tensors import is_base64, show, to_array, to_json

TensorInfos = Mapping[str, meta_graph_pb2.TensorInfo]


def parse_object(body: bytes) -> dict[str, Any]:
    """Parse a request body; raises ServingError unless it is a JSON object."""
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        value = json.loads(body.decode())
    except json.JSONDecodeError as error:
        raise invalid(f"JSON Parse error: {error.msg} at offset: {error.pos}") from error
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise invalid(f"JSON Parse error: Invalid value: {error}") from error
    if not isinstance(value, dict):
        raise invalid(f"JSON Value: {show(value)} Is not object")
    return value


def signature_name(document: dict[str, Any]) -> str:
    """Return the signature that a request names, empty when it names none."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {show(document)} not formatted correctly. 'signature_name' key must be "
            "a string value."
        )
    return name


def read_predict(
    document: dict[str, Any], infos: TensorInfos
) -> tuple[bool, dict[str, np.ndarray]]:
    """Return whether the request is in row form, and its inputs as arrays."""
    if "instances" in document and "inputs" in document:
        raise _misformed(
            document,
            "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
        )
    if "inputs" in document:
        return False, from_columns(document["inputs"], infos)
    if "instances" not in document:
        raise invalid("Missing 'inputs' or 'instances' key")
    instances = document["instances"]
    if not isinstance(instances, list):
        raise _misformed(document, "Excepting 'instances' to be an list/array")
    if not instances:
        raise _misformed(document, "No values in 'instances' array")
    return True, from_rows(instances, infos)


def _misformed(document: dict[str, Any], problem: str) -> ServingError:
    return invalid(f"JSON Value: {show(document)} {problem}")


def from_rows(instances: list, infos: TensorInfos) -> dict[str, np.ndarray]:
    """Return one array per input from `instances`, one item per row."""
    keyed = _is_named(instances[0])
    if not keyed and len(infos) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    columns: dict[str, list]
    if keyed:
        columns = {name: [] for name in infos}
        for position, row in enumerate(instances):
            if not _is_named(row):
                raise invalid(f"Expecting object but got list at item {position} of input list")
            _check_keys(row, position, infos)
            for name, column in columns.items():
                column.append(row[name])
    else:
        for position, row in enumerate(instances):
            if _is_named(row):
                raise invalid(
                    f"Expecting value/list but got object at item {position} of input list"
                )
        columns = {next(iter(infos)): instances}
    return {
        name: _column(name, keyed, values, infos[name].dtype) for name, values in columns.items()
    }


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _check_keys(row: dict, position: int, infos: TensorInfos) -> None:
    for name in row:
        if name not in infos:
            raise invalid(
                f"Failed to process element: {position} key: {name} of 'instances' list. Error: "
                f"INVALID_ARGUMENT: JSON object: does not have named input: {name}"
            )
    if row.keys() != infos.keys():
        raise invalid(
            f"Failed to process element: {position} of 'instances' list. JSON object: {show(row)} "
            f"keys must be equal to: {','.join(sorted(infos))}"
        )


def _column(name: str, keyed: bool, values: list, dtype: int) -> np.ndarray:
    try:
        return to_array(values, dtype)
    except ServingError as whole:
        # Find the row that is to blame.
        shape: tuple[int, ...] | None = None
        for position, value in enumerate(values):
            key = f" key: {name}" if keyed else ""
            where = f"Failed to process element: {position}{key} of 'instances' list. Error: "
            try:
                array = to_array(value, dtype)
            except ServingError as error:
                raise invalid(where + str(error)) from None
            if shape is not None and array.shape != shape:
                raise invalid(
                    where + f"INVALID_ARGUMENT: {_expecting(shape, array.shape)}"
                ) from None
            shape = array.shape
        raise whole


def _expecting(wanted: tuple[int, ...], got: tuple[int, ...]) -> str:
    if math.prod(wanted) != math.prod(got):
        return f"Expecting tensor size: {math.prod(wanted)} but got: {math.prod(got)}"
    return f"Expecting shape [{','.join(map(str, wanted))}] but got: [{','.join(map(str, got))}]"


def from_columns(inputs: Any, infos: TensorInfos) -> dict[str, np.ndarray]:
    """Return one array per input from `inputs`; keys that the signature lacks are ignored."""
    if not _is_named(inputs):
        if len(infos) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            )
        (name,) = infos
        return {name: to_array(inputs, infos[name].dtype)}
    for name in infos:
        if name not in inputs:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
    return {name: to_array(inputs[name], info.dtype) for name, info in infos.items()}


def to_rows(outputs: Mapping[str, np.ndarray]) -> list:
    """Return `predictions`: one item per row, an object each when there are several outputs."""
    sizes: dict[str, int] = {}
    for name, array in outputs.items():
        if array.ndim == 0:
            raise invalid(f"Tensor name: {name} has no shape information ")
        sizes[name] = len(array)
        expected = next(iter(sizes.values()))
        if len(array) != expected:
            raise invalid(
                f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: "
                f"{expected}"
            )
    columns = {name: to_json(name, array) for name, array in outputs.items()}
    if len(columns) == 1:
        return next(iter(columns.values()))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def to_columns(outputs: Mapping[str, np.ndarray]) -> Any:
    """Return `outputs`: an object of columns, or the one column alone."""
    columns = {name: to_json(name, array) for name, array in outputs.items()}
    return columns if len(columns) > 1 else next(iter(columns.values()))
