"""What a column was seen to hold, and what the schema allows it, in texts short enough for a table."""

from __future__ import annotations

from typing import Any

from components import statistics


def missing(feature: Any, rows: int) -> float:
    """Return the share of the rows that have no value."""
    return 1 - statistics.common(feature).num_non_missing / rows if rows else 1.0


def seen(feature: Any, rows: int) -> str:
    """Return in short what a column holds: how much is missing, and how its values spread."""
    told = f"{percent(missing(feature, rows))} missing"
    if feature.HasField("num_stats"):
        return f"{told}, {feature.num_stats.min:g} to {feature.num_stats.max:g}"
    return f"{told}, {feature.string_stats.unique} values"


def extremes(feature: Any) -> tuple[float, float]:
    """Return the least and the most of a column's numbers, or of the integers that it lists."""
    if feature.HasField("num_stats"):
        return feature.num_stats.min, feature.num_stats.max
    listed = [int(value) for value in statistics.shares(feature)]
    return min(listed), max(listed)


def allowed(feature: Any) -> str:
    """Return a column's bounds in short: what may be missing, and which values it may hold."""
    if feature is None:
        return "no such column"
    most = 1 - feature.presence.min_fraction
    told = [f"at most {percent(most)} missing" if most else "none missing"]
    if allowed_range(feature):
        told.append(allowed_range(feature))
    mass = feature.distribution_constraints.min_domain_mass
    if feature.domain and mass < 1:
        told.append(f"{percent(mass)} of it in its domain")
    elif feature.domain:
        told.append("all of it in its domain")
    return ", ".join(told)


def allowed_range(feature: Any) -> str:
    """Return `min to max` of a column's numbers, or an empty string where there is no bound."""
    kind = feature.WhichOneof("domain_info")
    if kind not in ("int_domain", "float_domain"):
        return ""
    domain = getattr(feature, kind)
    low = f"{domain.min:g}" if domain.HasField("min") else "any"
    high = f"{domain.max:g}" if domain.HasField("max") else "any"
    return f"{low} to {high}"


def moved(now: Any, before: Any) -> str:
    """Return what moved most: the share of a category's value, or the mean of a number."""
    if now is None or before is None:
        return ""
    if now.HasField("num_stats"):
        return f"its mean went from {before.num_stats.mean:.4g} to {now.num_stats.mean:.4g} "
    new, old = statistics.shares(now), statistics.shares(before)
    most = max({**old, **new}, key=lambda v: abs(new.get(v, 0) - old.get(v, 0)), default=None)
    if most is None:
        return ""
    return f"{most!r} went from {percent(old.get(most, 0))} to {percent(new.get(most, 0))} "


def percent(share: float) -> str:
    """Return a share as a person reads it: `51.3 %`."""
    return f"{100 * share:.3g} %"
