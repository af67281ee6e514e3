"""How far off is too far: the unit in which every answer is told, and where the alarm is.

What a forecast's errors look like in the tail differs by the kind of statistic and by whether it ever
moved before; how, is learned from tables of many sources (`python -m benchmarks.gates tune`) and stands
here as constants, since no table has spans enough to show its own one day in a hundred.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from components.validate_data.history.columns import Statistic

# Of each kind, one sound answer in a thousand or less is further off, in units of its own spread: where
# it never moved before, where it moved less than sampling explains, and where it moved more.
STILL, QUIET, LIVELY = range(3)
TAILS = {
    "came before": (0.8, 1.6, 4.5),
    "beyond": (4.9, 1.3, 4.2),
    "distinct": (1.6, 1.3, 3.8),
    "distribution": (1.6, 1.8, 3.9),
    "extreme length": (4.0, 4.0, 7.0),
    "extreme": (4.0, 4.0, 6.0),
    "length": (1.6, 1.2, 5.4),
    "lost": (2.6, 2.6, 3.5),
    "marks": (1.3, 1.3, 5.2),
    "mean": (1.6, 1.2, 4.8),
    "missing": (0.8, 1.2, 4.7),
    "new shape": (1.6, 1.2, 3.5),
    "new value": (1.6, 1.2, 3.5),
    "nothing": (1.5, 1.2, 3.5),
    "pair": (1.6, 2.0, 6.2),
    "quantile": (5.0, 1.7, 6.2),
    "repeated": (0.8, 1.2, 3.5),
    "respelt": (1.6, 1.6, 3.5),
    "rise": (1.6, 1.3, 3.5),
    "rows": (1.6, 1.2, 3.9),
    "shape mix": (1.6, 1.3, 4.0),
    "sign": (2.0, 1.2, 3.9),
    "spread": (1.6, 1.2, 4.2),
    "tail": (3.0, 3.0, 5.6),
    "ties": (1.6, 1.2, 4.4),
    "top": (1.6, 1.5, 4.1),
    "value mix": (1.6, 1.7, 4.0),
    "whole": (1.5, 1.2, 4.3),
}
# Share of sound spans → the limit, in units of the tail and of the table's own liveliness. On the tables
# it was learned from, 2.25 halts one day in a hundred; a table of another source halts twice as often,
# so that a wider limit stands for each rate.
LIMITS = {0.001: 12.0, 0.003: 6.0, 0.005: 4.3, 0.01: 3.2, 0.02: 2.3, 0.05: 1.6}
LEVEL = 0.9  # the quantile of a table's own spans that says how lively it is
CALM = 0.5  # no table counts as calmer than this


@dataclass(frozen=True)
class Scale:
    """How far off a sound span goes, for each of J statistics.

    `forgiven`: what one odd row makes of a share that never moved, 0 for any other statistic.
    """

    reach: np.ndarray
    forgiven: np.ndarray

    def unlike(self, off: np.ndarray) -> np.ndarray:
        """Return errors, [..., J], in units of the reach, one odd row forgiven."""
        beyond = np.sqrt(np.maximum(0, off**2 - self.forgiven**2))
        return np.where(off > 0, beyond, 0) / self.reach


def scale(statistics: Sequence[Statistic], errors: np.ndarray) -> Scale:
    """Return how far off a sound span goes, learned from `errors`, [spans, J]."""
    off = np.abs(errors)
    worst = _quantile(off, 1.0)
    floor = np.array([s.floor for s in statistics])
    wont = np.fmax.reduce(
        [1.4826 * _quantile(off, 0.5), _quantile(off, 0.9) / 1.645, worst / 3, floor]
    )
    still, quiet = worst <= 1e-9, worst < floor
    pace = np.where(still, STILL, np.where(quiet, QUIET, LIVELY))
    tails = [TAILS[s.kind][p] for s, p in zip(statistics, pace, strict=True)]
    rare = still & np.array([s.measure == "share" for s in statistics])
    return Scale(wont * np.array(tails), np.where(rare, 2 * floor, 0))


def limit(unlike: np.ndarray, false_halts: float) -> float:
    """Return where the alarm is for a table whose spans were so `unlike`, [spans, J], what was expected."""
    level = max(CALM, float(np.quantile(unlike.max(1), LEVEL)))
    rates = np.log(list(LIMITS))
    return level * float(np.interp(np.log(false_halts), rates, list(LIMITS.values())))


def _quantile(off: np.ndarray, level: float) -> np.ndarray:
    """Return a quantile of each column, of what is known; 0 where nothing is."""
    ordered = np.sort(off, 0)  # nan come last
    known = np.isfinite(off).sum(0)
    place = np.clip(np.ceil(level * known).astype(int) - 1, 0, len(off) - 1)
    return np.nan_to_num(np.take_along_axis(ordered, place[None], 0)[0], nan=0.0)
