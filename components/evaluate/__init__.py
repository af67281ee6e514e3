"""evaluate: the model gate. Candidate and baseline on the same examples, overall and by slice.

The examples are those of later spans than the candidate was trained on; what TFMA's viewers read is
kept beside the verdict, in the folder `tfma`.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from components import as_trained, gates, labels, store, transform
from components.approval import EXAMPLES, NO_BASELINE
from components.evaluate.answers import answers, finite
from components.evaluate.changes import changes
from components.evaluate.culprits import culprits_first
from components.evaluate.curves import curves
from components.evaluate.differences import differences
from components.evaluate.measured import measure
from components.evaluate.population import BASELINE, CANDIDATE, Population, population
from components.evaluate.rows import labelled, scored
from components.evaluate.thresholds import questions, unaskable
from components.evaluate.unseen import unseen
from components.evaluate.weak_slices import gated, search
from components.evaluate.wild import wild
from components.metrics import HEADLINE, Task
from components.schema import Feature
from components.spec import ModelGate, Spec, Threshold
from components.store import Artifact
from components.verdict import Check, Status, Verdict, failed_to_measure

log = logging.getLogger(__name__)

RESULT = "tfma"  # the folder that `tfma.load_eval_result` opens
SHOWN = 60  # slices on the page, the largest
Evidence = dict[str, JsonValue]


def evaluate(
    spec: Spec,
    span: str,
    model: Artifact,
    baseline: Artifact | None,
    examples: Sequence[Artifact],
) -> Artifact:
    """Return the model gate's verdict on the candidate `model`, against the model now serving.

    `examples`: of the spans that judge. Whatever keeps the gate from measuring is an error in the
    verdict, which keeps it shut.
    """
    about = {"model": model.digest, "baseline": baseline.digest if baseline else NO_BASELINE}
    about |= {EXAMPLES + e.manifest.span: e.digest for e in examples}
    models = {CANDIDATE: model} | ({BASELINE: baseline} if baseline else {})

    def look(draft: store.Draft) -> Verdict:
        result = draft.folder / RESULT
        checks = [*unseen(models, [e.manifest.span for e in examples])]
        evidence: Evidence = {}
        try:
            rows, unlabelled = labelled(spec, examples)
            said = {name: scored(spec, name, m, rows) for name, m in models.items()}
            scores = {name: given for name, (given, _) in said.items()}
            label = labels.encode(spec, rows[spec.label])
            judging = population(label, scores, rows, spec.slices, spec.task)
            gate = _shared(spec)
            found, evidence = judge(spec.thresholds, gate, judging, result)
            checks += [*found, as_trained.check(model, said[CANDIDATE][1])]
            evidence |= {"unlabelled": unlabelled, "spans": len(examples)}
            if spec.task == "binary":  # of classes and numbers nobody searches yet
                weak = search(judging, rows, _searched(spec, model), spec.weak_slices)
                checks += gated(weak, spec.weak_slices, gate.false_blocks)
                evidence["weak_slices"] = [one.plain() for one in weak]
            if baseline:
                spans = [e.manifest.span for e in examples]
                evidence["changes"] = changes(spec, model, baseline, spans)
            evidence["summary"] = _summary(spec.task, evidence, checks)
        except Exception as problem:
            log.exception("the model gate could not measure")
            shutil.rmtree(result, ignore_errors=True)
            checks.append(failed_to_measure("evaluation", problem))
        return Verdict(
            gate="model",
            pipeline=spec.name,
            span=span,
            speaks_of=about,
            checks=tuple(checks),
            evidence=evidence,
        )

    parts = {"label", "slices", "thresholds", "model_gate", "weak_slices"}
    asked = spec.model_dump(mode="json", include=parts)
    asked["sensitive"] = sorted(spec.data_gate.sensitive)
    if spec.task != "binary":
        asked |= {"task": spec.task, "classes": list(spec.classes)}
    return gates.judge("evaluate", spec.name, span, inputs=about, parameters=asked, look=look)


def _shared(spec: Spec) -> ModelGate:
    """Return how sure the thresholds are to be: half of what noise may block is the search's, if asked."""
    if spec.weak_slices.gate == "none":
        return spec.model_gate
    half = spec.model_gate.false_blocks / 2
    return spec.model_gate.model_copy(update={"false_blocks": half})


