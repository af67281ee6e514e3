"""push: hand an approved model to the servers; what they serve changes by one rename.

A `kill -9` between any two steps leaves the old version serving or the approved new one. The same
run, pushed again, goes on from there with the same version; another run brings it to its end (`settle`)
before it asks what serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components import files, gates, home, ledger, runs, store
from components.approval import NO_BASELINE, Approval, NotApproved
from components.errors import SluiceError
from components.ledger import Release
from components.push import versions
from components.push.fleet import Fleet, NotTaken
from components.runs import Run
from components.spec import Spec
from components.store import Artifact
from components.verdict import Verdict
from serving.endpoints import endpoints

KEPT = 5  # releases whose files stay with the servers, to go back to


def push(spec: Spec, run: Run, model: Artifact, approval: Approval) -> Release:
    """Release an approved model under the run's version; return the release, of now or before.

    Raises NotApproved when the proof is of something else or out of date, NotTaken when the servers
    do not serve the version (the one before goes on), and SluiceError when a newer one serves, a
    server does not answer, or the disk does not take it.
    """
    _is_about(approval, run, model)
    golden = _golden(approval.infra)
    with files.exclusive(store.root(run.pipeline) / "push.lock"):
        released = ledger.of_fingerprint(run.pipeline, run.fingerprint)
        if released:
            return released
        base = home.models(spec.serving.name)
        where = endpoints(home.var() / "stack" / "endpoints.json")
        with Fleet(where, spec.serving.name) as fleet:
            _settle(fleet, base, run)
            _may_follow(run, approval)
            entry = _hand_over(fleet, base, model, golden, _entry(spec, run, model, approval))
        kept = [r.version for r in ledger.releases(run.pipeline)[-KEPT:]]
        versions.tidy(base, run.version, kept)
        return entry


def settle(spec: Spec, run: Run) -> None:
    """Bring another run's push to its end if it was killed when the servers could see its version.

    They may have been serving it since: it is what a candidate has to follow, and be better than.
    Raises SluiceError when a server does not answer, or the ledger knows nothing of the version.
    """
    base = home.models(spec.serving.name)
    if not _unsettled(base, run):
        return
    with files.exclusive(store.root(run.pipeline) / "push.lock"):
        where = endpoints(home.var() / "stack" / "endpoints.json")
        with Fleet(where, spec.serving.name) as fleet:
            _settle(fleet, base, run)


def _unsettled(base: Path, run: Run) -> int | None:
    """Return the version that would be served if it is another run's, and was never released."""
    highest = max((v for v in versions.there(base) if v != run.version), default=None)
    released = {release.version for release in ledger.releases(run.pipeline)}
    return None if highest in released else highest


def _settle(fleet: Fleet, base: Path, run: Run) -> None:
    version = _unsettled(base, run)
    if version is None:
        return
    of_it = [entry for entry in ledger.entries(run.pipeline) if entry.version == version]
    if not of_it:
        raise SluiceError(
            f"{base / str(version)} would be served instead of version {run.version}, and the ledger "
            "has no line of it: remove it, or restore the ledger"
        )
    begun = of_it[-1]
    ended = fleet.ended(version)
    try:
        infra = runs.artifact(runs.load(run.pipeline, begun.run), "validate_infra")
        golden = _golden(gates.read(infra))
    except SluiceError as error:
        _take_back(base, begun, f"its push was killed, and its proof is gone: {error}")
        return
    with suppress(NotTaken):
        _see_it_served(fleet, base, begun, golden, ended)


def _hand_over(
    fleet: Fleet, base: Path, model: Artifact, golden: Mapping[str, Any], entry: Release
) -> Release:
    """Move the version to where the servers look, and see that they take it, or take it back."""
    ended = fleet.ended(entry.version)
    staged = versions.stage(base, entry.version, model)
    latest = [e for e in ledger.entries(entry.pipeline) if e.run == entry.run][-1:]
    if [e.event for e in latest] != ["pushing"]:  # else a push was killed, and goes on here
        ledger.append(entry)
    if staged:
        staged.rename(staged.with_suffix(""))
        files.flush(base)
    return _see_it_served(fleet, base, entry, golden, ended)


