"""TensorFlow Data Validation by itself: a schema from the warm-up, as inferred or as curated.

A schema is made once, of the warm-up's rows, and holds from then on, as TFX's tutorials have it.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from benchmarks.gates.methods import Judge

CLOSED = 20  # a curator closes the domain of a category with no more values than this
OPTIONS = {
    "num_top_values": 50,
    "num_rank_histogram_buckets": 1000,
    "num_histogram_buckets": 10,
    "num_quantiles_histogram_buckets": 10,
    "epsilon": 0.01,
}


@dataclass(frozen=True)
class Span:
    """A span as TFDV sees it; its statistics are made when they are asked for."""

    table: pa.Table
    categories: tuple[str, ...]

    @functools.cached_property
    def statistics(self) -> Any:
        from tensorflow_metadata.proto.v0 import statistics_pb2

        made = statistics_pb2.DatasetFeatureStatisticsList()
        dataset = made.datasets.add(num_examples=self.table.num_rows)
        for name in self.table.column_names if self.table.num_rows else ():
            dataset.features.append(_of(name, self.table[name], name in self.categories))
        return made


class Inferred:
    """The schema as `tfdv.infer_schema` returns it: any anomaly is an alarm."""

    def __init__(self, categories: Collection[str], warm_up: int) -> None:
        self.categories = tuple(sorted(categories))
        self.warm_up = warm_up
        self.schema: Any = None

    def look(self, span: pa.Table) -> Span:
        return Span(span, self.categories)

    def expect(self, past: Sequence[Span]) -> Judge:
        import tensorflow_data_validation as tfdv

        if self.schema is None:
            self.schema = self.made_of(past[: self.warm_up])
        previous = self.compared_with(past)

        def judge(now: Span) -> float:
            found = tfdv.validate_statistics(
                now.statistics, self.schema, previous_statistics=previous
            )
            anomalies = len(found.anomaly_info) + found.HasField("dataset_anomaly_info")
            return 1.0 + anomalies if anomalies else 0.0

        return judge

    def made_of(self, warm: Sequence[Span]) -> Any:
        """Return the schema of the warm-up."""
        import tensorflow_data_validation as tfdv

        rows = self.look(pa.concat_tables([span.table for span in warm]))
        return tfdv.infer_schema(rows.statistics, infer_feature_shape=False)

    def compared_with(self, past: Sequence[Span]) -> Any:
        """Return the statistics that drift is measured from, if it is."""
        return None


class Curated(Inferred):
    """The schema as a person would mend it, and fixed thresholds on drift from the span before.

    Only short domains stay closed, to 5 % of other values; a column may lack a tenth more of its
    values than on the worst day of the warm-up; bounds are the warm-up's, widened by their width on
    both sides. L-infinity and Jensen–Shannon of .1, half to twice the rows.
    """

    def made_of(self, warm: Sequence[Span]) -> Any:
        schema = super().made_of(warm)
        rows = pa.concat_tables([span.table for span in warm])
        for feature in schema.feature:
            column = rows[feature.name]
            self._open(feature, schema)
            worst = min(_present(span.table[feature.name]) for span in warm)
            feature.presence.min_count = 0
            feature.presence.min_fraction = max(0.0, worst - 0.1)
            if feature.name in self.categories or not _is_number(column.type):
                feature.drift_comparator.infinity_norm.threshold = 0.1
            else:
                _bound(feature, column)
                feature.drift_comparator.jensen_shannon_divergence.threshold = 0.1
        sizes = schema.dataset_constraints.num_examples_drift_comparator
        sizes.min_fraction_threshold, sizes.max_fraction_threshold = 0.5, 2.0
        return schema

    def compared_with(self, past: Sequence[Span]) -> Any:
        return past[-1].statistics

    def _open(self, feature: Any, schema: Any) -> None:
        domains = {domain.name: domain for domain in schema.string_domain}
        if not feature.HasField("domain"):
            return
        if len(domains[feature.domain].value) > CLOSED:
            feature.ClearField("domain")
        else:
            feature.distribution_constraints.min_domain_mass = 0.95


def _bound(feature: Any, column: pa.ChunkedArray) -> None:
    import pyarrow.compute as pc

    held = pc.min_max(column).as_py()
    if held["min"] is None:
        return
    width = held["max"] - held["min"]
    low, high = held["min"] - width, held["max"] + width
    if pa.types.is_integer(column.type):
        feature.int_domain.min, feature.int_domain.max = int(low), int(high)
    else:
        feature.float_domain.min, feature.float_domain.max = low, high


def _present(column: pa.ChunkedArray) -> float:
    return 1 - column.null_count / len(column) if len(column) else 0.0


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def _of(name: str, column: pa.ChunkedArray, category: bool) -> Any:
    """Return the statistics of a column, once for all the tables that share its buffers."""
    address = tuple(
        (chunk.offset, len(chunk), *(b.address if b else 0 for b in chunk.buffers()))
        for chunk in column.chunks
    )
    return _cached(_Addressed(name, category, address, column))


@dataclass(frozen=True)
class _Addressed:
    """A column by where its values lie; as a key of the cache it keeps them from moving."""

    name: str
    category: bool
    address: tuple[Any, ...]
    column: pa.ChunkedArray

    def __hash__(self) -> int:
        return hash((self.name, self.address))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Addressed) and (self.name, self.address) == (
            other.name,
            other.address,
        )


@functools.lru_cache(maxsize=8192)
def _cached(key: _Addressed) -> Any:
    from tensorflow_data_validation.statistics import stats_impl, stats_options
    from tensorflow_metadata.proto.v0 import schema_pb2
    from tfx_bsl.arrow import table_util

    schema = schema_pb2.Schema()
    if key.category:
        schema.feature.add(name=key.name, type=schema_pb2.INT).int_domain.is_categorical = True
    column = key.column
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int64())
    rows = pa.table({key.name: column}).combine_chunks()
    batch = table_util.CanonicalizeRecordBatch(rows.to_batches(max_chunksize=len(rows))[0])
    options = stats_options.StatsOptions(schema=schema, **OPTIONS)
    made = stats_impl.generate_statistics_in_memory(batch, options)
    return made.datasets[0].features[0]
