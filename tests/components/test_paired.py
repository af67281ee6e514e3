"""A paired test is right about noise: intervals invert it, order means nothing, equal models pass."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from components import metrics
from components.evaluate.paired import Comparison, Pair, family
from components.evaluate.paired.delong import AUC
from components.evaluate.paired.estimates import ESTIMATORS
from components.evaluate.slices import Slicing

BINARY = metrics.of("binary")
DIRECTED = [name for name, metric in BINARY.items() if metric.better is not None]
# What is of a slice alone, and has no fold where two models are alike.
PLAIN = [
    name
    for name in DIRECTED
    if name not in ("expected_calibration_error", "equal_opportunity_difference")
]


def compare(metric, label, candidate, baseline, parts: Slicing) -> Comparison:
    return Pair(metric, label, candidate, baseline).on(parts)


def slicing(codes: np.ndarray) -> Slicing:
    """Return a slicing of rows by code; -1 is in no slice."""
    return Slicing(("of",), codes, [(value,) for value in range(int(codes.max()) + 1)])


def rows(seed: int, count: int = 600, slices: int = 3, levels: int = 0):
    """Return label, two models' scores, and slices; `levels`: how many scores there are, 0 for any."""
    draw = np.random.default_rng(seed)
    strain = draw.normal(size=count)
    label = (strain + draw.normal(size=count) > 0.8).astype(float)
    scores = [1 / (1 + np.exp(1.2 - 2 * strain - 0.5 * draw.normal(size=count))) for _ in range(2)]
    if levels:
        scores = [np.clip(np.round(s * levels) / levels, 1e-7, 1 - 1e-7) for s in scores]
    codes = draw.integers(-1, slices, count)
    codes[: 2 * slices] = np.arange(2 * slices) // 2  # each slice has both classes
    label[: 2 * slices] = np.arange(2 * slices) % 2
    return label, scores[0], scores[1], slicing(codes)


def slow_delong(label: np.ndarray, one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Return the difference of two areas and its variance as DeLong et al. define them: O(n²)."""
    components = []
    for scores in (one, other):
        apart = scores[label == 1][:, None] - scores[label == 0][None, :]
        won = (apart > 0) + 0.5 * (apart == 0)
        components.append((won.mean(axis=1), won.mean(axis=0), won.mean()))
    (a10, a01, a), (b10, b01, b) = components
    variance = np.var(a10 - b10, ddof=1) / len(a10) + np.var(a01 - b01, ddof=1) / len(a01)
    return a - b, variance


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), levels=st.sampled_from([0, 3, 10]))
def test_areas_and_their_variance_are_those_of_the_definition(seed, levels):
    label, one, other, parts = rows(seed, count=200, levels=levels)
    found = compare(BINARY["auc"], label, one, other, parts)
    for code in range(3):
        of = parts.codes == code
        difference, variance = slow_delong(label[of], one[of], other[of])
        assert found.candidate[code] == pytest.approx(peer.roc_auc_score(label[of], one[of]))
        assert found.difference[code] == pytest.approx(difference, abs=1e-12)
        if found.support[code] > 1:
            assert found.error[code] == pytest.approx(np.sqrt(variance), abs=1e-12)


PEERS = {
    "accuracy": lambda y, s: peer.accuracy_score(y, s > 0.5),
    "precision": lambda y, s: peer.precision_score(y, s > 0.5),
    "recall": lambda y, s: peer.recall_score(y, s > 0.5),
    "loss": peer.log_loss,
    "calibration": lambda y, s: s.sum() / y.sum(),
    "false_positive_rate": lambda y, s: 1 - peer.recall_score(y, s > 0.5, pos_label=0),
    "false_negative_rate": lambda y, s: 1 - peer.recall_score(y, s > 0.5),
    "mean_prediction": lambda y, s: s.mean(),
    "mean_label": lambda y, s: y.mean(),
}


@pytest.mark.parametrize("name", PEERS)
def test_figures_are_scikit_learns(name):
    label, scores, _, parts = rows(4)
    found = ESTIMATORS["binary"][name](label, scores).on(parts).value
    for code in range(3):
        of = parts.codes == code
        assert found[code] == pytest.approx(PEERS[name](label[of], scores[of]))


def test_every_metric_that_a_threshold_may_name_can_be_judged():
    for task in metrics.CATALOGUE:
        known = {name for name, metric in metrics.of(task).items() if metric.better is not None}
        assert known <= set(ESTIMATORS[task]), task


def fresh(task: metrics.Task, count: int, draw: np.random.Generator):
    """Return labels and two models' answers to them."""
    label = draw.integers(0, 3, count).astype(float)
    if task == "regression":
        label += 2
        return label, *(label + draw.normal(size=count) + 0.3 for _ in range(2))
    said = [draw.normal(size=(count, 3)) + 1.5 * np.eye(3)[label.astype(int)] for _ in range(2)]
    return label, *(np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for x in said)


@pytest.mark.parametrize(
    ("task", "name"),
    [
        (task, name)
        for task in ("multiclass", "regression")
        for name, metric in metrics.of(task).items()
        if metric.better is not None
    ],
)
def test_the_standard_error_is_right_for_classes_and_numbers_too(task, name):
    parts = slicing(np.repeat(np.arange(500), 100))
    whole = fresh(task, 50_000, np.random.default_rng(1))
    found = Pair(metrics.of(task)[name], *whole, task).on(parts)
    assert np.sqrt(np.mean(found.error**2)) == pytest.approx(np.std(found.difference), rel=0.1)


@pytest.mark.parametrize("name", PLAIN)
def test_the_standard_error_is_the_spread_over_fresh_rows(name):
    """Against the only definition that matters: how the difference varies from sample to sample."""
    whole = rows(1, count=300_000, slices=1000)
    found = compare(BINARY[name], *whole)
    if name == "calibration":  # far from the ideal, or the distance from it has a fold
        found = compare(BINARY[name], whole[0], whole[1] * 0.5, whole[2] * 0.5, whole[3])
    assert np.sqrt(np.mean(found.error**2)) == pytest.approx(np.std(found.difference), rel=0.1)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    name=st.sampled_from(DIRECTED),
    level=st.floats(1e-4, 0.2),
)
def test_an_interval_ends_where_the_test_would_begin_to_block(seed, name, level):
    found = compare(BINARY[name], *rows(seed))
    end = found.worse - found.reach(level)  # as little worse as may still be believed
    for code in np.flatnonzero(found.least < level / 10):
        assert found.p(end[code] - 1e-3)[code] < level
        assert found.p(end[code] + 1e-3)[code] > level


