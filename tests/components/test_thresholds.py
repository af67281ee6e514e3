"""A bound keeps a worse candidate out whichever way its metric points, and only where it can tell."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from components import metrics
from components.evaluate import culprits
from components.evaluate.answers import Answer, answers
from components.evaluate.culprits import culprits_first
from components.evaluate.measured import Measured, measure
from components.evaluate.population import BASELINE, CANDIDATE, Population, population
from components.evaluate.slices import partition
from components.evaluate.thresholds import FIRST, questions
from components.spec import ModelGate, Threshold
from components.verdict import Status

ORIGIN = ["EWR"] * 6 + ["JFK"] * 3
LABEL = np.array([1, 0, 1, 0, 0, 0, 0, 0, 0], dtype=float)  # none is late from JFK
ANY = np.full(9, 0.25)
GATE = ModelGate()
METRICS = [name for name, metric in metrics.of("binary").items() if metric.better is not None]
APART = "equal_opportunity_difference"  # 0 overall, by what it is


def asked(threshold: Threshold, *, label=LABEL, baseline: np.ndarray | None = ANY):
    slicings = partition(pd.DataFrame({"origin": ORIGIN}), [("origin",)])
    return questions([threshold], slicings, label, baseline)


def figure(candidate: float) -> Measured:
    """Return what is measured of a candidate that is alone."""
    nan = math.nan
    return Measured(candidate, nan, nan, candidate - 0.1, candidate + 0.1, 0.0, nan, nan, nan)


def overall(candidate: float, **bound) -> Answer:
    """Return the answer to one absolute bound overall."""
    ask = asked(Threshold(min_examples=1, **bound), baseline=None)
    (found,) = answers(ask, [figure(candidate)], GATE)
    return found


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
def test_an_absolute_bound_holds_the_figure_itself_and_tells_how_sure_it_is(
    bound, candidate, status
):
    check = overall(candidate, **bound).check
    assert check.status is status
    assert check.values["interval"] == [candidate - 0.1, candidate + 0.1]
    assert f"between {candidate - 0.1:.4f} and {candidate + 0.1:.4f}" in check.message


def test_one_threshold_with_two_bounds_makes_two_checks():
    both = asked(Threshold(metric="auc", at_least=0.6, worse_by_at_most=0.03, min_examples=1))
    assert [q.kind for q in both] == ["absolute", "worse_by_at_most"]


def test_the_first_model_is_not_compared_and_says_so():
    threshold = Threshold(metric="auc", at_least=0.6, worse_by_at_most=0.03, min_examples=1)
    found = answers(asked(threshold, baseline=None), [figure(0.7)] * 2, GATE)
    assert [a.check.status for a in found] == [Status.PASSED, Status.SKIPPED]
    assert FIRST in found[1].check.message


def by_slice(threshold: Threshold, candidate: float, gate: ModelGate = GATE):
    ask = asked(threshold)
    found = answers(ask, [figure(candidate)] * len(ask), gate)
    return {a.check.subject: a.check for a in found}


@pytest.mark.parametrize(
    ("gate", "status"),
    [(ModelGate(), Status.WARNED), (ModelGate(underpowered="halt"), Status.FAILED)],
)
def test_a_slice_too_small_is_told_and_does_not_pass(gate, status):
    threshold = Threshold(metric="accuracy", slice=("origin",), at_least=0.9, min_examples=5)
    checks = by_slice(threshold, 0.5, gate)
    assert checks["origin=EWR"].status is Status.FAILED
    assert checks["origin=JFK"].status is status
    assert "underpowered: 3 examples of 5" in checks["origin=JFK"].message


@pytest.mark.parametrize("metric", ["auc", "recall", "calibration"])
def test_a_slice_of_one_class_is_told_for_what_it_cannot_show(metric):
    threshold = Threshold(metric=metric, slice=("origin",), at_least=0.9, min_examples=1)
    check = by_slice(threshold, math.nan)["origin=JFK"]
    assert check.status is Status.WARNED
    assert "none of 3 examples is positive" in check.message


@pytest.mark.parametrize(
    ("candidate", "p", "status"),
    [(0.30, 1.0, "passed"), (-0.30, 1.0, "passed"), (-0.4, 0.01, "failed")],
)
def test_tfma_is_told_how_far_from_its_ideal_a_rate_may_be_whichever_way(candidate, p, status):
    threshold = Threshold(
        metric="equal_opportunity_difference", worse_by_at_most=0.06, min_examples=1
    )
    worse = abs(candidate) - 0.25
    apart = Measured(candidate, 0.25, worse, worse, worse, worse, p, 1.0, 0.05)
    (found,) = answers(asked(threshold), [apart], GATE)
    assert found.check.status == status
    assert found.bound is not None
    assert (found.bound.lower, found.bound.upper) == pytest.approx((-0.31, 0.31))  # .25 and .06


def test_a_slice_of_one_class_is_judged_by_what_it_can_show():
    threshold = Threshold(metric="loss", slice=("origin",), at_most=0.1, min_examples=1)
    assert by_slice(threshold, 0.4)["origin=JFK"].status is Status.FAILED


@pytest.mark.parametrize("label", [np.zeros(9), np.ones(9)])
def test_one_class_overall_is_an_error_since_nothing_could_be_told(label):
    ask = asked(Threshold(metric="auc", at_least=0.6, min_examples=1), label=label)
    (found,) = answers(ask, [figure(math.nan)], GATE)
    assert found.check.status is Status.ERROR


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_no_number_is_an_error_and_never_a_pass(broken):
    check = overall(broken, metric="precision", at_least=0.1).check
    assert check.status is Status.ERROR
    assert check.values["candidate"] is None  # as JSON can hold it
    ask = asked(Threshold(metric="precision", worse_by_at_most=9, min_examples=1))
    apart = Measured(0.5, broken, -broken, broken, broken, broken, 1.0, math.nan, 0.05)
    (found,) = answers(ask, [apart], GATE)
    assert found.check.status is Status.ERROR


def flights(count: int = 4000, noise: float = 0.3, seed: int = 1) -> dict[str, np.ndarray]:
    """Return label, airport, and the scores of two models that are equally good."""
    draw = np.random.default_rng(seed)
    strain = draw.normal(size=count)
    label = (draw.random(count) < 1 / (1 + np.exp(1 - strain))).astype(float)
    made = {m: 1 / (1 + np.exp(1 - strain - noise * draw.normal(size=count))) for m in "ab"}
    return {"label": label, "origin": draw.choice(["EWR", "JFK", "LGA"], count), **made}


def judged(thresholds: list[Threshold], of: dict, gate: ModelGate = GATE) -> list[Answer]:
    columns = pd.DataFrame({name: of[name] for name in ("origin", "carrier") if name in of})
    models = {CANDIDATE: of["a"], BASELINE: of["b"]}
    slicings = sorted({tuple(threshold.slice) for threshold in thresholds} - {()})
    judging: Population = population(of["label"], models, columns, slicings)
    ask = questions(thresholds, judging.slicings, judging.label, judging.scores[BASELINE])
    return culprits_first(answers(ask, measure(ask, judging, gate), gate))


def turned(scores: np.ndarray) -> np.ndarray:
    """Return scores that say the opposite."""
    return np.clip(1 - scores, 0.05, 0.95)


def spoiled(metric: str, scores: np.ndarray) -> np.ndarray:
    """Return scores that are much worse by the metric: those that never say yes miss every positive."""
    missing = metric in ("recall", "false_negative_rate")
    return np.minimum(scores, 0.49) if missing else turned(scores)


@pytest.mark.parametrize("metric", [m for m in METRICS if m != APART])
def test_worse_than_the_baseline_means_what_the_metric_means_by_worse(metric):
    of = flights()
    worse, better = {**of, "a": spoiled(metric, of["a"])}, {**of, "b": spoiled(metric, of["b"])}
    bound = Threshold(metric=metric, worse_by_at_most=0.01)
    assert [a.check.status for a in judged([bound], worse)] == [Status.FAILED]
    assert Status.FAILED not in [a.check.status for a in judged([bound], better)]
    much = Threshold(metric=metric, worse_by_at_most=10.0)
    assert Status.FAILED not in [a.check.status for a in judged([much], worse)]


EVERYWHERE = [
    Threshold(metric=metric, slice=columns, worse_by_at_most=0.0)
    for metric in METRICS
    for columns in [(), ("origin",)]
]


def test_equal_models_pass_though_no_regression_at_all_is_tolerated():
    of = flights()
    found = judged(EVERYWHERE, {**of, "a": of["b"]})
    assert {a.check.status for a in found} <= {Status.PASSED, Status.WARNED}
    assert {a.measured.p for a in found} == {1.0}


def test_noise_alone_does_not_block_where_a_plain_threshold_would():
    found = [a for seed in range(20) for a in judged(EVERYWHERE, flights(seed=seed))]
    assert sum(a.check.status is Status.FAILED for a in found) == 0
    assert sum(a.measured.harm > 0 for a in found) > len(found) / 3


def test_a_bad_candidate_for_one_airport_is_refused_with_that_airport_first():
    of = flights(12_000)
    bad = of["origin"] == "JFK"
    of["a"] = np.where(bad, turned(of["a"]), of["a"])
    first = judged(EVERYWHERE, of)[0].check
    assert (first.status, first.subject) == (Status.FAILED, "origin=JFK")
    assert first.values["interval"][1] < 0 or first.values["interval"][0] > 0
    for told in ("origin=JFK", "baseline", "examples", "must be at most 0", "noise"):
        assert told in first.message


PAIRS = [
    Threshold(metric=metric, slice=columns, worse_by_at_most=0.01)
    for metric in ("auc", "loss")
    for columns in [(), ("carrier",), ("origin", "carrier"), ("origin",)]
]


def network(seed: int) -> dict[str, np.ndarray]:
    """Return `flights` of five carriers, two of which fly nearly all from one airport."""
    of = flights(12_000, seed=seed)
    draw = np.random.default_rng(seed)
    of["carrier"] = draw.choice(["AA", "DL", "UA"], len(of["label"])).astype(object)
    home = draw.random(len(of["label"])) < 0.6
    for airport, carrier in (("JFK", "B6"), ("EWR", "EV")):
        of["carrier"] = np.where(home & (of["origin"] == airport), carrier, of["carrier"])
    return of


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("at", "value"), [("origin", "JFK"), ("origin", "LGA"), ("carrier", "B6"), ("carrier", "AA")]
)
def test_the_first_named_is_the_slice_that_is_broken_and_no_wider_or_narrower_one(at, value, seed):
    of = network(seed)
    of["a"] = np.where(of[at] == value, turned(of["a"]), of["a"])
    found = [a.check.subject for a in judged(PAIRS, of) if a.check.status is Status.FAILED]
    assert found[0] == f"{at}={value}", found[:5]


@pytest.mark.parametrize("seed", range(8))
def test_a_candidate_that_is_bad_everywhere_is_told_as_that(seed):
    of = network(seed)
    of["a"] = turned(of["a"])
    found = [a.check.subject for a in judged(PAIRS, of) if a.check.status is Status.FAILED]
    assert found[0] == "overall", found[:5]


def test_a_regression_that_noise_explains_passes_and_says_so():
    bound = Threshold(metric="auc", worse_by_at_most=0.0, notice=0.5)
    tries = (judged([bound], flights(300, noise=1.0, seed=seed))[0] for seed in range(20))
    found = next(answer for answer in tries if answer.measured.harm > 0)
    assert found.check.status is Status.PASSED
    assert "which noise explains (p = " in found.check.message
    assert found.bound is None  # TFMA would call it failed


def test_a_slice_in_which_a_regression_would_go_unnoticed_says_how_many_examples_it_needs():
    bound = Threshold(metric="auc", slice=("origin",), worse_by_at_most=0.02, notice=0.04)
    small = judged([bound], flights(900, noise=1.0))[0].check
    assert small.status is Status.WARNED
    needs = small.values["needs"]
    assert f"it needs about {needs:,.0f} examples" in small.message
    enough = judged([bound], flights(int(needs) * 4, noise=1.0))[0].check
    assert enough.status is Status.PASSED
    assert enough.values["needs"] == pytest.approx(needs, rel=0.5)
    halting = judged([bound], flights(900, noise=1.0), ModelGate(underpowered="halt"))[0].check
    assert halting.status is Status.FAILED


def test_the_promised_power_is_kept():
    """A slice with as many examples as it needs finds the regression in about four of five tries."""
    bound = Threshold(metric="accuracy", worse_by_at_most=0.0, notice=0.03)
    needs = judged([bound], flights(5000, noise=0.5))[0].check.values["needs"]
    found = []
    for seed in range(100):
        of = flights(int(needs), noise=0.5, seed=seed)
        draw = np.random.default_rng(seed)
        wrong = draw.random(len(of["a"])) < 0.03 / (2 * np.mean((of["a"] > 0.5) == of["label"]) - 1)
        of["a"] = np.where(wrong, 1 - of["a"], of["a"])
        found.append(judged([bound], of)[0].check.status is Status.FAILED)
    assert 0.65 < np.mean(found) < 0.95


def test_where_nobody_says_yes_precision_is_not_judged_and_halts_nothing():
    of = flights()
    of["a"] = of["b"] = np.where(of["origin"] == "JFK", np.minimum(of["a"], 0.4), of["a"])
    bounds = [Threshold(metric="precision", slice=["origin"], worse_by_at_most=0.0, at_least=0.0)]
    found = {(a.check.subject, a.question.kind): a.check for a in judged(bounds, of)}
    assert Status.ERROR not in {check.status for check in found.values()}
    for kind in ("absolute", "worse_by_at_most"):
        check = found["origin=JFK", kind]
        assert check.status is Status.WARNED
        assert "no score of the candidate is above 0.5" in check.message


def test_an_overall_figure_of_too_few_rows_is_an_error_and_no_pass():
    found = judged([Threshold(metric="auc", at_least=0.5)], flights(60))
    assert [a.check.status for a in found] == [Status.ERROR]


def test_a_bound_that_the_baseline_breaks_too_is_not_what_is_named_first():
    of = flights(12_000)
    small = np.flatnonzero(of["origin"] == "EWR")[:120]
    of["origin"] = of["origin"].astype(object)
    of["origin"][small] = "HPN"
    of["label"][small] = 0
    of["label"][small[:2]] = 1
    for model in "ab":  # ranked all wrong by both, without any spread
        of[model][small] = np.where(of["label"][small] == 1, 0.1, 0.3)
    of["a"] = np.where(of["origin"] == "JFK", turned(of["a"]), of["a"])
    bound = Threshold(metric="auc", slice=["origin"], at_least=0.55, worse_by_at_most=0.01)
    named = [a.check.subject for a in judged([bound], of) if a.check.status is Status.FAILED]
    assert named[0] == "origin=JFK", named
    assert "origin=HPN" in named


def test_thousands_of_broken_slices_are_put_in_order_without_looking_at_every_pair(monkeypatch):
    of = network(1)
    of["origin"] = np.random.default_rng(1).integers(0, 40, len(of["label"]))
    of["a"] = turned(of["a"])
    looked = []
    monkeypatch.setattr(
        culprits, "_of", lambda *about, real=culprits._of: looked.append(1) or real(*about)
    )
    bounds = [b.model_copy(update={"min_examples": 1}) for b in PAIRS]
    found = judged(bounds, of)
    broken = sum(a.check.status is Status.FAILED for a in found)
    assert broken > 60
    assert len(looked) <= 4 * broken  # itself, and the three that are wider than a pair