def _see_it_served(
    fleet: Fleet, base: Path, entry: Release, golden: Mapping[str, Any], ended: set[str]
) -> Release:
    """Wait until the version answers; take it back and raise NotTaken when the servers will not."""
    try:
        fleet.wait_available(entry.version, ended)
        fleet.wait_answering(entry.version, golden)
    except NotTaken as error:
        _take_back(base, entry, str(error))
        old = ledger.baseline(entry.pipeline)
        serving = f"version {old.version} goes on serving" if old else "nothing serves yet"
        told = f"version {entry.version} of {fleet.model} was taken back, {serving}: {error}"
        raise NotTaken(told) from error
    released = _next(entry, "released")
    ledger.append(released)
    return released


def _take_back(base: Path, entry: Release, why: str) -> None:
    versions.withdraw(base, entry.version)
    ledger.append(_next(entry, "refused", why))


def _is_about(approval: Approval, run: Run, model: Artifact) -> None:
    """Check that the proof is of this run, and of this model as it lies on the disk now."""
    who = f"run {run.id}"
    if (approval.pipeline, approval.span) != (run.pipeline, run.span):
        raise NotApproved(f"{who}: the proof is of {approval.pipeline} {approval.span}")
    if approval.model != store.load(model.folder).digest:
        raise NotApproved(
            f"{who}: the proof is of model {approval.model[:12]}, not of {model.folder}"
        )
    for span, digest in approval.examples.items():
        if run.examples.get(span) != digest:
            raise NotApproved(f"{who}: the proof is of other examples of {span} than the run's")


def _may_follow(run: Run, approval: Approval) -> None:
    """Check that this version comes after what serves, and was judged against just that."""
    serving = ledger.baseline(run.pipeline)
    if serving and (serving.version >= run.version or serving.span > run.span):
        raise SluiceError(
            f"version {run.version}, of {run.span}, comes too late: version {serving.version}, of "
            f"{serving.span}, serves already; only a newer run of a span as late can follow it"
        )
    judged_against = serving.model if serving else NO_BASELINE
    if approval.baseline != judged_against:
        raise NotApproved(
            f"run {run.id} was judged against model {approval.baseline[:12]}, and "
            f"{judged_against[:12]} serves now; run evaluate again"
        )


def _golden(infra: Verdict) -> dict[str, Any]:
    golden = infra.evidence.get("golden")
    if not isinstance(golden, dict):
        raise NotApproved("the infra verdict keeps no golden row; run validate_infra again")
    return golden


def _entry(spec: Spec, run: Run, model: Artifact, approval: Approval) -> Release:
    metrics = approval.judgement.evidence.get("metrics")
    found = metrics if isinstance(metrics, dict) else {}
    of_gates = (approval.data[run.span], approval.judgement, approval.infra)
    verdicts = {verdict.gate: verdict.reason for verdict in of_gates}
    let_in = approval.admitted.get(run.span)
    if let_in:
        verdicts["data"] += f"; let in by {let_in.by}: {let_in.because}"
    return Release(
        event="pushing",
        at=datetime.now(UTC),
        pipeline=run.pipeline,
        span=run.span,
        run=run.id,
        fingerprint=run.fingerprint,
        name=spec.serving.name,
        version=run.version,
        model=model.digest,
        artifact=str(model.folder.relative_to(store.root(run.pipeline))),
        baseline=None if approval.baseline == NO_BASELINE else approval.baseline,
        verdicts={str(gate): reason for gate, reason in verdicts.items()},
        metrics={name: float(v) for name, v in found.items() if isinstance(v, int | float)},
    )


def _next(entry: Release, event: str, message: str = "") -> Release:
    return entry.model_copy(update={"event": event, "at": datetime.now(UTC), "message": message})
