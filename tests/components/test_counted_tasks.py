"""Figures of classes and of numbers, too, are TFMA's own and scikit-learn's, whichever way they came."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow_model_analysis as tfma
from sklearn import metrics as peer
from test_counted_metrics import by_row, failures

from components import metrics
from components.errors import SluiceError
from components.evaluate import counted_metrics, judge, tfma_results
from components.evaluate.answers import answers
from components.evaluate.measured import measure
from components.evaluate.population import BASELINE, CANDIDATE, Population, population
from components.evaluate.thresholds import questions
from components.spec import ModelGate, Threshold
from components.verdict import Status

THRESHOLDS = {
    "multiclass": [
        Threshold(
            metric="auc", slice=("origin",), at_least=0.85, worse_by_at_most=0.05, min_examples=50
        ),
        Threshold(metric="accuracy", at_least=0.99),
        Threshold(metric="loss", slice=("origin",), at_most=0.9, worse_by_at_most=0.001),
    ],
    "regression": [
        Threshold(metric="mae", slice=("origin",), at_most=0.5, worse_by_at_most=0.1),
        Threshold(metric="rmse", at_most=1.5),
        Threshold(metric="bias", slice=("origin",), at_least=-0.1, worse_by_at_most=0.05),
    ],
}


def judging(task: metrics.Task, rows: int = 400) -> Population:
    """Return two models' answers to a label that each knows something of; from LGA only class 0, 1."""
    draw = np.random.default_rng(2)
    origin = draw.choice(["EWR", "JFK", "LGA"], rows, p=[0.4, 0.35, 0.25])
    label = draw.integers(0, 3, rows)
    label[origin == "LGA"] %= 2
    if task == "regression":
        label = 10.0 * label - 4
        scores = {
            CANDIDATE: label - 0.3 * (origin == "JFK") + draw.normal(size=rows),
            BASELINE: label + 0.1 + 0.5 * draw.normal(size=rows),
        }
    else:
        said = {m: draw.normal(size=(rows, 3)) + n * np.eye(3)[label] for m, n in KNOW.items()}
        scores = {m: np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for m, x in said.items()}
    columns = pd.DataFrame({"origin": origin})
    single = {model: said.astype("float32") for model, said in scores.items()}
    return population(label, single, columns, [("origin",)], task)


GATE = ModelGate()
KNOW = {CANDIDATE: 1.5, BASELINE: 2.0}


@by_row
@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_both_ways_give_the_same_figures_and_fail_the_same_slices(tmp_path, task):
    rows = judging(task)
    about = (rows.slicings, rows.label, rows.scores[BASELINE], rows.task, rows.classes)
    asked = questions(THRESHOLDS[task], *about)
    answered = answers(asked, measure(asked, rows, GATE), GATE)
    held = [answer.bound for answer in answered if answer.bound]
    config = tfma_results.config(rows, held)
    counted_metrics.write(config, rows, tmp_path / "counted")
    tfma_results.write_row_by_row(config, rows, tmp_path / "full")
    ours, theirs = (tfma_results.figures(tmp_path / way) for way in ("counted", "full"))
    assert ours.keys() == theirs.keys()
    for key, models in ours.items():
        for model, figures in models.items():
            assert figures.keys() == metrics.of(task).keys()
            assert figures == pytest.approx(theirs[key][model], rel=2e-7)  # Keras adds in float32
    results = [tfma.load_validation_result(str(tmp_path / way)) for way in ("counted", "full")]
    assert failures(results[0]) == failures(results[1])
    tfma_results.blank(ours, rows)
    checks = [answer.check for answer in answered]
    failed = {(c.name, c.subject) for c in checks if c.status is Status.FAILED}
    assert {(name, key or "overall") for key, name in told(results[0])} == failed
    assert failed  # or the test compares nothing
    as_scikit_learn_says(rows, ours[()][CANDIDATE], task)
    if task == "multiclass":
        of = {c.subject: c for c in checks if c.name == "auc"}["origin=LGA"]
        assert of.status is Status.WARNED
        assert "not every class is among its" in of.message
        assert math.isnan(ours[(("origin", "LGA"),)][CANDIDATE]["auc"])


