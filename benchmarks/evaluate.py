"""The model gate's figures from counts, side by side with TFMA going row by row.

    python -m benchmarks.evaluate        # a table, and var/benchmarks/evaluate.json; some minutes

The rows are real flights of 2013; two models' scores are drawn around how late each one was, since
how a score came about costs an evaluation nothing. Both ways write the same files: two models, nine
metrics, overall and every origin, carrier and origin × carrier. CPU seconds, imports not included.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pyarrow as pa

from components import home, provenance, spans
from components.evaluate import counted_metrics, tfma_results
from components.evaluate.population import BASELINE, CANDIDATE, Population, population
from components.evaluate.thresholds import questions
from components.spec import Threshold
from demo import feed

SLICINGS = [("origin",), ("carrier",), ("origin", "carrier")]
THRESHOLDS = [
    Threshold(metric="auc", slice=columns, at_least=0.6, worse_by_at_most=0.03)
    for columns in [(), ("origin",), ("origin", "carrier")]
]
COUNTED, BY_ROW = "counted", "row by row"
RUNS = [(3_000, BY_ROW), (3_000, COUNTED), (6_500, COUNTED), (300_000, COUNTED)]


def judging(count: int) -> Population:
    """Return the first `count` flights of 2013 that arrived, and two models' scores of them."""
    days = spans.between("2013-01-01", "2013-12-31")
    table = pa.concat_tables(
        feed.flights(day).select(["origin", "carrier", "arr_delay"]) for day in days
    )
    frame = table.to_pandas().dropna(subset=["arr_delay"]).iloc[:count].reset_index(drop=True)
    label = (frame["arr_delay"] > 15).to_numpy()
    draw = np.random.default_rng(1)
    scores = {
        model: (1 / (1 + np.exp(1.4 - 0.8 * label - draw.normal(size=count)))).astype("float32")
        for model in (CANDIDATE, BASELINE)
    }
    return population(label, scores, frame, SLICINGS)


def measure(count: int, way: str) -> dict[str, float | int | str]:
    """Return what one evaluation of `count` rows costs."""
    rows = judging(count)
    with tempfile.TemporaryDirectory() as folder:
        cpu, wall = time.process_time(), time.monotonic()
        asked = questions(THRESHOLDS, rows.slicings, rows.label, rows.scores[BASELINE])
        config = tfma_results.config(rows, asked)
        write = counted_metrics.write if way == COUNTED else tfma_results.write_row_by_row
        write(config, rows, Path(folder))
        auc = tfma_results.figures(Path(folder))[()][CANDIDATE]["auc"]
        spent = {"cpu_s": time.process_time() - cpu, "wall_s": time.monotonic() - wall}
    slices = sum(len(slicing.values) for slicing in rows.slicings)
    return {"way": way, "rows": count, "slices": slices, "auc": auc} | spent


def main() -> None:
    """Measure, print the table, write the JSON."""
    measure(100, COUNTED)  # pays for the imports
    results = [measure(count, way) for count, way in RUNS]
    print(f"{'way':<12}{'rows':>9}{'slices':>8}{'AUC':>10}{'CPU s':>8}{'wall s':>8}")
    for r in results:
        print(
            f"{r['way']:<12}{r['rows']:>9,}{r['slices']:>8}{r['auc']:>10.6f}"
            f"{r['cpu_s']:>8.2f}{r['wall_s']:>8.2f}"
        )
    path = home.var() / "benchmarks" / "evaluate.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    machine = {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    told = {"results": results, "packages": provenance.packages(), **machine}
    path.write_text(json.dumps(told, indent=2))
    print(f"written to {path}")


if __name__ == "__main__":
    main()
