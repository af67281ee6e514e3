"""The ground that mutants are tried on: a house apart with real flights, a baseline, a sound candidate.

14 days train, 7 later ones judge; the baseline is of the day before, trained by the very steps of a
run. Windows hold accepted spans only, as those of a run do.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import JsonValue

from components import gates, home, pipelines, spans, store
from components import transform as constants_of
from components.describe import describe
from components.errors import UsageError
from components.evaluate import evaluate
from components.ingest import current, ingest
from components.ingest.arrival import FILE
from components.scoring import SAVED_MODEL
from components.spec import Serving, Spec, Window
from components.store import Artifact
from components.transform import Constants, transform
from components.validate_data import validate_data
from components.validate_infra import validate_infra
from components.verdict import Verdict
from demo import feed

FIRST, LAST = "2013-01-15", "2013-03-07"
REFUSED = ("2013-02-08", "2013-02-09")  # the blizzard, by the data gate
TRAIN, EVALUATE = 14, 7
LOOKED_AT = 2  # of the changed spans, by the data gate: the first that arrive
MEMORY_MB = 800.0
LATENCY_MS = 200.0  # of a machine that does something else too
REPOSITORY = Path(__file__).resolve().parents[2]

Change = Callable[[pd.DataFrame, str], pd.DataFrame]  # the rows of a span, and its key


@dataclass(frozen=True)
class Ground:
    """What is prepared once: a day's examples and statistics, by span, and the models."""

    spec: Spec
    examples: Mapping[str, Artifact]
    statistics: Mapping[str, Artifact]

    @property
    def span(self) -> str:
        """Return the span that the candidate is of."""
        return max(self.examples)

    def window(self, back: int = 0) -> tuple[list[Artifact], list[Artifact]]:
        """Return what trains and what judges in the run of `back` spans before the last."""
        held = list(self.examples.values())[: len(self.examples) - back]
        return held[-TRAIN - EVALUATE : -EVALUATE], held[-EVALUATE:]

    @cached_property
    def baseline(self) -> Artifact:
        """Return the model that serves: of the run of the day before."""
        training, _ = self.window(back=1)
        return self.train("baseline", training, spec=self.seeded(0))

    @cached_property
    def sound(self) -> Artifact:
        """Return a candidate with nothing wrong with it, which some mutants are made from."""
        return self.train("sound", self.window()[0])

    @cached_property
    def constants(self) -> Constants:
        """Return the constants of the sound candidate's preprocessing."""
        return constants_of.load(self.sound)

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Return some rows of the window, to warm a server up with."""
        return pd.read_parquet(self.window()[0][-1].file(FILE)).head(64)

    def seeded(self, seed: int, **changes: Any) -> Spec:
        """Return the spec with another seed, and other settings of the training."""
        train = self.spec.train.model_copy(update={"seed": 100 + seed, **changes})
        return self.spec.model_copy(update={"train": train})

    def changed(self, name: str, change: Change) -> list[Artifact]:
        """Return the training spans' examples, each with its rows changed."""
        return [self._changed(name, change, one) for one in self.window()[0]]

    def _changed(self, name: str, change: Change, examples: Artifact) -> Artifact:
        def build(draft: store.Draft) -> dict[str, JsonValue]:
            rows = pq.read_table(examples.file(FILE))
            changed = change(rows.to_pandas(), examples.manifest.span)
            table = pa.Table.from_pandas(changed, rows.schema, preserve_index=False)
            pq.write_table(table, draft.folder / FILE)
            return {"rows": len(changed)}

        inputs = {"examples": examples.digest, "mutant": name}
        return store.once(
            "examples", self.spec.name, examples.manifest.span, inputs=inputs, build=build
        )

    def constants_from(self, examples: Sequence[Artifact]) -> Artifact:
        """Return the constants of these examples."""
        described = [self.statistics.get(e.manifest.span) for e in examples]
        known = {s.manifest.inputs["examples"]: s for s in described if s}
        taken = [known.get(e.digest) or describe(self.spec, e) for e in examples]
        return transform(self.spec, self.span, taken)

    def train(
        self,
        name: str,
        examples: Sequence[Artifact],
        *,
        constants: Artifact | None = None,
        spec: Spec | None = None,
        baseline: Artifact | None = None,
    ) -> Artifact:
        """Return a model by the real training; `name` keeps models of the same inputs apart."""
        from components.train import train

        made = constants or self.constants_from(examples)
        return train(spec or self.spec, self.span, examples, made, baseline)

    def artifact(self, name: str, write: Callable[[Path], None]) -> Artifact:
        """Return a model that `write` makes of a copy of the sound one, in the folder it is given."""

        def build(draft: store.Draft) -> dict[str, JsonValue]:
            shutil.copytree(self.sound.folder, draft.folder, dirs_exist_ok=True)
            (draft.folder / store.MANIFEST).unlink()
            write(draft.folder)
            return {"summary": name}

        inputs = {**self.sound.manifest.inputs, "mutant": name}
        return store.once("train", self.spec.name, self.span, inputs=inputs, build=build)

    def write(self, folder: Path, served: Any) -> None:
        """Write a SavedModel in place of the one in a model's folder."""
        from components.train.saved_model import write

        shutil.rmtree(folder / SAVED_MODEL)
        write(served, self.constants.features, folder / SAVED_MODEL, self.rows)

    def data_gate(self, examples: Artifact) -> Verdict:
        """Let the data gate judge a span, after the accepted spans before it."""
        span = examples.manifest.span
        history = [self.statistics[s] for s in self.statistics if s < span]
        described = describe(self.spec, examples)
        return gates.read(validate_data(self.spec, examples, described, history))

    def model_gate(self, model: Artifact, spec: Spec | None = None) -> Verdict:
        """Let the model gate judge a candidate against the baseline."""
        judging = self.window()[1]
        return gates.read(evaluate(spec or self.spec, self.span, model, self.baseline, judging))

    def infra_gate(self, model: Artifact) -> Verdict:
        """Let the infra gate load a candidate and ask it."""
        judging = self.window()[1]
        return gates.read(validate_infra(self.spec, self.span, model, self.baseline, judging))


def prepare(folder: Path) -> Ground:
    """Build the house in a folder, and take in the days; it is the home of this process from now on.

    What is there already is not made again.
    """
    for name in ("pipelines/flights", "schemas"):
        shutil.copytree(REPOSITORY / name, folder / name, dirs_exist_ok=True)
    os.environ["SLUICE_HOME"] = str(folder)
    spec = pipelines.load("flights")
    serving = Serving(name=spec.serving.name, latency_ms=LATENCY_MS, memory_mb=MEMORY_MB)
    window = Window(train=TRAIN, evaluate=EVALUATE)
    spec = spec.model_copy(update={"window": window, "serving": serving})
    examples, statistics = {}, {}
    for span in spans.between(FIRST, LAST):
        feed.land(feed.upstream(), span)
        if span not in REFUSED:
            examples[span] = _taken_in(spec, span) or ingest(spec, span)
            statistics[span] = describe(spec, examples[span])
    assert home.home() == folder
    return Ground(spec, examples, statistics)


def _taken_in(spec: Spec, span: str) -> Artifact | None:
    try:
        return current(spec, span)
    except UsageError:
        return None
