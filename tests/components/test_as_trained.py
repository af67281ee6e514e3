"""A SavedModel that says otherwise than the trained net is refused, however well it scores."""

from __future__ import annotations

import numpy as np
import pytest
from training_house import MODEL, House

from components import as_trained, scoring
from components.verdict import Status


@pytest.fixture
def model(tmp_path, monkeypatch):
    return House.at(tmp_path, monkeypatch).train()


class Shifted(scoring.Scorer):
    """A scorer of answers that are off by a constant."""

    by = 0.0

    def scores(self, frame):
        return super().scores(frame) + self.by


def off_by(model, by: float):
    """Return the check where all answers are off by so many of their standard deviations."""
    found = Shifted(**vars(scoring.load(model)))
    object.__setattr__(found, "by", by * np.load(model.file(as_trained.ANSWERS)).std())
    return as_trained.check(model, found)


def test_what_was_trained_is_what_is_served(model):
    found = as_trained.check(model, scoring.load(model))
    assert found.status is Status.PASSED
    assert "off by" in found.seen
    assert "label" not in found.seen


@pytest.mark.parametrize(("by", "status"), [(0.05, "failed"), (-0.05, "failed"), (0.005, "passed")])
def test_answers_that_are_off_are_refused(model, by, status):
    found = off_by(model, by)
    assert found.status == status
    if status == "failed":
        assert "preprocessing or weights are not those that were trained" in found.message


class Switching(scoring.Scorer):
    """A scorer that says the opposite to whoever asks one row at a time."""

    def scores(self, frame):
        said = super().scores(frame)
        return 1 - said if len(frame) == 1 else said


def test_a_model_that_is_right_in_company_alone_is_refused(model):
    found = as_trained.check(model, Switching(**vars(scoring.load(model))))
    assert found.status is Status.FAILED
    assert "asked one at a time" in found.message


@pytest.mark.parametrize(
    ("known", "status"),
    [
        (np.linspace(0, 9e-4, 512), "failed"),  # positives are rare
        (1e6 + np.linspace(-100, 100, 512), "failed"),  # a number far from 0
        (np.full(512, 0.25), "passed"),  # all alike: in any order
    ],
)
def test_the_scale_of_the_answers_hides_nothing(known, status):
    known = known.astype(np.float32)
    shuffled = np.random.default_rng(1).permutation(known)
    assert as_trained._compared(known, shuffled, len(known)).status == status
    assert as_trained._compared(known, known * (1 + 1e-6), len(known)).status == "passed"


def test_a_net_that_is_another_whenever_it_is_built_is_refused(tmp_path, monkeypatch):
    house = House.at(tmp_path, monkeypatch)
    drawn = MODEL.replace(
        '(layers.Dense(8, activation="relu")(x))',
        '(layers.Dense(8, activation="relu")(layers.Rescaling(numpy.random.default_rng().normal())(x)))',
    )
    house.write("pipelines/made/model.py", "import numpy\n" + drawn)
    assert drawn != MODEL
    model = house.train()
    assert as_trained.check(model, scoring.load(model)).status is Status.FAILED


def test_answers_that_are_no_numbers_are_refused(model):
    assert off_by(model, np.nan).status is Status.FAILED


def test_answers_of_another_shape_are_refused(model):
    known = np.load(model.file(as_trained.ANSWERS))
    np.save(model.folder / as_trained.ANSWERS, np.stack([known, known], axis=1))
    found = as_trained.check(model, scoring.load(model))
    assert found.status is Status.FAILED
    assert "scores where training made" in found.message


def test_a_model_of_earlier_code_is_not_refused_for_what_it_never_kept(model):
    (model.folder / as_trained.ANSWERS).unlink()
    assert as_trained.check(model, scoring.load(model)).status is Status.SKIPPED


def test_the_rows_asked_again_are_spread_over_all_and_no_more_than_needed():
    assert as_trained.chosen(3).tolist() == [0, 1, 2]
    many = as_trained.chosen(1_000_000)
    assert len(many) == as_trained.ROWS
    assert many[0] == 0
    assert many[-1] == 999_999
