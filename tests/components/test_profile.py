"""A span's profile: figures that come back as they were written, from rows of any shape."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components import profile
from components.errors import SluiceError

NUMBERS = st.one_of(st.none(), st.floats(width=32), st.integers(-(2**40), 2**40).map(float))
TEXTS = st.one_of(st.none(), st.text(max_size=12))


@settings(deadline=None, max_examples=60)
@given(rows=st.lists(st.tuples(NUMBERS, TEXTS), max_size=40))
def test_any_rows_have_a_profile_that_is_read_as_it_was_written(rows: list) -> None:
    table = pa.table(
        {
            "number": pa.array([n for n, _ in rows], pa.float64()),
            "text": pa.array([t for _, t in rows], pa.string()),
        }
    )
    made = profile.profile(table)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / profile.FILE
        made.save(path)
        read = profile.load(path)
    assert read.rows == len(rows)
    for name in ("number", "text"):
        assert read.columns[name].figures == dict(made.columns[name].figures)
        assert list(read.columns[name].quantiles) == list(made.columns[name].quantiles)
        assert all(np.isfinite(v) for v in read.columns[name].figures.values())


def test_the_figures_of_numbers_are_numpys() -> None:
    values = np.random.default_rng(1).normal(5, 2, 400).round(1)
    told = profile.profile(pa.table({"x": pa.array([*values, None])})).columns["x"]
    assert told.present == 400
    assert told.figures["missing"] == pytest.approx(1 / 401)
    assert told.figures["mean"] == pytest.approx(values.mean())
    assert told.figures["spread"] == pytest.approx(values.std())
    assert told.figures["distinct"] == pytest.approx(len(np.unique(values)) / 400)
    levels = profile.numbers.LEVELS
    np.testing.assert_allclose(told.quantiles, np.quantile(values, levels), atol=1e-12)


def test_texts_are_told_by_shape_case_and_edges() -> None:
    texts = ["Ab-12", "Xy-77", " ab", "NA", "é"]
    told = profile.profile(pa.table({"x": texts})).columns["x"]
    assert told.shapes == {"Aa-9": 2, " a": 1, "A": 1, "é": 1}
    assert told.figures["edge space"] == pytest.approx(0.2)
    assert told.figures["nothing said"] == pytest.approx(0.2)
    assert told.figures["foreign"] == pytest.approx(0.2)


def test_integers_that_are_names_are_followed_by_value() -> None:
    table = pa.table({"hour": [6, 6, 7]})
    assert profile.profile(table, ["hour"]).columns["hour"].values == {"6": 2, "7": 1}
    assert profile.profile(table).columns["hour"].kind == "number"


def test_what_decides_another_column_is_told_from_what_does_not() -> None:
    draw = np.random.default_rng(1)
    one = draw.integers(0, 5, 1000)
    table = pa.table({"a": one, "b": one * 10, "c": draw.integers(0, 5, 1000)})
    pairs = profile.profile(table).pairs
    assert pairs["a × b"] == pytest.approx(1)
    assert pairs["a × c"] < 0.02


def test_repeated_rows_are_counted() -> None:
    table = pa.table({"a": [1, 1, 2, 2, 3], "b": ["x", "x", "y", "z", None]})
    assert profile.profile(table).duplicates == pytest.approx(0.2)


def test_rows_are_known_again_in_another_order_file_and_table() -> None:
    rows = pa.table({"a": [1.5, None, 3.0, 4.0], "b": ["x", "x", None, "y"], "c": [1, 2, 3, 4]})
    known = profile.profile(rows).sketch
    assert len(known) == 4
    assert profile.profile(rows.take([3, 1, 0, 2])).sketch == known
    assert profile.profile(pa.concat_tables([rows.slice(2), rows.slice(0, 2)])).sketch == known
    assert set(profile.profile(rows.slice(1, 2)).sketch) < set(known)
    other = rows.set_column(1, "b", pa.array(["x", "y", "x", "y"]))
    assert len(set(profile.profile(other).sketch) & set(known)) == 2


def test_a_profile_that_is_torn_or_of_another_version_is_named(tmp_path: Path) -> None:
    path = tmp_path / profile.FILE
    profile.profile(pa.table({"a": [1]})).save(path)
    path.write_text(path.read_text()[:-10])
    with pytest.raises(SluiceError, match=r"profile\.json cannot be read as a profile"):
        profile.load(path)
    path.write_text('{"version": 99}')
    with pytest.raises(SluiceError, match="it is not of version"):
        profile.load(path)
    for empty in ("", "null", "[]", '{"version": 1}', '{"version": 1, "columns": null}'):
        path.write_text(empty)
        with pytest.raises(
            SluiceError, match=r"cannot be read as a profile: .*; remove its folder"
        ):
            profile.load(path)
    path.write_text(f'{{"version": {profile.VERSION}, "columns": {{}}}}')
    with pytest.raises(SluiceError, match="it is of no column"):
        profile.load(path)
