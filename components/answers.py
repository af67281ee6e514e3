"""answers: what a model server says to golden questions, held against the offline scores."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from pydantic import JsonValue

from components import scoring
from components.golden import Columns, Golden
from components.verdict import Check, Status
from serving.client import Prediction, ServerRefused, ServerUnreachable

TOLERANCE = 1e-5  # absolute up to 1, as of probabilities; of a larger number, its share
FAILED, PASSED = Status.FAILED, Status.PASSED

Ask = Callable[[Columns], Prediction]


class Silence(Exception):
    """A request got no answer at all; `request` is its first row."""

    def __init__(self, request: str, rows: int, error: ServerUnreachable) -> None:
        super().__init__(f"a request of {rows} {'row' if rows == 1 else 'rows'}: {error}")
        self.request = request


@dataclass(frozen=True)
class Answers:
    """`scores` [n] or [n, classes], NaN where refused; `seconds` a request; `refused`: row → why."""

    scores: np.ndarray
    seconds: np.ndarray
    refused: dict[int, str] = field(default_factory=dict)


def ask_all(ask: Ask, golden: Golden, size: int, patience_s: float = math.inf) -> Answers:
    """Ask every golden row, `size` in a request, one request at a time.

    Once `patience_s` have passed, no more is asked, and the rest counts as refused. Raises Silence
    when a request is not answered at all.
    """
    begun = time.perf_counter()
    scores: list[np.ndarray | None] = []
    seconds: list[float] = []
    refused: dict[int, str] = {}
    for n, batch in enumerate(golden.batches(size)):
        rows = len(next(iter(batch.values())))
        started = time.perf_counter()
        if started - begun > patience_s:
            refused[n * size] = f"not asked, since the rows before it took over {patience_s:.0f} s"
            break
        try:
            scores.append(_scores(ask(batch), rows))
        except ServerRefused as error:
            scores.append(None)
            refused[n * size] = str(error)
        except ServerUnreachable as error:
            raise Silence(golden.sent(n * size), rows, error) from error
        seconds.append(time.perf_counter() - started)
    return Answers(_joined(scores, golden, size), np.array(seconds), refused)


def _joined(scores: Sequence[np.ndarray | None], golden: Golden, size: int) -> np.ndarray:
    """Return the answers to all rows, NaN where there is none."""
    width = next((one.shape[1:] for one in scores if one is not None), golden.scores.shape[1:])
    joined = np.full((len(golden), *width), np.nan)
    for n, one in enumerate(scores):
        if one is not None:
            joined[n * size : n * size + len(one)] = one
    return joined


def compare(subject: str, given: Answers, golden: Golden) -> list[Check]:
    """Return the checks that all was answered, with numbers, and with the offline ones."""
    if given.refused or given.scores.shape != golden.scores.shape:
        return [unanswered(subject, given, golden)]
    off = furthest(given.scores, golden.scores)
    infinite = ~_finite(given.scores)
    wrong = ~infinite & ~(off <= TOLERANCE)
    largest = off[np.isfinite(off)].max(initial=0)
    return [
        _check(
            "finite",
            subject,
            infinite,
            seen=f"{int(infinite.sum())} of {len(golden)} are not",
            expected="all are finite",
            problem="are no finite number",
            about=(golden, golden.scores, given.scores),
        ),
        _check(
            "parity",
            subject,
            wrong,
            seen=f"off by {largest:.1e} at most",
            expected=f"within {TOLERANCE:g} of the offline score",
            problem=f"are off by up to {largest:.2g} from the offline score",
            about=(golden, golden.scores, given.scores),
        ),
    ]


def unanswered(subject: str, given: Answers, golden: Golden) -> Check:
    """Return the failed check of answers that were refused, or are of another shape than offline."""
    row, words = next(
        iter(given.refused.items()),
        (0, f"{list(given.scores.shape)} scores where {list(golden.scores.shape)} belong"),
    )
    many = max(len(given.refused), 1)
    if golden.hidden and given.refused:
        words = "a refusal, whose words are not repeated, since they may quote a sensitive column"
    told = f"{subject}: {many} requests without an answer, the first: {words}"
    about: dict[str, JsonValue] = {"answered": words, "request": golden.sent(row)}
    return Check(name="answers", status=FAILED, subject=subject, message=told, values=about)


def repeatable(subject: str, first: Answers, again: Answers, golden: Golden) -> Check:
    """Return the check that the same requests, sent twice, get the same answers."""
    return _check(
        "repeatable",
        subject,
        off := _differ(first, again),
        seen=f"{int(off.sum())} of {len(golden)} changed",
        expected="the same answer to the same request",
        problem="were others when the same request was sent again: the model draws lots",
        about=(golden, first.scores, again.scores),
    )


def independent(subject: str, alone: Answers, together: Answers, golden: Golden) -> Check:
    """Return the check that a row's answer does not depend on which others are in its request."""
    return _check(
        "independent",
        subject,
        off := _differ(alone, together),
        seen=f"{int(off.sum())} of {len(golden)} depend on the others",
        expected="the same answer alone and among others",
        problem="depend on the other rows of the request",
        about=(golden, alone.scores, together.scores),
    )


