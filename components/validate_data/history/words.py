"""An answer in the words and units of whoever is on call."""

from __future__ import annotations

import numpy as np

from components.validate_data.history.columns import Statistic

NAMES = {
    "missing": "missing values", "zero": "zeros", "negative": "negative numbers",
    "whole": "whole numbers", "top": "share of the most frequent value",
    "once": "values that come once", "upper": "capital letters", "lower": "small letters",
    "digit": "digits", "space": "blanks", "mark": "punctuation", "foreign": "letters beyond ASCII",
    "all upper": "values all in capitals", "all lower": "values all in small letters",
    "edge space": "values with a blank at an edge", "nothing said": "values that say nothing",
    "distinct": "distinct values", "distribution": "distance of the distribution",
    "beyond": "values outside of all before", "one value": "rise of one value's share",
    "value mix": "change of one value's share", "value total": "change of the values' shares",
    "new value": "values never seen before", "shape mix": "change of one shape's share",
    "shape total": "change of the shapes' shares", "new shape": "shapes never seen before",
    "lost value": "rows expected of a value that is gone",
    "respelt": "rows with a known value in a new spelling",
    "misread": "rows that read as escaped, or as of another encoding", "length": "mean length",
    "length spread": "spread of the length", "shortest": "shortest length",
    "longest": "longest length", "rows": "rows", "repeated": "repeated rows",
    "came before": "rows that came before, in an earlier span",
    "ties": "tie to the other columns, 1 as ever", "dependence": "dependence",
}  # fmt: skip


def name(statistic: Statistic) -> str:
    """Return what was asked, in words."""
    return NAMES.get(statistic.name, statistic.name)


def plain(statistic: Statistic, answer: float) -> str:
    """Return an answer as a person reads it: a share in per cent, an amount in the column's unit."""
    if not np.isfinite(answer):
        return "nothing of the kind"
    if statistic.measure == "share":
        return f"{100 * np.sin(np.clip(answer, 0, np.pi / 2)) ** 2:.3g} %"
    if statistic.measure == "amount":
        return f"{np.sinh(answer) * statistic.unit:.4g}"
    if statistic.measure == "spread":
        return f"{max(0.0, np.exp(answer) - 1e-3 * statistic.unit):.4g}"
    if statistic.measure == "count":
        return f"{max(0.0, np.expm1(answer)):.4g}"
    if statistic.measure == "root":
        return f"{max(0.0, answer) ** 2:.3g}"
    return f"{max(0.0, answer):.3g}"


def expected(statistic: Statistic, forecast: float, reach: float) -> str:
    """Return what was expected: up to `reach` off the forecast, on the sides that are asked for."""
    most = plain(statistic, forecast + reach)
    if statistic.one_sided:
        return f"at most {most}"
    return f"{plain(statistic, forecast - reach)} to {most}"
