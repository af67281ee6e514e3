"""A refused delivery is kept, trains nothing, and leaves by a person's word or a corrected one."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import duckdb
import pytest
import yaml

from components import admissions, ingest, pipelines, plan, quarantine, spans, spec, store, window
from components.errors import Halted
from components.runs import Run
from demo import feed

DAYS = spans.between("2013-01-01", "2013-01-06")
BAD = DAYS[2]


@pytest.fixture
def short(flights: spec.Spec) -> spec.Spec:
    """The flights with a window of five days."""
    path = flights.folder / "pipeline.yaml"
    written = yaml.safe_load(path.read_text()) | {"window": {"train": 4, "evaluate": 1}}
    path.write_text(yaml.safe_dump(written))
    return pipelines.load("flights")


@pytest.fixture
def halted(short: spec.Spec, land: Callable[..., None]) -> Run:
    """A run of the fifth day, with the third refused: its labels are not what the clocks say."""
    land(DAYS[0], DAYS[4])
    deliver(BAD, "SELECT * REPLACE (-arr_delay AS arr_delay) FROM rows")
    return judged(DAYS[4])


def deliver(day: str, sql: str | None = None) -> None:
    """Deliver a day again: as it was, or changed by SQL over the `rows` that are there."""
    folder = feed.upstream() / day
    if sql is None:
        shutil.rmtree(folder)
        feed.land(feed.upstream(), day)
        return
    path = folder / "flights.parquet"
    aside = path.with_suffix(".changed")
    duckdb.execute(f"COPY (WITH rows AS (FROM '{path}') {sql}) TO '{aside}' (FORMAT parquet)")
    aside.rename(path)


def judged(day: str) -> Run:
    """Open the run of a day, and let the data gate judge what is in its reach."""
    run = plan.ingest("flights", day).run
    for step in ("describe", "validate_data"):
        plan.perform(plan.STEPS[step], "flights", run.id)
    return run


def used(what: spec.Spec, run: Run) -> list[str]:
    chosen = window.choose(what, run)
    return [examples.manifest.span for examples in (*chosen.train, *chosen.evaluate)]


def made(kind: str) -> dict[str, int]:
    """How many artifacts of a kind each span has."""
    root = store.root("flights") / kind
    return {day: len(list((root / day).glob("*/manifest.json"))) for day in DAYS}


def test_a_refused_span_is_kept_and_out_of_the_window(short: spec.Spec, halted: Run) -> None:
    assert used(short, halted) == [day for day in DAYS[:5] if day != BAD]
    (delivery,) = quarantine.deliveries(short)
    assert (delivery.span, delivery.state) == (BAD, "refused")
    assert delivery.examples == halted.examples[BAD]
    assert "rows break the rule: A flight is late when the clocks say so" in delivery.reason
    assert store.find("examples", "flights", BAD, delivery.examples)


def test_a_corrected_delivery_of_an_older_span_is_used_by_the_next_run_and_nothing_else_is_made_anew(
    short: spec.Spec, halted: Run, land: Callable[..., None]
) -> None:
    before = {kind: made(kind) for kind in ("examples", "statistics", "validate_data")}
    deliver(BAD)
    land(DAYS[5])
    run = judged(DAYS[5])
    assert used(short, run) == DAYS[1:]
    assert run.examples[BAD] != halted.examples[BAD]
    for kind, counts in before.items():
        assert made(kind) == counts | {BAD: 2, DAYS[5]: 1}
    (delivery,) = quarantine.deliveries(short)
    assert (delivery.state, delivery.examples) == ("replaced", halted.examples[BAD])
    kept = store.find("examples", "flights", BAD, delivery.examples)
    assert kept.digest == halted.examples[BAD]  # whole, as it came


def test_a_corrected_delivery_of_the_runs_own_span_is_another_run_of_it(
    short: spec.Spec, land: Callable[..., None]
) -> None:
    land(DAYS[0], BAD)
    deliver(BAD, "SELECT * REPLACE (-arr_delay AS arr_delay) FROM rows")
    run = plan.ingest("flights", BAD).run
    plan.perform(plan.STEPS["describe"], "flights", run.id)
    with pytest.raises(Halted, match="break the rule"):
        plan.perform(plan.STEPS["validate_data"], "flights", run.id)
    deliver(BAD)
    again = judged(BAD)
    assert again.id != run.id
    assert again.examples[DAYS[0]] == run.examples[DAYS[0]]


def test_a_delivery_that_is_still_faulty_stays_out_and_both_are_listed(
    short: spec.Spec, halted: Run, land: Callable[..., None]
) -> None:
    deliver(BAD, "SELECT * REPLACE (arr_delay * 2 AS arr_delay) FROM rows")
    land(DAYS[5])
    assert BAD not in used(short, judged(DAYS[5]))
    assert [d.state for d in quarantine.deliveries(short)] == ["replaced", "refused"]


def test_a_refused_span_whose_source_is_gone_stays_as_it_is(
    short: spec.Spec, halted: Run, land: Callable[..., None]
) -> None:
    shutil.rmtree(feed.upstream() / BAD)
    land(DAYS[5])
    run = judged(DAYS[5])
    assert run.examples[BAD] == halted.examples[BAD]
    assert BAD not in used(short, run)


def test_an_admission_lets_in_what_was_delivered_and_not_what_replaces_it(
    short: spec.Spec, halted: Run, land: Callable[..., None]
) -> None:
    admissions.admit("flights", BAD, halted.examples[BAD], "the clocks were wrong")
    (delivery,) = quarantine.deliveries(short)
    assert delivery.state == "admitted"
    assert delivery.admission.because == "the clocks were wrong"
    land(DAYS[5])
    deliver(BAD, "SELECT * REPLACE (arr_delay * 2 AS arr_delay) FROM rows")
    run = judged(DAYS[5])
    assert run.examples[BAD] == halted.examples[BAD]  # let in as it came, and not read again
    assert BAD in used(short, run)
    ingest.ingest(short, BAD)
    later = judged(DAYS[5])
    assert later.examples[BAD] != halted.examples[BAD]
    assert BAD not in used(short, later)
    assert [d.state for d in quarantine.deliveries(short)] == ["replaced", "refused"]


def test_an_accepted_span_is_not_read_again_by_itself_but_when_asked_to(
    short: spec.Spec, halted: Run, land: Callable[..., None]
) -> None:
    deliver(
        DAYS[1], "SELECT * REPLACE (tailnum || '!' AS tailnum, distance + 1 AS distance) FROM rows"
    )
    land(DAYS[5])
    assert judged(DAYS[5]).examples[DAYS[1]] == halted.examples[DAYS[1]]
    ingest.ingest(short, DAYS[1])
    assert plan.ingest("flights", DAYS[5]).run.examples[DAYS[1]] != halted.examples[DAYS[1]]
