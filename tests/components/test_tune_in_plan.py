"""A run searches only when asked or when its turn comes; what was found is an input of later runs."""

from __future__ import annotations

import pytest
from tiny_house import MODEL, NAME, YAML, House

from components import home, plan, runs, store, tune
from components.errors import UsageError

SPAN, NEXT = "2013-01-03", "2013-01-04"
TUNING = "tuning: {holdout: 1, space: {units: [8, 16]}}\n"


class Tuned(House):
    """The tiny house with a search that always finds 16; `asked` keeps what it was told."""

    def __init__(self, folder, patch, tuning=TUNING):
        super().__init__(folder, patch)
        self.write("pipeline.yaml", YAML + tuning)
        self.write("model.py", MODEL.replace("vocabulary_sizes", "vocabulary_sizes, units=8"))
        self.asked: list[tuple[str, list[str], str | None]] = []
        self.hyperparameters: list[dict] = []
        patch.setattr(tune, "tune", self.tune)

    def write(self, name, text):
        (home.pipelines() / NAME / name).write_text(text)

    def tune(self, what, span, examples, statistics, former):
        spans = [e.manifest.span for e in examples]
        self.asked.append((span, spans, former.digest if former else None))
        assert [s.manifest.span for s in statistics] == spans

        def build(draft):
            best = tune.Best(
                hyperparameters={"units": 16}, loss=0.4, first=0.5, trained_on=(), judged_on=(),
                trials=(),
            )  # fmt: skip
            (draft.folder / tune.FILE).write_text(best.model_dump_json())
            return {"summary": f"units 16, of {span}"}

        inputs = {"former": former.digest if former else "none"}
        return store.once("tune", NAME, span, inputs=inputs, build=build)

    def train(self, what, span, examples, transform, baseline):
        self.hyperparameters.append(what.hyperparameters)
        return super().train(what, span, examples, transform, baseline)


@pytest.fixture
def house(tmp_path, monkeypatch):
    return Tuned(tmp_path, monkeypatch)


def ran(house: Tuned, span: str, *, asked: bool = False) -> runs.Run:
    run = plan.ingest(NAME, span, tune=asked).run
    for step in plan.steps_of(house.spec)[:-1]:
        plan.perform(step, NAME, run.id)
    return run


def test_the_step_is_there_only_where_there_is_something_to_search(house):
    names = [step.name for step in plan.steps_of(house.spec)]
    assert names[names.index("tune") + 1] == "train"
    house.write("pipeline.yaml", YAML)
    assert plan.steps_of(house.spec) == plan.PLAN


def test_nobody_searches_unasked(house):
    run = ran(house, SPAN)
    assert house.asked == []
    assert "tune" not in runs.steps(run)
    assert plan.perform(plan.STEPS["tune"], NAME, run.id).message == "not asked for"
    assert house.hyperparameters == [{}]


def test_the_spans_that_judge_are_not_searched_on_and_the_best_trains(house):
    ran(house, SPAN, asked=True)
    assert house.asked == [(SPAN, ["2013-01-01", "2013-01-02"], None)]
    assert house.hyperparameters == [{"units": 16}]


def test_later_runs_take_the_best_over_and_it_is_among_their_inputs(house):
    first = ran(house, SPAN, asked=True)
    found = runs.artifact(first, "tune")
    later = ran(house, NEXT)
    assert (later.tune, later.tuned) == (False, (SPAN, found.digest))
    assert house.hyperparameters == [{"units": 16}] * 2
    assert len(house.asked) == 1
    again = ran(house, "2013-01-05", asked=True)
    assert house.asked[-1][2] == found.digest
    assert again.tuned == (SPAN, found.digest)


def test_the_same_trigger_is_the_same_run_though_it_has_searched_since(house):
    assert ran(house, SPAN, asked=True) == ran(house, SPAN, asked=True)
    assert ran(house, SPAN).id != ran(house, SPAN, asked=True).id


def test_an_earlier_span_does_not_know_what_a_later_one_found(house):
    ran(house, NEXT, asked=True)
    assert ran(house, SPAN).tuned is None


def test_every_so_many_spans_have_their_turn_whenever_they_run(tmp_path, monkeypatch):
    house = Tuned(tmp_path, monkeypatch, TUNING.replace("holdout: 1", "holdout: 1, every: 3"))
    for span in ("2013-01-07", "2013-01-03", "2013-01-04"):
        ran(house, span)
    assert [span for span, *_ in house.asked] == ["2013-01-07", "2013-01-04"]


def test_asking_a_pipeline_with_nothing_to_search_is_wrong_use(house):
    house.write("pipeline.yaml", YAML)
    with pytest.raises(UsageError, match="tiny has nothing to tune"):
        plan.ingest(NAME, SPAN, tune=True)
    assert runs.all_runs(NAME) == []
