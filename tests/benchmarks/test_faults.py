"""The faulty copies that the data gate is tried on: each does what it says, and nothing else."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.gates.faults import FAULTS, apply, fits

ROWS = 200
NUMBERS, STRINGS = ("price", "count", "reading", "clock"), ("city", "code", "note")
CELLS = np.random.default_rng(4)


def span(seed: int = 1, rows: int = ROWS) -> pa.Table:
    rng = np.random.default_rng(seed)
    holes = rng.random(rows) < 0.1
    city = rng.choice(["Köln", "Bonn am Rhein", "AACHEN", "ulm"], rows, p=[0.5, 0.3, 0.1, 0.1])
    return pa.table(
        {
            "price": pa.array(np.round(rng.lognormal(3, 1, rows), 2), mask=holes),
            "count": pa.array(rng.integers(0, 500, rows)),
            "reading": pa.array(rng.normal(20, 3, rows)),
            "clock": pa.array(rng.integers(0, 24, rows) * 100 + rng.integers(0, 60, rows)),
            "city": pa.array(city.tolist(), mask=holes),
            "code": pa.array([f"0{k:04d}-{k % 7}" for k in rng.integers(0, 5000, rows)]),
            "note": pa.array([f"a <b> & {'x' * k}" for k in rng.integers(1, 9, rows)]),
            "open": pa.array(rng.random(rows) < 0.5),
        }
    )


BEFORE = [span(seed) for seed in range(10, 18)]
BY_NAME = {fault.name: fault for fault in FAULTS}


def faulty(name: str, column: str | None, of: pa.Table | None = None, seed: int = 0) -> pa.Table:
    copy = apply(BY_NAME[name], of or span(), column, BEFORE, np.random.default_rng(seed))
    assert copy is not None, name
    return copy


def columns(fault) -> list:
    table = span()
    return [None] if fault.family == "table" else [
        c for c in table.column_names if fits(table, c, fault.family)
    ]  # fmt: skip


def test_there_are_the_27_set_ups_on_numbers_and_33_on_strings_of_avh() -> None:
    assert Counter(f.family for f in FAULTS if f.avh) == {"numeric": 27, "string": 33}


def test_there_are_thirty_kinds_and_more_and_no_two_faults_of_one_name() -> None:
    assert len({(f.family, f.kind) for f in FAULTS}) >= 30
    assert len(BY_NAME) == len(FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.name)
def test_a_fault_falls_alike_twice_and_touches_neither_the_span_nor_those_before(fault) -> None:
    for column in columns(fault):
        table, before = span(), [span(seed) for seed in range(10, 18)]
        first = apply(fault, table, column, before, np.random.default_rng(7))
        again = apply(fault, table, column, before, np.random.default_rng(7))
        assert table.equals(span())
        assert all(a.equals(b) for a, b in zip(before, BEFORE, strict=True))
        assert (first is None and again is None) or first.equals(again)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.name)
def test_a_fault_applies_somewhere_keeps_the_types_and_changes_something(fault) -> None:
    copies = [
        apply(fault, span(), column, BEFORE, np.random.default_rng(7)) for column in columns(fault)
    ]
    copies = [copy for copy in copies if copy is not None]
    assert copies
    for copy in copies:
        assert copy.schema.equals(span().schema)
        assert not copy.equals(span())


@pytest.mark.parametrize("fault", [f for f in FAULTS if f.family != "table"], ids=lambda f: f.name)
def test_a_fault_of_a_column_leaves_the_other_columns_as_they_are(fault) -> None:
    for column in columns(fault):
        copy = apply(fault, span(), column, BEFORE, np.random.default_rng(7))
        if copy is None:
            continue
        others = [c for c in span().column_names if c != column]
        if len(copy) == ROWS:
            assert copy.select(others).equals(span().select(others))
        else:  # whole rows came or went, and those that stay are rows of the span
            rows = Counter(map(str, span().to_pylist()))
            assert set(map(str, copy.to_pylist())) <= set(rows)


def changed(copy: pa.Table, column: str) -> float:
    """Return the share of a column's values that changed, of those that were there."""
    old, new = span()[column].to_pylist(), copy[column].to_pylist()
    held = [(a, b) for a, b in zip(old, new, strict=True) if a is not None]
    return sum(a != b for a, b in held) / len(held)


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("numeric: ×10 10%", 0.1),
        ("numeric: ×1.609 100%", 1.0),
        ("numeric: sentinel 999 20%", 0.2),
        ("numeric: outliers 1%", 0.01),
        ("numeric: nulls 2%", 0.02),
        ("string: nulls 50%", 0.5),
        ("string: new value 10%", 0.1),
        ("string: sentinel unknown 5%", 0.05),
        ("string: space before 50%", 0.5),
        ("string: bytes printed 100%", 1.0),
    ],
)
def test_as_many_values_change_as_the_name_says(name: str, share: float) -> None:
    for column in ("price",) if name.startswith("numeric") else ("city", "note"):
        assert changed(faulty(name, column), column) == pytest.approx(share, abs=0.006)


