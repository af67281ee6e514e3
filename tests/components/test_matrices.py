"""The confusion matrices that NumPy adds up are those that TFMA walks to, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_model_analysis.metrics import binary_confusion_matrices as theirs
from tensorflow_model_analysis.metrics import calibration_histogram
from test_counted_metrics import flights

from components.evaluate import counted_metrics, tfma_results
from components.evaluate.counts import BUCKETS
from components.evaluate.matrices import matrices, same
from components.evaluate.population import BASELINE, CANDIDATE

buckets = st.dictionaries(
    st.integers(0, BUCKETS + 1),
    st.tuples(st.integers(0, 50), st.integers(0, 50)).filter(any),
    min_size=1,
    max_size=60,
)


def walked(cells):
    """Return what TFMA makes of the histogram with these buckets."""
    of_rows, of_matrices = theirs.binary_confusion_matrices(num_thresholds=BUCKETS)
    histogram = [calibration_histogram.Bucket(*cell) for cell in cells]
    return of_matrices.result({of_rows.keys[0]: histogram})[of_matrices.keys[0]]


@settings(max_examples=20, deadline=None)
@given(buckets)
def test_any_histogram_gives_the_matrices_of_tfma(filled):
    cells = [(n, float(p), n * 1e-4, float(p + q)) for n, (p, q) in sorted(filled.items())]
    assert same(matrices(cells), walked(cells))


def test_every_bucket_falls_where_tfma_has_it_fall():
    draw = np.random.default_rng(0)
    cells = [
        (n, float(p), 0.0, float(p + 1)) for n, p in enumerate(draw.integers(0, 9, BUCKETS + 2))
    ]
    assert same(matrices(cells), walked(cells))


def test_tfma_walks_for_all_rows_together_and_not_for_each_slice(tmp_path, monkeypatch):
    """It takes 20 ms, nine tenths of what the figures of a slice cost."""
    judging, walks = flights(600, CANDIDATE, BASELINE), []
    walk = theirs._histogram_to_binary_confusion_matrices
    monkeypatch.setattr(
        theirs,
        "_histogram_to_binary_confusion_matrices",
        lambda *given: walks.append(given) or walk(*given),
    )
    counted_metrics.write(tfma_results.config(judging, []), judging, tmp_path / "tfma")
    assert len(walks) <= 4  # two models, and the plot of either


def test_matrices_that_tfma_makes_otherwise_are_not_guessed_at(tmp_path, monkeypatch):
    judging = flights(50, CANDIDATE)
    walk = theirs._histogram_to_binary_confusion_matrices

    def moved(*given):
        made = walk(*given)
        return made._replace(tp=[*made.tp[:-1], 1.0])

    monkeypatch.setattr(theirs, "_histogram_to_binary_confusion_matrices", moved)
    with pytest.raises(counted_metrics.NotCovered, match="other confusion matrices"):
        counted_metrics.write(tfma_results.config(judging, []), judging, tmp_path / "tfma")
    assert not (tmp_path / "tfma").exists()
