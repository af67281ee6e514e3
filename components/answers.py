"""answers: what a model server says to golden questions, held against the offline scores."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from pydantic import JsonValue

from components.golden import Columns, Golden
from components.verdict import Check, Status
from serving.client import Prediction, ServerRefused

TOLERANCE = 1e-5  # absolute: scores are probabilities
OUTPUT = "score"
FAILED = Status.FAILED

Ask = Callable[[Columns], Prediction]


@dataclass(frozen=True)
class Answers:
    """`scores` [n], NaN where refused; `seconds` a request; `refused`: row → why."""

    scores: np.ndarray
    seconds: np.ndarray
    refused: dict[int, str] = field(default_factory=dict)


def ask_all(ask: Ask, golden: Golden, size: int, patience_s: float = math.inf) -> Answers:
    """Ask every golden row, `size` in a request, one request at a time.

    Once `patience_s` have passed, no more is asked, and the rest counts as refused.
    """
    begun = time.perf_counter()
    scores: list[np.ndarray] = []
    seconds: list[float] = []
    refused: dict[int, str] = {}
    for n, batch in enumerate(golden.batches(size)):
        rows = len(next(iter(batch.values())))
        started = time.perf_counter()
        if started - begun > patience_s:
            scores.append(np.full(len(golden) - n * size, np.nan))
            refused[n * size] = f"not asked, since the rows before it took over {patience_s:.0f} s"
            break
        try:
            scores.append(_scores(ask(batch), rows))
        except ServerRefused as error:
            scores.append(np.full(rows, np.nan))
            refused[n * size] = str(error)
        seconds.append(time.perf_counter() - started)
    return Answers(np.concatenate(scores), np.array(seconds), refused)


def compare(subject: str, given: Answers, golden: Golden) -> list[Check]:
    """Return the checks that all was answered, with numbers, and with the offline ones."""
    if given.refused:
        row, words = next(iter(given.refused.items()))
        told = f"{subject}: {len(given.refused)} requests without an answer, the first: {words}"
        about = _offender(row, given, golden)
        return [Check(name="answers", status=FAILED, subject=subject, message=told, values=about)]
    off = np.abs(given.scores - golden.scores)
    infinite = ~np.isfinite(given.scores)
    wrong = ~infinite & ~(off <= TOLERANCE)
    largest = off[np.isfinite(off)].max(initial=0)

    def check(name: str, offends: np.ndarray, seen: str, expected: str, problem: str) -> Check:
        many = int(offends.sum())
        return Check(
            name=name,
            status=FAILED if many else Status.PASSED,
            subject=subject,
            seen=seen,
            expected=expected,
            message=f"{subject}: {many} of {len(golden)} answers {problem}" if many else "",
            values=_offender(int(offends.argmax()), given, golden) if many else {},
        )

    seen = f"{int(infinite.sum())} of {len(golden)} are not"
    return [
        check("finite", infinite, seen, "all are finite", "are no finite number"),
        check(
            "parity",
            wrong,
            f"off by {largest:.1e} at most",
            f"within {TOLERANCE:g} of the offline score",
            f"are off by up to {largest:.2g} from the offline score",
        ),
    ]


def _offender(row: int, given: Answers, golden: Golden) -> dict[str, JsonValue]:
    """Return the first row that went wrong, for the page; texts, since JSON knows no NaN."""
    expected, answered = golden.scores[row], given.scores[row]
    return {"expected": str(expected), "answered": str(answered), "request": golden.row(row)}


def _scores(answer: Prediction, rows: int) -> np.ndarray:
    """Return the scores [rows] in an answer; raise ServerRefused for any other shape or name."""
    given = answer.outputs.get(OUTPUT)
    if given is None or given.size != rows:
        told = {name: list(values.shape) for name, values in answer.outputs.items()}
        raise ServerRefused(f"answered {rows} rows with {told}, not with {OUTPUT!r} of [{rows}]")
    return given.reshape(rows).astype(float)