def _searched(spec: Spec, model: Artifact) -> list[Feature]:
    """Return the columns whose values name weak slices: those that may be shown."""
    hidden = spec.data_gate.sensitive
    return [one for one in transform.load(model).features if one.name not in hidden]


def judge(
    thresholds: Sequence[Threshold], gate: ModelGate, judging: Population, folder: Path
) -> tuple[list[Check], Evidence]:
    """Return a check for every bound and slice, and the figures; write TFMA's result to `folder`."""
    from components.evaluate import tfma_results

    baseline = judging.scores.get(BASELINE)
    about = (judging.task, judging.classes)
    asked = questions(thresholds, judging.slicings, judging.label, baseline, *about)
    answered = culprits_first(answers(asked, measure(asked, judging, gate), gate))
    bounds = [answer.bound for answer in answered if answer.bound]
    how = tfma_results.write(tfma_results.config(judging, bounds), judging, folder)
    figures = tfma_results.figures(folder)
    tfma_results.blank(figures, judging)
    checks = unaskable(thresholds, judging.slicings) + [answer.check for answer in answered]
    if judging.task == "regression":
        checks.append(wild(judging))
    if all(question.unjudged for question in asked):
        told = f"none of {len(thresholds)} thresholds could be judged: {checks[0].message}"
        checks.append(Check(name="thresholds", status=Status.ERROR, message=told))
    evidence: Evidence = {
        "metrics": _finite(figures[()][CANDIDATE]),
        "examples": len(judging.label),
        "slices_in_all": len(figures) - 1,
        "slices": _largest(judging, figures),
        "computed_by": how,
        "differences": differences(judging, checks),
    }
    if judging.task == "binary":  # of classes and numbers there is no such picture yet
        evidence["curves"] = curves(judging)
    if BASELINE in judging.scores:
        evidence["baseline_metrics"] = _finite(figures[()][BASELINE])
    return checks, evidence


def _largest(judging: Population, figures: Mapping[Any, Mapping[str, Any]]) -> list[JsonValue]:
    """Return the figures of the largest slices, overall first."""
    sizes = [
        (s, int(n))
        for parts in judging.slicings
        for s, n in zip(parts, parts.totals(), strict=True)
    ]
    sizes.sort(key=lambda pair: -pair[1])
    return [
        {
            "slice": part.name,
            "examples": examples,
            **{model: _finite(values) for model, values in figures[part.key].items()},
        }
        for part, examples in sizes[:SHOWN]
    ]


def _summary(task: Task, evidence: Mapping[str, Any], checks: Sequence[Check]) -> str:
    """Return the one line that a driver prints."""
    bounds = [check for check in checks if "bound" in check.values]
    small = sum(bool(check.values["underpowered"]) for check in bounds)
    hold = sum(check.status is Status.PASSED for check in bounds)
    metric, title = HEADLINE[task]
    told = f"{title} {_short(evidence['metrics'][metric])}"
    if "baseline_metrics" in evidence:
        told += f" (baseline {_short(evidence['baseline_metrics'][metric])})"
    return (
        f"{told} on {evidence['examples']:,} examples of {evidence['spans']} spans, "
        f"{evidence['slices_in_all']} slices; {hold} of {len(bounds)} bounds hold"
        + (f", {small} are of too few rows to tell" if small else "")
    )


def _short(figure: float | None) -> str:
    return "undefined" if figure is None else f"{figure:.3f}"


def _finite(values: Mapping[str, float]) -> dict[str, JsonValue]:
    return {name: finite(value) for name, value in sorted(values.items())}
