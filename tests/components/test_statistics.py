"""Statistics of several spans merged are those of all their rows: exactly, or within a bound."""

from __future__ import annotations

import random
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from components import describe, ingest, spans, spec, statistics
from components.errors import SluiceError

DAYS = spans.between("2013-01-31", "2013-02-06")


@pytest.fixture
def parts(in_shared_house: spec.Spec) -> list[Any]:
    """Statistics of seven real days."""
    taken = [
        ingest._taken_in(in_shared_house, d) or ingest.ingest(in_shared_house, d) for d in DAYS
    ]
    return [statistics.read(describe.describe(in_shared_house, examples)) for examples in taken]


@pytest.fixture
def rows(in_shared_house: spec.Spec, parts: list[Any]) -> pa.Table:
    """All the rows of the seven days."""
    files = [ingest.current(in_shared_house, d).file("examples.parquet") for d in DAYS]
    return pa.concat_tables(pq.read_table(file) for file in files)


@pytest.fixture
def whole(in_shared_house: spec.Spec, rows: pa.Table) -> Any:
    """TFDV's own statistics of all the rows."""
    categories = describe._categorical_integers(in_shared_house)
    return describe.statistics_of(rows, categories).datasets[0]


def numeric(columns: dict[str, Any]) -> dict[str, Any]:
    return {name: f.num_stats for name, f in columns.items() if f.HasField("num_stats")}


def test_merged_days_are_the_statistics_of_all_their_rows(parts: list[Any], whole: Any) -> None:
    merged, expected = (statistics.by_column(s) for s in (statistics.merge(parts), whole))
    assert list(merged) == list(expected)
    for name, feature in expected.items():
        ours, theirs = statistics.common(merged[name]), statistics.common(feature)
        for field in ("num_non_missing", "num_missing", "tot_num_values", "min_num_values"):
            assert getattr(ours, field) == getattr(theirs, field), (name, field)
    # Exact for numbers ...
    for name, theirs in numeric(expected).items():
        ours = merged[name].num_stats
        for field in ("mean", "std_dev"):
            assert getattr(ours, field) == pytest.approx(getattr(theirs, field), rel=1e-12), name
        for field in ("min", "max", "num_zeros"):
            assert getattr(ours, field) == getattr(theirs, field), (name, field)
    # ... exact for categories ...
    for name, feature in expected.items():
        if feature.HasField("string_stats"):
            assert statistics.shares(merged[name]) == statistics.shares(feature), name
            assert merged[name].string_stats.unique == feature.string_stats.unique
            assert statistics.complete_vocabulary(merged[name])


def test_merged_histograms_put_no_edge_far_from_its_rank(parts: list[Any], rows: pa.Table) -> None:
    for name, stats in numeric(statistics.by_column(statistics.merge(parts))).items():
        values = rows[name].drop_null().to_numpy()
        for histogram in stats.histograms:
            below = accumulate(bucket.sample_count for bucket in histogram.buckets)
            for bucket, count in zip(histogram.buckets, below, strict=True):
                rank = count / len(values)
                least, most = (
                    (values < bucket.high_value).mean(),
                    (values <= bucket.high_value).mean(),
                )
                assert least - 0.08 <= rank <= most + 0.08, (name, bucket)
            assert rank == pytest.approx(1), name


def test_the_order_of_the_spans_does_not_count(parts: list[Any]) -> None:
    shuffled = random.Random(1).sample(parts, len(parts))
    first, second = (statistics.by_column(statistics.merge(p)) for p in (parts, shuffled))
    for name, stats in numeric(first).items():
        assert stats.mean == pytest.approx(second[name].num_stats.mean, rel=1e-12)
        assert stats.std_dev == pytest.approx(second[name].num_stats.std_dev, rel=1e-12)
    assert statistics.shares(first["dest"]) == statistics.shares(second["dest"])