@pytest.mark.parametrize(
    ("name", "column", "becomes"),
    [
        ("numeric: ×1000 100%", "count", lambda v: v * 1000),
        ("numeric: sign flipped 100%", "price", lambda v: -v),
        ("numeric: °F to °C 100%", "price", lambda v: (v - 32) / 1.8),
        ("numeric: rounded to tens 100%", "count", lambda v: round(v, -1)),
        ("numeric: wrapped at 256 100%", "count", lambda v: v % 256),
        ("numeric: shifted by 5 100%", "clock", lambda v: (v + 500) % 2400),
        ("numeric: shifted by 1 100%", "count", lambda v: v + 1),
        ("numeric: decimal point lost 100%", "price", lambda v: float(f"{v:g}".replace(".", ""))),
        ("string: upper case 100%", "city", str.upper),
        ("string: lower case 100%", "city", str.lower),
        ("string: space after 100%", "note", lambda v: v + " "),
        ("string: Latin-1 for UTF-8 100%", "city", lambda v: v.replace("ö", "Ã¶")),
        ("string: not ASCII lost 100%", "city", lambda v: v.replace("ö", "?")),
        ("string: HTML escaped 100%", "note", lambda v: "a &lt;b&gt; &amp;" + v[7:]),
        ("string: zeros before lost 100%", "code", lambda v: v.lstrip("0")),
        ("string: first word only 100%", "city", lambda v: v.split()[0]),
        ("string: blanks removed 100%", "note", lambda v: v.replace(" ", "")),
        ("string: last character lost 100%", "code", lambda v: v[:-1]),
        ("string: sentinel NA 100%", "city", lambda v: "NA"),
    ],
)  # fmt: skip
def test_a_value_becomes_what_the_kind_says(name: str, column: str, becomes) -> None:
    old, new = span()[column].to_pylist(), faulty(name, column)[column].to_pylist()
    due = [None if v is None else becomes(v) for v in old]
    assert new == (pytest.approx(due) if name.startswith("numeric") else due)


@pytest.mark.parametrize("column", NUMBERS)
def test_noise_moves_every_value_and_the_mean_hardly(column: str) -> None:
    old = np.array([v for v in span()[column].to_pylist() if v is not None], float)
    new = faulty("numeric: noise 1 sd 100%", column)[column].to_pylist()
    new = np.array([v for v in new if v is not None], float)
    assert new.std() > 1.2 * old.std()
    assert abs(new.mean() - old.mean()) < 0.3 * old.std()


@pytest.mark.parametrize("column", STRINGS)
def test_a_new_value_was_never_seen_and_is_one_value(column: str) -> None:
    known = {v for part in [*BEFORE, span()] for v in part[column].to_pylist()}
    fresh = set(faulty("string: new value 50%", column)[column].to_pylist()) - known
    assert len(fresh) == 1


