"""search: trials one after the other, by Optuna, until the budget is spent.

What Optuna draws depends on the trials that ended before and on the seed, and on nothing else; a trial
that a crash cut short is not among them, and is drawn again just so.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from components import pipelines
from components.errors import SluiceError
from components.spec import Hyperparameter, Spec
from components.spec.training import Range
from components.store import Artifact
from components.tune import Best, Trial, read
from components.tune.trial import Data, Pruned, prepared, train_one

log = logging.getLogger(__name__)

COMPLETE = (TrialState.COMPLETE, TrialState.PRUNED)
STORAGE = "study.sqlite"
WARM_UP = 5  # trials that come to their end before any is pruned
LOSSES, MESSAGE = "losses", "message"


def search(
    spec: Spec,
    train: Sequence[Artifact],
    judge: Sequence[Artifact],
    constants: Artifact,
    former: Artifact | None,
    resume: Path,
) -> Best:
    """Return the best hyperparameters for a model of `train`, by its loss on `judge`.

    `resume`: the folder of the study. Raises SluiceError when the first trial fails.
    """
    data = prepared(spec, train, judge, constants)
    with _study(spec, former, resume) as study:
        while _goes_on(spec, study):
            # Begun anew for each trial, the sampler knows nothing but how many have ended.
            seed = spec.train.seed * 10_000 + len(_ended(study))
            study.sampler = optuna.samplers.TPESampler(seed=seed)
            _one(spec, study, study.ask(_space(spec)), data)
        best = study.best_trial
        trials = tuple(_told(trial) for trial in study.get_trials(deepcopy=False))
    assert best.value is not None
    return Best(
        hyperparameters=best.params,
        loss=best.value,
        first=next(t.loss for t in trials if t.loss is not None),
        trained_on=tuple(e.manifest.span for e in train),
        judged_on=tuple(e.manifest.span for e in judge),
        trials=trials,
    )


@contextmanager
def _study(spec: Spec, former: Artifact | None, resume: Path) -> Iterator[optuna.Study]:
    """Yield the study in the folder, without the trial that a crash cut short, or a new one."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    resume.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.RDBStorage(f"sqlite:///{resume / STORAGE}")
    try:
        study = optuna.create_study(
            study_name=spec.name,
            storage=storage,
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=WARM_UP, n_warmup_steps=1),
        )
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(trial.number, state=TrialState.FAIL)
        if _ended(study):
            log.info("the search goes on after %d trials", len(_ended(study)))
        elif not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            known = read(former).hyperparameters if former else pipelines.defaults(spec)
            study.enqueue_trial(known)
        yield study
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _ended(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that came to something: all but one that a crash cut short."""
    every = study.get_trials(deepcopy=False)
    return [t for t in every if t.state in COMPLETE or t.user_attrs.get(MESSAGE)]


def _goes_on(spec: Spec, study: optuna.Study) -> bool:
    """Say whether trials and minutes are left; the first trial is made in any case."""
    assert spec.tuning
    ended = len(_ended(study))
    return not ended or (ended < spec.tuning.trials and _left_s(spec, study) > 0)


def _left_s(spec: Spec, study: optuna.Study) -> float:
    """Return the seconds that are left; what a crash cost does not count."""
    assert spec.tuning
    spent = [trial.duration.total_seconds() for trial in _ended(study) if trial.duration]
    return spec.tuning.minutes * 60 - sum(spent)


def _one(spec: Spec, study: optuna.Study, trial: optuna.Trial, data: Data) -> None:
    """Train one trial to its end, or until it is not worth it, and write down what came of it.

    One at the point of another is not trained again: on a CPU it comes out the same, to the bit.
    """
    for known in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        if known.params == trial.params:
            trial.set_user_attr(LOSSES, known.user_attrs[LOSSES])
            study.tell(trial, known.value)
            log.info("trial %d: the point of trial %d again", trial.number, known.number)
            return
    first, losses = not _ended(study), list[float]()
    until = time.monotonic() + _left_s(spec, study)

    def watch(loss: float) -> None:
        if not math.isfinite(loss):
            raise SluiceError(f"the loss on the held-out spans is {loss}")
        losses.append(loss)
        trial.report(loss, len(losses))
        # The first is what all others are held against: it is trained to its end.
        if not first and (trial.should_prune() or time.monotonic() > until):
            raise Pruned

    try:
        train_one(spec.with_hyperparameters(trial.params), data, watch)
        state, message = TrialState.COMPLETE, ""
    except Pruned:
        state, message = TrialState.PRUNED, ""
    except SluiceError as error:
        if first:
            raise SluiceError(f"the first trial, {trial.params}, fails: {error}") from error
        state, message = TrialState.FAIL, str(error)
    trial.set_user_attr(LOSSES, losses)
    if message:
        trial.set_user_attr(MESSAGE, message)
    study.tell(trial, losses[-1] if state is TrialState.COMPLETE else None, state=state)
    log.info("trial %d: %s %s %s", trial.number, state.name.lower(), trial.params, losses[-1:])


def _space(spec: Spec) -> dict[str, BaseDistribution]:
    assert spec.tuning
    return {name: _distribution(values) for name, values in spec.tuning.space.items()}


def _distribution(values: Range | tuple[Hyperparameter, ...]) -> BaseDistribution:
    if not isinstance(values, Range):
        return CategoricalDistribution(values)
    if isinstance(values.low, int) and isinstance(values.high, int):
        return IntDistribution(values.low, values.high, log=values.log)
    return FloatDistribution(values.low, values.high, log=values.log)


def _told(trial: FrozenTrial) -> Trial:
    message = trial.user_attrs.get(MESSAGE, "")
    crashed = trial.state is TrialState.FAIL and not message
    return Trial(
        number=trial.number,
        state="cut short" if crashed else trial.state.name.lower(),
        hyperparameters=trial.params,
        loss=trial.value if trial.state is TrialState.COMPLETE else None,
        losses=tuple(trial.user_attrs.get(LOSSES, ())),
        seconds=round(trial.duration.total_seconds(), 1) if trial.duration else 0,
        message="a crash cut it short" if crashed else message,
    )
