"""What is followed of a whole span: how many rows, how many repeat, and how columns hang together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from components.profile import Profile
from components.profile.joint import BETWEEN
from components.validate_data.history.columns import Statistic


class Table:
    """A span as a whole over the spans before; `statistics` and `past` as those of a column.

    Beside every pair of columns, each column is asked how much it is tied to the others: the pairs'
    dependences, weighted by the square of what is usual, so that those which tell nothing weigh nothing.
    """

    def __init__(self, past: Sequence[Profile]) -> None:
        self.pairs = list(past[-1].pairs)
        shared = self._shared(past)
        with np.errstate(all="ignore"):
            usual = np.nan_to_num(np.nanmedian(shared, 0)) if self.pairs else np.zeros(0)
        ends = [pair.split(BETWEEN) for pair in self.pairs]
        self.tied = list(dict.fromkeys(name for pair in ends for name in pair))
        member = np.array([[name in pair for pair in ends] for name in self.tied], float)
        weight = member.reshape(len(self.tied), len(ends)) * usual**2
        self.weight = weight / np.maximum((weight * usual).sum(1, keepdims=True), 1e-9)
        noise = 0.5 / np.sqrt(float(np.median([p.rows for p in past])) + 1)
        some = 0.5 / np.sqrt(float(np.median([len(p.sketch) for p in past])) + 1)
        self.statistics = [
            Statistic("", "rows", "rows", 2 * noise, "count"),
            Statistic("", "repeated", "repeated", noise, "share"),
            Statistic("", "came before", "came before", some, "share", one_sided=True),
            *(Statistic(name, "ties", "ties", noise, "plain") for name in self.tied),
            *(Statistic(pair, "dependence", "pair", noise, "share") for pair in self.pairs),
        ]
        sketches = [np.array(p.sketch, np.int64) for p in past]
        self.known, first = np.unique(np.concatenate(sketches), return_index=True)
        begun = np.cumsum([0, *map(len, sketches)])  # where each sketch begins among all
        came = [
            first[np.searchsorted(self.known, sketch)] < start
            for sketch, start in zip(sketches, begun[:-1], strict=True)
        ]
        self.past = self._answers(past, shared, came)

    def now(self, profile: Profile) -> np.ndarray:
        """Return the answers of a span, [J]."""
        came = np.isin(np.array(profile.sketch, np.int64), self.known)
        return self._answers([profile], self._shared([profile]), [came])[0]

    def _shared(self, profiles: Sequence[Profile]) -> np.ndarray:
        held = [[p.pairs.get(pair, np.nan) for pair in self.pairs] for p in profiles]
        return np.array(held, float).reshape(len(profiles), len(self.pairs))

    def _answers(
        self, profiles: Sequence[Profile], shared: np.ndarray, came: Sequence[np.ndarray]
    ) -> np.ndarray:
        """Return [spans, J]; `shared`: [spans, pairs]; `came`: of each row in a sketch, if before."""
        rows = np.log1p([p.rows for p in profiles])
        again = [float(rows.sum()) / max(1, len(rows)) for rows in came]
        repeated = np.arcsin(np.sqrt([[p.duplicates for p in profiles], again])).T
        ties = np.nan_to_num(shared) @ self.weight.T
        return np.column_stack([rows, repeated, ties, np.arcsin(np.sqrt(shared))])
