"""A house with one tiny pipeline: the real spec, store, window, runs, ledger, approval and plan.

Only what a step looks at is tiny: a few bytes stand for rows and weights, and a gate's answer is
what the test decided. Everything that keeps a rejected model from the servers is the real code.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from components import gates, home, pipelines, plan, runs, spec, store
from components.approval import NO_BASELINE
from components.ingest import Arrivals
from components.verdict import Check, Status, Verdict

NAME = "tiny"
YAML = """
source: {path: "var/arrivals/{span}"}
span: {first: 2013-01-01}
window: {train: 2, evaluate: 1}
label: late
key: [id]
thresholds: [{metric: auc, at_least: 0.5}]
serving: {name: tiny, latency_ms: 100, memory_mb: 2000}
"""
SCHEMA = """
feature { name: "id" type: BYTES not_in_environment: "SERVING" }
feature { name: "distance" type: FLOAT }
feature { name: "carrier" type: BYTES }
feature { name: "late" type: INT not_in_environment: "SERVING" }
default_environment: "TRAINING"
default_environment: "SERVING"
"""
MODEL = "def model(inputs, vocabulary_sizes):\n    raise NotImplementedError\n"


class House:
    """`decide(gate, subject)` says how a gate comes out; `subject` is the digest it looks at."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        patch.setenv("SLUICE_HOME", str(folder))
        for path, text in {
            home.pipelines() / NAME / "pipeline.yaml": YAML,
            home.pipelines() / NAME / "ingest.sql": "SELECT 1",
            home.pipelines() / NAME / "model.py": MODEL,
            home.schemas() / f"{NAME}.pbtxt": SCHEMA,
        }.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.rows: dict[str, int] = {}  # span → which edition of its rows has arrived
        self.golden = {"row": {}, "score": 0.7}
        self.evidence: dict = {"metrics": {"auc": 0.7}}
        self.trained_on: dict[str, list[str]] = {}  # model → its examples
        self.decide: Callable[[str, str], Status] = lambda gate, subject: Status.PASSED
        for module, step in {
            "ingest": self.ingest_window,
            "describe": self.describe,
            "validate_data": self.validate_data,
            "transform": self.transform,
            "train": self.train,
            "evaluate": self.evaluate,
            "validate_infra": self.validate_infra,
        }.items():
            name = f"components.{module}"
            if name not in sys.modules:  # it may cost a TensorFlow, and is not what is tried here
                tiny = ModuleType(name)
                tiny.__path__ = [str(Path(plan.__file__).parent / module)]  # what is in it is real
                patch.setitem(sys.modules, name, tiny)
            patch.setattr(sys.modules[name], step.__name__, step, raising=False)

    @property
    def spec(self) -> spec.Spec:
        return pipelines.load(NAME)

    def open(self, span: str) -> runs.Run:
        """Ingest a span and return its run, with no step done."""
        return plan.ingest(NAME, span).run

    def go(self, run: runs.Run, *, upto: str = "push") -> plan.Outcome:
        """Do the steps of a run in order, as a driver does."""
        for step in plan.PLAN:
            outcome = plan.perform(step, NAME, run.id)
            if step.name == upto:
                break
        return outcome

    def write_model(self, folder: Path, said: str) -> None:
        """Write what stands for a SavedModel."""
        folder.mkdir()
        (folder / "saved_model.pb").write_text(said)

    # The steps

    def ingest_window(self, what: spec.Spec, span: str) -> Arrivals:
        arrived = {}
        for key in what.window_of(span):
            edition = f"{key} edition {self.rows.get(key, 1)}"
            arrived[key] = self._make("examples", key, {"source": edition}, "examples.parquet")
        return Arrivals({key: e.digest for key, e in arrived.items()}, arrived[span])

    def describe(self, what: spec.Spec, examples: store.Artifact) -> store.Artifact:
        inputs = {"examples": examples.digest}
        return self._make("statistics", examples.manifest.span, inputs, "statistics.binpb")

    def validate_data(self, what, examples, statistics, history) -> store.Artifact:
        about = {"examples": examples.digest, "statistics": statistics.digest}
        return self._judge("validate_data", "data", examples.manifest.span, about, examples.digest)

    def transform(self, what: spec.Spec, span: str, statistics) -> store.Artifact:
        inputs = {f"statistics/{s.manifest.span}": s.digest for s in statistics}
        return self._make("transform", span, inputs, "constants.json")

    def train(self, what: spec.Spec, span: str, examples, transform, baseline) -> store.Artifact:
        inputs = {f"examples/{e.manifest.span}": e.digest for e in examples}
        used = [e.digest for e in examples]
        inputs |= {"transform": transform.digest}
        made = self._make("train", span, inputs, "saved_model")
        self.trained_on[made.digest] = used
        return made

    def evaluate(self, what, span, model, baseline, examples) -> store.Artifact:
        about = {"model": model.digest, "baseline": baseline.digest if baseline else NO_BASELINE}
        about |= {f"examples/{e.manifest.span}": e.digest for e in examples}
        return self._judge("evaluate", "model", span, about, model.digest)

    def validate_infra(self, what, span, model, baseline, examples) -> store.Artifact:
        about = {"model": model.digest, "baseline": baseline.digest if baseline else NO_BASELINE}
        return self._judge("validate_infra", "infra", span, about, model.digest)

    def _make(self, kind: str, span: str, inputs: dict[str, str], file: str) -> store.Artifact:
        def build(draft: store.Draft) -> dict:
            said = f"{kind} of {span} from {sorted(inputs.items())}"
            if kind == "train":
                self.write_model(draft.folder / "saved_model", said)
            else:
                (draft.folder / file).write_text(said)
            return {"summary": f"{kind} of {span}"}

        return store.once(kind, NAME, span, inputs=inputs, build=build)

    def _judge(self, kind, gate, span, about: dict[str, str], subject: str) -> store.Artifact:
        def look(draft: store.Draft) -> Verdict:
            came_out = self.decide(gate, subject)
            check = Check(name="decided", status=came_out, message=f"{gate} was to be {came_out}")
            return Verdict(
                gate=gate,
                pipeline=NAME,
                span=span,
                speaks_of=about,
                checks=(check,),
                evidence={**self.evidence, "golden": self.golden},
            )

        return gates.judge(kind, NAME, span, inputs=about, look=look)


def write(name: str, text: str) -> None:
    """Make a folder for a pipeline as the tiny one, but with another pipeline.yaml."""
    for path in (home.pipelines() / NAME).iterdir():
        copy = home.pipelines() / name / path.name
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(path.read_text() if path.name != "pipeline.yaml" else text)
    (home.schemas() / f"{name}.pbtxt").write_text((home.schemas() / f"{NAME}.pbtxt").read_text())
