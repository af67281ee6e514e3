"""The model gate's figures from counts, side by side with TFMA going row by row.

    python -m benchmarks.evaluate    # a table, docs/benchmarks/evaluate.md, var/benchmarks/evaluate.json

The rows are real flights of 2013, over again where more are asked for; two models' scores are drawn
around how late each one was, since how a score came about costs an evaluation nothing. Both ways write
the same files: two models, every metric of a binary label, overall and every origin, carrier and origin
× carrier; counting draws the plots of all rows besides. CPU seconds, imports not included.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn import metrics as peer

from components import home, metrics, provenance, spans
from components.evaluate import counted_metrics, measured, tfma_results
from components.evaluate.answers import answers
from components.evaluate.population import BASELINE, CANDIDATE, Population, population
from components.evaluate.thresholds import questions
from components.spec import ModelGate, Threshold
from demo import feed

SLICINGS = [("origin",), ("carrier",), ("origin", "carrier")]
THRESHOLDS = [
    Threshold(metric="auc", slice=columns, at_least=0.6, worse_by_at_most=0.03)
    for columns in [(), ("origin",), ("origin", "carrier")]
]
GATE = ModelGate()
COUNTED, BY_ROW = "counted", "row by row"
RUNS = [(3_000, BY_ROW), (3_000, COUNTED), (300_000, COUNTED), (3_000_000, COUNTED)]
LIMITS = {300_000: 6, 3_000_000: 10}  # CPU seconds
PAGE = "docs/benchmarks/evaluate.md"

Told = dict[str, Any]


def judging(count: int, flights: pd.DataFrame) -> Population:
    """Return `count` flights of 2013 that arrived, from the first on, and two models' scores of them."""
    frame = flights.iloc[np.arange(count) % len(flights)].reset_index(drop=True)
    label = (frame["arr_delay"] > 15).to_numpy()
    draw = np.random.default_rng(1)
    scores = {
        model: (1 / (1 + np.exp(1.4 - 0.8 * label - draw.normal(size=count)))).astype("float32")
        for model in (CANDIDATE, BASELINE)
    }
    return population(label, scores, frame, SLICINGS)


def arrived() -> pd.DataFrame:
    """Return the flights of 2013 that arrived."""
    days = spans.between("2013-01-01", "2013-12-31")
    table = pa.concat_tables(
        feed.flights(day).select(["origin", "carrier", "arr_delay"]) for day in days
    )
    return table.to_pandas().dropna(subset=["arr_delay"])


def measure(rows: Population, way: str) -> Told:
    """Return what one evaluation costs, and how far its figures are from scikit-learn's."""
    with tempfile.TemporaryDirectory() as folder:
        cpu, wall = time.process_time(), time.monotonic()
        asked = questions(THRESHOLDS, rows.slicings, rows.label, rows.scores[BASELINE])
        answered = answers(asked, measured.measure(asked, rows, GATE), GATE)
        bounds = [answer.bound for answer in answered if answer.bound]
        config = tfma_results.config(rows, bounds)
        write = counted_metrics.write if way == COUNTED else tfma_results.write_row_by_row
        write(config, rows, Path(folder))
        figures = tfma_results.figures(Path(folder))
        tfma_results.blank(figures, rows)
        spent = {"cpu_s": time.process_time() - cpu, "wall_s": time.monotonic() - wall}
    slices = sum(len(slicing.values) for slicing in rows.slicings)
    off = {} if way == BY_ROW else {"off": furthest(rows, figures)}
    auc = figures[()][CANDIDATE]["auc"]
    told = {"way": way, "rows": len(rows.label), "slices": slices, "auc": auc, **spent, **off}
    return {**told, "figures": figures}


def furthest(rows: Population, figures: Any) -> float:
    """Return the largest distance of an AUC, an accuracy or a recall from scikit-learn's exact one.

    In the slices by one column and overall; those of few rows are where buckets could tell.
    """
    off = [0.0]
    for slicing in rows.slicings[:3]:
        for part in slicing:
            inside = slicing.codes == part.code
            off += [_off(rows, model, inside, figures[part.key][model]) for model in rows.scores]
    return max(off)


def _off(rows: Population, model: str, inside: np.ndarray, told: dict[str, float]) -> float:
    label, scores = rows.label[inside], rows.scores[model][inside]
    if len(set(label.tolist())) < 2:
        return 0.0
    exact = {
        "auc": peer.roc_auc_score(label, scores),
        "accuracy": peer.accuracy_score(label, scores > metrics.CUT),
        "recall": peer.recall_score(label, scores > metrics.CUT),
    }
    return max(abs(told[name] - value) for name, value in exact.items())


def apart(one: Any, other: Any) -> tuple[int, float]:
    """Return how many figures two results of the same rows have, and the largest difference of two."""
    pairs = [
        (value, other[key][model][metric])
        for key, models in one.items()
        for model, figures in models.items()
        for metric, value in figures.items()
    ]
    ours, theirs = np.array(pairs).T
    if not np.array_equal(np.isnan(ours), np.isnan(theirs)):
        return len(pairs), np.inf
    return len(pairs), float(np.nanmax(np.abs(ours - theirs)))


def page(results: Sequence[Told], many: int, off: float, machine: str) -> str:
    """Return the page that is published."""
    head = (
        "# What an evaluation costs\n\n"
        f"`python -m benchmarks.evaluate` writes this page. Two models, the {len(metrics.of('binary'))} "
        "metrics of a binary label, overall and every origin, carrier and origin × carrier of real "
        "flights; CPU seconds after imports, everything included from the scores to the figures read "
        f"back from TFMA's files. On {machine}.\n\n"
        "| way | rows | slices | CPU s | asked | furthest from scikit-learn |\n|---|---|---|---|---|---|\n"
    )
    lines = [
        f"| {r['way']} | {r['rows']:,} | {r['slices']} | {r['cpu_s']:.1f} "
        f"| {LIMITS.get(r['rows'], '')} | {format(r['off'], '.1g') if 'off' in r else ''} |"
        for r in results
    ]
    foot = (
        f"\n\nOn the {results[0]['rows']:,} rows that both ways evaluated, the largest difference "
        f"between any two of {many:,} figures is {off:.1g}. The distance from scikit-learn is of the "
        "AUC, accuracy and recall of every slice by one column: TFMA's AUC knows a score to one of "
        "10,000 buckets.\n"
    )
    return head + "\n".join(lines) + foot


def main() -> None:
    """Measure, print the table, write the page and the JSON."""
    flights = arrived()
    measure(judging(100, flights), COUNTED)  # pays for the imports
    results, figures = [], []
    for count, way in RUNS:
        told = measure(judging(count, flights), way)
        figures.append(told.pop("figures"))
        results.append(told)
        print(" ".join(f"{name} {value}" for name, value in told.items()), flush=True)
    cores = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    text = page(results, *apart(figures[0], figures[1]), cores)
    (home.home() / PAGE).write_text(text)
    print(text)
    path = home.var() / "benchmarks" / "evaluate.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"results": results, "packages": provenance.packages()}, indent=2))
    print(f"written to {PAGE} and {path}")


if __name__ == "__main__":
    main()
