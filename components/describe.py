"""Describe a span: TensorFlow Data Validation's statistics of its examples, and the span's profile.

What follows looks at these alone: the data gate, the drift against earlier spans, the constants of
the preprocessing. TFDV's Beam path gives the same for 17 to 28 times the CPU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import JsonValue

from components import profile, schema, statistics, store
from components.errors import SluiceError
from components.ingest import FILE as EXAMPLES
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
    categories = _categorical_integers(spec)
    rows = examples.facts["rows"]

    def build(draft: Draft) -> Mapping[str, JsonValue]:
        table = pq.read_table(examples.file(EXAMPLES)).combine_chunks()
        made = _statistics(table, categories)
        seen = made.datasets[0].num_examples
        if seen != rows:
            raise SluiceError(
                f"TFDV counted {seen} of the {rows} rows of {examples.manifest.span}; run again, "
                "and if it stays, its version is not to be trusted"
            )
        (draft.folder / statistics.FILE).write_bytes(made.SerializeToString(deterministic=True))
        profile.profile(table, categories).save(draft.folder / profile.FILE)
        columns = len(made.datasets[0].features)
        told = f"{columns} columns over {seen} rows"
        # By these the rows are known again when they are gone.
        digests = examples.facts.get("digests", {})
        return {"summary": told, "rows": seen, "columns": columns, "digests": digests}

    return store.once(
        "statistics",
        spec.name,
        examples.manifest.span,
        inputs={"examples": examples.digest},
        parameters={
            "categorical_integers": list(categories),
            "profile": profile.VERSION,
            **OPTIONS,
        },
        build=build,
    )


def _categorical_integers(spec: Spec) -> Sequence[str]:
    contract = schema.load(spec.schema_path)
    return sorted(f.name for f in contract.feature if f.int_domain.is_categorical)


def _statistics(table: pa.Table, categories: Sequence[str]) -> Any:
    from tensorflow_data_validation.statistics import stats_impl, stats_options
    from tensorflow_metadata.proto.v0 import schema_pb2
    from tfx_bsl.arrow import table_util

    contract = schema_pb2.Schema()
    for name in categories:
        feature = contract.feature.add(name=name, type=schema_pb2.INT)
        feature.int_domain.is_categorical = True
    batch = table_util.CanonicalizeRecordBatch(table.to_batches(max_chunksize=len(table))[0])
    options = stats_options.StatsOptions(schema=contract, **OPTIONS)
    return stats_impl.generate_statistics_in_memory(batch, options)
