"""Draft a curated schema from many spans: `sluice schema infer NAME --spans FIRST..LAST`.

Every line of a draft says why it is there, for a person to keep, move or strike out. A draft accepts
the spans that it was drawn from, and closes nothing that a single span, or a single month, happened
to show.
"""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Callable, Iterator, Sequence

from tensorflow_metadata.proto.v0 import schema_pb2

from components import schema
from components.errors import SluiceError, UsageError
from components.schema import TYPES
from components.schema_life import limits, movement, ranges
from components.schema_life.column import Column, columns
from components.schema_life.limits import MANY, Limit, number
from components.schema_life.observed import Observed
from components.schema_life.pbtxt import WIDTH, quoted
from components.spec import Spec
from components.validate_data import contract

log = logging.getLogger(__name__)


def draft(what: Spec, seen: Observed, tell: Callable[[str], None] = log.info) -> str:
    """Return the text of a schema that the observed spans keep to, a comment at every limit.

    `tell` hears of what takes long. Raises SluiceError for a span that no draft accepts, such as one
    whose label is not 0 or 1.
    """
    every = columns(seen)
    steady = [c for c in every if _may_be_steady(what, c)]
    drift = movement.drift(seen, steady, what.window.length - 1, tell)
    vocabularies = {
        c.name: limits.vocabulary(c)
        for c in every
        if c.dtype == "string" and c.name not in what.data_gate.sensitive
    }
    parts = [
        _header(what, seen, every),
        'default_environment: "TRAINING"\ndefault_environment: "SERVING"',
    ]
    parts += [_feature(what, c, vocabularies.get(c.name), drift.get(c.name)) for c in every]
    parts += [_domain(name, held.values) for name, held in vocabularies.items() if held.values]
    parts.append(_message("dataset_constraints", movement.volume(seen, what.window.length - 1)))
    text = "\n\n".join(parts) + "\n"
    tell("holding each span against the draft")
    _prove(text, every, seen)
    return text


def _header(what: Spec, seen: Observed, every: Sequence[Column]) -> str:
    count, rows = len(seen.spans), sum(s.num_examples for s in seen.statistics)
    told = [
        f"The data contract of `{what.name}`, drafted from {limits.spans_told(count)}, "
        f"{seen.spans[0]} to {seen.spans[-1]}, {rows:,} rows. It accepts all of them. Read every "
        "line: write down what you know and they cannot show, strike out what you do not mean."
    ]
    if count < MANY:
        told.append(
            f"Below {MANY} spans nothing is closed, and nothing said of drift. Draft it again when "
            "there are more."
        )
    odd: dict[str, list[str]] = {}
    for column in every:
        for span in limits.unlike_the_others(column):
            odd.setdefault(span, []).append(column.name)
    for span, lacking in odd.items():
        told.append(
            f"{span} lacks far more of {', '.join(lacking)} than the others: if it was not sound, "
            "draft without it."
        )
    return "\n#\n".join(_comment(paragraph) for paragraph in told)


def _feature(
    what: Spec, column: Column, vocabulary: limits.Vocabulary | None, drift: Limit | None
) -> str:
    lines = [
        Limit(f"name: {quoted(column.name)}", ""),
        Limit(f"type: {schema_pb2.FeatureType.Name(TYPES[column.dtype])}", ""),
    ]
    lines.append(limits.presence(column, key=column.name in what.key))
    if column.dtype == "string":
        lines += _domain_of(column, vocabulary)
    elif not _identifies(what, column):
        lines.append(_range(what, column))
    if drift:
        lines.append(drift)
    if column.name == what.label:
        lines.append(
            Limit('not_in_environment: "SERVING"', "the label: a model would know the answer")
        )
    elif _identifies(what, column):
        lines.append(Limit('not_in_environment: "SERVING"', "names a row, and tells nothing of it"))
    return _message("feature", lines)


