"""A rolling backtest: what the gates would have done, had the pipeline run through these spans.

    var/backtests/<pipeline>/<id>/report.html, report.json   what came of it
                                 /runs/<span>/steps/          what each step came to
                                 /validate_data/              the data gate's verdicts, for it alone

Spans are retrained on and judged in order by the steps of the plan, each candidate against the one
that the backtest would be serving. Nothing is released: there is no push, the ledger is not written,
no version is taken, and no verdict here lets a span into a real window or keeps it out. What is made is
in the store, by its inputs; so a backtest that was killed goes on where it was when it is run again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from components import files, home, ingest, pages, spans, store
from components.backtest.ahead import training_ahead
from components.backtest.chain import INFRA, MODEL, Chain, Tell
from components.backtest.fares import fares
from components.backtest.picture import drawn
from components.backtest.report import Report
from components.errors import UsageError
from components.ingest.source import Refused
from components.spec import Spec
from components.store import Artifact

JSON, PAGE = "report.json", "report.html"
MOST_WORKERS = 8  # unless asked for more: each holds a TensorFlow and a window of rows, about 1 GB


def backtest(
    what: Spec,
    start: str,
    end: str,
    *,
    every: int = 1,
    workers: int | None = None,
    infra: bool = False,
    tell: Tell = lambda span, message, done, of, left_s: None,
) -> Report:
    """Retrain on every `every`-th span from `start` to `end`, judge, release nothing; report.

    `workers`: processes that train ahead, while this one judges: one a core without it; `infra`: ask the
    infra gate too, which starts a server for each candidate. Raises UsageError for a wrong request,
    SluiceError when a step breaks: run again, it goes on from there.
    """
    keys = _spans(what, start, end, every)
    workers = _workers(what, workers)
    arrived = _arrived(what, keys, tell)
    asked = {"start": start, "end": end, "every": str(every), "infra": str(infra)}
    digests = {f"examples/{span}": e.digest for span, e in arrived.examples.items()}
    identity = store.digest_of({**asked, **what.files, **digests, **arrived.holes})
    kept = home.var() / "backtests" / what.name / f"{start}_{end}-{identity[:8]}"
    with files.exclusive(kept.with_suffix(".lock")), training_ahead(workers) as training:
        steps = MODEL + INFRA if infra else MODEL
        chain = Chain(what, kept, arrived.digests, arrived.holes, steps, training, tell)
        due = set(keys[::every])
        tried = chain.model_pass(chain.data_pass(keys, due), due)
        began = time.monotonic()

        def scored(done: int, of: int) -> None:
            spent = time.monotonic() - began
            left = spent / done * (of - done)
            tell(end, "models have scored the days that they would have served", done, of, left)

        told = Report(
            pipeline=what.name,
            start=start,
            end=end,
            every=every,
            infra=infra,
            tried=tried,
            holes=arrived.holes,
            fares=fares(what, tried, arrived.examples, scored),
            folder=str(kept),
        )
        files.write_atomically(kept / JSON, told.model_dump_json(indent=2))
        files.write_atomically(
            kept / PAGE, pages.backtest_page(told, drawn(told), _way(kept, what))
        )
    return told


def _spans(what: Spec, start: str, end: str, every: int) -> list[str]:
    """Return the keys of the spans to go through, oldest first; raise UsageError for a wrong request."""
    spans.parse(end)
    if what.span.last and end > what.span.last:
        raise UsageError(f"--to {end}: {what.name} ends with {what.span.last}")
    # As late as it is anywhere: a span is a day of its source, which may be ahead of UTC.
    today = (datetime.now(UTC) + timedelta(hours=14)).date().isoformat()
    if end > today:
        raise UsageError(
            f"--to {end}: that day has not come, so nothing can be judged by it; "
            f"ask for --to {today} or earlier"
        )
    keys = spans.between(start, end)
    if len(keys) < 2:
        problem = "comes after" if not keys else "is also"
        raise UsageError(
            f"--from {start} {problem} --to {end}: a backtest needs a later span, whose labels tell how "
            "the model of an earlier one would have fared"
        )
    if start < what.span.first:
        raise UsageError(f"--from {start}: {what.name} begins with {what.span.first}")
    if not 1 <= every < len(keys):
        raise UsageError(
            f"--every {every}: it must be from 1 to {len(keys) - 1}, of {len(keys)} spans"
        )
    return keys


def _way(kept: Path, what: Spec) -> str:
    """Return the way from the report to the verdicts that it speaks of."""
    return os.path.relpath(store.root(what.name), kept)


def _workers(what: Spec, workers: int | None) -> int:
    """Return how many processes train ahead; raise UsageError for a number that cannot be."""
    if what.train.warm_start:
        if workers:
            raise UsageError(
                f"--workers {workers}: with `train.warm_start` each candidate of {what.name} begins from "
                "the one before, so none can be trained ahead; leave --workers out"
            )
        return 0
    if workers is None:
        return min(len(os.sched_getaffinity(0)) - 1, MOST_WORKERS)
    if workers < 0:
        raise UsageError(f"--workers {workers}: it must be 0, for none, or more")
    return workers


@dataclass(frozen=True)
class _Arrived:
    """The examples of all spans in reach of the backtest, by span, and why others have none."""

    examples: Mapping[str, Artifact]
    holes: Mapping[str, str]

    @property
    def digests(self) -> dict[str, str]:
        return {span: examples.digest for span, examples in self.examples.items()}


def _arrived(what: Spec, keys: Sequence[str], tell: Tell) -> _Arrived:
    """Take in what is not there yet, of the spans and of the windows before the first."""
    reach = [*what.window_of(keys[0])[:-1], *keys]
    examples: dict[str, Artifact] = {}
    holes: dict[str, str] = {}
    began = time.monotonic()
    for n, span in enumerate(reach, 1):
        try:
            examples[span] = ingest.on_hand(what, span)
        except Refused as refused:
            holes[span] = str(refused)
        if span in holes or n % 10 == 0 or n == len(reach):
            left = (time.monotonic() - began) / n * (len(reach) - n)
            tell(span, holes.get(span, "and those before are taken in"), n, len(reach), left)
    if not set(keys) & set(examples):
        raise UsageError(f"{what.name} has no data from {keys[0]} to {keys[-1]}: {holes[keys[0]]}")
    return _Arrived(examples, holes)
