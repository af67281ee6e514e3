"""Each slice is validated against its own bounds alone, and the result is the one of them all."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.evaluators import metrics_validator
from tensorflow_model_analysis.slicer import slicer_lib
from tensorflow_model_analysis.writers import metrics_plots_and_validations_writer as writer
from test_counted_metrics import bounds, flights
from test_counted_tasks import judging as of_task

from components.evaluate import counted_metrics, tfma_results
from components.evaluate.answers import Bound
from components.evaluate.population import BASELINE, CANDIDATE, Population, population
from components.evaluate.validations import validated


def told_by_tfma(config, sliced):
    """Validate as TFMA's own pipeline does: the whole config for every slice, one after another."""
    combine = writer.CombineValidations(config)
    told = combine.create_accumulator()
    for one in sliced:
        told = combine.add_input(told, metrics_validator.validate_metrics(one, config))
    return combine.extract_output(told)


def sliced_by(judging: Population, config):
    with np.errstate(divide="ignore", invalid="ignore"):
        return counted_metrics._sliced(config, judging)[0]


def every_slice(judging: Population, *metrics: str) -> list[Bound]:
    """Return a bound of the change, and one of the value, of each metric in each slice."""
    parts = [part for slicing in judging.slicings for part in slicing]
    return [
        bound
        for metric in metrics
        for part in parts
        for bound in (
            Bound(metric, part, -0.01, None, change=True),
            Bound(metric, part, 0.4, 0.75),
        )
    ]


@pytest.mark.parametrize("models", [(CANDIDATE,), (CANDIDATE, BASELINE)])
def test_the_result_is_that_of_tfmas_own_validator_on_the_whole_config(models):
    judging = flights(1500, *models)
    config = tfma_results.config(judging, bounds(judging))
    sliced = sliced_by(judging, config)
    ours = validated(config, sliced)
    assert ours == told_by_tfma(config, sliced)
    assert not ours.validation_ok
    assert len(ours.metric_validations_per_slice) > 3
    assert len(ours.validation_details.slicing_details) > 5


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_so_it_is_of_classes_and_numbers(task):
    judging = of_task(task)
    metrics = {"multiclass": ("auc", "loss"), "regression": ("mae", "bias")}[task]
    config = tfma_results.config(judging, every_slice(judging, *metrics))
    sliced = sliced_by(judging, config)
    assert validated(config, sliced) == told_by_tfma(config, sliced)


def test_values_that_tfma_takes_for_one_are_held_to_one_anothers_bounds_as_it_does():
    """TFMA reads `01` and `1` as the number 1: a bound of either is one of both."""
    draw = np.random.default_rng(0)
    label, score = draw.integers(0, 2, 400), draw.random(400)
    columns = pd.DataFrame({"gate": draw.choice(["1", "01", "1.0", "1_0", "A"], 400)})
    judging = population(label, {CANDIDATE: score}, columns, [("gate",)])
    held = [
        Bound("auc", part, 0.1 + 0.1 * part.code, None)
        for slicing in judging.slicings
        for part in slicing
    ]
    config = tfma_results.config(judging, held)
    sliced = sliced_by(judging, config)
    ours = validated(config, sliced)
    assert ours == told_by_tfma(config, sliced)
    matching = [d.num_matching_slices for d in ours.validation_details.slicing_details]
    assert max(matching) > 1


def test_a_bound_of_many_slices_and_a_figure_that_is_missing_are_told_as_tfma_tells_them():
    judging = flights(800, CANDIDATE, BASELINE)
    config = tfma_results.config(judging, bounds(judging))
    sliced = sliced_by(judging, config)
    wide = type(config)()
    wide.CopyFrom(config)
    auc = next(m for m in wide.metrics_specs[0].metrics if m.class_name == "AUC")
    auc.per_slice_thresholds.add(
        slicing_specs=[tfma.SlicingSpec(feature_keys=["origin"])],
        threshold=tfma.MetricThreshold(value_threshold={"lower_bound": {"value": 0.99}}),
    )
    assert validated(wide, sliced) == told_by_tfma(wide, sliced)
    lacking = [(key, {k: v for k, v in of.items() if k.name != "accuracy"}) for key, of in sliced]
    assert validated(config, lacking) == told_by_tfma(config, lacking)
    assert "Metric not found" in str(validated(config, lacking))


def readings(slices: int, monkeypatch) -> int:
    """Return how many slicings of thresholds TFMA reads to validate so many slices."""
    draw = np.random.default_rng(0)
    label, score = draw.integers(0, 2, 10 * slices), draw.random(10 * slices)
    columns = pd.DataFrame({"flight": np.arange(10 * slices) % slices})
    judging = population(label, {CANDIDATE: score, BASELINE: score}, columns, [("flight",)])
    config = tfma_results.config(judging, every_slice(judging, "accuracy", "loss"))
    sliced = sliced_by(judging, config)
    made = slicer_lib.SingleSliceSpec.__init__
    count = 0

    def counted(self, *given, **named):
        nonlocal count
        count += 1
        made(self, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(slicer_lib.SingleSliceSpec, "__init__", counted)
        validated(config, sliced)
    return count


def test_twice_the_slices_are_twice_the_thresholds_read_and_not_four_times(monkeypatch):
    """A thousand slices by two metrics took three minutes: each read the bounds of all the others."""
    few, many = readings(32, monkeypatch), readings(64, monkeypatch)
    assert few > 32 * 4  # or the test counts nothing
    assert many < 2.3 * few
