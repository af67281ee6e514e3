"""From single judgements to figures: how often a method is right, and at what price.

Every table weighs the same, and within it every set-up of a fault: a table of fifty columns or a
thousand days does not drown the others. The interval of a rate is Clopper and Pearson's, at 95 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.gates.faults import FAULTS
from benchmarks.gates.protocol import BY_COLUMN, BY_TABLE, Record

if TYPE_CHECKING:
    import pandas as pd

ALARM = 1.0
BAD_DAYS = 0.02  # of a table's days, to say what an alarm is worth
CLEAN_SPANS = 30  # of a column in AVH, beside its 27 or 33 faulty copies
PRECISE = 0.98
PRICES = (0.005, 0.01, 0.02, 0.05)  # false halts a day at which methods are held side by side
EQUAL = 0.01  # the one at which kinds are told
LARGE = 100  # rows
POINTS = 100  # of a curve
Figures = dict[str, Any]


def frame(records: Sequence[Record], changes: Mapping[str, frozenset[str]]) -> pd.DataFrame:
    """Return the judgements as a frame, with the kind of each fault.

    `changes`: of each table the spans on which the world changed; these are told as `known`.
    """
    import pandas as pd

    held = pd.DataFrame([asdict(record) for record in records])
    kinds = {fault.name: fault.kind for fault in FAULTS}
    pairs = zip(held["table"], held["span"], strict=True)
    return held.assign(
        kind=[kinds.get(name, "") for name in held["fault"]],
        known=[span in changes[table] for table, span in pairs],
    )


def figures(held: pd.DataFrame) -> dict[str, Figures]:
    """Return the figures of each method, by protocol."""
    told: dict[str, Figures] = {}
    for name, judged in held.groupby("method", sort=False):
        columns = judged[judged["protocol"] == BY_COLUMN]
        tables = judged[judged["protocol"] == BY_TABLE]
        told[str(name)] = {
            "columns": {str(f): of_columns(part) for f, part in columns.groupby("family")},
            "tables": of_tables(tables) if len(tables) else {},
        }
    return told


def of_columns(judged: pd.DataFrame) -> Figures:
    """Return precision and recall where each column is judged alone, and their curve."""
    faulty, clean = judged[judged["fault"] != ""], judged[judged["fault"] == ""]
    odds = faulty["fault"].nunique() / CLEAN_SPANS

    def point(limit: float) -> tuple[float, float]:
        recall, false = _caught(faulty, limit), _caught(clean, limit)
        return _precision(recall * odds, false), recall

    curve = [point(limit) for limit in _limits(clean["score"], faulty["score"])]
    precision, recall = point(ALARM)
    return {
        "columns": int(judged.groupby(["table", "column"]).ngroups),
        "clean": len(clean),
        "faulty": len(faulty),
        "precision": precision,
        "recall": recall,
        "false_alarms": _caught(clean, ALARM),
        "recall_when_precise": max((r for p, r in curve if p >= PRECISE), default=0.0),
        "curve": curve,
        "by_kind": _by_kind(faulty),
    }


def of_tables(judged: pd.DataFrame) -> Figures:
    """Return false halts a day, and recall, where tables are judged whole, and their curve."""
    faulty = judged[judged["fault"] != ""]
    clean = judged[(judged["fault"] == "") & ~judged["known"]]
    known = judged[(judged["fault"] == "") & judged["known"]]
    halts = clean.assign(halted=clean["score"] > ALARM).groupby("table")["halted"]
    rates = halts.mean().sort_values(ascending=False)
    large = clean.groupby("table")["rows"].median() >= LARGE
    big = faulty[faulty["table"].map(large).astype(bool)]
    recall = _families(faulty)
    limits = _limits(clean["score"], faulty["score"])
    fair = {rate: _limit_at(rate, clean, limits) for rate in PRICES}
    return {
        "days": len(clean),
        "halts": int(halts.sum().sum()),
        "false_halts": float(rates.mean()),
        "interval": interval(int(halts.sum().sum()), len(clean)),
        "worst": [
            {"table": str(t), "rate": float(r), "days": int(halts.count()[t])}
            for t, r in rates.head(5).items()
        ],
        "known": {"spans": len(known), "alarms": int((known["score"] > ALARM).sum())},
        "faulty": len(faulty),
        "recall": recall,
        "recall_large": _families(big),
        "large": int(large.sum()),
        "precision": _precision(recall["all"] * BAD_DAYS, rates.mean() * (1 - BAD_DAYS)),
        "curve": [(_caught(clean, limit), _families(faulty, limit)["all"]) for limit in limits],
        "recall_at": {rate: _families(faulty, limit)["all"] for rate, limit in fair.items()},
        "by_kind": _by_kind(faulty, fair[EQUAL]),
        "by_fault": {
            str(n): _caught(part, ALARM) for n, part in faulty.groupby("fault", sort=False)
        },
        "by_table": {
            str(t): {"false_halts": float(rates[t]), "recall": _families(part)}
            for t, part in faulty.groupby("table")
        },
        "look_ms": float(clean["look_ms"].mean()),
        "judge_ms": float(clean["judge_ms"].mean()),
    }


def interval(hits: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a rate (Clopper and Pearson, 1934)."""
    from scipy import stats

    low = stats.beta.ppf(0.025, hits, of - hits + 1) if hits else 0.0
    high = stats.beta.ppf(0.975, hits + 1, of - hits) if hits < of else 1.0
    return float(low), float(high)


def _caught(judged: pd.DataFrame, limit: float) -> float:
    """Return the share of alarms: the mean over tables of the mean over set-ups."""
    if not len(judged):
        return 0.0
    alarms = (judged["score"] > limit).groupby([judged["table"], judged["fault"]]).mean()
    return float(alarms.groupby(level=0).mean().mean())


def _families(faulty: pd.DataFrame, limit: float = ALARM) -> dict[str, float]:
    """Return the recall of numbers, of strings and of whole tables, each the mean over its kinds."""
    alarms = (faulty["score"] > limit).groupby([faulty["family"], faulty["kind"], faulty["table"]])
    kinds = alarms.mean().groupby(level=[0, 1]).mean()
    return {"all": float(kinds.mean())} | kinds.groupby(level=0).mean().to_dict()


def _limit_at(rate: float, clean: pd.DataFrame, limits: Sequence[float]) -> float:
    """Return the lowest threshold at which no more of the clean spans halt, endless if none does."""
    return min((x for x in limits if _caught(clean, x) <= rate), default=np.inf)


def _by_kind(faulty: pd.DataFrame, limit: float = ALARM) -> dict[str, dict[str, float]]:
    """Return the recall of each kind, by family."""
    told: dict[str, dict[str, float]] = {}
    for (family, kind), part in faulty.groupby(["family", "kind"], sort=False):
        told.setdefault(str(family), {})[str(kind)] = _caught(part, limit)
    return told


def _precision(true: float, false: float) -> float:
    return true / (true + false) if true + false else 1.0


def _limits(clean: pd.Series, faulty: pd.Series) -> list[float]:
    """Return where to put the threshold for a curve: dense where clean scores end."""
    levels = 1 - np.geomspace(1 / max(2, len(clean)), 1, POINTS)
    ends = np.concatenate([np.quantile(clean, levels), np.quantile(faulty, np.linspace(0, 1, 20))])
    finite = ends[np.isfinite(ends)]
    return sorted({-1.0, ALARM, *finite.tolist(), float(clean.max())}, reverse=True)
