"""What the reviewed schema has settled, and history does not ask again.

A person who wrote that a quarter of a column may be missing, or that it lies between 0 and 10, has
said what is sound; that it was never so before is then no reason to halt.
"""

from __future__ import annotations

from typing import Any

from components.validate_data.history import Question

RANGE = ("beyond", "min", "max", "0.5 % quantile", "99.5 % quantile", "zero", "negative")


def settled(schema: Any) -> set[Question]:
    """Return the questions that a `schema_pb2.Schema` answers itself."""
    found: set[Question] = set()
    for feature in schema.feature:
        name = feature.name
        if 0 < feature.presence.min_fraction < 1:
            found.add((name, "missing"))
        kind = feature.WhichOneof("domain_info")
        domain = getattr(feature, kind) if kind in ("int_domain", "float_domain") else None
        if domain is not None and domain.HasField("min") and domain.HasField("max"):
            found |= {(name, question) for question in RANGE}
        elif kind in ("domain", "string_domain"):
            found.add((name, "new value"))
    volume = schema.dataset_constraints.num_examples_drift_comparator
    if volume.HasField("min_fraction_threshold") and volume.HasField("max_fraction_threshold"):
        found.add(("", "rows"))
    return found
