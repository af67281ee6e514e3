"""answers: what a model server says to golden questions, held against the offline scores."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from pydantic import JsonValue

from components import scoring
from components.golden import Columns, Golden
from components.verdict import Check, Status
from serving.client import Prediction, ServerRefused

TOLERANCE = 1e-5  # absolute up to 1, as of probabilities; of a larger number, its share
FAILED = Status.FAILED

Ask = Callable[[Columns], Prediction]


@dataclass(frozen=True)
class Answers:
    """`scores` [n] or [n, classes], NaN where refused; `seconds` a request; `refused`: row → why."""

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
            scores.append(np.full(golden.scores[n * size :].shape, np.nan))
            refused[n * size] = f"not asked, since the rows before it took over {patience_s:.0f} s"
            break
        try:
            scores.append(_scores(ask(batch), (rows, *golden.scores.shape[1:])))
        except ServerRefused as error:
            scores.append(np.full((rows, *golden.scores.shape[1:]), np.nan))
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
    off = furthest(given.scores, golden.scores)
    infinite = ~np.isfinite(given.scores).reshape(len(golden), -1).all(axis=1)
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


def furthest(given: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return how far the answer to each row is from the known one, [n]: of a large one, its share."""
    off = np.abs(given - known) / np.maximum(np.abs(known), 1)
    farthest: np.ndarray = off.reshape(len(known), -1).max(axis=1)
    return farthest


def _offender(row: int, given: Answers, golden: Golden) -> dict[str, JsonValue]:
    """Return the first row that went wrong, for the page; texts, since JSON knows no NaN."""
    expected, answered = golden.scores[row], given.scores[row]
    return {"expected": str(expected), "answered": str(answered), "request": golden.row(row)}


def _scores(answer: Prediction, shape: tuple[int, ...]) -> np.ndarray:
    """Return the scores in an answer; raise ServerRefused for any other shape or name."""
    given = scoring.of(answer.outputs)
    if given is None or given.size != np.prod(shape):
        told = {name: list(values.shape) for name, values in answer.outputs.items()}
        raise ServerRefused(
            f"answered {shape[0]} rows with {told}, not with scores of {list(shape)}"
        )
    return given.reshape(shape).astype(float)
