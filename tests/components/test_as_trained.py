"""A SavedModel that says otherwise than the trained net is refused, however well it scores."""

from __future__ import annotations

import numpy as np
import pytest
from training_house import House

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
    found = Shifted(**vars(scoring.load(model)))
    object.__setattr__(found, "by", by)
    return as_trained.check(model, found)


def test_what_was_trained_is_what_is_served(model):
    found = as_trained.check(model, scoring.load(model))
    assert found.status is Status.PASSED
    assert "off by" in found.seen
    assert "label" not in found.seen


@pytest.mark.parametrize(("by", "status"), [(2e-3, "failed"), (-2e-3, "failed"), (5e-4, "passed")])
def test_answers_that_are_off_are_refused(model, by, status):
    found = off_by(model, by)
    assert found.status == status
    if status == "failed":
        assert "preprocessing or weights are not those that were trained" in found.message


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
