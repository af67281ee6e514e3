"""The least change of a schema that would accept a span it refused: `sluice schema suggest RUN`.

TensorFlow Data Validation says what is wrong with the span, and that nothing is once the change is
made. Making it is for a person: what is let in for one span is let in for all that come.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from components import pipelines, runs, schema, statistics, store
from components.errors import UsageError
from components.runs import Run
from components.schema_life import edits
from components.schema_life.diff import ROWS, Change, changes
from components.schema_life.edits import Edit
from components.schema_life.pbtxt import Step, add, put
from components.validate_data import contract
from components.validate_data.subject import Subject

ROUNDS = 3  # what one bound hid shows when that is moved


class Refusal(NamedTuple):
    """What a schema has against a span, in TFDV's words, and the edits that let it in; none if none do."""

    subject: str
    told: str
    edits: Sequence[Edit]


@dataclass(frozen=True)
class Suggestion:
    """A schema's text, and the text that accepts the span.

    `path`: the schema's, in the house; `means`: column → what the change lets in from now on; `left`:
    what no edit could accept.
    """

    path: str
    old: str
    new: str
    means: Sequence[tuple[str, str]]
    left: Sequence[Refusal]

    @property
    def changes(self) -> list[Change]:
        """Return the change in words."""
        return changes(schema.parse(self.old, self.path), schema.parse(self.new, self.path))

    @property
    def diff(self) -> str:
        """Return the change as `git apply` takes it, empty where there is none."""
        old, new = (text.splitlines(keepends=True) for text in (self.old, self.new))
        return "".join(difflib.unified_diff(old, new, f"a/{self.path}", f"b/{self.path}", n=2))

    @property
    def told(self) -> str:
        """Return all of it for a person: what changes, what that lets in, the diff, what is left."""
        lines = []
        for subject, several in groupby(self.changes, lambda change: change.subject):
            lines += [f"{effect:<10}{subject:<14}{told}" for _, told, effect in several]
            lines += [f"{'':24}{means}" for column, means in self.means if column == subject]
        left = [f"no change of it accepts {refusal.told}" for refusal in self.left]
        return "\n".join([*lines, self.diff.rstrip("\n"), *left]).strip("\n")


def of_run(run: Run) -> Suggestion:
    """Return what would make the schema of today accept the span of a run, held against its window then.

    Raises UsageError when the run did not come to its data gate.
    """
    done = runs.steps(run).get("validate_data")
    if done is None or done.artifact is None:
        at = [
            step.message for step in runs.steps(run).values() if step.outcome in ("halted", "error")
        ]
        why = f": {at[-1]}" if at else ""
        raise UsageError(
            f"run {run.id} did not come to its data gate, so no schema refused it{why}"
        )
    went_in = runs.artifact(run, "validate_data").manifest.inputs

    def found(kind: str, span: str, digest: str) -> store.Artifact:
        return store.find(kind, run.pipeline, span, digest)

    history = sorted((k.split("/")[1], d) for k, d in went_in.items() if k.startswith("history/"))
    return of(
        Subject(
            pipelines.load(run.pipeline),
            found("examples", run.span, went_in["examples"]),
            found("statistics", run.span, went_in["statistics"]),
            [found("statistics", span, digest) for span, digest in history],
        )
    )


def of(subject: Subject) -> Suggestion:
    """Return what would make the schema of a span under judgement accept it."""
    return suggest(
        subject.schema_name,
        subject.spec.schema_path.read_text(),
        statistics.read(subject.described),
        None if subject.learning else subject.before,
        len(subject.window),
        subject.spec.data_gate.sensitive,
    )


def suggest(
    path: str,
    text: str,
    now: Any,
    before: Any = None,
    spans: int = 0,
    sensitive: Collection[str] = (),
) -> Suggestion:
    """Return what would make a schema accept a span.

    `path`: the schema's, in the house; `text`: what it says; `now`: the span's statistics; `before`:
    those of the `spans` of its window, merged, None where they are too few to compare with;
    `sensitive`: columns of which no value is told.
    """
    new, means = text, list[tuple[str, str]]()
    for _ in range(ROUNDS):
        refusals = _refusals(schema.parse(new, path), now, before, spans, sensitive)
        if not any(refusal.edits for refusal in refusals):
            break
        for refusal in refusals:
            for edit in refusal.edits:
                new = (add if edit.more else put)(new, edit.steps, edit.value)
                means.append((refusal.subject, edit.means))
    else:
        refusals = _refusals(schema.parse(new, path), now, before, spans, sensitive)
    return Suggestion(path, text, new, means, refusals)


def _refusals(
    reviewed: Any, now: Any, before: Any, spans: int, sensitive: Collection[str]
) -> list[Refusal]:
    trained = contract.trained(reviewed, now, before, spans)
    distances = {
        ".".join(info.path.step): max(m.value for m in info.drift_measurements)
        for info in trained.drift_skew_info
        if info.drift_measurements
    }
    columns = _columns(reviewed, now, before)
    found: dict[tuple[str, int], Refusal] = {}
    for answer in (trained, contract.served(reviewed, now)):
        for name, info in sorted(answer.anomaly_info.items()):
            for reason in info.reason if info.severity != edits.Info.WARNING else ():
                shut = name in sensitive
                made = list[Edit]()
                if name in columns:
                    far = distances.get(name, 0.0)
                    made += edits.of_column(reason.type, columns[name], far, sensitive=shut)
                told = f"{name}: {reason.short_description if shut else reason.description}".strip()
                found[name, reason.type] = Refusal(name, told, made)
    usual = round(before.num_examples / spans) if before else None
    rows = [
        Refusal(ROWS, r.description.strip(), [*edits.of_rows(r.type, now.num_examples, usual)])
        for r in trained.dataset_anomaly_info.reason
    ]
    return [*found.values(), *rows]


def _columns(reviewed: Any, now: Any, before: Any) -> dict[str, edits.Column]:
    seen, past = statistics.by_column(now), statistics.by_column(before) if before else {}
    listed = {domain.name: frozenset(domain.value) for domain in reviewed.string_domain}
    columns = {}
    for feature in reviewed.feature:
        if feature.name not in seen:
            continue
        at: tuple[Step, ...] = (("string_domain", feature.domain), "value")
        values = listed.get(feature.domain, frozenset())
        if feature.HasField("string_domain"):
            at = (("feature", feature.name), "string_domain", "value")
            values = frozenset(feature.string_domain.value)
        columns[feature.name] = edits.Column(
            feature=feature,
            seen=seen[feature.name],
            rows=now.num_examples,
            before=past.get(feature.name),
            rows_before=before.num_examples if before else 0,
            values=values,
            list_at=at,
        )
    return columns