@pytest.mark.parametrize("name", DIRECTED)
def test_swapped_models_turn_the_sign(name):
    label, one, other, parts = rows(7)
    found = compare(BINARY[name], label, one, other, parts)
    turned = compare(BINARY[name], label, other, one, parts)
    assert turned.difference == pytest.approx(-found.difference, abs=1e-12)
    assert turned.error == pytest.approx(found.error)
    if BINARY[name].better:  # less what float32 may do to equal models
        assert turned.p(0.0) == pytest.approx(1 - found.p(0.0), abs=1e-3)


@pytest.mark.parametrize("name", DIRECTED)
def test_the_order_of_rows_and_of_slices_means_nothing(name):
    label, one, other, parts = rows(9, levels=20)
    found = compare(BINARY[name], label, one, other, parts)
    order = np.random.default_rng(0).permutation(len(label))
    renamed = np.array([2, 0, 1, -1])[parts.codes[order]]
    again = compare(BINARY[name], label[order], one[order], other[order], slicing(renamed))
    assert again.worse[[2, 0, 1]] == pytest.approx(found.worse, abs=1e-12)
    assert again.error[[2, 0, 1]] == pytest.approx(found.error, abs=1e-12)


@pytest.mark.parametrize("name", DIRECTED)
@pytest.mark.parametrize("dust", [0, 1e-8])
def test_equal_models_never_block(name, dust):
    label, one, _, parts = rows(11)
    found = compare(BINARY[name], label, one + dust, one, parts)
    assert np.all(found.p(0.0) > 0.4)


def test_a_slice_too_small_for_a_tail_promises_none():
    """Three positives that agree have a variance of 0; as evidence they are three tosses of a coin."""
    label = np.array([1.0] * 3 + [0.0] * 97)
    best, worst = np.where(label == 1, 0.9, 0.1), np.where(label == 1, 0.1, 0.9)
    found = compare(BINARY["auc"], label, worst, best, slicing(np.zeros(100, dtype=int)))
    assert found.difference[0] == -1
    assert found.p(0.0)[0] == 0.5**3


def test_a_model_that_ranks_all_wrong_is_known_by_enough_rows():
    label = np.array([1.0] * 30 + [0.0] * 70)
    best, worst = np.where(label == 1, 0.9, 0.1), np.where(label == 1, 0.1, 0.9)
    found = compare(BINARY["auc"], label, worst, best, slicing(np.zeros(100, dtype=int)))
    assert found.p(0.0)[0] < 1e-8


