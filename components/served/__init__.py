"""Served: what the models of a pipeline were asked and answered, a day's requests a folder.

    var/served/<pipeline>/<span>/*.parquet    the columns that a model is fed, as clients sent them
                                 *.tfrecord   TensorFlow Serving's own request log

Whatever collects requests, beside the gateway or in it, calls `write` with a batch of rows from time
to time, or renames a finished file into the folder. A file never changes once it is there; names
that begin with `.` or `_` are not looked at. The span is the one that the rows are of, which for most
pipelines is the day of the request. Columns beside the fed ones (a time, the version that answered,
its score) are welcome, and not read here.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components import home, schema, spans
from components.columns import MISSING
from components.errors import SluiceError
from components.files import flush, sha256
from components.schema import Feature
from components.spec import Spec
from components.store import digest_of

ARROW = {"string": pa.string(), "int64": pa.int64(), "float32": pa.float32()}


@dataclass(frozen=True)
class Log:
    """The requests logged of one span, as they lay there at one moment: file name → sha256."""

    folder: Path
    files: Mapping[str, str]

    @property
    def span(self) -> str:
        """Return the span's key."""
        return self.folder.name

    @property
    def digest(self) -> str:
        """Return one digest of all its files."""
        return digest_of(self.files)


def find(pipeline: str, span: str) -> Log | None:
    """Return the log of a span, or None where nothing was logged."""
    folder = _folder(pipeline, span)
    names = sorted(path.name for path in folder.glob("[!._]*") if path.is_file())
    return Log(folder, {name: sha256(folder / name) for name in names}) if names else None


def read(spec: Spec, log: Log) -> pa.Table:
    """Return the rows of a log: the columns that a model is fed, in the schema's order.

    What stands for a missing value (NaN, "", the least int64), or was not sent at all, is null.
    Raises SluiceError, naming the file, for one that does not read, or that holds in a column what
    no client can have sent.
    """
    features = schema.inputs(schema.load(spec.schema_path))
    return pa.concat_tables(_table(log.folder / name, features, spec) for name in log.files)


def write(pipeline: str, span: str, columns: Mapping[str, Any]) -> Path:
    """Add rows to a span's log as a file of their own, there whole or not at all; return its path.

    `columns`: as `ModelServer.predict` takes them, a list or array of shape [n] each, of requests
    that were answered; many to a file, since each file costs a rename and two flushes. Any number
    of processes may write at once. Raises UsageError when the span is none.
    """
    spans.parse(span)
    folder = _folder(pipeline, span)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{uuid.uuid4().hex}.parquet"
    aside = folder / f".{name}"
    try:
        pq.write_table(pa.table(dict(columns)), aside)
        flush(aside)
        aside.rename(folder / name)
    finally:
        aside.unlink(missing_ok=True)
    flush(folder)
    return folder / name


def _folder(pipeline: str, span: str) -> Path:
    return home.var() / "served" / pipeline / span


def _table(path: Path, features: list[Feature], spec: Spec) -> pa.Table:
    """Return the rows of one file."""
    if path.suffix == ".tfrecord":
        from components.served import prediction_log

        held = prediction_log.read(path, features, spec.serving.name)
    else:
        held = _parquet(path, features)
    return pa.table({feature.name: _column(held, feature, path, spec) for feature in features})


def _parquet(path: Path, features: list[Feature]) -> pa.Table:
    """Return the columns that a file has, in whichever types it has them."""
    fed = {feature.name for feature in features}
    try:
        file = pq.ParquetFile(path)
        there = [name for name in file.schema_arrow.names if name in fed]
        if not there:
            raise pa.ArrowInvalid("it has none of the columns that the model is fed")
        return file.read(there)
    except (OSError, pa.ArrowException) as error:
        raise SluiceError(
            f"{home.short(path)} cannot be read as served rows: {' '.join(str(error).split())}; "
            "take it away, or have what logs requests write it again"
        ) from error


def _column(table: pa.Table, feature: Feature, path: Path, spec: Spec) -> pa.Array:
    """Return a column in the type in which the model takes it, null where it has no value."""
    wanted = ARROW[feature.dtype]
    if feature.name not in table.column_names:
        return pa.nulls(table.num_rows, wanted)
    values = table[feature.name].combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    try:
        if not _fits(values.type, feature.dtype):
            raise pa.ArrowInvalid(f"it is of type {values.type}")
        if pa.types.is_floating(values.type):
            values = pc.if_else(pc.is_nan(values), None, values)
        if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
            values = _texts(values)
        typed = values.cast(wanted, safe=feature.dtype != "float32")
    except pa.ArrowException as error:
        why = spec.data_gate.shown(feature.name, str(error))
        raise SluiceError(
            f"{home.short(path)}: column {feature.name!r} holds what no client can have sent, since "
            f"the model takes {feature.dtype}: {why}; take the file away, or mend what logs requests"
        ) from error
    if feature.dtype == "float32":
        return typed
    return pc.if_else(pc.equal(typed, MISSING[feature.dtype]), None, typed)


def _fits(given: pa.DataType, dtype: str) -> bool:
    """Say whether a column of this type can have been written of what a client sent as `dtype`."""
    kind = pa.types
    if kind.is_null(given):
        return True
    if dtype == "string":
        texts = (kind.is_string, kind.is_large_string, kind.is_binary, kind.is_large_binary)
        return any(is_text(given) for is_text in texts)
    return bool(kind.is_integer(given) or kind.is_floating(given))  # pandas' integers with gaps


def _texts(values: pa.Array) -> pa.Array:
    """Return bytes as texts; a client may send any bytes, and those that are no UTF-8 stay strange."""
    held = [None if v is None else v.decode("utf-8", "replace") for v in values.to_pylist()]
    return pa.array(held, pa.string())
