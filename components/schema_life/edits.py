"""What to write into a schema so that it lets in what it refused, and what that lets in from then on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tensorflow_metadata.proto.v0 import anomalies_pb2

from components import statistics
from components.schema_life.limits import number, up
from components.schema_life.pbtxt import Step, quoted
from components.validate_data import bounds
from components.validate_data.anomalies import ABSENT, RANGE, STRANGE
from components.validate_data.bounds import percent

Info = anomalies_pb2.AnomalyInfo
SMALL = (Info.INT_TYPE_SMALL_INT, Info.FLOAT_TYPE_SMALL_FLOAT)
DISTANCES = {
    Info.COMPARATOR_L_INFTY_HIGH: "infinity_norm",
    Info.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH: "jensen_shannon_divergence",
}
LISTED = 20  # new values that are listed; for more, the share that may be unlisted is raised


class Edit(NamedTuple):
    """One value in the schema's text. `means`: what it lets in; `more`: it joins the others of a list."""

    steps: Sequence[Step]
    value: str
    means: str
    more: bool = False


class Column(NamedTuple):
    """A column that was refused: in the schema, in the span, and in the spans before it, if any.

    `rows`: of the span; `rows_before`: of all before it; `values`: the texts listed for it, and where
    the list stands.
    """

    feature: Any
    seen: Any
    rows: int
    before: Any
    rows_before: int
    values: frozenset[str]
    list_at: tuple[Step, ...]

    @property
    def at(self) -> Step:
        """Return where the column stands in the text."""
        return "feature", self.feature.name


def of_column(kind: int, column: Column, distance: float, *, sensitive: bool) -> Iterator[Edit]:
    """Yield the edits of a column's bounds. `kind`: of TFDV's anomaly; `distance`: to the spans before.

    Of a sensitive column no value is told: its list grows by nothing, its range by hand.
    """
    if kind in ABSENT:
        yield from _presence(column)
    elif kind in STRANGE:
        yield from _values(column, sensitive=sensitive)
    elif kind in RANGE and not sensitive:
        yield _range(column, small=kind in SMALL)
    elif kind == Info.FLOAT_TYPE_HAS_NAN:
        yield _not_a_number(column, "nan", "no number")
    elif kind == Info.FLOAT_TYPE_HAS_INF:
        yield _not_a_number(column, "inf", "infinite")
    elif kind in DISTANCES:
        steps = (column.at, "drift_comparator", DISTANCES[kind], "threshold")
        means = (
            "any span may move so far, on any day; a change that lasts asks for no new bound, since the "
            "window takes it in once the span is admitted"
        )
        yield Edit(steps, number(up(distance, 3)), means)


def of_rows(kind: int, rows: int, usual: float | None) -> Iterator[Edit]:
    """Yield the edits of `dataset_constraints`. `usual`: the rows of an average span before."""
    at, compared = "dataset_constraints", "num_examples_drift_comparator"
    few, many = (
        f"any span may have as few as {rows} rows",
        f"any span may have as many as {rows} rows",
    )
    if kind == Info.DATASET_LOW_NUM_EXAMPLES:
        yield Edit((at, "min_examples_count"), str(rows), few)
    elif kind == Info.DATASET_HIGH_NUM_EXAMPLES:
        yield Edit((at, "max_examples_count"), str(rows), many)
    elif usual and kind == Info.COMPARATOR_LOW_NUM_EXAMPLES:
        share = -up(-rows / usual)
        told = f"any span may have as few as {percent(share)} of the usual rows"
        yield Edit((at, compared, "min_fraction_threshold"), number(share), told)
    elif usual and kind == Info.COMPARATOR_HIGH_NUM_EXAMPLES:
        share = up(rows / usual)
        told = f"any span may have as many as {percent(share)} of the usual rows"
        yield Edit((at, compared, "max_fraction_threshold"), number(share), told)


def _presence(column: Column) -> Iterator[Edit]:
    missing = bounds.missing(column.seen, column.rows)
    present = statistics.common(column.seen).num_non_missing
    if 1 - missing < column.feature.presence.min_fraction:
        share = min(up(missing), 1.0)
        means = (
            "any span may lack it altogether"
            if share == 1
            else f"any may lack {percent(share)} of it"
        )
        if column.before:
            means += f"; those before lacked {percent(bounds.missing(column.before, column.rows_before))}"
        yield Edit((column.at, "presence", "min_fraction"), number(1 - share), means)
    if present < column.feature.presence.min_count:
        yield Edit(
            (column.at, "presence", "min_count"), str(present), f"{present} values are enough"
        )


def _range(column: Column, *, small: bool) -> Edit:
    domain = column.feature.WhichOneof("domain_info")
    least, most = bounds.extremes(column.seen)
    bound = -up(-least, 4) if small else up(most, 4)
    means = f"anything {'down' if small else 'up'} to {number(bound)} passes"
    if column.before:
        earlier = bounds.extremes(column.before)[0 if small else 1]
        means += f"; {earlier:.6g} was the {'least' if small else 'most'} before"
    return Edit((column.at, domain, "min" if small else "max"), number(bound), means)


def _not_a_number(column: Column, kind: str, told: str) -> Edit:
    means = f"its values may be {told}, and whatever is computed from them too"
    return Edit((column.at, "float_domain", f"disallow_{kind}"), "false", means)


def _values(column: Column, *, sensitive: bool) -> Iterator[Edit]:
    """Yield as many new values as must be listed, the most frequent first; or a lesser share."""
    constraints = column.feature.distribution_constraints
    needed = (
        constraints.min_domain_mass if column.feature.HasField("distribution_constraints") else 1
    )
    shares = statistics.shares(column.seen)
    new = sorted(shares.keys() - column.values, key=lambda value: (-shares[value], value))
    unlisted = sum(shares[value] for value in new)
    listed: list[str] = []
    for value in new:
        if needed < 1 and unlisted <= 1 - needed:
            break
        listed.append(value)
        unlisted -= shares[value]
    if sensitive or len(listed) > LISTED:
        share = up(sum(shares[value] for value in new))
        steps = (column.at, "distribution_constraints", "min_domain_mass")
        means = f"any span may have {percent(share)} of values that nobody has listed"
        yield Edit(steps, number(1 - share), means)
        return
    for value in listed:
        means = f"{value!r} is as good as any other; it is {percent(shares[value])} of this span"
        yield Edit(column.list_at, quoted(value), means, more=True)