def test_a_slice_of_one_class_has_no_area_and_harms_no_other():
    label, one, _, parts = rows(3)
    label[parts.codes == 1] = 0
    found = AUC(label, one).on(parts)
    assert np.isnan(found.value).tolist() == [False, True, False]


def test_rows_of_no_slice_count_nowhere():
    label, one, other, parts = rows(5)
    inside = parts.codes >= 0
    for name in PLAIN:
        found = compare(BINARY[name], label, one, other, parts)
        alone = compare(
            BINARY[name], label[inside], one[inside], other[inside], slicing(parts.codes[inside])
        )
        assert found.p(0.01) == pytest.approx(alone.p(0.01))


def alike(p: np.ndarray, least: float = 0.0) -> family.Family:
    """Return tests of one weight, corrected for each other."""
    return family.together(p, np.full(len(p), least), np.ones(len(p)), 0.05)


class TestFamily:
    p = st.lists(st.floats(0, 1), min_size=1, max_size=30).map(np.array)

    @settings(deadline=None)
    @given(p=p)
    def test_corrected_is_in_the_order_of_uncorrected_and_never_below(self, p):
        found = alike(p).p
        assert np.all(found >= p)
        assert np.all(np.diff(found[np.argsort(p, kind="stable")]) >= 0)

    @settings(deadline=None)
    @given(p=p, seed=st.integers(0, 100))
    def test_the_level_parts_what_blocks_from_what_does_not(self, p, seed):
        weight = np.random.default_rng(seed).random(len(p))
        found = family.together(p, np.zeros(len(p)), weight, 0.05)
        assert np.array_equal(found.p <= 0.05, p <= found.unit * weight * (1 + 1e-9))

    def test_a_textbook_example(self):
        found = alike(np.array([0.01, 0.04, 0.03, 0.005])).p
        assert found == pytest.approx([0.03, 0.06, 0.06, 0.02])

    def test_weight_is_what_a_test_may_spend(self):
        p, weight = np.array([0.04, 0.04]), np.array([0.9, 0.1])
        found = family.together(p, np.zeros(2), weight, 0.05).p
        assert found == pytest.approx([0.04 / 0.9, 0.04 / 0.9])
        found = family.together(p, np.zeros(2), weight[::-1] * 0 + 0.5, 0.05).p
        assert found == pytest.approx([0.08, 0.08])

    def test_a_test_that_could_not_block_takes_nothing_from_the_others(self):
        p, least = np.array([0.02, 1.0, 1.0, 1.0]), np.array([1e-9, 0.5, 0.5, 0.25])
        assert family.together(p, least, np.ones(4), 0.05).p.tolist() == [0.02, 1, 1, 1]
        assert alike(p).p[0] == pytest.approx(0.08)

    def test_noise_blocks_in_as_many_runs_as_allowed_and_no_more(self):
        draw = np.random.default_rng(1)
        weight = draw.random(100)
        runs = [family.together(draw.random(100), 0 * weight, weight, 0.05) for _ in range(4000)]
        assert 0.035 < np.mean([(run.p <= 0.05).any() for run in runs]) < 0.06

    def test_no_tests_at_all_are_corrected_for_nothing(self):
        found = alike(np.zeros(0))
        assert (len(found.p), found.unit) == (0, 0.05)


def test_the_spread_of_the_difference_to_overall_is_that_of_fresh_rows():
    """A slice none of whose positives are hit moves still, by what all the others do."""
    metric = BINARY["equal_opportunity_difference"]
    found = []
    for seed in range(400):
        draw = np.random.default_rng(seed)
        strain = draw.normal(size=2000)
        label = (strain + draw.normal(size=2000) > 0.5).astype(float)
        codes = np.where(draw.random(2000) < 0.1, 1, 0)
        one, other = (
            np.where(codes == 1, 0.1, 1 / (1 + np.exp(-2 * strain - draw.normal(size=2000))))
            for _ in range(2)
        )
        found.append(compare(metric, label, one, other, slicing(codes)))
    spread = np.std([of.difference for of in found], axis=0)
    told = np.sqrt(np.mean([np.square(of.error) for of in found], axis=0))
    assert told == pytest.approx(spread, rel=0.15)
    assert np.all(told > 0)


def test_of_equal_slices_all_are_tested_or_none_whatever_their_order():
    p, least = np.full(10, 0.5), np.full(10, 0.01)
    p[[0, 9]] = 0.011
    none = family.together(p, least, np.ones(10), 0.05)
    assert none.p.tolist() == [1] * 10
    every = family.together(p, least, np.ones(10), 0.11)
    assert every.p[0] == every.p[9] < 0.111
