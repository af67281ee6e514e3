"""The data contract: TensorFlow Metadata's schema, read from `schemas/<pipeline>.pbtxt`.

The schema alone says which columns there are and which of them a model is fed: those expected in
the SERVING environment. Reading it needs no TensorFlow (0.03 CPU seconds).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.errors import UsageError

TRAINING, SERVING = "TRAINING", "SERVING"
DType = Literal["string", "int64", "float32"]
# What a column's values are in a file, and in the schema.
TYPES: dict[DType, int] = {
    "string": schema_pb2.BYTES,
    "int64": schema_pb2.INT,
    "float32": schema_pb2.FLOAT,
}


@dataclass(frozen=True)
class Feature:
    """A column that a model is fed. `kind`: a number to be scaled, or a category to be looked up."""

    name: str
    kind: Literal["number", "category"]
    dtype: DType  # as a client sends it


def load(path: Path) -> Any:
    """Return the `schema_pb2.Schema` in a text file; raise UsageError when it does not parse."""
    name = f"schemas/{path.name}"
    try:
        return parse(path.read_text(), name)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{name}: cannot be read as a schema: {error}") from None


def parse(text: str, name: str) -> Any:
    """Return the `schema_pb2.Schema` of a text that messages call `name`; raise UsageError."""
    message = schema_pb2.Schema()
    try:
        message.ParseFromString(_parsed(text))
    except text_format.ParseError as error:
        raise UsageError(f"{name}: cannot be read as a schema: {error}") from None
    if not message.feature:
        raise UsageError(f"{name}: lists no feature, so it would let nothing through")
    return message


@lru_cache(maxsize=16)
def _parsed(text: str) -> bytes:
    """Return a schema's binary form: text takes 7 ms to parse, and a run reads it a hundred times."""
    return bytes(text_format.Parse(text, schema_pb2.Schema()).SerializeToString())


def columns(schema: Any) -> Collection[str]:
    """Return the names of all columns, in the schema's order."""
    return [feature.name for feature in schema.feature]


def inputs(schema: Any) -> list[Feature]:
    """Return the columns that a model is fed, in the schema's order."""
    return [_feature(f) for f in schema.feature if expected_in(schema, f, SERVING)]


def dtypes(schema: Any) -> dict[str, DType]:
    """Return the type of each column, in the schema's order; UsageError where one has none."""
    return {feature.name: _dtype(feature) for feature in schema.feature}


def expected_in(schema: Any, feature: Any, environment: str) -> bool:
    """Say whether a feature belongs to an environment, by TensorFlow Metadata's own rules."""
    if environment in feature.in_environment:
        return True
    if environment in feature.not_in_environment:
        return False
    return environment in schema.default_environment


def _feature(feature: Any) -> Feature:
    dtype = _dtype(feature)
    category = dtype == "string" or feature.int_domain.is_categorical
    return Feature(feature.name, "category" if category else "number", dtype)


def _dtype(feature: Any) -> DType:
    for dtype, kind in TYPES.items():
        if feature.type == kind:
            return dtype
    raise UsageError(f"schema: feature {feature.name!r} has no type; give it BYTES, INT or FLOAT")
