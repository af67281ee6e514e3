"""The search is a task where there is something to search, and does its work only when asked."""

from __future__ import annotations

import pytest
from tiny_house import MODEL, NAME, YAML

from components import home, runs, store, tune

TUNING = "tuning: {holdout: 1, space: {units: [8, 16]}}\n"


@pytest.fixture
def searched(tiny, monkeypatch) -> list[str]:
    """The spans that were searched for, of the tiny pipeline with a space."""
    folder = home.pipelines() / NAME
    (folder / "pipeline.yaml").write_text(YAML + TUNING)
    (folder / "model.py").write_text(MODEL.replace("vocabulary_sizes", "vocabulary_sizes, units=8"))
    spans: list[str] = []

    def search(what, span, examples, statistics, former):
        def build(draft):
            best = tune.Best(
                hyperparameters={"units": 16}, loss=0.4, first=0.5, trained_on=(), judged_on=(),
                trials=(),
            )  # fmt: skip
            (draft.folder / tune.FILE).write_text(best.model_dump_json())
            return {"summary": "units 16"}

        spans.append(span)
        return store.once("tune", NAME, span, inputs={}, build=build)

    monkeypatch.setattr(tune, "tune", search)
    return spans


def test_the_form_asks_for_a_search_and_no_other_run_makes_one(dags, searched):
    dag = dags()[NAME]
    assert dag.params["tune"] is False
    order = [task.task_id for task in dag.topological_sort()]
    assert order[order.index("tune") + 1] == "train"
    for span, conf in (("2013-01-03", {}), ("2013-01-04", {"tune": True})):
        run = dag.test(run_conf={"span": span, **conf})
        assert run.state == "success"
        assert {task.state for task in run.get_task_instances()} == {"success"}
    assert searched == ["2013-01-04"]
    asked = [run.tune for run in runs.all_runs(NAME)]
    assert asked == [False, True]


def test_a_pipeline_without_a_space_has_neither_task_nor_field(dags, tiny):
    dag = dags()[NAME]
    assert "tune" not in dag.params
    assert "tune" not in dag.task_ids
