"""Figures from counts are TFMA's own figures, and scikit-learn's; what is not covered is not guessed."""

from __future__ import annotations

import gc
import logging
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow_model_analysis as tfma
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from components import metrics
from components.evaluate import accumulators, counted_metrics, tfma_results
from components.evaluate.answers import Answer, Bound, answers
from components.evaluate.measured import measure
from components.evaluate.population import BASELINE, CANDIDATE, Population, population
from components.evaluate.thresholds import questions
from components.spec import ModelGate, Threshold
from components.verdict import Status

# TFMA's row-by-row path says these for each row; NumPy 2 has made them errors, and TFMA mended them.
by_row = pytest.mark.filterwarnings(
    "ignore:Conversion of an array with ndim > 0 to a scalar:DeprecationWarning",
    "ignore:invalid value encountered in divide:RuntimeWarning",
)
SLICINGS = [("origin",), ("origin", "carrier"), ("hour",)]
CARRIERS = ["UA", "B6", "9E", "AA/×=_X_:", "ü"]
THRESHOLDS = [
    Threshold(metric="auc", at_least=0.6, worse_by_at_most=0.02),
    Threshold(metric="auc", slice=("origin",), at_least=0.7, worse_by_at_most=0.0),
    Threshold(metric="auc", slice=("hour",), at_least=0.72, min_examples=150),
    Threshold(metric="loss", slice=("origin", "carrier"), at_most=0.5, worse_by_at_most=0.001),
    Threshold(metric="calibration", slice=("hour",), worse_by_at_most=0.01, min_examples=10),
    Threshold(metric="accuracy", at_most=0.5),
    Threshold(metric="expected_calibration_error", slice=("origin",), at_most=0.04),
    Threshold(metric="false_positive_rate", slice=("origin",), at_most=0.07, worse_by_at_most=0.0),
    Threshold(
        metric="equal_opportunity_difference",
        slice=("origin",),
        at_least=-0.03,
        worse_by_at_most=0.01,
    ),
]


def flights(rows: int, *models: str, seed: int = 1) -> Population:
    """Return a population in which late flights score higher, as float32 models say it."""
    draw = np.random.default_rng(seed)
    columns = pd.DataFrame(
        {
            "origin": draw.choice(["EWR", "JFK", "LGA", None], rows, p=[0.4, 0.3, 0.25, 0.05]),
            "carrier": draw.choice(CARRIERS, rows),
            "hour": np.where(draw.random(rows) < 0.1, np.nan, draw.integers(5, 22, rows)),
        }
    )
    strain = draw.normal(size=rows)
    label = (strain + 1.5 * draw.normal(size=rows) > 1.2).astype(float)
    label[columns["hour"] == 5] = 0  # a slice of one class
    scores = {
        model: (1 / (1 + np.exp(1.2 - strain - 0.4 * n * draw.normal(size=rows)))).astype("float32")
        for n, model in enumerate(models)
    }
    return population(label, scores, columns, SLICINGS)


def answered(judging: Population, thresholds=tuple(THRESHOLDS)) -> list[Answer]:
    baseline, gate = judging.scores.get(BASELINE), ModelGate()
    asked = questions(thresholds, judging.slicings, judging.label, baseline)
    return answers(asked, measure(asked, judging, gate), gate)


def bounds(judging: Population) -> list[Bound]:
    return [answer.bound for answer in answered(judging) if answer.bound]


@by_row
def test_counts_give_the_figures_and_the_verdict_of_tfma_going_row_by_row(tmp_path):
    judging = flights(1200, CANDIDATE, BASELINE)
    config = tfma_results.config(judging, bounds(judging))
    counted_metrics.write(config, judging, tmp_path / "counted")
    tfma_results.write_row_by_row(config, judging, tmp_path / "full")
    same_results(tmp_path / "counted", tmp_path / "full")
    assert plots(tmp_path / "counted") == plots(tmp_path / "full")
    assert not tfma.load_validation_result(str(tmp_path / "full")).validation_ok


def same_results(counted: Path, full: Path) -> None:
    """Compare every figure of every slice that counting makes, and every failure."""
    ours, theirs = tfma_results.figures(counted), tfma_results.figures(full)
    assert ours.keys() == theirs.keys()
    for key, models in ours.items():
        assert models.keys() == theirs[key].keys()
        for model, figures in models.items():
            told = {metric: theirs[key][model][metric] for metric in figures}
            assert figures == pytest.approx(told, rel=1e-12, nan_ok=True), key
    results = [tfma.load_validation_result(str(folder)) for folder in (counted, full)]
    assert results[0].validation_ok is results[1].validation_ok
    assert failures(results[0]) == failures(results[1])


