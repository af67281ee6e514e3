"""A backtest goes by the plan's own steps, and leaves no trace where real runs look."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

import numpy as np
import pytest
from sklearn import metrics
from tiny_house import NAME, House

from components import home, ledger, pages, pipelines, plan, runs, spans, store, window
from components import metrics as catalogue
from components.backtest import ahead, backtest, measure
from components.backtest.chain import INFRA, MODEL, Chain
from components.backtest.fares import less, served_on
from components.backtest.report import POLICIES, Day, Fares, Figure, Report, Tried
from components.errors import SluiceError, UsageError
from components.ledger import Release
from components.verdict import Status

KEYS = spans.between("2013-01-03", "2013-01-07")


@pytest.fixture
def house(tmp_path, monkeypatch):
    return House(tmp_path, monkeypatch)


def chain(house: House, steps=MODEL, told=None) -> Chain:
    digests = {}
    for span in KEYS:
        digests |= house.ingest_window(house.spec, span).digests
    tell = (lambda *line: told.append(line)) if told is not None else lambda *line: None
    return Chain(
        house.spec, home.var() / "backtests" / "x", digests, {}, steps, ahead.Ahead(None), tell
    )


def went(chain: Chain, every: int = 1) -> dict[str, Tried]:
    due = set(KEYS[::every])
    return {one.span: one for one in chain.model_pass(chain.data_pass(KEYS, due), due)}


def refuse(house: House, gate: str, *judged_on: str, how: Status = Status.FAILED) -> None:
    """Have a gate refuse what it looks at when it belongs to one of these spans."""

    def decide(asked: str, subject: str) -> Status:
        kind = {"data": "examples", "model": "train", "infra": "train"}[asked]
        folders = [store.root(NAME) / kind / span for span in judged_on]
        digests = [store.load(p).digest for f in folders for p in f.glob("*") if p.is_dir()]
        return how if asked == gate and subject in digests else Status.PASSED

    house.decide = decide


def test_each_candidate_is_judged_against_what_the_backtest_would_serve(house):
    refuse(house, "model", KEYS[2])
    done = went(chain(house))
    assert [one.outcome for one in done.values()] == ["released"] * 2 + ["halted"] + [
        "released"
    ] * 2
    assert done[KEYS[2]].gate == "model"
    followed = []
    for span in KEYS:
        folder = store.root(NAME) / done[span].verdict
        followed.append(store.load(folder).manifest.inputs["baseline"])
    served = [store.load(store.root(NAME) / done[span].model).digest for span in KEYS]
    assert followed == ["none", served[0], served[1], served[1], served[3]]


def test_a_halt_at_the_data_gate_trains_nothing_and_leaves_the_windows_after_it(house):
    refuse(house, "data", KEYS[1])
    done = went(chain(house))
    assert (done[KEYS[1]].outcome, done[KEYS[1]].gate) == ("halted", "data")
    assert (done[KEYS[1]].model, done[KEYS[1]].sound) == (None, False)
    later = store.load(store.root(NAME) / done[KEYS[3]].model)
    assert f"examples/{KEYS[1]}" not in later.manifest.inputs


def test_a_gate_that_cannot_measure_is_told_apart_from_one_that_halts(house):
    refuse(house, "model", KEYS[0], how=Status.ERROR)
    assert went(chain(house))[KEYS[0]].outcome == "error"


def test_the_infra_gate_is_asked_only_on_demand(house):
    refuse(house, "infra", KEYS[1])
    assert went(chain(house))[KEYS[1]].outcome == "released"
    asked = went(chain(house, MODEL + INFRA))[KEYS[1]]
    assert (asked.outcome, asked.gate) == ("halted", "infra")


def test_nothing_reaches_the_ledger_the_servers_the_versions_or_the_real_windows(house):
    run = house.open(KEYS[1])
    house.go(run, upto="validate_infra")
    accepted = window.judged(house.spec, window.examples_of(run)[-1])
    before = sorted(path for path in home.var().rglob("*") if "store" not in path.parts)
    records = {p: p.read_bytes() for p in (store.root(NAME) / "runs").rglob("*.json")}
    refuse(house, "data", KEYS[1])
    house.rows[KEYS[2]] = 2
    made = chain(house)
    made.what.files["schemas/tiny.pbtxt"]  # the same files: only the gate's mind has changed
    for kind in ("validate_data",):  # a verdict is final for its inputs: forget what it said
        for path in (store.root(NAME) / kind / KEYS[1]).iterdir():
            if path.is_dir():
                path.rename(path.with_suffix(".before"))
    assert went(made)[KEYS[1]].gate == "data"
    assert {p: p.read_bytes() for p in records} == records
    assert [p.name for p in (store.root(NAME) / "versions").iterdir()] == ["1"]
    assert ledger.entries(NAME) == []
    after = sorted(path for path in home.var().rglob("*") if "store" not in path.parts)
    assert {p.relative_to(home.var()).parts[0] for p in set(after) - set(before)} == {"backtests"}
    pointer = store.root(NAME) / "validate_data" / KEYS[1]
    named = [p.read_text() for p in pointer.glob("of-*")]
    assert named == [str(accepted.folder.relative_to(store.root(NAME)))]


def test_a_real_release_does_not_become_the_baseline_of_a_backtest(house):
    run = house.open(KEYS[0])
    house.go(run, upto="validate_infra")
    model = runs.artifact(run, "train")
    ledger.append(
        Release(
            event="released", at=datetime.now(UTC), pipeline=NAME, span=run.span, run=run.id,
            fingerprint=run.fingerprint, version=run.version, model=model.digest,
            artifact=str(model.folder.relative_to(store.root(NAME))), baseline=None, verdicts={},
            metrics={},
        )
    )  # fmt: skip
    first = went(chain(house))[KEYS[0]]
    judgement = store.load(store.root(NAME) / first.verdict)
    assert first.outcome == "released"
    assert judgement.manifest.inputs["baseline"] == "none"


def test_what_was_made_before_is_not_made_again(house):
    first = went(chain(house))
    times = {p: p.stat().st_mtime_ns for p in store.root(NAME).rglob("manifest.json")}
    again = went(chain(house))
    assert {p: p.stat().st_mtime_ns for p in store.root(NAME).rglob("manifest.json")} == times
    assert {s: (t.outcome, t.model) for s, t in again.items()} == {
        s: (t.outcome, t.model) for s, t in first.items()
    }


def test_only_every_nth_span_is_retrained_on_and_all_pass_the_data_gate(house):
    refuse(house, "data", KEYS[1])
    told: list = []
    done = went(chain(house, told=told), every=2)
    assert [done[span].outcome for span in KEYS] == [
        "released", "halted", "released", "kept", "released",
    ]  # fmt: skip
    assert not any(left < 0 for *_, left in told)


def test_a_step_that_breaks_ends_it_with_span_and_step(house, monkeypatch):
    def breaks(*given):
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr(sys.modules["components.train"], "train", breaks)
    with pytest.raises(SluiceError, match=f"{KEYS[0]} train: RuntimeError: the disk is on fire"):
        went(chain(house))


def test_a_pipeline_that_is_edited_meanwhile_is_not_mixed_with_the_one_before(house):
    begun = chain(house)
    found = begun.data_pass(KEYS, set(KEYS))
    (home.pipelines() / NAME / "model.py").write_text("def model(inputs, vocabulary_sizes): ...\n")
    with pytest.raises(UsageError, match=r"model\.py changed after run"):
        begun.model_pass(found, set(KEYS))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("2013-01-07", "2013-01-03", {}), "--from 2013-01-07 comes after --to 2013-01-03"),
        (("2013-01-03", "2013-01-03", {}), "needs a later span"),
        (("2012-12-30", "2013-01-03", {}), "tiny begins with 2013-01-01"),
        (("2013-01-03", "2013-01-07", {"every": 5}), "--every 5: it must be from 1 to 4"),
        (
            ("2013-01-03", "2013-01-07", {"workers": -1}),
            "--workers -1: it must be 0, for none, or more",
        ),
        (("yesterday", "2013-01-07", {}), "YYYY-MM-DD"),
        (("2013-01-03", "tomorrow", {}), "YYYY-MM-DD"),
        (  # it set out on three million days
            ("2013-01-03", "9999-12-31", {}),
            r"--to 9999-12-31: that day has not come.*ask for --to 20\d\d-\d\d-\d\d or earlier",
        ),
    ],
)
def test_a_wrong_request_is_told_before_anything_is_done(house, asked, told):
    start, end, options = asked
    with pytest.raises(UsageError, match=told):
        backtest(house.spec, start, end, **options)
    assert not (home.var() / "backtests").exists()


def test_after_the_last_span_of_a_closed_source_that_is_what_is_said(house):
    path = home.pipelines() / NAME / "pipeline.yaml"
    closed = path.read_text().replace("first: 2013-01-01", "first: 2013-01-01, last: 2013-01-31")
    path.write_text(closed)
    with pytest.raises(UsageError, match="--to 9999-12-31: tiny ends with 2013-01-31"):
        backtest(pipelines.load(NAME), KEYS[0], "9999-12-31")


def test_a_warm_start_cannot_be_trained_ahead(house):
    path = home.pipelines() / NAME / "pipeline.yaml"
    path.write_text(path.read_text() + "train: {warm_start: true}\n")
    with pytest.raises(UsageError, match=r"--workers 2: with `train\.warm_start`"):
        backtest(pipelines.load(NAME), *KEYS[::4], workers=2)


def test_a_model_serves_from_the_day_after_its_span():
    tried = [
        Tried(span="1", outcome="halted", gate="model", model="train/1/a"),
        Tried(span="2", outcome="released", model="train/2/b"),
        Tried(span="3", outcome="halted", gate="data"),
        Tried(span="4", outcome="halted", gate="model", model="train/4/c"),
        Tried(span="5", outcome="kept"),
    ]
    assert served_on(tried) == {
        "1": {},
        "2": {"always": "train/1/a", "never": "train/1/a"},
        "3": {"gated": "train/2/b", "always": "train/2/b", "never": "train/1/a"},
        "4": {"gated": "train/2/b", "always": "train/2/b", "never": "train/1/a"},
        "5": {"gated": "train/2/b", "always": "train/4/c", "never": "train/1/a"},
    }


def of_days(*values: float):
    """Return a metric that is the weighted mean of these values of days."""
    return lambda weights: weights @ np.array(values) / weights.sum(axis=1)


@pytest.mark.parametrize(
    ("task", "metric", "gated", "never", "told"),
    [
        ("binary", "auc", 0.7, 0.8, -0.1),
        ("binary", "loss", 0.7, 0.8, -0.1),
        ("regression", "bias", 3.0, -500.0, -497.0),
        ("regression", "bias", -500.0, 3.0, 497.0),
        ("regression", "calibration", 0.8, 1.1, 0.1),
        ("binary", "calibration", 1.05, 0.9, -0.05),
    ],
)
def test_the_sign_of_a_difference_says_which_is_better(task, metric, gated, never, told):
    """A bias of -500 less one of 3 read as less by 503, and so did a better one."""
    about = catalogue.of(task)[metric]
    difference = less(about, of_days(gated, gated), of_days(never, never))
    assert difference(np.ones((4, 2))) == pytest.approx(np.full(4, told))


@pytest.mark.parametrize(
    ("task", "metric", "told", "head"),
    [
        ("binary", "auc", "More is better.", "gated less it<"),
        ("binary", "loss", "Less is better.", "gated less it<"),
        (
            "regression", "bias",
            "Nearer to 0 is better, and differences are of the distance from it.",
            "gated less it, in distance from 0<",
        ),
        (
            "binary", "calibration",
            "Nearer to 1 is better, and differences are of the distance from it.",
            "gated less it, in distance from 1<",
        ),
    ],
)  # fmt: skip
def test_the_page_says_what_is_better(task, metric, told, head):
    """Of a bias it said `Less is not better`."""
    about, figure = catalogue.of(task)[metric], Figure(value=0.5)
    day = Day(
        span=KEYS[0], examples=9, served=dict.fromkeys(POLICIES, KEYS[0]),
        metric=dict.fromkeys(POLICIES, 0.5), counts=True,
    )  # fmt: skip
    found = Fares(
        metric=metric, better=about.better, ideal=about.ideal, days=[day],
        pooled=dict.fromkeys(POLICIES, figure), differences={"always": figure, "never": figure},
    )  # fmt: skip
    report = Report(
        pipeline=NAME, start=KEYS[0], end=KEYS[0], every=1, infra=False, holes={}, fares=found,
        tried=[Tried(span=KEYS[0], outcome="released")], folder="x",
    )  # fmt: skip
    page = pages.backtest_page(report, None, "")
    assert told in page
    assert head in page


REFERENCE = {
    "auc": metrics.roc_auc_score,
    "accuracy": lambda y, s: metrics.accuracy_score(y, s > 0.5),
    "precision": lambda y, s: metrics.precision_score(y, s > 0.5),
    "recall": lambda y, s: metrics.recall_score(y, s > 0.5),
    "loss": metrics.log_loss,
    "calibration": lambda y, s: s.sum() / y.sum(),
    "false_positive_rate": lambda y, s: (s[y == 0] > 0.5).mean(),
    "false_negative_rate": lambda y, s: (s[y == 1] <= 0.5).mean(),
}
OTHERS = {
    ("multiclass", "accuracy"): lambda y, s: metrics.accuracy_score(y, s.argmax(axis=1)),
    ("multiclass", "loss"): lambda y, s: metrics.log_loss(y, s, labels=[0, 1, 2]),
    ("regression", "mae"): metrics.mean_absolute_error,
    ("regression", "rmse"): lambda y, s: metrics.mean_squared_error(y, s) ** 0.5,
    ("regression", "bias"): lambda y, s: (s - y).mean(),
}


def some_days(days: int = 7, rows: int = 200):
    rng = np.random.default_rng(1)
    labels = [(rng.random(rows) < 0.3).astype(float) for _ in range(days)]
    scores = [np.round(np.clip(y * 0.2 + rng.random(rows) * 0.8, 0.01, 0.99), 2) for y in labels]
    return labels, scores


@pytest.mark.parametrize("metric", REFERENCE)
def test_a_metric_over_drawn_days_is_that_of_their_rows(metric):
    labels, scores = some_days()
    weights = np.array([2, 0, 1, 0, 3, 1, 0])
    y = np.concatenate([np.tile(of, n) for of, n in zip(labels, weights, strict=True)])
    s = np.concatenate([np.tile(of, n) for of, n in zip(scores, weights, strict=True)])
    said = measure.measure("binary", metric, labels, scores)(weights[None, :].astype(float))
    assert said[0] == pytest.approx(REFERENCE[metric](y, s), abs=1e-9)
    alone = measure.each_day("binary", metric, labels, scores)
    assert alone[3] == pytest.approx(REFERENCE[metric](labels[3], scores[3]), abs=1e-9)


@pytest.mark.parametrize(("task", "metric"), OTHERS)
def test_classes_and_numbers_are_measured_too(task, metric):
    rng = np.random.default_rng(2)
    if task == "multiclass":
        labels = [rng.integers(0, 3, 50).astype(float) for _ in range(3)]
        scores = [rng.dirichlet(np.ones(3), 50).astype(np.float32) for _ in range(3)]
    else:
        labels = [rng.normal(size=50) for _ in range(3)]
        scores = [y + rng.normal(size=50) for y in labels]
    said = measure.measure(task, metric, labels, scores)(np.ones((1, 3)))[0]
    reference = OTHERS[task, metric](np.concatenate(labels), np.concatenate(scores))
    assert said == pytest.approx(reference, abs=1e-6)


def test_a_day_without_positives_has_no_auc_and_does_not_spoil_the_others():
    labels, scores = some_days(6)
    labels[2] = np.zeros_like(labels[2])
    assert np.isnan(measure.each_day("binary", "auc", labels, scores)[2])
    assert np.isfinite(measure.measure("binary", "auc", labels, scores)(np.ones((1, 6)))[0])


def test_an_interval_holds_the_figure_says_the_same_twice_and_needs_days():
    labels, scores = some_days()
    of = measure.measure("binary", "auc", labels, scores)
    low, high = measure.interval(7, of)
    assert low < of(np.ones((1, 7)))[0] < high
    assert measure.interval(7, of) == (low, high)
    assert measure.interval(4, measure.measure("binary", "auc", labels[:4], scores[:4])) is None


def test_training_ahead_that_fails_is_left_to_the_backtest_to_meet_again(house, caplog):
    """The rows of this house are no Parquet: a worker cannot train on them."""
    begun = chain(house)
    found = begun.data_pass(KEYS[:1], set(KEYS))
    with caplog.at_level(logging.INFO), ahead.training_ahead(1) as training:
        training.begin(found[KEYS[0]])
        training.wait(found[KEYS[0]])
    assert f"{KEYS[0]} could not be trained ahead" in caplog.text
    assert plan.STEPS["train"].does(house.spec, found[KEYS[0]]).facts["summary"]


def test_a_push_that_was_killed_is_not_settled_by_a_backtest(house):
    """The servers may see a version that the ledger does not know: a real run would stop for it."""
    (home.models("tiny") / "7").mkdir(parents=True)
    done = went(chain(house))
    assert {one.outcome for one in done.values()} == {"released"}
    assert [path.name for path in home.models("tiny").iterdir()] == ["7"]
