"""What changed between two schemas, a line a change, and whether it tightens or loosens the contract.

What means the same is no change: another order of bounds, another name for a list of values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from tensorflow_metadata.proto.v0 import schema_pb2

from components import schema
from components.schema import SERVING, TRAINING

Effect = Literal["tightens", "loosens", "changes"]
ROWS = "rows"  # the subject of what bounds a span as a whole
LISTED = 8  # values told before it is only said how many more there are


class Change(NamedTuple):
    """One change. `subject`: a column, or `rows`; `told`: what holds now, and what held before."""

    subject: str
    told: str
    effect: Effect


class _Bound(NamedTuple):
    """How a bound is told. `tighter`: the way in which it tightens; `absent`: what no bound amounts to."""

    told: str
    tighter: Literal[-1, 0, 1]
    absent: Any
    spoken: Callable[[Any], str] = str


def _amount(value: float) -> str:
    return "any" if math.isinf(value) else f"{value:.6g}"


def _share(value: float) -> str:
    return f"{100 * value:.6g} %"


def _missing(least: float) -> str:
    return _share(1 - least)


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


_DISTANCES = {
    "infinity_norm": "L∞",
    "jensen_shannon_divergence": "Jensen–Shannon",
    "normalized_abs_difference": "of counts",
}
BOUNDS: Mapping[str, _Bound] = {
    "presence.min_fraction": _Bound("missing allowed: {}", 1, 0.0, _missing),
    "presence.min_count": _Bound("values needed: {}", 1, 0, _amount),
    "number.min": _Bound("least allowed: {}", 1, -math.inf, _amount),
    "number.max": _Bound("most allowed: {}", -1, math.inf, _amount),
    "number.disallow_nan": _Bound("not-a-number refused: {}", 1, False, _yes_or_no),
    "number.disallow_inf": _Bound("infinity refused: {}", 1, False, _yes_or_no),
    "number.is_categorical": _Bound("looked up, not scaled: {}", 0, False, _yes_or_no),
    **{
        f"{kind}_comparator.{measure}.threshold": _Bound(
            f"{kind} allowed ({sign}): {{}}", -1, math.inf, _amount
        )
        for kind in ("drift", "skew")
        for measure, sign in _DISTANCES.items()
    },
    "min_examples_count": _Bound("needed: {}", 1, 0, _amount),
    "max_examples_count": _Bound("allowed: {}", -1, math.inf, _amount),
    "num_examples_drift_comparator.min_fraction_threshold": _Bound(
        "needed, of an average span's: {}", 1, 0.0, _share
    ),
    "num_examples_drift_comparator.max_fraction_threshold": _Bound(
        "allowed, of an average span's: {}", -1, math.inf, _share
    ),
}
# What is told in its own way, and not field by field.
_ELSEWHERE = frozenset(
    {"name", "type", "domain", "string_domain", "distribution_constraints"}
    | {"in_environment", "not_in_environment"}
)
_OF_COLUMNS = frozenset({"feature", "string_domain", "dataset_constraints", "default_environment"})


def changes(old: Any, new: Any) -> list[Change]:
    """Return what changed from one `schema_pb2.Schema` to another, in the order of the new one."""
    before, after = ({f.name: f for f in contract.feature} for contract in (old, new))
    found: list[Change] = []
    for name, feature in after.items():
        if name not in before:
            kind = schema_pb2.FeatureType.Name(feature.type)
            found.append(Change(name, f"a new column, {kind}; spans are taken in anew", "changes"))
            continue
        was = before[name]
        if was.type != feature.type:
            now, then = (schema_pb2.FeatureType.Name(f.type) for f in (feature, was))
            found.append(Change(name, f"{now} (was {then}); spans are taken in anew", "changes"))
        found += _environments(name, (old, was), (new, feature))
        found += _domains(name, _Domain.of(old, was), _Domain.of(new, feature))
        found += _bounds(name, _of_column(was), _of_column(feature))
    gone = [name for name in before if name not in after]
    found += [
        Change(name, "no column any more; spans are taken in anew", "changes") for name in gone
    ]
    if [name for name in before if name in after] != [name for name in after if name in before]:
        found.append(Change("columns", "in another order; spans are taken in anew", "changes"))
    found += _bounds(ROWS, _leaves(old.dataset_constraints), _leaves(new.dataset_constraints))
    found += _bounds("schema", _leaves(old, _OF_COLUMNS), _leaves(new, _OF_COLUMNS))
    return found


def _environments(name: str, old: tuple[Any, Any], new: tuple[Any, Any]) -> Iterator[Change]:
    named = {TRAINING, SERVING}
    for contract, feature in (old, new):
        named |= {
            *contract.default_environment,
            *feature.in_environment,
            *feature.not_in_environment,
        }
    for environment in sorted(named):
        was, now = (schema.expected_in(*of, environment) for of in (old, new))
        if was != now:
            told = f"{'now' if now else 'no longer'} expected in {environment}"
            if environment == SERVING:
                told += f"; a model is {'fed it from now on' if now else 'no longer fed it'}"
            yield Change(name, told, "tightens" if now else "loosens")


class _Domain(NamedTuple):
    """The texts that a column may hold, None for any, and the share of a span that must be among them."""

    values: frozenset[str] | None
    share: float

    @classmethod
    def of(cls, contract: Any, feature: Any) -> _Domain:
        share = 1.0
        if feature.HasField("distribution_constraints"):
            share = feature.distribution_constraints.min_domain_mass
        if feature.HasField("string_domain"):
            return cls(frozenset(feature.string_domain.value), share)
        named = {domain.name: frozenset(domain.value) for domain in contract.string_domain}
        return cls(named.get(feature.domain), share)

    @property
    def told(self) -> str:
        if self.values is None:
            return "any value"
        share = "" if self.share == 1 else f"{_share(self.share)} of it "
        return f"{share}one of {len(self.values)} values"


def _domains(name: str, old: _Domain, new: _Domain) -> Iterator[Change]:
    if old.values is None or new.values is None:
        if old.values != new.values:
            effect: Effect = "tightens" if old.values is None else "loosens"
            yield Change(name, f"must be {new.told} (was {old.told})", effect)
        return
    if new.values - old.values:
        yield Change(name, f"may also be {_listed(new.values - old.values)}", "loosens")
    if old.values - new.values:
        yield Change(name, f"may no longer be {_listed(old.values - new.values)}", "tightens")
    if old.share != new.share:
        told = f"at least {_share(new.share)} must be listed values (was {_share(old.share)})"
        yield Change(name, told, "tightens" if new.share > old.share else "loosens")


def _listed(values: frozenset[str]) -> str:
    shown = ", ".join(repr(value) for value in sorted(values)[:LISTED])
    more = len(values) - LISTED
    return f"{shown} and {more} more" if more > 0 else shown


def _bounds(subject: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for path in dict.fromkeys([*new, *old]):
        bound = BOUNDS.get(path, _Bound(f"{path} is {{}}", 0, "not set"))
        was, now = old.get(path, bound.absent), new.get(path, bound.absent)
        if was == now:
            continue
        told = f"{bound.told.format(bound.spoken(now))} (was {bound.spoken(was)})"
        effect: Effect = "changes"
        if bound.tighter:
            effect = "tightens" if (now > was) == (bound.tighter > 0) else "loosens"
        yield Change(subject, told, effect)


def _of_column(feature: Any) -> dict[str, Any]:
    """Return a column's bounds, by what they mean: of integers as of fractions, and nothing twice."""
    found = {
        re.sub("^(int|float)_domain", "number", path): value
        for path, value in _leaves(feature, _ELSEWHERE).items()
    }
    if found.get("presence.min_fraction") and found.get("presence.min_count") == 1:
        del found["presence.min_count"]  # a share of any rows is one value at least
    return found


def _leaves(message: Any, without: frozenset[str] = frozenset(), path: str = "") -> dict[str, Any]:
    """Return every value in a message by its path, but for some fields at the top; lists as texts."""
    found: dict[str, Any] = {}
    for field, value in message.ListFields():
        at = f"{path}{field.name}"
        if field.name in without:
            continue
        if hasattr(value, "ListFields"):
            found |= _leaves(value, path=f"{at}.")
        else:
            found[at] = value if isinstance(value, bool | int | float | str) else str(value)
    return found
