"""push: hand an approved model to the servers; what they serve changes by one rename.

    var/serving/models/<name>/<version>/            what the servers watch
                              <version>.staging/    on its way in: no number, so no server looks
                              <version>.withdrawn/  on its way out

A `kill -9` between any two steps leaves the old version serving or the approved new one. The same
run, pushed again, goes on from there with the same version.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components import files, home, ledger, store
from components.approval import NO_BASELINE, Approval, NotApproved
from components.errors import SluiceError
from components.ledger import Release
from components.push.fleet import Fleet, NotTaken
from components.runs import Run
from components.scoring import SAVED_MODEL
from components.spec import Spec
from components.store import Artifact
from serving.endpoints import endpoints

log = logging.getLogger(__name__)

KEPT = 5  # releases whose files stay with the servers, to go back to


def push(spec: Spec, run: Run, model: Artifact, approval: Approval) -> Release:
    """Release an approved model under the run's version; return the release, of now or before.

    Raises NotApproved when the proof is of something else or out of date, NotTaken when the servers
    do not serve the version (the one before goes on), and SluiceError when a newer one serves, a
    server does not answer, or the disk does not take it.
    """
    _is_about(approval, run, model)
    golden = _golden(approval)
    with files.exclusive(store.root(run.pipeline) / "push.lock"):
        released = ledger.of_fingerprint(run.pipeline, run.fingerprint)
        if released:
            return released
        base = home.models(spec.serving.name)
        _may_follow(run, approval, base)
        where = endpoints(home.var() / "stack" / "endpoints.json")
        with Fleet(where, spec.serving.name) as fleet:
            entry = _hand_over(fleet, base, model, golden, _entry(run, model, approval))
        _tidy(run, base)
        return entry


def _hand_over(
    fleet: Fleet, base: Path, model: Artifact, golden: Mapping[str, Any], entry: Release
) -> Release:
    """Move the version to where the servers look, and see that they take it, or take it back."""
    ended = fleet.ended(entry.version)
    staged = _stage(base, entry.version, model)
    latest = [e for e in ledger.entries(entry.pipeline) if e.run == entry.run][-1:]
    if [e.event for e in latest] != ["pushing"]:  # else a push was killed, and goes on here
        ledger.append(entry)
    if staged:
        staged.rename(staged.with_suffix(""))
        files.flush(base)
    try:
        fleet.wait_available(entry.version, ended)
        fleet.wait_answering(entry.version, golden)
    except NotTaken as error:
        _withdraw(base, entry.version)
        ledger.append(_next(entry, "refused", str(error)))
        old = ledger.baseline(entry.pipeline)
        serving = f"version {old.version} goes on serving" if old else "nothing serves yet"
        told = f"version {entry.version} of {fleet.model} was taken back, {serving}: {error}"
        raise NotTaken(told) from error
    released = _next(entry, "released")
    ledger.append(released)
    return released


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


def _may_follow(run: Run, approval: Approval, base: Path) -> None:
    """Check that this version comes after what serves, and was judged against just that."""
    serving = ledger.baseline(run.pipeline)
    if serving and (serving.version > run.version or serving.span > run.span):
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
    above = [version for version in _versions(base) if version > run.version]
    if above:
        raise SluiceError(
            f"{base / str(above[0])} would be served instead of version {run.version}: push the run "
            "that it belongs to again, or remove it"
        )


def _stage(base: Path, version: int, model: Artifact) -> Path | None:
    """Copy the version beside where it will be served; return None if it is there already, whole."""
    target, staging = base / str(version), base / f"{version}.staging"
    if target.exists():
        if _holds(target, model):
            return None
        _withdraw(base, version)  # and no more: a server must see it gone to look at it again
        raise SluiceError(f"{target} held other files than the model's and was removed: push again")
    try:
        base.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(staging, ignore_errors=True)
        shutil.copytree(model.file(SAVED_MODEL), staging)
        for path in staging.rglob("*"):
            files.flush(path)
    except OSError as error:  # shutil.Error is one
        shutil.rmtree(staging, ignore_errors=True)
        raise SluiceError(
            f"{base} does not take version {version} ({error.strerror or error}); nothing was moved: "
            "make room or mend its permissions, then push again"
        ) from error
    return staging


def _withdraw(base: Path, version: int) -> None:
    """Take a version away from the servers at once; its files stay in the store."""
    aside = base / f"{version}.withdrawn"
    shutil.rmtree(aside, ignore_errors=True)
    with suppress(FileNotFoundError):
        (base / str(version)).rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def _tidy(run: Run, base: Path) -> None:
    """Remove versions that are neither recent releases nor to come, and what killed pushes left."""
    kept = {r.version for r in ledger.releases(run.pipeline)[-KEPT:]}
    try:
        for version in _versions(base):
            if version < run.version and version not in kept:
                _withdraw(base, version)
        for left in (*base.glob("*.staging"), *base.glob("*.withdrawn")):
            shutil.rmtree(left)
    except OSError as error:
        log.warning("%s is not as tidy as it should be: %s", base, error)


def _holds(folder: Path, model: Artifact) -> bool:
    """Say whether a version's folder holds just the files of the model."""
    inside = f"{SAVED_MODEL}/"
    meant = {n.removeprefix(inside): d for n, d in model.manifest.files.items() if inside in n}
    there = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
    return there.keys() == meant.keys() and all(files.sha256(there[n]) == meant[n] for n in meant)


def _versions(base: Path) -> list[int]:
    """Return the versions that servers would find, highest first."""
    there = base.iterdir() if base.is_dir() else ()
    return sorted((int(p.name) for p in there if p.name.isdecimal()), reverse=True)


def _golden(approval: Approval) -> dict[str, Any]:
    golden = approval.infra.evidence.get("golden")
    if not isinstance(golden, dict):
        raise NotApproved("the infra verdict keeps no golden row; run validate_infra again")
    return golden


def _entry(run: Run, model: Artifact, approval: Approval) -> Release:
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
        version=run.version,
        model=model.digest,
        artifact=str(model.folder.relative_to(store.root(run.pipeline))),
        baseline=None if approval.baseline == NO_BASELINE else approval.baseline,
        verdicts={str(gate): reason for gate, reason in verdicts.items()},
        metrics={name: float(v) for name, v in found.items() if isinstance(v, int | float)},
    )


def _next(entry: Release, event: str, message: str = "") -> Release:
    return entry.model_copy(update={"event": event, "at": datetime.now(UTC), "message": message})
