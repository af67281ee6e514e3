"""Tell MLflow of one run: python -m components.tracking.to_mlflow PIPELINE RUN

An experiment a pipeline, a run a run. Told twice, it is the same run there: found by its tag.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.entities import Run as There
from mlflow.exceptions import MlflowException

from components import gates, ledger, runs
from components.evaluate.population import BASELINE, CANDIDATE
from components.evaluate.slices import OVERALL
from components.runs import Run, StepRecord
from components.store import Artifact
from components.verdict import Verdict

TAG = "sluice.run"
SERVING = "serving"  # the alias of the model version that was released last
AT_ONCE = 100  # parameters a call, MLflow's limit; of metrics it takes 1,000
LONGEST = 500  # characters of a tag or parameter that every server takes
WORD = 120  # characters of a slice; MLflow takes 250 of a metric's name in all
# A slice's name that can be told from its words: `origin=EWR, carrier=UA`, and no blank in a value.
_PLAIN = re.compile(r"[\w.-]+=[\w.-]+(, [\w.-]+=[\w.-]+)*", re.ASCII)


def tell(run: Run) -> dict[str, str | None]:
    """Tell of a run as far as it has come; return its id there, and the model's version."""
    client, steps = MlflowClient(), runs.steps(run)
    there = _run(client, run)
    key = there.info.run_id
    model = runs.artifact(run, "train")
    tags = {name: RunTag(name, value[:LONGEST]) for name, value in _tags(run, steps).items()}
    params = [Param(name, value[:LONGEST]) for name, value in _parameters(model).items()]
    for start in range(0, max(len(params), 1), AT_ONCE):
        client.log_batch(
            key, params=params[start : start + AT_ONCE], tags=list(tags.values()), synchronous=True
        )
        tags = {}
    shown = [model.file("training.json"), model.file("constants.json")]
    metrics = list(_losses(model))
    if "evaluate" in steps and steps["evaluate"].artifact:
        judged = runs.artifact(run, "evaluate")
        metrics += _metrics(gates.read(judged), _milliseconds(steps["evaluate"]))
        shown += [judged.file(gates.JSON), judged.file(gates.PAGE)]
    for start in range(0, len(metrics), 10 * AT_ONCE):
        client.log_batch(key, metrics=metrics[start : start + 10 * AT_ONCE], synchronous=True)
    for file in shown:
        client.log_artifact(key, str(file))
    release = ledger.of_fingerprint(run.pipeline, run.fingerprint)
    version = _version(client, run, there, model) if release else None
    last = list(steps.values())[-1]
    if release or last.outcome in ("halted", "error"):
        client.set_terminated(key, "FINISHED" if release else "FAILED")
    return {"run": key, "version": version}


def _run(client: MlflowClient, run: Run) -> There:
    """Return the run there, found by its tag or made."""
    experiment = client.get_experiment_by_name(run.pipeline)
    key = experiment.experiment_id if experiment else client.create_experiment(run.pipeline)
    found = client.search_runs([key], f"tags.`{TAG}` = '{run.id}'", max_results=1)
    if found:
        return found[0]
    began = int(run.opened.timestamp() * 1000)
    return client.create_run(key, start_time=began, tags={TAG: run.id}, run_name=run.id)


def _tags(run: Run, steps: Mapping[str, StepRecord]) -> dict[str, str]:
    last = list(steps.values())[-1]
    release = ledger.of_fingerprint(run.pipeline, run.fingerprint)
    outcome = "released" if release else last.outcome
    told = {
        "span": run.span,
        "version": str(run.version),
        "fingerprint": run.fingerprint,
        "outcome": outcome,
        "step": last.step,
        "reason": last.message,
    }
    return {f"sluice.{name}": value for name, value in told.items() if value}


def _parameters(model: Artifact) -> dict[str, str]:
    """Return what the model was made with: hyperparameters, spans, code."""
    told: dict[str, Any] = dict(model.manifest.parameters)
    told |= told.pop("hyperparameters", None) or {}
    spans = sorted(
        name.removeprefix("examples/")
        for name in model.manifest.inputs
        if name.startswith("examples/")
    )
    told |= {"first_span": spans[0], "last_span": spans[-1], "spans": len(spans)}
    told |= {"code": model.manifest.code, "model": model.digest}
    return {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in told.items()
    }


def _losses(model: Artifact) -> Iterator[Metric]:
    """Yield the figures of the training by epoch."""
    told = json.loads(model.file("training.json").read_text())
    at = int(model.manifest.finished.timestamp() * 1000)
    for epoch, figures in enumerate(told["history"], 1):
        for name, value in figures.items():
            yield Metric(f"train/{name}", value, at, epoch)


def _metrics(verdict: Verdict, at: int) -> Iterator[Metric]:
    """Yield the model gate's figures: overall by name, a slice's as `auc by slice/origin EWR`."""
    evidence: Mapping[str, Any] = verdict.evidence
    overall = {CANDIDATE: evidence.get("metrics"), BASELINE: evidence.get("baseline_metrics")}
    for model, figures in overall.items():
        yield from _named(figures, "" if model == CANDIDATE else f"{model}_", "", at)
    for row in evidence.get("slices", ()):
        if row.get("slice") not in (None, OVERALL):
            for model in overall:
                prefix = "" if model == CANDIDATE else f"{model}_"
                yield from _named(row.get(model), prefix, f" by slice/{_word(row['slice'])}", at)


def _named(figures: Any, prefix: str, suffix: str, at: int) -> Iterator[Metric]:
    for name, value in (figures or {}).items():
        if isinstance(value, int | float):
            yield Metric(f"{prefix}{name}{suffix}", float(value), at, 0)


def _word(name: str) -> str:
    """Return a slice's name in the letters that MLflow takes: `origin=EWR` becomes `origin EWR`.

    Where that could be another slice's name too, since letters were lost, a digest of it follows.
    """
    word = " ".join(re.sub(r"[^\w.-]+", " ", name, flags=re.ASCII).split())
    if _PLAIN.fullmatch(name) and len(word) <= WORD:
        return word
    return (
        f"{word[:WORD].rstrip()} {sha256(name.encode(errors='backslashreplace')).hexdigest()[:8]}"
    )


def _version(client: MlflowClient, run: Run, there: There, model: Artifact) -> str:
    """Register the released model there, once, and point the alias at it; return its version there."""
    name = run.pipeline
    with contextlib.suppress(MlflowException):  # it is there already
        client.create_registered_model(name)
    known = client.search_model_versions(f"name = '{name}' and run_id = '{there.info.run_id}'")
    if not known:
        client.log_artifacts(there.info.run_id, str(model.file("saved_model")), "saved_model")
        source = f"{there.info.artifact_uri}/saved_model"
        tags = {TAG: run.id, "sluice.version": str(run.version), "sluice.model": model.digest}
        known = [
            client.create_model_version(
                name, source, there.info.run_id, tags, await_creation_for=30
            )
        ]
    client.set_registered_model_alias(name, SERVING, known[0].version)
    return str(known[0].version)


def _milliseconds(step: StepRecord) -> int:
    return int(step.finished.timestamp() * 1000)


def main(pipeline: str, run_id: str) -> None:
    """Tell, and print what came of it as one line of JSON."""
    try:
        said = tell(runs.load(pipeline, run_id))
    except Exception as error:
        said = {"problem": " ".join(f"{type(error).__name__}: {error}".split())[:500]}
    print(json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