def test_mistyped_characters_keep_the_length_and_inserted_ones_do_not() -> None:
    old = span()["code"].to_pylist()
    mistyped = faulty("string: characters mistyped 100% 100%", "code")["code"].to_pylist()
    inserted = faulty("string: characters inserted 50% 100%", "code")["code"].to_pylist()
    assert [len(v) for v in mistyped] == [len(v) for v in old]
    assert sum(map(len, inserted)) > 1.3 * sum(map(len, old))


def test_values_of_another_column_come_from_the_next_of_the_type() -> None:
    copy = faulty("numeric: values of another column 100%", "price")
    assert copy["price"].equals(span()["reading"])
    last = faulty("string: values of another column 100%", "note")
    assert last["note"].equals(span()["code"])


def test_the_first_values_are_the_most_frequent() -> None:
    assert set(faulty("string: first values only 10%", "city")["city"].to_pylist()) == {"Köln"}
    assert "Köln" not in faulty("string: last values only 10%", "city")["city"].to_pylist()


@pytest.mark.parametrize("column", [*NUMBERS, *STRINGS])
def test_a_shuffled_column_has_the_values_it_had(column: str) -> None:
    family = "numeric" if column in NUMBERS else "string"
    copy = faulty(f"{family}: shuffled column 100%", column)
    assert Counter(copy[column].to_pylist()) == Counter(span()[column].to_pylist())
    assert not copy[column].equals(span()[column])


def test_a_stale_column_has_the_values_of_the_span_before() -> None:
    assert faulty("numeric: stale column 100%", "price")["price"].equals(BEFORE[-1]["price"])


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("table: rows duplicated 10%", 220),
        ("table: rows duplicated 100%", 400),
        ("table: rows lost 90%", 20),
        ("table: file truncated 30%", 140),
        ("table: yesterday appended 100%", 400),
        ("table: rows of yesterday 50%", 200),
        ("table: rows blank 10%", 200),
    ],
)
def test_as_many_rows_are_left_as_the_name_says(name: str, rows: int) -> None:
    assert len(faulty(name, None)) == rows


def test_a_truncated_file_keeps_its_beginning_and_a_stale_one_is_an_earlier_one() -> None:
    assert faulty("table: file truncated 50%", None).equals(span().slice(0, 100))
    assert faulty("table: stale file 100%", None).equals(BEFORE[-1])
    assert faulty("table: stale file ×7", None).equals(BEFORE[-7])


def test_a_lost_partition_is_all_rows_of_one_value_and_no_other() -> None:
    kept = faulty("table: partition lost 100%", None)
    lost = [c for c in STRINGS if set(kept[c].to_pylist()) != set(span()[c].to_pylist())]
    column = next(c for c in lost if c != "code")
    top = Counter(v for v in span()[column].to_pylist() if v is not None).most_common(1)[0]
    assert top[0] not in kept[column].to_pylist()
    assert len(kept) == ROWS - top[1]


def test_swapped_columns_have_each_others_values() -> None:
    copy = faulty("table: columns swapped 100%", None)
    moved = [c for c in span().column_names if not copy[c].equals(span()[c])]
    assert len(moved) == 2
    assert copy[moved[0]].to_pylist() == span()[moved[1]].to_pylist()


def test_what_a_kind_cannot_change_is_no_faulty_copy() -> None:
    loud = pa.table({"city": ["ULM", "KÖLN"] * 20})
    upper = BY_NAME["string: upper case 100%"]
    assert apply(upper, loud, "city", [], CELLS) is None
    assert apply(BY_NAME["table: stale file 100%"], loud, None, [], CELLS) is None
    assert apply(BY_NAME["numeric: ×10 100%"], loud, "city", [], CELLS) is None
    assert apply(BY_NAME["string: shuffled column 100%"], loud, "city", [], CELLS) is None


def test_whole_numbers_stay_whole_and_within_64_bits() -> None:
    huge = pa.table({"id": pa.array([520238684948688896 + k for k in range(50)])})
    for name in ("×1000 100%", "digits inserted 50% 100%", "noise 1 sd 100%"):
        copy = apply(BY_NAME[f"numeric: {name}"], huge, "id", [], np.random.default_rng(1))
        assert copy is None or copy["id"].type == pa.int64()
