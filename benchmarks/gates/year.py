"""Every day of 2013 through the whole data gate, as a pipeline would have met them: which halt, and why.

    python -m benchmarks.gates.year      # a Markdown table; some minutes

A day that is refused stays out of the history of the next, as it would where nobody admits it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from components import describe, gates, home, ingest, pipelines, spans
from components.store import Artifact
from components.validate_data import validate_data
from components.verdict import Status, Verdict
from components.window import HISTORY
from demo import feed


def judged() -> Iterator[tuple[str, Verdict, float]]:
    """Yield each day, its verdict and the CPU seconds of the gate."""
    what = pipelines.load("flights")
    accepted: list[Artifact] = []
    for day in spans.between(what.span.first, what.span.last or what.span.first):
        feed.land(feed.upstream(), day)
        examples = ingest.ingest(what, day)
        described = describe.describe(what, examples)
        began = time.process_time()
        verdict = gates.read(validate_data(what, examples, described, accepted[-HISTORY:]))
        yield day, verdict, time.process_time() - began
        if verdict.passed:
            accepted.append(described)


def main() -> int:
    """Judge the year in a house of its own, and print what halted or warned."""
    source = home.home()
    print("| day | | why |\n|---|---|---|", flush=True)
    halted, warned, spent = 0, 0, []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("pipelines", "schemas"):
            shutil.copytree(source / name, Path(folder) / name)
        os.environ["SLUICE_HOME"] = folder
        for day, verdict, seconds in judged():
            spent.append(seconds)
            odd = [c for c in verdict.checks if c.status is Status.WARNED]
            told = verdict.offences or odd
            halted += not verdict.passed
            warned += verdict.passed and bool(odd)
            if told:
                word = "warned" if verdict.passed else "halted"
                why = "; ".join(c.message for c in told[:3])
                print(f"| {day} {date.fromisoformat(day):%a} | {word} | {why} |", flush=True)
            if len(spent) % 50 == 0:
                print(f"{len(spent)} days judged", file=sys.stderr, flush=True)
    middle = sorted(spent)[len(spent) // 2]
    print(
        f"\n{len(spent)} days: {halted} halted, {warned} warned; {1000 * middle:.0f} ms of CPU a day"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
