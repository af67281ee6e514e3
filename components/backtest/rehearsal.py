"""A run of a backtest: the plan's own steps, of which nothing reaches the servers or the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from components import admissions, store, tune
from components.ledger import Release
from components.runs import Run
from components.spec import Spec
from components.store import Artifact


class Rehearsal(Run):
    """A run that is kept in the folder of its backtest, and follows what the backtest would serve.

    `kept`: that folder; `serving`: the model that would serve, relative to the pipeline's store. It
    takes no version. What its steps make is in the store, where a run of the same inputs finds it.
    """

    kept: Path
    serving: str | None = None

    @property
    def folder(self) -> Path:
        """Return the run's folder, within that of the backtest."""
        return self.kept / "runs" / self.span

    @property
    def apart(self) -> Path:
        """Return the folder of the verdicts that the backtest reaches."""
        return self.kept

    def baseline(self) -> Artifact | None:
        """Return the model that would be serving, whole, or None before any."""
        return store.load(store.root(self.pipeline) / self.serving) if self.serving else None

    def release(self) -> Release | None:
        """Return None: a rehearsal releases nothing, whatever else was released of its inputs."""
        return None


def rehearsal(what: Spec, span: str, digests: Mapping[str, str], kept: Path) -> Rehearsal:
    """Return the run of a span; `digests`: span → digest of the examples that there are."""
    examples = {key: digests[key] for key in what.window_of(span) if key in digests}
    search = tune.latest(what, before=span)
    return Rehearsal(
        id=f"{kept.name}/{span}",
        pipeline=what.name,
        span=span,
        version=0,
        fingerprint=store.digest_of({"span": span, **what.files, **examples}),
        opened=datetime.now(UTC),
        examples=examples,
        admitted=admissions.among(what.name, examples),
        files=what.files,
        tuned=(search.manifest.span, search.digest) if search else None,
        kept=kept,
    )