def test_merging_one_span_changes_nothing_that_is_exact(parts: list[Any]) -> None:
    merged, alone = statistics.merge(parts[:1]), parts[0]
    assert merged.num_examples == alone.num_examples
    for name, stats in numeric(statistics.by_column(alone)).items():
        assert statistics.by_column(merged)[name].num_stats.mean == pytest.approx(stats.mean)


def test_merging_leaves_what_went_in_as_it_was(parts: list[Any]) -> None:
    before = [part.SerializeToString(deterministic=True) for part in parts]
    statistics.merge(parts)
    assert [part.SerializeToString(deterministic=True) for part in parts] == before


def number(rows: int, values: int, mean: float = 0.0, *, name: str = "x") -> Any:
    span = statistics_pb2.DatasetFeatureStatistics(num_examples=rows)
    feature = span.features.add(type=statistics_pb2.FeatureNameStatistics.FLOAT)
    feature.path.step.append(name)
    common = feature.num_stats.common_stats
    common.num_non_missing = common.tot_num_values = values
    common.num_missing = rows - values
    feature.num_stats.mean = feature.num_stats.min = feature.num_stats.max = mean
    return span


def test_a_span_in_which_a_column_is_all_missing_moves_neither_mean_nor_least() -> None:
    merged = statistics.by_column(statistics.merge([number(10, 0), number(10, 10, 50.0)]))["x"]
    assert merged.num_stats.mean == merged.num_stats.min == 50
    assert merged.num_stats.std_dev == 0
    assert merged.num_stats.common_stats.num_missing == 10


def test_a_column_that_is_missing_everywhere_has_no_figures_and_no_crash() -> None:
    merged = statistics.by_column(statistics.merge([number(10, 0), number(5, 0)]))["x"]
    assert merged.num_stats.common_stats.num_missing == 15
    assert not merged.num_stats.histograms


def test_a_column_that_some_spans_do_not_have_is_missing_in_all_their_rows() -> None:
    merged = statistics.merge([number(10, 10), number(7, 7, name="y")])
    missing = {n: statistics.common(f).num_missing for n, f in statistics.by_column(merged).items()}
    assert missing == {"x": 7, "y": 10}


def test_means_of_huge_values_keep_their_spread() -> None:
    merged = statistics.by_column(statistics.merge([number(1, 1, 1e9), number(1, 1, 1e9 + 2)]))
    assert merged["x"].num_stats.std_dev == 1


def category(counts: dict[str, int], unique: int | None = None) -> Any:
    rows = sum(counts.values())
    span = statistics_pb2.DatasetFeatureStatistics(num_examples=rows)
    feature = span.features.add(type=statistics_pb2.FeatureNameStatistics.STRING)
    feature.path.step.append("x")
    common = feature.string_stats.common_stats
    common.num_non_missing = common.tot_num_values = rows
    feature.string_stats.unique = len(counts) if unique is None else unique
    for label, count in counts.items():
        feature.string_stats.rank_histogram.buckets.add(label=label, sample_count=count)
    return span


def test_a_vocabulary_is_complete_only_if_it_was_in_every_span() -> None:
    whole = statistics.merge([category({"a": 3}), category({"b": 2, "a": 2})]).features[0]
    assert statistics.complete_vocabulary(whole)
    assert [b.label for b in whole.string_stats.rank_histogram.buckets] == ["a", "b"]
    assert whole.string_stats.unique == 2
    cut = statistics.merge([category({"a": 3}, unique=2), category({"a": 2, "b": 1, "c": 1})])
    assert not statistics.complete_vocabulary(cut.features[0])


def test_a_column_of_two_kinds_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(SluiceError, match="column 'x' is not of one type in all spans"):
        statistics.merge([number(1, 1), category({"a": 1})])


def test_nothing_to_merge_is_an_error() -> None:
    with pytest.raises(SluiceError, match="no statistics to merge"):
        statistics.merge([])
