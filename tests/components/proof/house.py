"""The tiny house under audit: the real `ingest` over tiny rows, steps that stumble, moody servers.

What is trained is never the same bytes twice, and what the data gate says depends on the history.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from tiny_house import NAME, House

from components import gates, home, ingest, pipelines, push, store
from components.approval import EXAMPLES, NO_BASELINE
from components.errors import SluiceError
from components.ingest import Arrivals
from components.ingest.arrival import FILE, Arrived
from components.ingest.source import Refused
from components.push.fleet import NotTaken
from components.spec import Spec
from components.store import Artifact, Draft
from components.verdict import Check, Status, Verdict
from proof.auditor import Auditor, never, served

YAML = "pipelines/tiny/pipeline.yaml"
SCHEMA = "schemas/tiny.pbtxt"
ABSENT = ""
ingest_window = ingest.ingest_window  # before the tiny house puts another in its place


class Stumble(RuntimeError):
    """A step breaks in a way that nobody foresaw."""


class AuditedHouse(House):
    """`rows`: span → what upstream has of it; `stumbles`: the step that breaks next, and how.

    `just_torn`: what the disk changed during a step, which may have been found whole before.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, auditor: Auditor, happens) -> None:
        super().__init__(folder / "house", patch)
        here = home.home()
        patch.setattr(home, "home", lambda: here)  # it would be resolved 500 times a run
        self._auditor, self._happens, self._tries = auditor, happens, itertools.count()
        self.rows: dict[str, str] = {}
        self.just_torn: set[Path] = set()
        self.stumbles: tuple[str, Status | None] | None = None
        self.servers = ""
        patch.setattr(ingest.arrival, "take_in", self.take_in)
        patch.setattr(pipelines, "load", remembered(pipelines.load))
        patch.setattr(push, "Fleet", lambda where, model: Servers(model, self.servers, happens))

    def ingest_window(self, what: Spec, span: str) -> Arrivals:
        self._stumble("ingest")
        return ingest_window(what, span)

    def take_in(self, what: Spec, span: str, folder: Path) -> Arrived:
        rows = self.rows.get(span, f"{span} edition 1")
        if rows == ABSENT:
            raise Refused("arrived", f"{span} has not arrived")
        (folder / FILE).write_text(rows)
        digest = hashlib.sha256(rows.encode()).hexdigest()
        return Arrived(folder / FILE, digest, columns={}, rows=1, rows_in=1, rejected={})

    def describe(self, what: Spec, examples: Artifact) -> Artifact:
        about = {"examples": examples.digest}
        return self._tell("statistics", examples.manifest.span, about, "statistics.binpb", about)

    def validate_data(self, what, examples, statistics, history) -> Artifact:
        span = examples.manifest.span
        about = {"examples": examples.digest, "statistics": statistics.digest}
        about["schema"] = what.files[SCHEMA]
        asked = {**about, **{f"history/{h.manifest.span}": h.digest for h in history}}
        made = self._gate("validate_data", "data", span, about, asked)
        self._heard("data", (span, examples.digest), made)
        return made

    def transform(self, what: Spec, span: str, statistics) -> Artifact:
        inputs = {f"statistics/{s.manifest.span}": s.digest for s in statistics}
        inputs["schema"] = what.files[SCHEMA]
        of = {
            s.manifest.span: json.loads(s.file("statistics.binpb").read_text()) for s in statistics
        }
        tells = {span: told["examples"] for span, told in of.items()}
        return self._tell("transform", span, inputs, "constants.json", tells)

    def train(self, what: Spec, span: str, examples, transform, baseline) -> Artifact:
        on = {e.manifest.span: self._read(e) for e in examples}
        of = json.loads(transform.file("constants.json").read_text())
        never(of != on, f"trained on {on} with the constants of {of}")
        self._auditor.hear(told=False)
        self._auditor.may_train(on)
        inputs = {EXAMPLES + s: digest for s, digest in on.items()}
        inputs |= {"transform": transform.digest, "model.py": what.files["pipelines/tiny/model.py"]}
        if baseline and what.train.warm_start:
            inputs["baseline"] = baseline.digest
        again = {"try": str(next(self._tries))}  # no training makes the same bytes twice
        made = self._tell("train", span, inputs, "saved_model/saved_model.pb", again)
        self._auditor.said("train", [made.digest], True, on)
        return made

    def evaluate(self, what, span, model, baseline, examples) -> Artifact:
        against = baseline.digest if baseline else NO_BASELINE
        on = {e.manifest.span: self._read(e) for e in examples}
        about = {"model": model.digest, "baseline": against}
        about |= {EXAMPLES + s: digest for s, digest in on.items()}
        made = self._gate("evaluate", "model", span, about, {**about, "asked": what.files[YAML]})
        self._heard("model", (model.digest, against, what.files[YAML]), made, on)
        return made

    def validate_infra(self, what, span, model, baseline, examples) -> Artifact:
        called = baseline.digest if baseline else NO_BASELINE
        about = {"model": model.digest, "baseline": called}
        made = self._gate(
            "validate_infra", "infra", span, about, {**about, "asked": what.files[YAML]}
        )
        self._heard("infra", (model.digest, called, what.files[YAML]), made)
        return made

    def _read(self, examples: Artifact) -> str:
        """Return the digest of the rows that a step reads; it chokes on what was torn in its hands."""
        path = examples.file(FILE)
        if path in self.just_torn:
            raise SluiceError(f"{path} was torn after it was found whole")
        return store.digest_of({FILE: hashlib.sha256(path.read_bytes()).hexdigest()})

    def _heard(self, gate, subject, made: Artifact, on: Mapping[str, str] | None = None) -> None:
        self._auditor.said(gate, subject, gates.read(made).status is Status.PASSED, on or {})

    def _tell(self, kind: str, span: str, inputs, file: str, tells) -> Artifact:
        """Make an artifact whose one file tells of what it was made."""
        self._stumble(kind)

        def build(draft: Draft) -> dict:
            path = draft.folder / file
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(tells))
            return {"summary": f"{kind} of {span}"}

        return store.once(kind, NAME, span, inputs=inputs, build=build)

    def _gate(self, kind: str, gate, span: str, about, asked) -> Artifact:
        def look(draft: Draft) -> Verdict:
            came_out = self._stumble(kind) or self._auditor.decide(gate, asked)
            return Verdict(
                gate=gate,
                pipeline=NAME,
                span=span,
                speaks_of=about,
                checks=(Check(name="decided", status=came_out, message=f"it was {came_out}"),),
                evidence={"metrics": {"auc": 0.7}, "golden": self.golden},
            )

        return gates.judge(kind, NAME, span, inputs=asked, look=look)

    def _stumble(self, step: str) -> Status | None:
        """Break here if it is this step's turn; return ERROR where it could not measure."""
        if self.stumbles is None or self.stumbles[0] != step:
            return None
        (_, how), self.stumbles = self.stumbles, None
        self._happens("a gate cannot measure" if how else "a step breaks")
        if how is None:
            raise Stumble(step)
        return how


