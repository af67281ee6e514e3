"""Classify and Regress over REST: tf.Examples from JSON objects, results back as lists."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from tensorflow.core.example import example_pb2, feature_pb2
from tensorflow_serving.apis import classification_pb2, input_pb2, regression_pb2

from serving.server import examples
from serving.server.errors import invalid
from serving.server.json_requests import signature_name
from serving.server.json_tensors import is_base64, show, to_bytes
from serving.server.servable import Servable


def classify(servable: Servable, document: dict[str, Any]) -> dict[str, Any]:
    """Return `results`: per example a list of [label, score]."""
    request = classification_pb2.ClassificationRequest()
    request.model_spec.signature_name = signature_name(document)
    _read(document, request.input)
    result = examples.classify(servable, request).result
    return {
        "results": [
            [[one.label, _decimal(one.score)] for one in classifications.classes]
            for classifications in result.classifications
        ]
    }


def regress(servable: Servable, document: dict[str, Any]) -> dict[str, Any]:
    """Return `results`: one number per example."""
    request = regression_pb2.RegressionRequest()
    request.model_spec.signature_name = signature_name(document)
    _read(document, request.input)
    result = examples.regress(servable, request).result
    return {"results": [_decimal(one.value) for one in result.regressions]}


def _decimal(value: float) -> float:
    return float(str(np.float32(value)))


def _read(document: dict[str, Any], target: input_pb2.Input) -> None:
    given = document.get("examples")
    if given is None:
        raise invalid(
            f"JSON Value: {show(document)} When method is classify, key 'examples' is expected "
            "and was not found"
        )
    if not isinstance(given, list):
        raise invalid(
            f"JSON Value: {show(document)} Expecting 'examples' value to be an list/array"
        )
    if not given:
        raise invalid(f"JSON Value: {show(document)} 'examples' value is an empty array")
    parsed = [_example(example) for example in given]
    if "context" in document:
        target.example_list_with_context.context.CopyFrom(_example(document["context"]))
        target.example_list_with_context.examples.extend(parsed)
    else:
        target.example_list.examples.extend(parsed)


def _example(value: Any) -> example_pb2.Example:
    if not isinstance(value, dict):
        raise invalid(f"Example must be JSON object but got JSON {_kind(value)}")
    example = example_pb2.Example()
    for name, content in value.items():
        feature = example.features.feature[name]
        for item in content if isinstance(content, list) else [content]:
            _add(feature, name, item)
    return example


def _add(feature: feature_pb2.Feature, name: str, value: Any) -> None:
    if isinstance(value, str) or is_base64(value):
        _append(feature, name, "bytes", to_bytes(value))
    elif isinstance(value, bool):
        _append(feature, name, "int64", int(value))
    elif isinstance(value, float):
        if math.isfinite(value) and abs(value) > float(np.finfo(np.float32).max):
            raise invalid(
                f"Cannot convert JSON value: {show(value)} to float without loss of precision."
            )
        _append(feature, name, "float", value)
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise invalid(f"Feature: {name} has uint64 element. Only int64 is supported.")
        _append(feature, name, "int64", value)
    else:
        raise invalid(f"Feature: {name} has element with unexpected JSON type: {_kind(value)}")


def _append(feature: feature_pb2.Feature, name: str, kind: str, value: Any) -> None:
    present = feature.WhichOneof("kind")
    if present not in (None, f"{kind}_list"):
        raise invalid(
            f"Unexpected element type in feature: {name} expecting type: "
            f"{present.removesuffix('_list')}"
        )
    getattr(feature, f"{kind}_list").value.append(value)


def _kind(value: Any) -> str:
    return {type(None): "Null", dict: "Object", list: "Array", str: "String", bool: str(value)}.get(
        type(value), "Number"
    )
