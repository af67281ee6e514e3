"""Take in what a run may use: its own span, read from the source again, and what the window lacks.

    var/store/<pipeline>/examples/<span>/<key>/examples.parquet   the rows, immutable
                                         /current                 names the latest of a span

An older span of the window that is not there, or not fit, is a hole: told, and not fatal. One that the
data gate refused is read again, since it may have been delivered again. The run's own span that is not
there is a halt, with a verdict of the arrival gate.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from components import gates, home, ledger, quarantine, schema, spans, store
from components.errors import SluiceError, UsageError
from components.ingest import arrival
from components.ingest.arrival import FILE, Arrived
from components.ingest.source import Refused
from components.spec import Spec
from components.store import Artifact, Draft
from components.verdict import Check, Status, Verdict

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arrivals:
    """What is there for a run. `digests`: span → digest of its examples, oldest first.

    `artifact`: the examples of the run's own span, or, where `refused`, the verdict on its arrival;
    `holes`: older span of the window → why it has no examples.
    """

    digests: Mapping[str, str]
    artifact: Artifact
    refused: bool = False
    holes: Mapping[str, str] = field(default_factory=dict)


def ingest_window(spec: Spec, span: str) -> Arrivals:
    """Take in a span, and the older spans of its window that have no examples, or refused ones.

    A span that is refused is on record under the digest of the reason. One older than the model now
    serving keeps its digest, so that a release of the very same input is known again.
    """
    spans.parse(span)
    if span < spec.span.first:
        raise UsageError(f"{spec.name} begins with {spec.span.first}; there is no span {span}")
    try:
        own = ingest(spec, span)
    except Refused as refused:
        verdict = _verdict(spec, span, refused.check)
        digest = hashlib.sha256(refused.check.message.encode()).hexdigest()
        return Arrivals({span: f"refused {digest}"}, verdict, refused=True)
    digests, holes = _older(spec, span)
    digests[span] = own.digest
    serving = ledger.baseline(spec.name)
    if serving and span < serving.span:
        return Arrivals(digests, _verdict(spec, span, _superseded(span, serving)), True, holes)
    return Arrivals(digests, own, holes=holes)


def ingest(spec: Spec, span: str) -> Artifact:
    """Read a span from its source, whatever is known of it, and return its examples.

    The same content is the same artifact; another content is another, and the current one. Raises
    Refused when the span is not fit, SluiceError when the source cannot be reached.
    """
    aside = home.var() / "tmp"
    aside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=aside, prefix=f"{spec.name}-{span}-") as folder:
        arrived = arrival.take_in(spec, span, Path(folder))

        def build(draft: Draft) -> Mapping[str, JsonValue]:
            arrived.path.rename(draft.folder / FILE)
            return _facts(spec, span, arrived)

        examples = store.once(
            "examples",
            spec.name,
            span,
            inputs={"content": arrived.digest, **_contract(spec)},
            parameters={"rows_in": arrived.rows_in, "rejected": dict(arrived.rejected)},
            build=build,
        )
    store.point(_pointer(spec, span), examples)
    return examples


def current(spec: Spec, span: str) -> Artifact:
    """Return the latest examples of a span; raise UsageError when it was never taken in."""
    found = store.pointed(spec.name, _pointer(spec, span))
    if found is None:
        raise UsageError(
            f"{spec.name} has no examples of {span}: run it first (sluice run {spec.name} {span})"
        )
    return found


def on_hand(spec: Spec, span: str) -> Artifact:
    """Return the examples of a span that are there, or take it in; raise as `ingest` does."""
    return _taken_in(spec, span) or ingest(spec, span)


def _older(spec: Spec, span: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the digests of the window's older spans, and why others have none."""
    digests: dict[str, str] = {}
    holes: dict[str, str] = {}
    older = spec.window_of(span)[:-1]
    for number, key in enumerate(older, 1):
        known = _taken_in(spec, key)
        if known and not quarantine.holds(spec, known):
            digests[key] = known.digest
            continue
        try:
            examples = ingest(spec, key)
        except Refused as refused:
            log.warning("%s stays out of the window: %s", key, refused)
            if known:  # refused as it came, and kept
                digests[key] = known.digest
            else:
                holes[key] = str(refused)
            continue
        digests[key] = examples.digest
        if not known or known.digest != examples.digest:
            log.info("took in %s, %d of %d: %s", key, number, len(older), examples.facts["summary"])
    return digests, holes


def _taken_in(spec: Spec, span: str) -> Artifact | None:
    """Return the examples of a span that are there, made by the SQL and columns of today."""
    try:
        found = store.pointed(spec.name, _pointer(spec, span))
    except SluiceError as torn:
        log.warning("%s; taken in again", torn)
        return None
    if found and _contract(spec).items() <= found.manifest.inputs.items():
        return found
    return None


def _contract(spec: Spec) -> dict[str, str]:
    """Return digests of what decides, beside the source, which rows come out and in which form.

    Of the schema these are the columns and their types alone: a bound that moves makes no new rows.
    """
    types = schema.dtypes(schema.load(spec.schema_path))
    columns = hashlib.sha256(repr([*types.items(), spec.key]).encode()).hexdigest()
    return {"ingest.sql": spec.files[f"pipelines/{spec.name}/ingest.sql"], "columns": columns}


def _facts(spec: Spec, span: str, arrived: Arrived) -> dict[str, JsonValue]:
    rejected = sum(arrived.rejected.values())
    told = f"{arrived.rows} rows of {span}" + (f", {rejected} rejected" if rejected else "")
    return {
        "summary": told,
        "rows": arrived.rows,
        "rows_in": arrived.rows_in,
        "rejected": dict(arrived.rejected),
        "digests": dict(arrived.columns),
        "source": spec.source.of(span) or ", ".join(spec.source.attach),
    }


def _superseded(span: str, serving: ledger.Release) -> Check:
    return Check(
        name="newest",
        status=Status.FAILED,
        subject=span,
        seen=span,
        expected=f"{serving.span} or later",
        message=f"{serving.span} is already serving (version {serving.version}); "
        "a model of an older span does not replace it",
    )


def _verdict(spec: Spec, span: str, check: Check) -> Artifact:
    """Return the arrival gate's refusal of a span as an artifact."""
    verdict = Verdict(
        gate="arrival",
        pipeline=spec.name,
        span=span,
        speaks_of={"source": spec.source.of(span) or ", ".join(spec.source.attach)},
        checks=(check,),
    )
    reason = hashlib.sha256(check.model_dump_json().encode()).hexdigest()
    return gates.judge(
        "arrival", spec.name, span, inputs={"reason": reason}, look=lambda draft: verdict
    )


def _pointer(spec: Spec, span: str) -> Path:
    return store.root(spec.name) / "examples" / span / "current"