def furthest(given: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return how far the answer to each row is from the known one, [n]: of a large one, its share."""
    off = np.abs(given - known) / np.maximum(np.abs(known), 1)
    farthest: np.ndarray = off.reshape(len(known), -1).max(axis=1)
    return farthest


def _finite(scores: np.ndarray) -> np.ndarray:
    """Say of each row, bool [n], whether all that it was answered are numbers."""
    finite: np.ndarray = np.isfinite(scores).reshape(len(scores), -1).all(axis=1)
    return finite


def _differ(one: Answers, other: Answers) -> np.ndarray:
    """Say of each row, bool [n], whether both answered it with a number, and not the same."""
    if one.scores.shape != other.scores.shape:
        return np.zeros(len(one.scores), bool)  # told by `compare`
    both = _finite(one.scores) & _finite(other.scores)
    return both & ~(furthest(one.scores, other.scores) <= TOLERANCE)


def _check(
    name: str,
    subject: str,
    offends: np.ndarray,
    *,
    seen: str,
    expected: str,
    problem: str,
    about: tuple[Golden, np.ndarray, np.ndarray],
) -> Check:
    """Return a check on all rows; `about`: the questions, what belongs there, and what was answered."""
    golden, wanted, answered = about
    many, message = int(offends.sum()), ""
    values: dict[str, JsonValue] = {}
    if many:
        row = int(offends.argmax())
        shared = golden.in_common(offends)
        message = f"{subject}: {many} of {len(golden)} answers {problem}"
        message += f", {shared}" if shared else ""
        belongs = "a number; nor is it one offline"
        if np.isfinite(wanted[row]).all():
            belongs = _short(wanted[row])
        # Texts, since JSON knows no NaN.
        values = {
            "expected": belongs,
            "answered": _short(answered[row]),
            "request": golden.sent(row),
        }
    return Check(
        name=name,
        status=FAILED if many else PASSED,
        subject=subject,
        seen=seen,
        expected=expected,
        message=message,
        values=values,
    )


def _short(scores: np.ndarray) -> str:
    return ", ".join(f"{score:.6g}" for score in np.atleast_1d(scores))


def _scores(answer: Prediction, rows: int) -> np.ndarray:
    """Return the scores in an answer, [rows] or [rows, classes]; raise ServerRefused for any other."""
    given = scoring.of(answer.outputs)
    if given is None or given.ndim == 0 or len(given) != rows:
        told = {name: list(values.shape) for name, values in answer.outputs.items()}
        raise ServerRefused(f"answered {rows} rows with {told}, not with scores of [{rows}]")
    return given.astype(float)
