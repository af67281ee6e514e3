"""The order of the steps, written once. Airflow drives it; so does `sluice run`.

`perform` does one step of one run. It finds what earlier steps made in the run's own record, and
imports what the step needs only then: reading this module costs no TensorFlow.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from components import admissions, gates, ledger, pipelines, runs, spans, store, tracking, window
from components.approval import EXAMPLES, NO_BASELINE, Approval
from components.errors import Halted, SluiceError, UsageError
from components.ledger import Release
from components.runs import Run, StepRecord
from components.spec import Spec
from components.store import Artifact
from components.verdict import Status, Verdict
from components.window import Window

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Step:
    """One verb of the plan.

    `gate`: its no is final, and no retry asks again; `pool`: of scarce devices; `asked`: says of a run
    whether it wants this step at all.
    """

    name: str
    does: Callable[[Spec, Run], Artifact]
    gate: bool = False
    pool: str | None = None
    asked: Callable[[Run], bool] = lambda run: True


@dataclass(frozen=True)
class Outcome:
    """What a driver passes on: the run, and the release when there is no more to do."""

    run: Run
    step: str
    message: str
    release: Release | None = None


def ingest(pipeline: str, span: str, *, tune: bool = False) -> Outcome:
    """Begin: take in the span and whatever the window lacks, and open the run of these inputs.

    `tune`: whether the run is to search for hyperparameters, beside those whose turn it is. Raises
    UsageError when there is nothing to search. Raises Halted when the span has not arrived whole; the
    run is then on record as halted.
    """
    from components.ingest import ingest_window

    what = pipelines.load(pipeline)
    if tune and what.tuning is None:
        raise UsageError(
            f"{pipeline} has nothing to tune; give its pipeline.yaml a `tuning:` with a `space`"
        )
    started = time.monotonic()
    arrivals = ingest_window(what, span)
    admitted = admissions.among(pipeline, arrivals.digests)
    run = runs.open_run(
        what,
        span,
        arrivals.digests,
        admitted=admitted,
        tune=tune or _turn_to_tune(what, span),
        tuned=_searched(what, span),
    )
    release = ledger.of_fingerprint(pipeline, run.fingerprint)
    if release:
        told = f"{pipeline} {span} is already released as version {release.version} from the same input"
        return Outcome(run, "ingest", told, release)
    outcome = _conclude(run, "ingest", started, arrivals.artifact, gate=arrivals.refused)
    if not arrivals.holes:
        return outcome
    told = f"{outcome.message}; older spans not taken in: {', '.join(arrivals.holes)}"
    return replace(outcome, message=told)


def describe(what: Spec, run: Run) -> Artifact:
    """Make the statistics of every span in reach that has none; return those of the run's span."""
    from components.describe import describe as statistics_of

    for examples in window.examples_of(run):
        statistics = statistics_of(what, examples)
    return statistics


def validate_data(what: Spec, run: Run) -> Artifact:
    """Let the data gate judge every span in reach that it has not judged, the run's own last."""
    from components.describe import describe as statistics_of
    from components.validate_data import validate_data as judge

    for examples in window.examples_of(run):
        if examples.manifest.span != run.span and _has_answer(what, run, examples):
            continue
        history = [
            statistics_of(what, earlier) for earlier in window.accepted_before(what, run, examples)
        ]
        verdict = judge(what, examples, statistics_of(what, examples), history)
        window.remember(examples, verdict, run)
    return verdict


def _has_answer(what: Spec, run: Run, examples: Artifact) -> bool:
    """Say whether the data gate has judged these examples; torn, or unable to measure, is no answer."""
    try:
        verdict = window.judged(what, examples, run)
    except SluiceError as torn:
        log.warning("%s; %s is judged anew", torn, examples.manifest.span)
        return False
    return verdict is not None and gates.read(verdict).status is not Status.ERROR


def _turn_to_tune(what: Spec, span: str) -> bool:
    """Say whether a span is one of those that `tuning.every` names: the same whenever it runs."""
    if what.tuning is None or what.tuning.every is None:
        return False
    day, first = spans.parse(span), spans.parse(what.span.first)
    return (day - first).days % what.tuning.every == 0


