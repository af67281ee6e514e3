"""A search keeps to its window, its budget and its space, survives a crash, and begins from the best."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from training_house import DAYS, MODEL, NAME, SPAN, YAML, House

from components import home, pipelines, store, tune
from components.errors import SluiceError, UsageError

TUNED = MODEL.replace(
    "def model(inputs, vocabulary_sizes):", "def model(inputs, vocabulary_sizes, units=8, rate=0.01):"
).replace("Dense(8,", "Dense(units,").replace("Adam(0.01)", "Adam(rate)")  # fmt: skip
SPACE = "units: [2, 8, 32], rate: {low: 0.0001, high: 0.1, log: true}, epochs: {low: 1, high: 3}"
BUDGET = "trials: 7, minutes: 30, holdout: 1"
SEARCH = """
import sys
from components import pipelines, store, tune
what = pipelines.load("made")
def found(kind):
    return [store.load(p.parent) for p in sorted(store.root("made").glob(f"{kind}/*/*/manifest.json"))]
print(tune.tune(what, sys.argv[1], found("examples"), found("statistics"), None).folder)
"""


class Tuned(House):
    """The house of made rows, with hyperparameters to search for."""

    space, budget, model = SPACE, BUDGET, TUNED

    @property
    def spec(self):
        self.write("pipelines/made/model.py", self.model)
        written = YAML.format(train=self.settings)
        written += f"tuning: {{{self.budget}, space: {{{self.space}}}}}\n"
        self.write("pipelines/made/pipeline.yaml", written)
        return pipelines.load(NAME)

    def search(self, former=None, span=SPAN):
        return tune.tune(self.spec, span, self.examples(), self.statistics(), former)


@pytest.fixture
def house(tmp_path, monkeypatch):
    return Tuned.at(tmp_path, monkeypatch)


def essence(best: tune.Best) -> list:
    return [(t.state, t.hyperparameters, t.losses) for t in best.trials if t.state != "cut short"]


def begun(house: House) -> subprocess.Popen:
    house.examples(), house.statistics()
    return subprocess.Popen(
        [sys.executable, "-c", SEARCH, SPAN], stdout=subprocess.PIPE, env=os.environ, text=True
    )


def trials_ended(process: subprocess.Popen) -> int:
    import sqlite3

    paths = list(store.root(NAME).glob("tune/*/*.resume/study.sqlite"))
    if not paths:
        return 0
    try:
        with sqlite3.connect(paths[0]) as database:
            said = "SELECT count(*) FROM trials WHERE state IN ('COMPLETE', 'PRUNED')"
            return database.execute(said).fetchone()[0]
    except sqlite3.OperationalError:
        return 0
    finally:
        database.close()


@pytest.mark.timeout(1800)
def test_a_search_from_budget_to_crash_to_the_next_one(house, tmp_path, monkeypatch):
    """One process pays for TensorFlow; each part says what it guards against."""
    made = house.search()
    best = tune.read(made)

    # It keeps its budget, begins with what was in use, and its best is the least loss.
    assert len(best.trials) == 7
    assert best.trials[0].hyperparameters == {"units": 8, "rate": 0.01, "epochs": 3}
    assert best.trials[0].state == "complete"
    losses = [t.loss for t in best.trials if t.loss is not None]
    assert best.loss == min(losses) <= best.first == best.trials[0].loss
    assert all(house.spec.tuning.holds(t.hyperparameters) for t in best.trials)

    # Time is respected: the last span judges, and the constants do not know it.
    assert (list(best.trained_on), list(best.judged_on)) == (DAYS[:-1], DAYS[-1:])
    (constants,) = (store.root(NAME) / "transform" / SPAN).glob("*/manifest.json")
    told = store.load(constants.parent).manifest.inputs
    assert {name for name in told if name.startswith("statistics/")} == {
        f"statistics/{day}" for day in DAYS[:-1]
    }

    # The loss of the first trial is that of a model of the earlier spans, on the last.
    assert best.first == pytest.approx(loss_by_hand(house), abs=1e-5)

    # Found again, and not searched again.
    assert house.search().manifest.finished == made.manifest.finished

    # The page shows every trial.
    page = made.file(tune.PAGE).read_text()
    assert page.count("<tr>") == 1 + 7
    assert "2013-01-03" in page

    # Killed after some trials, it goes on, and comes to the same.
    apart = tmp_path / "apart"
    monkeypatch.setenv("SLUICE_HOME", str(apart))
    other = Tuned.at(apart, monkeypatch)
    process = begun(other)
    until = time.monotonic() + 900
    while trials_ended(process) < 2:
        assert process.poll() is None, "the search ended before it could be killed"
        assert time.monotonic() < until
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not list(store.root(NAME).glob("tune/*/*/manifest.json"))
    ended = {p.name for p in store.root(NAME).glob("tune/*/*.resume")}
    again = tune.read(other.search())
    assert ended
    assert essence(again) == essence(best)
    assert not list(store.root(NAME).glob("tune/*/*.resume"))

    # The next search begins with the best of the last.
    later = tune.read(
        other.search(former=tune.latest(other.spec, before="2013-01-05"), span="2013-01-05")
    )
    assert later.trials[0].hyperparameters == again.hyperparameters

    # An earlier span is not told of a later search; another space takes nothing over.
    assert tune.latest(other.spec, before=SPAN) is None
    other.space = SPACE.replace("[2, 8, 32]", "[4, 8]")
    assert tune.latest(other.spec, before="2013-01-05") is None

    # The model is trained with the best, and says so.
    other.space = SPACE
    from components.train import train

    spec = tune.tuned(other.spec, tune.latest(other.spec, before="2013-01-05"))
    model = train(spec, SPAN, other.examples(), other.transform(), None)
    assert model.manifest.parameters["epochs"] == again.hyperparameters["epochs"]
    assert model.manifest.parameters["hyperparameters"] == {
        name: again.hyperparameters[name] for name in ("units", "rate")
    }
    from components.train import weights

    kernel = next(w for n, w in weights.read(model).items() if n.endswith("dense/kernel"))
    assert kernel.shape[1] == again.hyperparameters["units"]

    # The minutes end it as well, after the first trial at the earliest.
    other.budget = "trials: 50, minutes: 0.0001, holdout: 1"
    short = tune.read(other.search())
    assert [t.state for t in short.trials] == ["complete"]

    # A trial that fails is told and does not end the search; the first one that fails does.
    other.budget = BUDGET
    other.model = TUNED.replace("import keras\n", "import keras\n", 1).replace(
        "    embedded =",
        "    if units == 32:\n        raise ValueError('too large')\n    embedded =",
    )
    failed = [t for t in tune.read(other.search()).trials if t.state == "fail"]
    assert failed
    assert all("too large" in t.message for t in failed)
    other.model = TUNED.replace("    embedded =", "    raise ValueError('broken')\n    embedded =")
    with pytest.raises(SluiceError, match=r"the first trial, .*units.* fails: .*broken"):
        other.search()


def loss_by_hand(house: House) -> float:
    """The cross entropy on the last day of a model that `train` makes of the days before."""
    import numpy as np
    from sklearn.metrics import log_loss

    from components import scoring
    from components.train import train
    from components.transform import transform

    constants = transform(house.spec, SPAN, house.statistics()[:-1])
    model = train(house.spec, SPAN, house.examples()[:-1], constants, None)
    frame = house.days[DAYS[-1]]
    scores = scoring.load(model).scores(frame).astype(float)
    return log_loss(np.asarray(frame["late"], float), scores)


@pytest.mark.parametrize(
    ("space", "told"),
    [
        ("unit: [2, 8]", r"tuning\.space\.unit: .*takes no such thing.*did you mean 'units'"),
        ("units: [2, 4]", r"tuning\.space\.units: 8, which is in use, is not among 2, 4"),
        ("units: [8]", r"tuning\.space\.units"),
        ("rate: {low: 0.1, high: 0.01}", "low must be below high"),
        ("rate: {low: 0, high: 1, log: true}", "low must be above 0"),
        ("rate: {high: 1}", r"tuning\.space\.rate\.low: is missing; add it"),
        ("rate: {low: 0.1, high: 1, lag: true}", r"rate\.lag: unknown key; .*did you mean 'log'"),
        ("rate: 3", r"tuning\.space\.rate: "),
        ("seed: [1, 2]", r"tuning\.space\.seed: model\(\) in model\.py takes no such thing"),
        ("epochs: {low: 4, high: 9}", r"tuning\.space\.epochs: 3, which is in use, is not among 4 to 9"),
    ],
)  # fmt: skip
def test_a_space_that_cannot_be_searched_is_one_line_with_its_remedy(house, space, told):
    house.space = space
    with pytest.raises(UsageError, match=told):
        house.spec  # noqa: B018


def test_a_hyperparameter_without_a_default_is_told(house):
    house.model = TUNED.replace("units=8", "units, *").replace("rate=0.01", "rate=0.01")
    with pytest.raises(UsageError, match=r"tuning\.space\.units: model\(\).* no plain default"):
        house.spec  # noqa: B018


def test_a_holdout_that_leaves_nothing_to_train_on_is_told(house):
    house.budget = "holdout: 3"
    with pytest.raises(UsageError, match=r"tuning\.holdout: keeps all of the 3 spans"):
        house.spec  # noqa: B018


def test_what_the_yaml_tells_model_goes_before_its_default(house):
    house.settings = "epochs: 3}\nhyperparameters: {units: 32"
    assert pipelines.defaults(house.spec) == {"units": 32, "rate": 0.01, "epochs": 3}
    assert json.loads(house.spec.model_dump_json())["hyperparameters"] == {"units": 32}
    assert Path(home.home() / "pipelines/made/pipeline.yaml").exists()


def test_a_point_that_was_tried_is_not_trained_again(house, monkeypatch):
    from components.tune import search

    trained = []
    one = search.train_one
    monkeypatch.setattr(
        search, "train_one", lambda what, *rest: (trained.append(what), one(what, *rest))
    )
    house.space, house.budget = "units: [2, 8], epochs: [1, 3]", "trials: 9, holdout: 1"
    best = tune.read(house.search())
    assert len(best.trials) == 9
    points = [
        tuple(sorted(t.hyperparameters.items())) for t in best.trials if t.state == "complete"
    ]
    assert len(points) > len(set(points))
    assert len(trained) <= len(set(points)) + sum(t.state == "pruned" for t in best.trials)
