"""What the page draws of two models' scores: ROC, calibration, histograms. Few points, exact ones."""

from __future__ import annotations

import numpy as np
from pydantic import JsonValue

from components.evaluate.population import Population
from components.evidence import Bin, Curves, Histogram, Roc

POINTS = 100  # of a curve; between two of them it moves by a fiftieth of the square's side at most
BINS = 10  # of as many examples each
BARS = 40
TAIL = 0.0005  # the share of scores at either end that the outermost bars take in
Z = 1.96


def curves(judging: Population) -> dict[str, JsonValue]:
    """Return the curves of a binary population's models, as `components.evidence.Curves` has them.

    A model of a population that lacks one of the labels has no ROC.
    """
    label = judging.label == 1
    edges = _edges(np.concatenate(list(judging.scores.values())))
    both = label.any() and not label.all()
    return Curves(
        roc={model: roc(label, said) for model, said in judging.scores.items() if both},
        calibration={m: calibration(label, said) for m, said in judging.scores.items()},
        edges=edges.tolist(),
        scores={m: _histogram(label, said, edges) for m, said in judging.scores.items()},
    ).plain()


def roc(label: np.ndarray, scores: np.ndarray) -> Roc:
    """Return the ROC curve of scores [n] for labels bool [n], both labels among them.

    The area is that of the whole curve; the points are those nearest to even steps along it.
    """
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)  # equal scores are one step, not many
    true = np.concatenate([[0], np.cumsum(label[order])[last]]) / label.sum()
    false = np.concatenate([[0], np.cumsum(~label[order])[last]]) / (~label).sum()
    steps = np.searchsorted(true + false, np.linspace(0, 2, POINTS))
    kept = np.unique(np.minimum(steps, len(true) - 1))
    area = min(float(np.sum(np.diff(false) * (true[1:] + true[:-1]) / 2)), 1.0)
    points = [(round(float(false[i]), 5), round(float(true[i]), 5)) for i in kept]
    return Roc(points=points, area=area)


def calibration(label: np.ndarray, scores: np.ndarray) -> list[Bin]:
    """Return bins of as many examples each, by score; intervals after Wilson (1927)."""
    parts = np.array_split(np.argsort(scores, kind="stable"), min(BINS, len(scores)))
    return [_bin(float(scores[part].mean()), int(label[part].sum()), len(part)) for part in parts]


def _bin(score: float, positives: int, examples: int) -> Bin:
    share, z = positives / examples, Z * Z / examples
    middle = share + z / 2
    reach = Z * float(np.sqrt(share * (1 - share) / examples + z / (4 * examples)))
    low, high = (middle - reach) / (1 + z), (middle + reach) / (1 + z)
    interval = (max(low, 0.0), min(high, 1.0))
    return Bin(score=score, positives=share, interval=interval, examples=examples)


def _edges(scores: np.ndarray) -> np.ndarray:
    low, high = np.quantile(scores, [TAIL, 1 - TAIL])
    if low == high:
        low, high = max(low - 0.01, 0.0), min(high + 0.01, 1.0)
    edges: np.ndarray = np.linspace(low, high, BARS + 1)
    return edges


def _histogram(label: np.ndarray, scores: np.ndarray, edges: np.ndarray) -> Histogram:
    inside = np.clip(scores, edges[0], edges[-1])
    positive, negative = (np.histogram(inside[of], edges)[0] for of in (label, ~label))
    return Histogram(positive=positive.tolist(), negative=negative.tolist())
