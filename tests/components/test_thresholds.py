"""A bound keeps a worse candidate out whichever way its metric points, and only where it can tell."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from components.evaluate.slices import partition
from components.evaluate.thresholds import FIRST, answer, questions
from components.spec import Threshold
from components.verdict import Check, Status

ORIGIN = ["EWR"] * 6 + ["JFK"] * 3
LABEL = np.array([1, 0, 1, 0, 0, 0, 0, 0, 0], dtype=float)  # none is late from JFK
BASELINE = np.full(9, 0.25)


def asked(threshold: Threshold, *, label=LABEL, baseline: np.ndarray | None = BASELINE):
    slicings = partition(pd.DataFrame({"origin": ORIGIN}), [("origin",)])
    return questions([threshold], slicings, label, baseline)


def overall(candidate: float, baseline: float | None = None, **bound) -> Check:
    """Return the one check of a bound on the metric `bound['metric']`, overall."""
    threshold = Threshold(min_examples=1, **bound)
    said = None if baseline is None else np.full(9, baseline * LABEL.sum() / 9)
    figures = {"candidate": {threshold.metric: candidate}}
    if baseline is not None:
        figures["baseline"] = {threshold.metric: baseline}
    (question,) = asked(threshold, baseline=said)
    return answer(question, figures)


@pytest.mark.parametrize(
    ("bound", "candidate", "status"),
    [
        ({"metric": "auc", "at_least": 0.6}, 0.6, Status.PASSED),
        ({"metric": "auc", "at_least": 0.6}, 0.599, Status.FAILED),
        ({"metric": "loss", "at_most": 0.5}, 0.5, Status.PASSED),
        ({"metric": "loss", "at_most": 0.5}, 0.51, Status.FAILED),
        ({"metric": "calibration", "at_least": 0.8, "at_most": 1.2}, 1.0, Status.PASSED),
        ({"metric": "calibration", "at_least": 0.8, "at_most": 1.2}, 1.3, Status.FAILED),
        ({"metric": "calibration", "at_least": 0.8, "at_most": 1.2}, 0.7, Status.FAILED),
    ],
)
def test_an_absolute_bound(bound, candidate, status):
    assert overall(candidate, **bound).status is status


@pytest.mark.parametrize(
    ("metric", "baseline", "candidate", "status"),
    [
        ("auc", 0.70, 0.68, Status.PASSED),  # worse, by less than is allowed
        ("auc", 0.70, 0.66, Status.FAILED),
        ("auc", 0.70, 0.95, Status.PASSED),  # better is never a fault
        ("loss", 0.40, 0.42, Status.PASSED),
        ("loss", 0.40, 0.44, Status.FAILED),
        ("loss", 0.40, 0.10, Status.PASSED),
        ("calibration", 1.10, 1.12, Status.PASSED),
        ("calibration", 1.10, 1.14, Status.FAILED),
        ("calibration", 1.10, 0.88, Status.PASSED),  # as far from 1, on the other side
        ("calibration", 1.10, 0.86, Status.FAILED),
        ("calibration", 0.90, 1.14, Status.FAILED),
        ("calibration", 1.10, 1.00, Status.PASSED),
    ],
)
def test_worse_than_the_baseline_means_what_the_metric_means_by_worse(
    metric, baseline, candidate, status
):
    assert overall(candidate, baseline, metric=metric, worse_by_at_most=0.03).status is status


def test_no_worse_at_all_lets_an_equal_candidate_pass():
    check = overall(0.7, 0.7, metric="auc", worse_by_at_most=0)
    assert check.status is Status.PASSED


def test_a_failed_check_tells_both_figures_the_difference_the_bound_and_the_examples():
    check = overall(0.6612, 0.7000, metric="auc", worse_by_at_most=0.03)
    for told in ("0.6612", "0.7000", "-0.0388", "9 examples", "but must be at most 0.03 below"):
        assert told in check.message
    assert (check.name, check.subject) == ("auc", "overall")
    assert check.values["candidate"] == 0.6612
    assert check.values["baseline"] == 0.7
    assert check.values["examples"] == 9
    assert check.values["difference"] == pytest.approx(-0.0388)


def test_one_threshold_with_two_bounds_makes_two_checks():
    both = asked(Threshold(metric="auc", at_least=0.6, worse_by_at_most=0.03, min_examples=1))
    assert [q.kind for q in both] == ["absolute", "worse_by_at_most"]


def test_the_first_model_is_not_compared_and_says_so():
    threshold = Threshold(metric="auc", at_least=0.6, worse_by_at_most=0.03, min_examples=1)
    absolute, change = asked(threshold, baseline=None)
    figures = {"candidate": {"auc": 0.7}}
    assert answer(absolute, figures).status is Status.PASSED
    skipped = answer(change, figures)
    assert skipped.status is Status.SKIPPED
    assert FIRST in skipped.message


def by_slice(threshold: Threshold, **figures: float) -> dict[str, Check]:
    told = {model: {threshold.metric: value} for model, value in figures.items()}
    return {q.slice.name: answer(q, told) for q in asked(threshold)}


def test_a_slice_too_small_is_told_and_neither_passes_nor_fails():
    threshold = Threshold(metric="accuracy", slice=("origin",), at_least=0.9, min_examples=5)
    checks = by_slice(threshold, candidate=0.5, baseline=0.5)
    assert checks["origin=EWR"].status is Status.FAILED
    assert checks["origin=JFK"].status is Status.SKIPPED
    assert "underpowered: 3 examples of 5" in checks["origin=JFK"].message


@pytest.mark.parametrize("metric", ["auc", "recall", "calibration"])
def test_a_slice_of_one_class_is_skipped_for_what_it_cannot_show(metric):
    threshold = Threshold(metric=metric, slice=("origin",), at_least=0.9, min_examples=1)
    check = by_slice(threshold, candidate=math.nan, baseline=math.nan)["origin=JFK"]
    assert check.status is Status.SKIPPED
    assert "none of 3 examples is positive" in check.message


@pytest.mark.parametrize(
    ("candidate", "status"), [(0.30, "passed"), (-0.30, "passed"), (-0.4, "failed")]
)
def test_a_rate_may_be_as_far_from_overall_as_the_baselines_whichever_way(candidate, status):
    label = np.array([1, 1, 0, 0, 0, 0, 1, 1, 0], dtype=float)
    baseline = np.array(
        [0.9, 0.9, 0, 0, 0, 0, 0.9, 0.1, 0]
    )  # finds all late from EWR, half from JFK
    threshold = Threshold(
        metric="equal_opportunity_difference",
        slice=("origin",),
        worse_by_at_most=0.06,
        min_examples=1,
    )
    question = asked(threshold, label=label, baseline=baseline)[0]
    assert question.slice.name == "origin=EWR"
    assert (question.lower, question.upper) == pytest.approx((-0.31, 0.31))  # 1 - 0.75, and 0.06
    figures = {model: {threshold.metric: candidate} for model in ("candidate", "baseline")}
    assert answer(question, figures).status == status


def test_a_slice_of_one_class_is_judged_by_what_it_can_show():
    threshold = Threshold(metric="loss", slice=("origin",), at_most=0.1, min_examples=1)
    assert by_slice(threshold, candidate=0.4)["origin=JFK"].status is Status.FAILED


@pytest.mark.parametrize("label", [np.zeros(9), np.ones(9)])
def test_one_class_overall_is_an_error_since_nothing_could_be_told(label):
    threshold = Threshold(metric="auc", at_least=0.6, min_examples=1)
    (question,) = asked(threshold, label=label)
    assert answer(question, {"candidate": {"auc": 0.0}}).status is Status.ERROR


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_no_number_is_an_error_and_never_a_pass(broken):
    assert overall(broken, metric="precision", at_least=0.1).status is Status.ERROR
    assert overall(0.5, broken, metric="precision", worse_by_at_most=9).status is Status.ERROR
    slices = by_slice(
        Threshold(metric="precision", slice=("origin",), at_least=0.1, min_examples=5),
        candidate=broken,
    )
    assert slices["origin=EWR"].status is Status.ERROR
    assert slices["origin=EWR"].values["candidate"] is None  # as JSON can hold it
