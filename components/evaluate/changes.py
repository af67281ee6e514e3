"""What changed since the baseline: spans, statistics, hyperparameters, files, code.

All of it is read off what the store remembers of the two models. What it no longer remembers is told
as unknown, and keeps nothing from being judged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from components import ledger, runs, statistics, store
from components.approval import EXAMPLES
from components.errors import SluiceError
from components.evaluate.population import BASELINE, CANDIDATE
from components.evidence import Changes, Moved, Setting
from components.spec import Spec
from components.store import Artifact

MOST = 8  # statistics that are shown
STATISTICS = "statistics/"


def changes(
    spec: Spec, candidate: Artifact, baseline: Artifact, judging: Sequence[str]
) -> dict[str, JsonValue]:
    """Return what differs between two models, as `components.evidence.Changes` has it."""
    models = {CANDIDATE: candidate, BASELINE: baseline}
    unknown: list[str] = []
    files: list[Setting] = []
    moved: list[Moved] = []
    same: list[str] = []
    try:
        before = _files(baseline)
        files = list(_differing(spec.files, before))
        same = sorted(name for name, digest in spec.files.items() if before.get(name) == digest)
    except SluiceError as problem:
        unknown.append(f"the files that the baseline was made from: {problem}")
    try:
        moved = _moved(*(_statistics(model) for model in models.values()))
    except SluiceError as problem:
        unknown.append(f"the statistics that the models were made from: {problem}")
    code = [{"code": model.manifest.code} for model in models.values()]
    trained = {name: _trained(model) for name, model in models.items()}
    return Changes(
        windows={
            BASELINE: trained[BASELINE],
            CANDIDATE: trained[CANDIDATE],
            "judging": sorted(judging),
        },
        entered=sorted(set(trained[CANDIDATE]) - set(trained[BASELINE])),
        left=sorted(set(trained[BASELINE]) - set(trained[CANDIDATE])),
        settings=[
            *_differing(candidate.manifest.parameters, baseline.manifest.parameters),
            *_differing(candidate.manifest.packages, baseline.manifest.packages),
            *_differing(*code),
        ],
        files=files,
        same_files=same,
        statistics=moved,
        unknown=unknown,
    ).plain()


def _trained(model: Artifact) -> list[str]:
    inputs = model.manifest.inputs
    return sorted(name.removeprefix(EXAMPLES) for name in inputs if name.startswith(EXAMPLES))


def _differing(now: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[Setting]:
    for name in sorted(now.keys() | before.keys()):
        if now.get(name) != before.get(name):
            yield Setting(name=name, baseline=before.get(name), candidate=now.get(name))


def _files(model: Artifact) -> Mapping[str, str]:
    """Return the digests of the pipeline's files for the run that released a model."""
    pipeline = model.manifest.pipeline
    for release in reversed(ledger.entries(pipeline)):
        if release.model == model.digest:
            return runs.load(pipeline, release.run).files
    raise SluiceError("the ledger has no run that released it")


def _statistics(model: Artifact) -> Any:
    """Return the statistics of the spans that a model was trained on, merged."""
    made = model.manifest
    if "transform" not in made.inputs:
        raise SluiceError(
            f"model {model.digest[:12]} does not say which transform it was made with"
        )
    constants = store.find("transform", made.pipeline, made.span, made.inputs["transform"])
    described = {
        name.removeprefix(STATISTICS): digest
        for name, digest in constants.manifest.inputs.items()
        if name.startswith(STATISTICS)
    }
    found = [store.find("statistics", made.pipeline, s, d) for s, d in described.items()]
    return statistics.merge([statistics.read(one) for one in found])


def _moved(now: Any, before: Any) -> list[Moved]:
    """Return the statistics that moved most, by effect size (Cohen 1988)."""
    rows = (now.num_examples, before.num_examples)
    known = statistics.by_column(before)
    found = [
        moved
        for column, feature in statistics.by_column(now).items()
        if column in known
        for moved in _of_column(column, feature, known[column], rows)
    ]
    return sorted((m for m in found if m.effect > 0), key=lambda m: -m.effect)[:MOST]


def _of_column(column: str, now: Any, before: Any, rows: tuple[int, int]) -> Iterator[Moved]:
    missing = [
        statistics.common(f).num_missing / n for f, n in zip((now, before), rows, strict=True)
    ]
    yield _share(column, "missing", *missing)
    if now.HasField("num_stats") and before.HasField("num_stats"):
        spread, means = before.num_stats.std_dev, (now.num_stats.mean, before.num_stats.mean)
        if spread > 0 and all(map(math.isfinite, means)):
            effect = abs(means[0] - means[1]) / spread
            yield Moved(
                column=column,
                statistic="mean",
                baseline=means[1],
                candidate=means[0],
                effect=effect,
            )
    elif now.HasField("string_stats") and before.HasField("string_stats"):
        shares, usual = statistics.shares(now), statistics.shares(before)
        values = [
            _share(column, f"share of {value}", shares.get(value, 0.0), usual.get(value, 0.0))
            for value in shares.keys() | usual.keys()
        ]
        if values:
            yield max(values, key=lambda m: (round(m.effect, 9), m.candidate))


def _share(column: str, statistic: str, now: float, before: float) -> Moved:
    arcs = [2 * math.asin(math.sqrt(min(max(share, 0.0), 1.0))) for share in (now, before)]
    return Moved(
        column=column,
        statistic=statistic,
        baseline=before,
        candidate=now,
        effect=abs(arcs[0] - arcs[1]),
    )