def _domain_of(column: Column, vocabulary: limits.Vocabulary | None) -> Iterator[Limit]:
    if vocabulary is None:
        yield Limit("", "its values are sensitive, and not listed")
    elif not vocabulary.values:
        yield Limit("", vocabulary.because)
    else:
        yield Limit(f"domain: {quoted(column.name)}", vocabulary.because)
        if vocabulary.share < 1:
            told = "a new value is let in while it is rare"
            line = f"distribution_constraints {{ min_domain_mass: {number(vocabulary.share)} }}"
            yield Limit(line, told)


def _range(what: Spec, column: Column) -> Limit:
    if column.name in what.data_gate.sensitive:
        least, most, because = None, None, "its values are sensitive, and no range of them is told"
    else:
        least, most, because = ranges.range_of(column, label=column.name == what.label)
    held = [
        f"{end}: {number(bound)}"
        for end, bound in (("min", least), ("max", most))
        if bound is not None
    ]
    if column.dtype == "float32":
        if len(column.extremes) and abs(column.extremes).max() < float("inf"):
            held += ["disallow_nan: true", "disallow_inf: true"]
        return Limit(f"float_domain {{ {' '.join(held)} }}" if held else "", because)
    if column.looked_up:
        held.append("is_categorical: true")
        because += "; looked up and not scaled, as a few names would be"
    return Limit(f"int_domain {{ {' '.join(held)} }}" if held else "", because)


def _identifies(what: Spec, column: Column) -> bool:
    """Say whether a column only tells rows apart: the whole key, or a part with no end of values."""
    if column.name not in what.key:
        return False
    if column.looked_up:
        return len(what.key) == 1 or len(column.mean_shares) > limits.LONG
    return column.dtype == "int64" and ranges.of_time(column) is None


def _may_be_steady(what: Spec, column: Column) -> bool:
    """Say whether one span could look like another: not in the label, a row's name, or the span's date."""
    if column.name == what.label or _identifies(what, column):
        return False
    return not (ranges.of_time(column) and (column.extremes[:, 0] == column.extremes[:, 1]).all())


def _domain(name: str, values: Sequence[str]) -> str:
    listed = " ".join(f"value: {quoted(value)}".replace(" ", "\0") for value in values)
    wrapped = textwrap.wrap(listed, WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    lines = [f"name: {quoted(name)}", *(line.replace("\0", " ") for line in wrapped)]
    return _message("string_domain", [Limit(line, "") for line in lines])


def _message(name: str, lines: Sequence[Limit]) -> str:
    told = [f"{name} {{"]
    for line, because in lines:
        beside = f"{line}  # {because}"
        if line and not because:
            told.append(textwrap.indent(line, "  "))
        elif line and "\n" not in line and len(beside) + 2 <= WIDTH:
            told.append(f"  {beside}")
        elif because:
            told.append(_comment(because, "  "))
            if line:
                told.append(textwrap.indent(line, "  "))
    return "\n".join([*told, "}"])


def _comment(text: str, indent: str = "") -> str:
    return "\n".join(
        textwrap.wrap(text, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
    )


def _prove(text: str, every: Sequence[Column], seen: Observed) -> None:
    """Check that the text reads, and accepts each span; raise SluiceError, since drafts shall."""
    try:
        drafted = schema.parse(text, "the draft")
    except UsageError as error:
        raise SluiceError(f"{error}; this is a fault of Sluice") from error
    if schema.columns(drafted) != [column.name for column in every]:
        raise SluiceError("the draft lost a column on the way; this is a fault of Sluice")
    for span, statistics in zip(seen.spans, seen.statistics, strict=True):
        for found in (contract.trained(drafted, statistics), contract.served(drafted, statistics)):
            for column, info in found.anomaly_info.items():
                raise SluiceError(
                    f"column {column!r} of {span} is beyond what a draft can hold "
                    f"({info.short_description}): mend ingest.sql, or leave the span out"
                )
