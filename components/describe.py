"""Describe a span: TensorFlow Data Validation's statistics of its rows, and their profile.

What follows looks at these alone: the data gate, the drift against earlier spans, the constants of
the preprocessing. TFDV's Beam path gives the same for 17 to 28 times the CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import JsonValue

from components import profile, schema, served, statistics, store
from components.errors import SluiceError
from components.ingest import FILE as EXAMPLES
from components.served import Log
from components.spec import Spec
from components.store import Artifact, Draft

# Every value of a category up to a thousand. TFDV works each decile out from a hundred finer ones, one
# by one in Python: forty buckets would cost four times the CPU for means and counts as exact as now.
OPTIONS: dict[str, int | float] = {
    "num_top_values": 1000,
    "num_rank_histogram_buckets": 1000,
    "num_quantiles_histogram_buckets": 10,
    "epsilon": 0.0005,
}


def describe(spec: Spec, examples: Artifact) -> Artifact:
    """Return the statistics of a span's examples: a `DatasetFeatureStatisticsList` of one, a profile.

    They depend on the rows and on which integers are categories, on nothing else in the schema: a
    bound that moves is judged anew over the same statistics. Raises SluiceError when rows were lost
    on the way through TFDV, whose parallel paths are known to have lost some.
    """

    def rows() -> tuple[pa.Table, JsonValue]:
        return pq.read_table(examples.file(EXAMPLES)), examples.facts["rows"]

    span = examples.manifest.span
    facts = {"digests": examples.facts.get("digests", {})}  # known again when the rows are gone
    return _once("statistics", spec, span, {"examples": examples.digest}, rows, facts=facts)


def describe_served(spec: Spec, log: Log) -> Artifact:
    """Return the same of the rows that a log holds.

    A file more in the log, or another column that the model is fed, and they are made again. Raises
    SluiceError for a log that cannot be read.
    """

    def rows() -> tuple[pa.Table, JsonValue]:
        table = served.read(spec, log)
        return table, table.num_rows

    fed = {feature.name: feature.dtype for feature in schema.inputs(schema.load(spec.schema_path))}
    asked = {"columns": fed, "model": spec.serving.name}
    return _once("served", spec, log.span, log.files, rows, parameters=asked)


def _once(
    kind: str,
    spec: Spec,
    span: str,
    inputs: Mapping[str, str],
    rows: Callable[[], tuple[pa.Table, JsonValue]],
    *,
    facts: Mapping[str, Any] = MappingProxyType({}),
    parameters: Mapping[str, Any] = MappingProxyType({}),
) -> Artifact:
    """Return the statistics of some rows, `rows` giving them and how many there must be."""
    categories = _categorical_integers(spec)

    def build(draft: Draft) -> Mapping[str, JsonValue]:
        table, expected = rows()
        made = statistics_of(table, categories)
        seen = made.datasets[0].num_examples
        if seen != expected:
            raise SluiceError(
                f"TFDV counted {seen} of the {expected} rows of {span}; run again, "
                "and if it stays, its version is not to be trusted"
            )
        (draft.folder / statistics.FILE).write_bytes(made.SerializeToString(deterministic=True))
        profile.profile(table, categories).save(draft.folder / profile.FILE)
        columns = len(made.datasets[0].features)
        told = f"{columns} columns over {seen} rows"
        return {"summary": told, "rows": seen, "columns": columns, **facts}

    return store.once(
        kind,
        spec.name,
        span,
        inputs=inputs,
        parameters={
            "categorical_integers": list(categories),
            "profile": profile.VERSION,
            **OPTIONS,
            **parameters,
        },
        build=build,
    )


def _categorical_integers(spec: Spec) -> Sequence[str]:
    contract = schema.load(spec.schema_path)
    return sorted(f.name for f in contract.feature if f.int_domain.is_categorical)


def statistics_of(table: pa.Table, categories: Sequence[str]) -> Any:
    """Return the `DatasetFeatureStatisticsList` of a table; `categories`: integers to be looked up."""
    from tensorflow_data_validation.statistics import stats_impl, stats_options
    from tensorflow_metadata.proto.v0 import schema_pb2
    from tfx_bsl.arrow import table_util

    contract = schema_pb2.Schema()
    for name in categories:
        feature = contract.feature.add(name=name, type=schema_pb2.INT)
        feature.int_domain.is_categorical = True
    # Column by column, since a table without rows has no batch.
    columns = [column.combine_chunks() for column in table.columns]
    batch = pa.RecordBatch.from_arrays(columns, names=table.column_names)
    options = stats_options.StatsOptions(schema=contract, **OPTIONS)
    return stats_impl.generate_statistics_in_memory(
        table_util.CanonicalizeRecordBatch(batch), options
    )
