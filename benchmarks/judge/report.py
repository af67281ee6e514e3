"""The report of `benchmarks.judge` as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.judge import methods, worlds


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, 1927)."""
    z = 1.959964
    centre, spread = hits + z**2 / 2, z * np.sqrt(hits * (of - hits) / of + z**2 / 4)
    return float(centre - spread) / (of + z**2), float(centre + spread) / (of + z**2)


def markdown(told: Mapping[str, Any]) -> str:
    """Return the page."""
    of, noise, harm = told["repetitions"], told["noise"], told["harm"]
    retrains = noise["retrains"]
    named = [*methods.METHODS, methods.BOOTSTRAP]
    head = ["who judges, by AUC", "runs blocked by noise", "95 % interval"]
    head += ["finds the harmed slice", "95 % interval", "blocks another"]
    rows = [head, ["---"] * len(head)]
    for method in named:
        row = [f"**{method}**" if method == "Sluice" else method]
        row += _share(retrains[method], of)
        found = harm.get(method)
        row += [*_share(found["found"], of), _percent(found["others"] / of)] if found else ["–"] * 3
        rows.append(row)
    small = [
        ["world", "AUC alone", "95 % interval", "eight metrics", "95 % interval", "normal tails"]
    ]
    small.append(["---"] * len(small[0]))
    for name, world in worlds.NULLS.items():
        counts = noise[name]
        row = [f"{name}: {world.about}", *_share(counts["Sluice"], of)]
        row += [*_share(counts["all"], of)]
        row.append(_percent(counts["DeLong, normal tails, Holm"] / of))
        small.append(row)
    eight = " (".join(_share(retrains["all"], of)) + ")"
    sizes = worlds.RETRAINS.sizes
    return f"""# How often the model gate is right

`make bench-judge` writes this page: {of} seeded repetitions of each world, {told["cpu_s"]:,.0f} CPU s.
Two models judge fresh rows, in 1,000 slices; no regression at all is tolerated
(`worse_by_at_most: 0`), which is the bound that noise breaks most easily.
[How a candidate is judged](../judging.md) says how.

## Noise, and a regression

300,000 rows, 24 % positive; slices of {sizes.min()} to {sizes.max():,} rows, half of them below
{np.median(sizes):.0f}. **Noise**: two retrains that are equally good and not equal; their log odds
correlate by .97, as those of flights' retrains of one day and the next do by .97 to .99.
**Regression**: the same, but in one slice of 1 % of the rows the candidate's AUC is
{worlds.POINTS * 100:.0f} points lower.

{_table(rows)}

By eight metrics at once, which is 8,000 tests a run, noise blocks {eight} of runs:
{", ".join(methods.METRICS)}.
The whole gate judges such a run in {told["cost"]:.1f} CPU s, checks and messages included.

TFMA's change threshold looks at the estimate alone. The bootstrap resamples the rows of every slice
and is not corrected; corrected, it could not block at all, since so few resamples have no small p.

## Where tails are hard to get right

Runs blocked by noise, in worlds of 60,000 rows in 1,000 slices, but for the first, half of
them below 50 rows. "Eight metrics" are those above, together.
"Normal tails": DeLong's test by AUC as it is mostly done, with Holm's correction.

{_table(small)}
"""


def _table(rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _share(hits: int, of: int) -> list[str]:
    low, high = wilson(hits, of)
    return [_percent(hits / of), f"{_percent(low)} – {_percent(high)}"]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
