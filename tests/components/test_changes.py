"""What changed since the baseline is read off what the store remembers, and a gap in it is told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2
from tiny_house import NAME

from components import ledger, runs, store
from components.evaluate.changes import changes
from components.evidence import Changes
from components.spec import Spec
from components.store import Artifact

SAME, OLD, NEW = "a" * 64, "b" * 64, "c" * 64


@pytest.fixture(autouse=True)
def _house(tmp_path, monkeypatch):
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path))


def spec(**files: str) -> Spec:
    return Spec.model_validate(
        {
            "name": NAME,
            "source": {"path": "arrivals/{span}"},
            "span": {"first": "2013-01-01"},
            "window": {"train": 2, "evaluate": 1},
            "label": "late",
            "key": ["id"],
            "thresholds": [{"metric": "auc", "at_least": 0.6}],
            "serving": {"name": NAME},
            "files": {"ingest.sql": SAME} | files,
        }
    )


def statistics(span: str, temp: float, ua: int) -> Artifact:
    """Return the statistics of 100 rows: a mean temperature, and so many of carrier UA, the rest AA."""

    def build(draft: store.Draft) -> dict:
        told = statistics_pb2.DatasetFeatureStatisticsList()
        day = told.datasets.add(num_examples=100)
        number, text = day.features.add(), day.features.add()
        number.path.step.append("temp")
        number.num_stats.mean, number.num_stats.std_dev = temp, 5.0
        text.path.step.append("carrier")
        text.type = statistics_pb2.FeatureNameStatistics.STRING
        text.string_stats.unique = 2
        for label, count in (("UA", ua), ("AA", 100 - ua)):
            text.string_stats.rank_histogram.buckets.add(label=label, sample_count=count)
        for common in (number.num_stats.common_stats, text.string_stats.common_stats):
            common.num_non_missing = common.tot_num_values = 100
        (draft.folder / "statistics.binpb").write_bytes(told.SerializeToString())
        return {}

    return store.once("statistics", NAME, span, inputs={"examples": f"{temp} {ua}"}, build=build)


def model(days: dict[str, tuple[float, int]], epochs: int) -> Artifact:
    """Return a model of these days, made as the plan makes one; its own span is its last day."""
    last = max(days)
    inputs = {f"statistics/{day}": statistics(day, *of).digest for day, of in days.items()}
    constants = store.once("transform", NAME, last, inputs=inputs, build=_nothing)
    inputs = {f"examples/{day}": f"rows of {day}" for day in days}
    inputs["transform"] = constants.digest
    return store.once(
        "train", NAME, last, inputs=inputs, parameters={"epochs": epochs}, build=_nothing
    )


def _nothing(draft: store.Draft) -> dict:
    (draft.folder / "made").write_text("of nothing")
    return {}


def release(baseline: Artifact, what: Spec) -> None:
    run = runs.open_run(what, baseline.manifest.span, {baseline.manifest.span: "rows"})
    ledger.append(
        ledger.Release(
            event="released",
            at=datetime.now(UTC),
            pipeline=NAME,
            span=run.span,
            run=run.id,
            fingerprint=run.fingerprint,
            version=run.version,
            model=baseline.digest,
            artifact="",
            baseline=None,
            verdicts={},
            metrics={},
        )
    )


BEFORE = {"2013-01-01": (30.0, 50), "2013-01-02": (40.0, 50)}
AFTER = {"2013-01-02": (40.0, 50), "2013-01-03": (50.0, 70)}


def found(candidate: Artifact, baseline: Artifact, what: Spec) -> Changes:
    return Changes.model_validate(changes(what, candidate, baseline, ["2013-01-04"]))


def test_spans_settings_files_and_statistics_that_differ_are_told():
    baseline, candidate = model(BEFORE, epochs=8), model(AFTER, epochs=6)
    release(baseline, spec(**{"model.py": OLD, "gone.sql": OLD}))
    told = found(candidate, baseline, spec(**{"model.py": NEW}))
    assert (told.entered, told.left) == (["2013-01-03"], ["2013-01-01"])
    assert told.windows == {
        "baseline": ["2013-01-01", "2013-01-02"],
        "candidate": ["2013-01-02", "2013-01-03"],
        "judging": ["2013-01-04"],
    }
    assert [(s.name, s.baseline, s.candidate) for s in told.settings] == [("epochs", 8, 6)]
    assert [(f.name, f.baseline, f.candidate) for f in told.files] == [
        ("gone.sql", OLD, None),
        ("model.py", OLD, NEW),
    ]
    assert told.same_files == ["ingest.sql"]
    assert told.unknown == []


def test_the_statistic_that_moved_most_comes_first_in_its_own_unit():
    baseline, candidate = model(BEFORE, epochs=8), model(AFTER, epochs=8)
    first, second = found(candidate, baseline, spec()).statistics
    assert (first.column, first.statistic, first.baseline, first.candidate) == (
        "temp",
        "mean",
        35,
        45,
    )
    assert first.effect == pytest.approx(10 / 50**0.5)  # 5² within the days, 5² between them
    assert (second.column, second.baseline, second.candidate) == ("carrier", 0.5, 0.6)
    assert second.statistic == "share of UA"
    assert second.effect == pytest.approx(0.2014, abs=1e-4)  # Cohen's h of 50 % and 60 %


def test_equal_models_have_nothing_to_tell():
    one = model(BEFORE, epochs=8)
    release(one, spec())
    told = found(one, one, spec())
    differing = told.entered, told.left, told.settings, told.files, told.statistics
    assert not any(differing)


def test_what_the_store_no_longer_has_is_unknown_and_not_unchanged():
    baseline, candidate = model(BEFORE, epochs=8), model(AFTER, epochs=8)
    statistics("2013-01-01", *BEFORE["2013-01-01"]).file("statistics.binpb").unlink()
    told = found(candidate, baseline, spec())
    assert (told.files, told.same_files, told.statistics) == ([], [], [])
    files, moved = told.unknown
    assert "no run that released it" in files
    assert "no whole statistics" in moved
