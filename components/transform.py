"""transform: the constants of preprocessing, out of statistics already made; no row is read again.

`constants.json` says, for each column that a model is fed, how a number is scaled and which
categories are known. `preprocessing` makes Keras layers of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from components import files, schema, store
from components.errors import SluiceError, near_miss
from components.schema import Feature
from components.spec import Spec
from components.statistics import by_column, complete_vocabulary, merge, read
from components.store import Artifact

FILE = "constants.json"


class Number(BaseModel):
    """A column to be standardised. All figures are of the values that are there, in their own unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["number"] = "number"
    name: str
    dtype: Literal["int64", "float32"]
    mean: float
    std_dev: float  # 1 where all values are equal
    min: float
    max: float


class Category(BaseModel):
    """A column to be looked up. Index 0 is for the unknown and the missing, `vocabulary[0]` gets 1.

    `complete`: whether the vocabulary lists every value of the window; `distinct`: how many there
    were, at least.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["category"] = "category"
    name: str
    dtype: Literal["string", "int64"]
    vocabulary: tuple[str, ...] | tuple[int, ...]  # the most frequent first, then by name
    complete: bool
    distinct: int


class Constants(BaseModel):
    """All that preprocessing needs to know, in the schema's order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[Annotated[Number | Category, Field(discriminator="kind")], ...]
    rows: int

    @property
    def numbers(self) -> list[Number]:
        """Return the columns to be standardised."""
        return [column for column in self.columns if isinstance(column, Number)]

    @property
    def categories(self) -> list[Category]:
        """Return the columns to be looked up."""
        return [column for column in self.columns if isinstance(column, Category)]

    @property
    def features(self) -> list[Feature]:
        """Return the columns as a client sends them."""
        return [Feature(c.name, c.kind, c.dtype) for c in self.columns]

    @property
    def vocabulary_sizes(self) -> dict[str, int]:
        """Return for each category how many indexes it has: its vocabulary and index 0."""
        return {column.name: len(column.vocabulary) + 1 for column in self.categories}

    @property
    def summary(self) -> str:
        """Return one line: how many of each, and whose vocabulary is not whole."""
        told = f"{len(self.numbers)} numbers, {len(self.categories)} categories"
        for column in self.categories:
            if not column.complete:
                known = len(column.vocabulary)
                told += (
                    f"; vocabulary of {column.name} is truncated at {known} of {column.distinct}"
                )
        return told


def transform(spec: Spec, span: str, statistics: Sequence[Artifact]) -> Artifact:
    """Return the constants for the columns that serve, from the statistics of the spans that train.

    Raises SluiceError when a column that the schema feeds to the model is not in the statistics, is
    of another kind there, or holds infinite values.
    """

    def build(draft: store.Draft) -> dict[str, JsonValue]:
        features = schema.inputs(schema.load(spec.schema_path))
        merged = merge([read(artifact) for artifact in statistics])
        constants = Constants(
            columns=tuple(_constants(feature, by_column(merged)) for feature in features),
            rows=merged.num_examples,
        )
        (draft.folder / FILE).write_text(constants.model_dump_json(indent=2))
        return {"summary": constants.summary}

    inputs = {f"statistics/{a.manifest.span}": a.digest for a in statistics}
    inputs["schema"] = files.sha256(spec.schema_path)
    return store.once("transform", spec.name, span, inputs=inputs, build=build)


def load(artifact: Artifact) -> Constants:
    """Return the constants that an artifact holds: a transform's own, or a model's copy of them."""
    path = artifact.file(FILE)
    try:
        return Constants.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise SluiceError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error


def _constants(feature: Feature, seen: dict[str, Any]) -> Number | Category:
    statistics = seen.get(feature.name)
    if statistics is None:
        raise SluiceError(
            f"column {feature.name!r}: the schema feeds it to the model, but no span of the window "
            f"has it; take it out of SERVING, or mend ingest.sql{near_miss(feature.name, seen)}"
        )
    kind = {"num_stats": "number", "string_stats": "category"}.get(statistics.WhichOneof("stats"))
    if kind != feature.kind:
        raise SluiceError(
            f"column {feature.name!r}: the schema calls it a {feature.kind}, but its values are no "
            f"such thing; give it another type in the schema, or mend ingest.sql"
        )
    return _number(feature, statistics) if kind == "number" else _category(feature, statistics)


def _number(feature: Feature, statistics: Any) -> Number:
    stats = statistics.num_stats
    figures = {"mean": stats.mean, "std_dev": stats.std_dev, "min": stats.min, "max": stats.max}
    if not all(math.isfinite(figure) for figure in figures.values()):
        raise SluiceError(
            f"column {feature.name!r}: holds infinite values, so it has no mean; "
            "bound it in the schema, or clean it in ingest.sql"
        )
    figures["std_dev"] = figures["std_dev"] or 1.0
    return Number(name=feature.name, dtype=feature.dtype, **figures)  # type: ignore[arg-type]


def _category(feature: Feature, statistics: Any) -> Category:
    stats = statistics.string_stats
    ranked = sorted(stats.rank_histogram.buckets, key=lambda b: (-b.sample_count, b.label))
    labels = [bucket.label for bucket in ranked if bucket.label]  # an empty text is a missing one
    as_int = feature.dtype == "int64"
    return Category(
        name=feature.name,
        dtype=feature.dtype,  # type: ignore[arg-type]
        vocabulary=tuple(map(int, labels)) if as_int else tuple(labels),
        complete=complete_vocabulary(statistics),
        distinct=stats.unique,
    )
