"""A label is counted in as its task has it, or refused with the value that is none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from components import labels
from components.errors import SluiceError
from components.spec import Spec


def spec(task: str, *classes: str | int) -> Spec:
    return Spec.model_validate(
        {
            "name": "made",
            "source": {"path": "arrivals/{span}"},
            "span": {"first": "2013-01-01"},
            "window": {"train": 1, "evaluate": 1},
            "label": "answer",
            "task": task,
            "classes": classes,
            "key": ["id"],
            "thresholds": [{"metric": "loss", "at_most": 1}],
            "serving": {"name": "made"},
            "files": {},
        }
    )


@pytest.mark.parametrize(
    ("what", "column", "encoded"),
    [
        (spec("binary"), pd.Series([0, 1, 1], dtype="Int64"), [0, 1, 1]),
        (spec("binary"), pd.Series([True, False]), [1, 0]),
        (spec("regression"), pd.Series([-1.5, 1e6], dtype="Float32"), [-1.5, 1e6]),
        (spec("multiclass", "low", "high"), pd.Series(["high", "low", "high"]), [1, 0, 1]),
        (spec("multiclass", 3, 5, 7), pd.Series([7, 3], dtype="Int64"), [2, 0]),
        # Integers that were read from a column with gaps.
        (spec("multiclass", 3, 5, 7), pd.Series([7.0, 3.0]), [2, 0]),
        (spec("multiclass", "3", "5"), pd.Series([5, 3]), [1, 0]),
    ],
)
def test_what_a_label_is_counted_in_as(what, column, encoded):
    made = labels.encode(what, column)
    assert made.dtype == np.float64
    assert made.tolist() == encoded


@pytest.mark.parametrize(
    ("what", "column", "told"),
    [
        (spec("binary"), [0, 2], "label 'answer' holds 2; make it 0 or 1 in ingest.sql"),
        (spec("binary"), ["yes"], "make it 0 or 1"),
        (spec("regression"), [1.0, np.inf], "holds inf; make it a finite number"),
        (spec("multiclass", "low", "high"), ["hihg"], "holds 'hihg', which is not among `classes`"),
        (spec("multiclass", "low", "high"), ["hihg"], "did you mean 'high'?"),
        (spec("multiclass", 1, 2), [1.5], "holds '1.5', which is not among"),
    ],
)
def test_a_label_of_another_kind_is_refused_by_its_value(what, column, told):
    with pytest.raises(SluiceError) as refused:
        labels.encode(what, pd.Series(column))
    assert told in str(refused.value)


def test_a_window_is_described_as_its_task_has_it():
    three = spec("multiclass", "low", "middle", "high")
    assert labels.described(three, np.array([0, 2, 2.0])) == {
        "examples_of": {"low": 1, "middle": 0, "high": 2}
    }
    assert labels.described(spec("regression"), np.array([1, 2.0])) == {"mean_label": 1.5}
    assert labels.described(spec("binary"), np.array([1, 0.0])) == {"positives": 1}
    assert (labels.shown(three, 2.0), labels.shown(spec("regression"), 2.5)) == ("high", "2.5")
