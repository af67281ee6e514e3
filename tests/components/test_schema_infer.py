"""A draft accepts what it was drawn from, and closes nothing that the spans do not show to be closed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components import describe, schema, spec, statistics
from components.errors import SluiceError
from components.schema_life import infer
from components.schema_life.observed import FEW, Observed
from components.validate_data import contract

KEY, LABEL = "id", "answer"
TYPES = {"string": pa.string(), "int64": pa.int64(), "float32": pa.float32()}
Rows = Mapping[str, Sequence[Any]]


def a_spec(**gate: Any) -> spec.Spec:
    """A pipeline whose key is `id` and whose label is `answer`, with a window of 14 spans."""
    return spec.Spec.model_validate(
        {
            "name": "some",
            "source": {"path": "{span}.parquet"},
            "span": {"first": "2013-01-01"},
            "window": {"train": 10, "evaluate": 5},
            "label": LABEL,
            "key": [KEY],
            "data_gate": gate,
            "thresholds": [{"metric": "auc", "at_least": 0.5}],
            "serving": {"name": "some"},
            "files": {},
        }
    )


def days(count: int, first: str = "2013-01-01") -> list[str]:
    return [(date.fromisoformat(first) + timedelta(days=n)).isoformat() for n in range(count)]


def observed(
    tables: Sequence[Rows], dtypes: Mapping[str, str], count: int, first: str = "2013-01-01"
) -> Observed:
    """What `count` spans hold that have the rows of these tables, in turn."""
    several = {
        c: {v for rows in tables for v in rows[c] if v is not None}
        for c, t in dtypes.items()
        if t == "int64"
    }
    looked_up = frozenset(c for c, values in several.items() if len(values) in FEW and c != LABEL)
    described = []
    for rows in tables:
        table = pa.table({c: pa.array(rows[c], TYPES[t]) for c, t in dtypes.items()})
        described.append(describe.statistics_of(table, sorted(looked_up)).datasets[0])
    keys = days(count, first)
    return Observed(keys, [described[n % len(described)] for n in range(count)], dtypes, looked_up)


def said(anomalies: Any) -> list[str]:
    told = [r.description for info in anomalies.anomaly_info.values() for r in info.reason]
    return told + [r.description for r in anomalies.dataset_anomaly_info.reason]


def refusals(text: str, seen: Observed, what: spec.Spec) -> Iterator[str]:
    """Everything that TFDV has against any of the spans, each held against those before it."""
    reviewed = schema.parse(text, "draft")
    reach = what.window.length - 1
    for n, now in enumerate(seen.statistics):
        window = seen.statistics[max(0, n - reach) : n]
        before = statistics.merge(window) if len(window) >= 7 else None
        yield from said(contract.trained(reviewed, now, before, len(window)))
        yield from said(contract.served(reviewed, now))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
whole = st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 40)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Rows], dict[str, str]]:
    """Some tables of the same columns: a key, a label, and texts, integers and fractions with holes."""
    dtypes = {KEY: "int64", "text": "string", "count": "int64", "size": "float32", LABEL: "int64"}
    pools = {
        "text": draw(st.lists(texts, min_size=1, max_size=6)),
        "count": draw(st.lists(whole, min_size=1, max_size=6)),
        "size": draw(st.lists(numbers, min_size=1, max_size=6)),
        LABEL: [0, 1],
    }
    made = []
    for _ in range(draw(st.integers(1, 3))):
        rows = draw(st.integers(1, 12))
        columns = {KEY: list(range(rows))}
        for name, pool in pools.items():
            value = st.sampled_from(pool)
            holes = value if draw(st.booleans()) else st.none() | value
            columns[name] = draw(st.lists(holes, min_size=rows, max_size=rows))
        made.append(columns)
    return made, dtypes


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables(), st.sampled_from([1, 6, 7, 14, 29]))
def test_a_draft_accepts_every_span_it_was_drawn_from(
    made: tuple[list[Rows], dict[str, str]], count: int
) -> None:
    seen, what = observed(*made, count), a_spec()
    text = infer.draft(what, seen)
    assert list(refusals(text, seen, what)) == []


def a_column(
    values: Sequence[Sequence[Any]], dtype: str = "string", name: str = "column", **more: Any
) -> tuple[Observed, spec.Spec]:
    """Spans, a day each from New Year on, with a key, a label and one column: `values` of each span."""
    made = [{KEY: range(len(of)), LABEL: [0] * len(of), name: of} for of in values]
    dtypes = {KEY: "int64", LABEL: "int64", name: dtype}
    return observed(made, dtypes, len(made)), a_spec(**more)


def feature(text: str, name: str = "column") -> Any:
    return {f.name: f for f in schema.parse(text, "draft").feature}[name]


@pytest.mark.parametrize(("spans", "closed"), [(1, False), (6, False), (27, False), (28, True)])
def test_a_list_of_values_is_closed_by_many_spans_alone(spans: int, closed: bool) -> None:
    seen, what = a_column([["a", "b", "c"]] * spans)
    drafted = feature(infer.draft(what, seen))
    assert closed == (bool(drafted.domain) and not drafted.HasField("distribution_constraints"))
    assert not (spans < 7 and drafted.domain)


def test_a_rare_value_shows_that_others_exist_and_keeps_the_list_open() -> None:
    seen, what = a_column([["a"] * 120 + ["b"] * 79 + ["rare"]] * 40)
    assert feature(infer.draft(what, seen)).distribution_constraints.min_domain_mass == 0.95


def test_a_value_that_came_late_keeps_the_list_open_by_more_than_it_brought() -> None:
    seen, what = a_column([["a"] * 9 + ["b"]] * 20 + [["a"] * 9 + ["c"]] * 20)
    drafted = feature(infer.draft(what, seen))
    assert drafted.domain
    assert drafted.distribution_constraints.min_domain_mass == pytest.approx(0.8)


def test_names_without_end_get_no_list() -> None:
    seen, what = a_column([[f"guest {n}-{k}" for k in range(8)] for n in range(30)])
    text = infer.draft(what, seen)
    assert not feature(text).domain
    assert "240 values: too many to list" in text


def test_sensitive_values_are_not_written_down() -> None:
    seen, what = a_column([["Ann", "Bob"]] * 30, sensitive=("column",))
    text = infer.draft(what, seen)
    assert "Ann" not in text
    assert "its values are sensitive" in text


@pytest.mark.parametrize(
    ("says", "bounds"),
    [
        (lambda day: day.month, (1, 12)),
        (lambda day: day.isoweekday(), (1, 7)),
        (lambda day: day.weekday(), (0, 6)),
        (lambda day: day.day, (1, 366)),  # of the month or of the year: January cannot tell
        (lambda day: day.year, (1, 9999)),
    ],
)
def test_what_a_column_says_of_the_date_is_bounded_by_the_calendar_and_not_by_january(
    says: Any, bounds: tuple[int, int]
) -> None:
    dates = [date.fromisoformat(day) for day in days(31)]
    seen, what = a_column([[says(day)] * 5 for day in dates], "int64")
    drafted = feature(infer.draft(what, seen))
    assert (drafted.int_domain.min, drafted.int_domain.max) == bounds
    assert not drafted.HasField("bool_domain")
    assert not drafted.HasField("drift_comparator")  # no two days are alike


@pytest.mark.parametrize(("spans", "flag"), [(1, False), (27, False), (28, True)])
def test_a_flag_is_known_by_many_spans_alone(spans: int, flag: bool) -> None:
    seen, what = a_column([[0, 1, 1]] * spans, "int64")
    domain = feature(infer.draft(what, seen)).int_domain
    assert flag == (domain.HasField("max") and (domain.min, domain.max) == (0, 1))


@pytest.mark.parametrize(
    ("name", "values", "bounds"),
    [
        ("departure_hour", [5, 13, 22], (0, 23)),
        ("minute", [5, 13, 55], (0, 59)),
        ("minute", [300, 700, 1200], (0, 1439)),
        ("hours", [5, 13, 22], (3, 24)),  # how long it took: no clock bounds it
    ],
)
def test_a_time_of_day_is_bounded_by_the_clock(
    name: str, values: list[int], bounds: tuple[int, int]
) -> None:
    seen, what = a_column([values] * 10, "int64", name)
    domain = feature(infer.draft(what, seen), name).int_domain
    assert (domain.min, domain.max) == bounds


def test_few_integers_are_looked_up_and_say_so() -> None:
    seen, what = a_column([[3, 7, 9, 3]] * 10, "int64")
    text = infer.draft(what, seen)
    assert feature(text).int_domain.is_categorical
    assert "looked up and not scaled" in text


def test_a_measure_that_often_ends_at_one_number_is_bounded_by_it() -> None:
    humid = [[40.5, 100.0 if n % 3 == 0 else 80.0 + n / 7] for n in range(30)]
    seen, what = a_column(humid, "float32")
    domain = feature(infer.draft(what, seen)).float_domain
    assert domain.max == 100
    assert domain.min < 40.5
    assert domain.disallow_nan
    assert domain.disallow_inf


def test_other_numbers_have_room_and_what_is_never_negative_stays_so() -> None:
    fares = [[2.5, 10.25 + n % 5, 40.75 + n % 9] for n in range(30)]
    seen, what = a_column(fares, "float32")
    domain = feature(infer.draft(what, seen)).float_domain
    assert domain.min == 0
    assert 50 < domain.max < 100


def test_what_never_lacked_may_lack_little_and_the_less_the_more_spans_say_so() -> None:
    allowed = {}
    for spans in (1, 10, 60):
        seen, what = a_column([["a", "b"]] * spans)
        allowed[spans] = 1 - feature(infer.draft(what, seen)).presence.min_fraction
    assert allowed == {1: 1, 10: pytest.approx(0.3), 60: pytest.approx(0.05)}


def test_a_span_that_lacks_far_more_than_the_others_is_named() -> None:
    seen, what = a_column([[1.5] * 19 + [None]] * 30 + [[1.5] * 8 + [None] * 12], "float32")
    text = infer.draft(what, seen)
    assert "# 2013-01-31 lacks far more of column than the others" in text
    assert text.count("lacks far more") == 1


def test_the_label_and_the_name_of_a_row_are_not_fed_to_a_model() -> None:
    seen, what = a_column([["a", "b"]] * 3)
    fed = schema.inputs(schema.parse(infer.draft(what, seen), "draft"))
    assert [f.name for f in fed] == ["column"]


def test_a_part_of_the_key_that_tells_something_is_fed_to_a_model() -> None:
    seen, what = a_column([["EWR", "JFK"]] * 30)
    what = what.model_copy(update={"key": (KEY, "column")})
    fed = schema.inputs(schema.parse(infer.draft(what, seen), "draft"))
    assert [f.name for f in fed] == ["column"]


def test_a_steady_column_is_held_to_its_distance_and_a_restless_one_is_not() -> None:
    steady = [["a"] * (50 + n % 3) + ["b"] * (50 - n % 3) for n in range(40)]
    seen, what = a_column(steady)
    comparator = feature(infer.draft(what, seen)).drift_comparator
    assert 0.03 < comparator.infinity_norm.threshold < 0.06
    restless = [["a"] * (5 + 90 * (n % 2)) + ["b"] * (95 - 90 * (n % 2)) for n in range(40)]
    seen, what = a_column(restless)
    text = infer.draft(what, seen)
    assert not feature(text).HasField("drift_comparator")
    assert "no bound on its drift" in text


def test_a_quiet_weekday_does_not_widen_the_bound_for_the_others() -> None:
    rows = [20 if date.fromisoformat(day).weekday() == 6 else 100 for day in days(56)]
    seen, what = a_column([["a"] * count for count in rows])
    limits = schema.parse(infer.draft(what, seen), "draft").dataset_constraints
    compared = limits.num_examples_drift_comparator
    assert 0.15 < compared.min_fraction_threshold < 0.25  # a Sunday of 20 rows, of 89 on average
    assert compared.max_fraction_threshold <= 1.5
    assert limits.min_examples_count == 10


def test_a_draft_refuses_what_is_plainly_wrong() -> None:
    steady = [[f"{10 + n % 4}.5", "20.25", "31.75"] for n in range(40)]
    numbers = [[float(v) for v in of] for of in steady]
    seen, what = a_column(numbers, "float32")
    reviewed = schema.parse(infer.draft(what, seen), "draft")
    for wrong, told in {
        "in cents": [1050.0, 2025.0, 3175.0],
        "without a value": [None, None, 20.25],
        "with its sign changed": [-10.5, -20.25, -31.75],
    }.items():
        (now,) = a_column([told], "float32")[0].statistics
        assert said(contract.trained(reviewed, now)), wrong


def test_a_label_that_is_no_label_is_told_with_its_span() -> None:
    seen = observed([{KEY: [1, 2], LABEL: [0, 2]}], {KEY: "int64", LABEL: "int64"}, 3)
    with pytest.raises(SluiceError, match="column 'answer' of 2013-01-01 is beyond"):
        infer.draft(a_spec(), seen)


def test_every_limit_says_why_it_is_there() -> None:
    fares = [[*["a", "b", None][n % 3 :], "a"] for n in range(40)]
    text = infer.draft(*reversed(a_column(fares)))
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("  ") and "{" in line and "#" not in line:
            assert lines[number - 1].startswith("  #"), line


@pytest.mark.parametrize(
    "odd", ['quo"te', "back\\slash", "new\nline", "#", "é ☃", "\x00", "it's", ""]
)
def test_odd_names_and_values_survive_being_written_down(odd: str) -> None:
    name = odd or "empty"
    seen, what = a_column([[odd, "b", "c"]] * 30, name=name)
    reviewed = schema.parse(infer.draft(what, seen), "draft")
    assert schema.columns(reviewed)[-1] == name
    assert sorted(reviewed.string_domain[0].value) == sorted([odd, "b", "c"])