def plots(folder: Path) -> list[str]:
    """Return what is drawn of all rows."""
    of_all = [p for p in tfma.load_plots(str(folder)) if not p.slice_key.single_slice_keys]
    return [str(drawn) for plots in of_all for drawn in plots.plot_keys_and_values]


def failures(result) -> set:
    return {
        (str(of_slice.slice_key), failure.metric_key.name, failure.metric_key.is_diff)
        for of_slice in result.metric_validations_per_slice
        for failure in of_slice.failures
    }


@pytest.mark.parametrize("models", [(CANDIDATE,), (CANDIDATE, BASELINE)])
@pytest.mark.parametrize("seed", range(3))
def test_our_checks_and_tfmas_validation_result_fail_the_same_slices(tmp_path, models, seed):
    judging = flights(3000, *models, seed=seed)
    found = answered(judging)
    held = [answer.bound for answer in found if answer.bound]
    counted_metrics.write(tfma_results.config(judging, held), judging, tmp_path / "tfma")
    result = tfma.load_validation_result(str(tmp_path / "tfma"))
    ours = {
        (answer.question.slice.key, answer.question.metric.name, answer.bound.change)
        for answer in found
        if answer.check.status is Status.FAILED and answer.bound
    }
    theirs = {
        (
            tuple((k.column, tfma_results._value(k)) for k in of_slice.slice_key.single_slice_keys),
            failure.metric_key.name,
            failure.metric_key.is_diff,
        )
        for of_slice in result.metric_validations_per_slice
        for failure in of_slice.failures
    }
    assert ours == theirs
    assert ours  # or the test compares nothing


def test_a_slice_too_small_does_not_fail_tfmas_validation(tmp_path):
    judging = flights(3000, CANDIDATE)
    bound = Threshold(metric="auc", slice=("origin", "carrier"), at_least=0.3, min_examples=200)
    found = answered(judging, [bound])
    held = [answer.bound for answer in found if answer.bound]
    assert 0 < len(held) < len(found)
    counted_metrics.write(tfma_results.config(judging, held), judging, tmp_path / "tfma")
    assert tfma.load_validation_result(str(tmp_path / "tfma")).validation_ok


@pytest.mark.parametrize("models", [(CANDIDATE,), (CANDIDATE, BASELINE)])
def test_tfmas_own_readers_open_the_result(tmp_path, models):
    judging = flights(500, *models)
    config = tfma_results.config(judging, bounds(judging))
    assert tfma_results.write(config, judging, tmp_path / "tfma") == "TFMA on counts"
    result = tfma.load_eval_result(str(tmp_path / "tfma"))
    assert len(result.slicing_metrics) == sum(len(s.values) for s in judging.slicings)
    assert result.config == config
    told = dict(result.slicing_metrics)[()][""][""]
    assert told["example_count"] == {"doubleValue": 500.0}
    assert metrics.of("binary").keys() <= set(told)
    assert ("auc_diff" in told) is (BASELINE in models)
    for model in models if len(models) > 1 else [""]:
        seen = tfma.load_eval_result(str(tmp_path / "tfma"), model_name=model)
        assert len(tfma.view.render_slicing_metrics(seen, slicing_column="origin").data) == 3
        drawn = tfma.view.render_plot(seen).data
        assert len(drawn["calibrationHistogramBuckets"]["buckets"]) == 1002
        matrices = drawn["confusionMatrixAtThresholds"]["matrices"]
        assert matrices[1]["truePositives"] == judging.label.sum()  # at a threshold of 0


def test_one_class_has_no_auc_though_tfma_says_0(tmp_path):
    judging = flights(500, CANDIDATE)
    tfma_results.write(tfma_results.config(judging, []), judging, tmp_path / "tfma")
    figures = tfma_results.figures(tmp_path / "tfma")
    tfma_results.blank(figures, judging)
    early, all_day = (figures[key][CANDIDATE] for key in [(("hour", 5),), ()])
    assert early["mean_label"] == 0
    assert math.isnan(early["auc"])
    assert math.isfinite(all_day["auc"])


