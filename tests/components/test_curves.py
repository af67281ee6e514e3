"""Curves of few points say what all the scores say: areas as scikit-learn's, every example counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from components.evaluate.curves import POINTS, calibration, curves, roc
from components.evaluate.population import population
from components.evidence import Curves


@pytest.fixture(scope="module")
def rows():
    draw = np.random.default_rng(3)
    strain = draw.normal(size=20_000)
    label = strain + draw.normal(size=20_000) > 1
    return label, 1 / (1 + np.exp(1 - strain))


def test_the_area_is_exact_and_the_points_lie_on_the_curve(rows):
    label, scores = rows
    curve = roc(label, scores)
    assert curve.area == pytest.approx(roc_auc_score(label, scores), abs=1e-12)
    assert len(curve.points) <= POINTS
    false, true, _ = roc_curve(label, scores, drop_intermediate=False)
    exact = set(zip(false.round(5).tolist(), true.round(5).tolist(), strict=True))
    assert set(curve.points) <= exact
    assert (curve.points[0], curve.points[-1]) == ((0, 0), (1, 1))


def test_few_points_lose_little_of_the_area(rows):
    x, y = np.array(roc(*rows).points).T
    area = np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2)
    assert area == pytest.approx(roc_auc_score(*rows), abs=1e-3)


def test_equal_scores_know_nothing_however_the_rows_are_ordered():
    label = np.arange(1000) < 300
    assert roc(label, np.full(1000, 0.4)).area == pytest.approx(0.5)


def test_each_tenth_of_the_examples_says_how_many_were_positive(rows):
    label, scores = rows
    bins = calibration(label, scores)
    assert sum(one.examples for one in bins) == len(label)
    assert sum(one.positives * one.examples for one in bins) == pytest.approx(label.sum())
    assert [one.score for one in bins] == sorted(one.score for one in bins)
    assert all(one.interval[0] < one.positives < one.interval[1] for one in bins)


def test_every_example_is_in_the_histograms_and_two_models_share_their_edges(rows):
    label, scores = rows
    said = {"candidate": scores, "baseline": scores**2}
    judging = population(label.astype(int), said, pd.DataFrame(index=range(len(label))), [])
    held = Curves.model_validate(curves(judging))
    for own in held.scores.values():
        assert (sum(own.positive), sum(own.negative)) == (label.sum(), (~label).sum())
    assert list(held.roc) == list(held.scores) == ["candidate", "baseline"]


@pytest.mark.parametrize(("label", "score"), [([0, 0, 0], 0.2), ([1], 0.9999999), ([1, 0], 0.0)])
def test_few_rows_or_one_label_or_one_score_still_draw(label, score):
    n = len(label)
    judging = population(
        np.array(label), {"candidate": np.full(n, score)}, pd.DataFrame(index=range(n)), []
    )
    held = Curves.model_validate(curves(judging))
    assert bool(held.roc) == (len(set(label)) == 2)
    assert sum(held.scores["candidate"].negative) == label.count(0)