class Servers:
    """Model servers, as far as `push` can tell: they serve the highest version in the folder.

    `mood`: silent, or they refuse the version, or answer something else, or nothing is the matter.
    """

    def __init__(self, model: str, mood: str, happens) -> None:
        self.model, self._base = model, home.models(model)
        self._mood, self._happens = mood, happens

    def __enter__(self) -> Servers:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def ended(self, version: int) -> set[str]:
        if self._mood == "are silent":
            self._happens("the servers are silent")
            raise SluiceError("no answer from any server")
        return set()

    def wait_available(self, version: int, ended: set[str]) -> None:
        if max(served(self._base), default=0) != version or self._mood == "refuse":
            self._happens("the servers refuse")
            raise NotTaken("blue: it will not have it")

    def wait_answering(self, version: int, golden: object) -> None:
        if self._mood == "answer wrongly":
            self._happens("the servers answer wrongly")
            raise NotTaken("gateway: other files are served than were pushed")


def remembered(load):
    """Return `pipelines.load`, which reads each text of the files once: YAML is half of the time."""
    known: dict[tuple[bytes, ...], Spec] = {}

    def loaded(name: str) -> Spec:
        folder = home.pipelines() / name
        paths = [folder / file for file in pipelines.FILES] + [home.schemas() / f"{name}.pbtxt"]
        said = tuple(path.read_bytes() if path.exists() else b"" for path in paths)
        if said not in known:
            known[said] = load(name)
        return known[said]

    return loaded