cases = st.integers(4, 300).flatmap(
    lambda n: st.tuples(
        st.lists(st.booleans(), min_size=n, max_size=n).filter(lambda ys: 0 < sum(ys) < len(ys)),
        st.lists(st.integers(0, 1000), min_size=n, max_size=n),
    )
)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cases)
def test_figures_are_those_of_scikit_learn(tmp_path_factory, case):
    label, thousandths = (np.array(values) for values in case)
    scores = (thousandths / 1000).astype("float32")
    judging = population(label, {CANDIDATE: scores}, pd.DataFrame(index=range(len(label))), [])
    folder: Path = tmp_path_factory.mktemp("tfma")
    counted_metrics.write(tfma_results.config(judging, []), judging, folder)
    ours = tfma_results.figures(folder)[()][CANDIDATE]
    clipped = judging.scores[CANDIDATE]
    yes = scores > 0.5
    assert ours["auc"] == pytest.approx(peer.roc_auc_score(label, scores), abs=1e-3)
    assert ours["accuracy"] == pytest.approx(peer.accuracy_score(label, yes), abs=1e-6)
    assert ours["recall"] == pytest.approx(peer.recall_score(label, yes), abs=1e-6)
    if yes.any():
        assert ours["precision"] == pytest.approx(peer.precision_score(label, yes), abs=1e-6)
    else:
        assert math.isnan(ours["precision"])
    assert ours["loss"] == pytest.approx(peer.log_loss(label, clipped), rel=1e-6)
    assert ours["mean_label"] == pytest.approx(label.mean(), abs=1e-6)
    assert ours["mean_prediction"] == pytest.approx(scores.mean(dtype=float), abs=1e-6)
    assert ours["calibration"] == pytest.approx(clipped.sum() / label.sum(), rel=1e-6)
    assert ours["false_positive_rate"] == pytest.approx(yes[label == 0].mean(), abs=1e-6)
    assert ours["false_negative_rate"] == pytest.approx((~yes)[label == 1].mean(), abs=1e-6)
    assert ours["expected_calibration_error"] == pytest.approx(by_hand(label, clipped), abs=1e-6)
    assert ours["equal_opportunity_difference"] == 0  # overall, by definition
    assert ours["example_count"] == len(label)


def by_hand(label: np.ndarray, scores: np.ndarray) -> float:
    """Return the expected calibration error as its definition has it."""
    tenth = np.minimum((scores * 10).astype(int), 9)
    apart = [
        (tenth == n).mean() * abs(label[tenth == n].mean() - scores[tenth == n].mean())
        for n in np.unique(tenth)
    ]
    return float(np.sum(apart))


def test_equal_opportunity_is_of_a_slice_against_all_of_them(tmp_path):
    judging = flights(3000, CANDIDATE, BASELINE)
    counted_metrics.write(tfma_results.config(judging, []), judging, tmp_path / "tfma")
    figures = tfma_results.figures(tmp_path / "tfma")
    origins = judging.columns["origin"].to_numpy()
    for model, scores in judging.scores.items():
        found = scores > 0.5
        late = judging.label == 1
        for origin in ("EWR", "JFK", "LGA"):
            apart = found[late & (origins == origin)].mean() - found[late].mean()
            told = figures[(("origin", origin),)][model]["equal_opportunity_difference"]
            assert told == pytest.approx(apart, abs=1e-12)


@by_row
def test_a_metric_that_counts_do_not_cover_goes_to_tfma_and_the_answer_says_so(tmp_path, caplog):
    judging = flights(80, CANDIDATE)
    config = tfma_results.config(judging, bounds(judging))
    counted_metrics.write(config, judging, tmp_path / "counted")
    config.metrics_specs[0].metrics.add(class_name="MeanSquaredError", config='{"name": "mse"}')
    with caplog.at_level(logging.WARNING):
        how = tfma_results.write(config, judging, tmp_path / "full")
    assert how.startswith("TFMA row by row, because TFMA's ")
    assert "row by row" in caplog.text
    figures = tfma_results.figures(tmp_path / "full")[()][CANDIDATE]
    error = np.mean((judging.label - judging.scores[CANDIDATE]) ** 2)
    assert figures["mse"] == pytest.approx(error, rel=1e-6)
    same_results(tmp_path / "counted", tmp_path / "full")  # one model alone, too


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("metrics.metric_specs", "to_computations"),
        ("metrics.calibration_histogram", "Bucket"),
        ("evaluators.metrics_validator", "validate_metrics"),
        ("writers.metrics_plots_and_validations_writer", "CombineValidations"),
        ("version", "VERSION"),
    ],
)
def test_a_tfma_whose_internals_moved_is_not_guessed_at(tmp_path, monkeypatch, where, name):
    judging = flights(50, CANDIDATE)
    config = tfma_results.config(judging, [])
    monkeypatch.delattr(f"tensorflow_model_analysis.{where}.{name}")
    with pytest.raises(counted_metrics.NotCovered, match="not as they were"):
        counted_metrics.write(config, judging, tmp_path / "tfma")
    assert not (tmp_path / "tfma").exists()


def test_the_garbage_collector_is_back_on_even_after_a_failure(tmp_path, monkeypatch):
    judging = flights(50, CANDIDATE)
    monkeypatch.setattr(accumulators, "FILL", {})
    with pytest.raises(counted_metrics.NotCovered):
        counted_metrics.write(tfma_results.config(judging, []), judging, tmp_path / "tfma")
    assert gc.isenabled()