def _searched(what: Spec, span: str) -> Artifact | None:
    from components.tune import latest

    return latest(what, before=span)


def transform(what: Spec, run: Run) -> Artifact:
    """Take the preprocessing's constants from the statistics of the spans that train."""
    return _constants(what, run, window.choose(what, run))


def tune(what: Spec, run: Run) -> Artifact:
    """Search for hyperparameters, on the spans that train and on no other."""
    from components.describe import describe as statistics_of
    from components.tune import tune as search

    trains = window.choose(what, run).train
    statistics = [statistics_of(what, examples) for examples in trains]
    return search(what, run.span, trains, statistics, _former(run))


def train(what: Spec, run: Run) -> Artifact:
    """Train the candidate, with constants of the very spans that it trains on."""
    from components.train import train as fit
    from components.tune import tuned

    chosen = window.choose(what, run)
    constants = _constants(what, run, chosen)
    search = runs.artifact(run, "tune") if run.tune else _former(run)
    return fit(tuned(what, search), run.span, chosen.train, constants, _baseline(what, run))


def _former(run: Run) -> Artifact | None:
    """Return the search whose best the run takes over, whole, or None without one."""
    return store.find("tune", run.pipeline, *run.tuned) if run.tuned else None


def _constants(what: Spec, run: Run, chosen: Window) -> Artifact:
    from components.describe import describe as statistics_of
    from components.transform import transform as constants_of

    return constants_of(what, run.span, [statistics_of(what, e) for e in chosen.train])


def evaluate(what: Spec, run: Run) -> Artifact:
    """Let the model gate judge the candidate against the baseline, on spans it never saw."""
    from components.evaluate import evaluate as judge

    chosen = window.choose(what, run)
    model = runs.artifact(run, "train")
    return judge(what, run.span, model, _baseline(what, run), chosen.evaluate)


def validate_infra(what: Spec, run: Run) -> Artifact:
    """Let the infra gate load the candidate into a real server and ask it."""
    from components.validate_infra import validate_infra as judge

    rows = window.choose(what, run).evaluate
    baseline = _baseline(what, run)
    called = baseline if ledger.called(run.pipeline, what.serving.name) else None
    return judge(what, run.span, runs.artifact(run, "train"), called, rows)


def push(what: Spec, run: Run) -> Artifact:
    """Release the candidate, on proof; return the model that now serves."""
    from components.push import push as release

    model = runs.artifact(run, "train")
    release(what, run, model, approval(what, run))
    return model


def approval(what: Spec, run: Run) -> Approval:
    """Return the proof that the run's candidate may be released; raise NotApproved without it.

    Which examples need a verdict is read off the candidate and its judgement, not off the window.
    """
    model = runs.artifact(run, "train")
    judgement = gates.read(runs.artifact(run, "evaluate"))
    named = {**model.manifest.inputs, **judgement.speaks_of}
    digests = {n.removeprefix(EXAMPLES): d for n, d in named.items() if n.startswith(EXAMPLES)}
    used = [store.find("examples", run.pipeline, span, digest) for span, digest in digests.items()]
    let_in = admissions.admissions(run.pipeline)
    baseline = ledger.baseline(run.pipeline)
    called = ledger.called(run.pipeline, what.serving.name)
    return Approval(
        pipeline=run.pipeline,
        span=run.span,
        model=model.digest,
        baseline=baseline.model if baseline else NO_BASELINE,
        called=called.model if called else NO_BASELINE,
        examples=digests,
        data={e.manifest.span: gates.read(v) for e in used if (v := window.judged(what, e))},
        own=gates.read(runs.artifact(run, "validate_data")),
        admitted={span: let_in[span, d] for span, d in digests.items() if (span, d) in let_in},
        judgement=judgement,
        infra=gates.read(runs.artifact(run, "validate_infra")),
    )


PLAN: tuple[Step, ...] = (
    Step("describe", describe),
    Step("validate_data", validate_data, gate=True),
    Step("transform", transform),
    Step("train", train, pool="gpu"),
    Step("evaluate", evaluate, gate=True),
    Step("validate_infra", validate_infra, gate=True),
    Step("push", push),
)
# Before `train`, in the plan of a pipeline that has something to search.
TUNE = Step("tune", tune, pool="gpu", asked=lambda run: run.tune)
STEPS: Mapping[str, Step] = {step.name: step for step in (*PLAN, TUNE)}


