"""tune: search the window that trains for better hyperparameters; the best of them is an artifact.

best.json     the hyperparameters, what they scored, and every trial
tune.html     the same for people

The last `holdout` of the training spans judge the trials, and the constants of the preprocessing come
from those before: a trial is told nothing of what judges it, and the spans that judge the candidate
are not in the search at all. The study is on the disk after every trial, so a search that was killed
goes on with the next; begun again on later spans, it begins from the best of before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from components import files, pages, store
from components.errors import SluiceError
from components.spec import Hyperparameter, Spec
from components.store import Artifact, Draft

FILE, PAGE = "best.json", "tune.html"


class Trial(BaseModel):
    """One trial. `losses`: on the held-out spans, after each epoch; `state`: how it ended, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    state: str
    hyperparameters: dict[str, Hyperparameter]
    loss: float | None
    losses: tuple[float, ...]
    seconds: float
    message: str = ""


class Best(BaseModel):
    """What a search came to. `loss`: the least, on the held-out spans; `first`: that of the first trial.

    The first trial is what was in use before: the best of the last search, or the defaults.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hyperparameters: dict[str, Hyperparameter]
    loss: float
    first: float
    trained_on: tuple[str, ...]
    judged_on: tuple[str, ...]
    trials: tuple[Trial, ...]


def tune(
    spec: Spec,
    span: str,
    examples: Sequence[Artifact],
    statistics: Sequence[Artifact],
    former: Artifact | None,
) -> Artifact:
    """Return the artifact with the best hyperparameters that the budget found.

    `examples`: of the spans that train, oldest first, with their `statistics`; `former`: the last
    search. Raises SluiceError when the first trial fails, or too few spans are left to train on.
    """
    if spec.tuning is None:
        raise SluiceError(f"{spec.name} has nothing to tune; give its pipeline.yaml a `tuning:`")
    held = spec.tuning.holdout
    if len(examples) <= held:
        raise SluiceError(
            f"{len(examples)} accepted spans train, and `tuning.holdout` keeps {held} of them to judge "
            "the trials: none is left to train on; widen `window.train`"
        )
    inputs = {f"examples/{e.manifest.span}": e.digest for e in examples}
    inputs |= {f"statistics/{s.manifest.span}": s.digest for s in statistics[:-held]}
    inputs["model.py"] = files.sha256(spec.folder / "model.py")
    inputs["schema"] = files.sha256(spec.schema_path)
    if former:
        inputs["former"] = former.digest
    parameters: dict[str, JsonValue] = {
        "label": spec.label,
        "tuning": spec.tuning.model_dump(mode="json"),
        "hyperparameters": dict(spec.hyperparameters),
        **spec.train.model_dump(mode="json"),
    }

    def build(draft: Draft) -> Mapping[str, JsonValue]:
        from components.transform import transform
        from components.tune.search import search

        constants = transform(spec, span, statistics[:-held])
        best = search(spec, examples[:-held], examples[-held:], constants, former, draft.resume)
        (draft.folder / FILE).write_text(best.model_dump_json(indent=2))
        (draft.folder / PAGE).write_text(pages.tune_page(spec.name, span, best))
        return {"summary": _summary(best), "hyperparameters": dict(best.hyperparameters)}

    return store.once("tune", spec.name, span, inputs=inputs, parameters=parameters, build=build)


def read(artifact: Artifact) -> Best:
    """Return what a search came to; raise SluiceError when it does not read."""
    path = artifact.file(FILE)
    try:
        return Best.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise SluiceError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error


def latest(spec: Spec, before: str) -> Artifact | None:
    """Return the last search of a span before this one, or None without one.

    Its best must lie in the space as it is now: of another space, nothing is taken over. What a later
    span taught is not known to an earlier one, in whatever order they run.
    """
    if spec.tuning is None:
        return None
    folder = store.root(spec.name) / "tune"
    for span in sorted(
        (path.name for path in folder.glob("*") if path.name < before), reverse=True
    ):
        made = [store.load(path.parent) for path in (folder / span).glob(f"*/{store.MANIFEST}")]
        fit = [one for one in made if spec.tuning.holds(read(one).hyperparameters)]
        if fit:
            return max(fit, key=lambda one: one.manifest.finished)
    return None


def tuned(spec: Spec, artifact: Artifact | None) -> Spec:
    """Return the spec with the best hyperparameters of a search in place of its own."""
    return spec.with_hyperparameters(read(artifact).hyperparameters) if artifact else spec


def _summary(best: Best) -> str:
    told = ", ".join(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
                     for name, value in best.hyperparameters.items())  # fmt: skip
    states = [trial.state for trial in best.trials]
    return (
        f"{told}: loss {best.loss:.4f} on {len(best.judged_on)} held-out spans, "
        f"{best.first:.4f} before; {len(states)} trials, {states.count('pruned')} pruned"
    )