def told(result) -> set[tuple[str, str]]:
    """Return slice and metric of every failure in TFMA's validation result."""
    return {
        (
            ", ".join(
                f"{k.column}={k.bytes_value.decode()}" for k in part.slice_key.single_slice_keys
            ),
            failure.metric_key.name,
        )
        for part in result.metric_validations_per_slice
        for failure in part.failures
    }


def as_scikit_learn_says(rows: Population, figures: dict[str, float], task: str) -> None:
    label, scores = rows.label, rows.scores[CANDIDATE]
    if task == "multiclass":
        exact = peer.roc_auc_score(label, scores, multi_class="ovr", average="macro")
        assert figures["auc"] == pytest.approx(exact, abs=1e-3)
        assert figures["accuracy"] == pytest.approx((scores.argmax(axis=1) == label).mean())
        assert figures["loss"] == pytest.approx(peer.log_loss(label, scores), abs=1e-6)
    else:
        assert figures["mae"] == pytest.approx(peer.mean_absolute_error(label, scores))
        assert figures["mse"] == pytest.approx(peer.mean_squared_error(label, scores))
        assert figures["rmse"] == pytest.approx(peer.mean_squared_error(label, scores) ** 0.5)
        assert figures["bias"] == pytest.approx(np.mean(scores - label))


@pytest.mark.parametrize(
    ("task", "said", "why"),
    [
        (
            "multiclass",
            [[0.5, 0.5, 0.2], [1, 0, 0]],
            "1 of 2 examples a sum of scores that is not 1",
        ),
        (
            "multiclass",
            [[0.5, 0.7, -0.2], [1, 0, 0]],
            "a score that is no probability, such as -0.2",
        ),
        (
            "multiclass",
            [[np.nan, 0.5, 0.5], [1, 0, 0]],
            "a sum of scores that is not 1, such as nan",
        ),
        ("multiclass", [0.1, 0.2], "not one of each class for each row"),
        ("regression", [1.0, np.inf], "1 of 2 examples a score that is no number, such as inf"),
        ("regression", [[1.0], [2.0]], "not one for each row"),
    ],
)
def test_answers_that_are_none_are_refused(task, said, why):
    with pytest.raises(SluiceError, match=f"the candidate gives .*{why}"):
        population([0, 1], {CANDIDATE: np.array(said)}, pd.DataFrame(index=range(2)), [], task)


def test_the_files_of_classes_open_in_tfmas_readers(tmp_path: Path):
    rows = judging("multiclass")
    counted_metrics.write(tfma_results.config(rows, []), rows, tmp_path / "tfma")
    result = tfma.load_eval_result(str(tmp_path / "tfma"), model_name=CANDIDATE)
    assert tfma.view.render_slicing_metrics(result, slicing_column="origin").data


def test_one_absurd_number_does_not_hide_a_regression(tmp_path):
    """It makes the mean so uncertain that no difference of it is credible."""
    draw = np.random.default_rng(1)
    label = draw.normal(20, 10, 6000)
    worse, served = (label + draw.normal(0, off, 6000) for off in (8, 5))
    worse[7] = 1e5
    rows = population(
        label,
        {CANDIDATE: worse, BASELINE: served},
        pd.DataFrame(index=range(6000)),
        [],
        "regression",
    )
    bound = Threshold(metric="mae", worse_by_at_most=0.5)
    checks, _ = judge([bound], GATE, rows, tmp_path / "tfma")
    refused = [check for check in checks if check.status is Status.FAILED]
    assert [check.name for check in refused] == ["wild"]
    assert "1 of 6,000 answers are wild, such as 1e+05" in refused[0].message
    rows = population(
        label,
        {CANDIDATE: served, BASELINE: served},
        pd.DataFrame(index=range(6000)),
        [],
        "regression",
    )
    checks, _ = judge([bound], GATE, rows, tmp_path / "again")
    assert Status.FAILED not in {check.status for check in checks}