def steps_of(what: Spec) -> tuple[Step, ...]:
    """Return the steps that a run of this pipeline may have, in their order."""
    if what.tuning is None:
        return PLAN
    trains = PLAN.index(STEPS["train"])
    return (*PLAN[:trains], TUNE, *PLAN[trains:])


def perform(step: Step, pipeline: str, run_id: str) -> Outcome:
    """Do one step after `ingest`; raise Halted when it is a gate that does not open.

    A run already released is left alone: its steps end at once and say so. Raises UsageError when the
    pipeline's files are no longer those that the run was opened on.
    """
    return carry_out(step, runs.load(pipeline, run_id))


def carry_out(step: Step, run: Run) -> Outcome:
    """Do one step of a run at hand, as `perform` does."""
    release = run.release()
    if release:
        told = f"already released as version {release.version} from the same input"
        return Outcome(run, step.name, told, release)
    if not step.asked(run):
        return Outcome(run, step.name, "not asked for")
    started = time.monotonic()
    what = pipelines.load(run.pipeline)
    there = run.files.keys() | what.files.keys()
    changed = sorted(name for name in there if what.files.get(name) != run.files.get(name))
    if changed:
        raise UsageError(
            f"{', '.join(changed)} changed after run {run.id} was opened; the run is its inputs: "
            f"start another from `ingest` (sluice run {run.pipeline} {run.span})"
        )
    try:
        made = step.does(what, run)
    except Halted as halt:
        _record(run, step.name, "halted", None, str(halt), started)
        raise Halted(halt.verdict, run.id) from None
    except Exception as error:
        _record(run, step.name, "error", None, f"{type(error).__name__}: {error}", started)
        raise
    return _conclude(run, step.name, started, made, gate=step.gate)


def _conclude(run: Run, step: str, started: float, made: Artifact, *, gate: bool) -> Outcome:
    """Write down what a step made; raise Halted when it is the verdict of a gate that is shut."""
    if not gate:
        _record(run, step, "done", made, "", started)
        release = run.release()
        told = f"released as version {release.version}" if release else made.facts.get("summary")
        return Outcome(run, step, str(told or ""), release)
    verdict = gates.read(made)
    opens = verdict.passed or _admitted(run, verdict)
    shut = "error" if verdict.status is Status.ERROR else "halted"
    told = verdict.reason if verdict.passed or not opens else _let_in(run, verdict)
    _record(run, step, "passed" if opens else shut, made, told, started)
    if not opens:
        raise Halted(verdict, run.id)
    return Outcome(run, step, str(made.facts.get("summary") or told) if verdict.passed else told)


def _admitted(run: Run, verdict: Verdict) -> bool:
    """Say whether a person let in the very examples that the data gate refused."""
    if verdict.gate != "data":
        return False
    return run.admitted.get(verdict.span, "") == verdict.speaks_of.get("examples")


def _let_in(run: Run, verdict: Verdict) -> str:
    """Return who let a refused span in and why, and what the gate had said."""
    one = admissions.admissions(run.pipeline)[verdict.span, verdict.speaks_of["examples"]]
    return f"let in by {one.by}: {one.because} ({verdict.reason})"


def _record(
    run: Run, step: str, outcome: str, made: Artifact | None, message: str, started: float
) -> None:
    runs.record(
        run,
        StepRecord(
            step=step,
            outcome=outcome,  # type: ignore[arg-type]
            artifact=str(made.folder.relative_to(store.root(run.pipeline))) if made else None,
            message=message,
            finished=datetime.now(UTC),
            seconds=round(time.monotonic() - started, 3),
        ),
    )
    tracking.follow(run, step, outcome)


def _baseline(what: Spec, run: Run) -> Artifact | None:
    """Return the model that the candidate has to follow, whole, or None before the first release."""
    from components.push import settle

    if run.apart is None:
        settle(what, run)
    return run.baseline()
