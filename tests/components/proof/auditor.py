"""What must never happen, looked for after every step, by one who trusts nothing that is tried.

The auditor decides how each gate comes out, hears what the gates then say, and reads bytes: of the
folder that the servers watch, and of the ledger. It asks no code that it is to judge.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from components import home, store
from components.approval import NO_BASELINE
from components.runs import Run
from components.verdict import Status

REFUSALS = {"data": 0.06, "model": 0.15, "infra": 0.15}
AFTERTHOUGHTS = 0.12  # of data verdicts: the same rows, after another history or by another schema


class Violation(AssertionError):
    """What must never happen happened."""


def never(happened: object, told: str) -> None:
    """Raise Violation when it happened."""
    if happened:
        raise Violation(told)


def served(base: Path) -> dict[int, Path]:
    """Return what a model server would find under its base path."""
    there = base.iterdir() if base.is_dir() else ()
    return {int(path.name): path for path in there if path.name.isdecimal()}


class Auditor:
    """Ground truth, and what was seen so far. `diary`: a file outside the house, safe from kills."""

    def __init__(self, seed: int, diary: Path) -> None:
        self._seed, self._diary, self._read = seed, diary, 0
        self._latest: dict[tuple[str, ...], set[bool]] = {}
        self._on: dict[tuple[str, ...], list[dict[str, str]]] = defaultdict(list)
        self.admitted: set[tuple[str, str]] = set()
        self.refused: dict[str, set[str]] = defaultdict(set)  # run → gates that halted it last
        self.runs: dict[str, Run] = {}
        self._ledger = b""
        self.ledger_was_torn = False
        self.pushed: dict[int, dict[str, Any]] = {}  # version → its first line in the ledger
        self.released: list[dict[str, Any]] = []
        self._last: dict[int, str] = {}  # version → the event of its last line
        self.standing: dict[int, str] = {}  # version → span, of what the servers may be serving

    # What is true

    def decide(self, gate: str, asked: Mapping[str, str]) -> Status:
        """Say how a gate comes out: the same for the same question, whoever asks and when."""
        subject = asked["examples"] if gate == "data" else str(sorted(asked.items()))
        refuses = self._chance(gate, subject) < REFUSALS[gate]
        if gate == "data":
            refuses |= self._chance(gate, str(sorted(asked.items()))) < AFTERTHOUGHTS
        return Status.FAILED if refuses else Status.PASSED

    def _chance(self, *about: str) -> float:
        digest = hashlib.sha256(repr((self._seed, *about)).encode()).digest()
        return int.from_bytes(digest[:6], "big") / 2**48

    # What was seen

    def said(self, step: str, subject: Sequence[str], passed: bool, on: Mapping[str, str]) -> None:
        """Write down what a gate answered, or of what a model was made; before anybody else knows."""
        with open(self._diary, "a") as file:  # noqa: PTH123 - Path.open is one of the places to die at
            file.write(json.dumps([[step, *subject], passed, dict(on)]) + "\n")

    def hear(self, *, told: bool) -> None:
        """Read what the gates said. Not `told`: a kill may have kept it from everybody else."""
        if not self._diary.exists():
            return
        with open(self._diary) as file:  # noqa: PTH123
            file.seek(self._read)
            lines = file.readlines()
            self._read = file.tell()
        for subject, passed, on in map(json.loads, lines):
            before = set() if told else self._latest.get(tuple(subject), set())
            self._latest[tuple(subject)] = {passed} | before
            self._on[tuple(subject)].append(on)

    def opens(self, run: Run) -> None:
        """See that a run keeps its version, and shares it with none."""
        known = self.runs.setdefault(run.id, run)
        never(known.version != run.version, f"two versions of run {run.id}")
        for other in self.runs.values():
            never(
                other.id != run.id and other.version == run.version,
                f"version {run.version} is of {run.id} and {other.id}",
            )

    def may_train(self, examples: Mapping[str, str]) -> None:
        """See that the data gate's latest word on each span is a pass, or that a person let it in."""
        for span, digest in examples.items():
            passed = True in self._latest.get(("data", span, digest), ())
            never(
                not passed and (span, digest) not in self.admitted,
                f"{span} ({digest[:8]}) is used, and was refused or never judged",
            )

    # What must hold

    def look(self, name: str) -> None:
        """Look at the ledger and at what is served."""
        base = home.models(name)
        for line in self._new_lines(store.root(name) / "ledger.jsonl"):
            self._last[line["version"]] = line["event"]
            {"pushing": self._pushing, "released": self._released, "refused": self._refused}[
                line["event"]
            ](line)
        there = served(base)
        for version, folder in there.items():
            never(version not in self.pushed, f"version {version} is served and not in the ledger")
            model = store.digest_of(
                {
                    f"saved_model/{path.relative_to(folder)}": _sha256(path)
                    for path in folder.rglob("*")
                    if path.is_file()
                }
            )
            approved = self.pushed[version]["model"]
            never(model != approved, f"version {version} serves other bytes than were approved")
            if version not in self.standing:  # its push was killed, and went on without a new line
                self._stands(self.pushed[version])
        self.standing = {version: self.pushed[version]["span"] for version in there}
        for version in there:
            event = self._last[version]
            never(event == "refused", f"version {version} was taken back, and is served")
        latest = max((line["version"] for line in self.released), default=None)
        lost = latest is not None and latest not in there and not self.ledger_was_torn
        never(lost, f"version {latest} was released, and is served no more")

    def _new_lines(self, path: Path) -> Iterator[dict[str, Any]]:
        text = path.read_bytes() if path.exists() else b""
        never(not text.startswith(self._ledger), "the ledger lost or rewrote an entry")
        new, self._ledger = text[len(self._ledger) :], text
        for line in new.splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue  # torn by a crash

    def ledger_is_torn(self, path: Path) -> None:
        """Take note that the disk lost lines: this is no deed of the code that is tried."""
        self._ledger = path.read_bytes() if path.exists() else b""
        self.ledger_was_torn = True

    def _pushing(self, line: dict[str, Any]) -> None:
        first = self.pushed.setdefault(line["version"], line)
        never(first["run"] != line["run"], f"version {line['version']} is of two runs")
        run = self.runs[line["run"]]
        never(run.version != line["version"], f"run {run.id} has two versions")
        self.pushed[line["version"]] = line
        self._stands(line)

    def _stands(self, line: dict[str, Any]) -> None:
        """See that a version may be served now, after all that stands."""
        version, who = line["version"], f"version {line['version']} of {line['span']}"
        halted = self.refused[line["run"]]
        never(halted, f"{who} is released, and {', '.join(sorted(halted))} halted its run")
        below = {v: span for v, span in self.standing.items() if v != version}
        never(max(below, default=0) > version, f"{who} follows version {max(below, default=0)}")
        never(
            max(below.values(), default="") > line["span"], f"{who} replaces a newer span's model"
        )
        serving = self.pushed[max(below)]["model"] if below else NO_BASELINE
        against = line["baseline"] or NO_BASELINE
        never(against != serving, f"{who} was judged against {against[:8]}; {serving[:8]} serves")
        model, asked = line["model"], self.runs[line["run"]].files["pipelines/tiny/pipeline.yaml"]
        never(("train", model) not in self._on, f"{who} is of a model that nobody trained")
        self.may_train(self._on["train", model][-1])
        for gate in ("model", "infra"):
            said = self._latest.get((gate, model, against, asked), set())
            never(
                True not in said, f"{who} is released, and the {gate} gate said {said or 'nothing'}"
            )
        self.may_train(self._on["model", model, against, asked][-1])
        self.standing[version] = line["span"]

    def _released(self, line: dict[str, Any]) -> None:
        if line["version"] not in self.standing:
            self._stands(self.pushed[line["version"]])
        again = [one for one in self.released if one["run"] == line["run"]]
        never(again and not self.ledger_was_torn, f"run {line['run']} is released twice")
        self.released.append(line)

    def _refused(self, line: dict[str, Any]) -> None:
        self.standing.pop(line["version"], None)

    def green(self, run: str) -> None:
        """See that a run which ends well was released."""
        known = run in {line["run"] for line in self.released}
        never(not known, f"run {run} ended green and was not released")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
