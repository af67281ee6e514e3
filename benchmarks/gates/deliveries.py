"""Faulty deliveries of the flights through the whole data gate: schema, keys, rules and history.

    python -m benchmarks.gates.deliveries                # six days; a quarter of an hour
    python -m benchmarks.gates.deliveries 2013-04-17     # one

Each file is made faulty as the upstream system delivers it, in a column that ingest.sql reads, and
goes the way of every day: ingest, describe, validate_data. The sixty days before are its history. A
fault that leaves the examples as they were is none. `benchmarks.gates.year` has the days as they were.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.gates import faults
from benchmarks.gates.faults import FAULTS, Fault
from benchmarks.gates.protocol import dice
from components import gates, home, pipelines, spans
from components.ingest import ingest
from components.ingest.source import Refused
from components.store import Artifact
from components.verdict import Check
from components.window import HISTORY
from demo import feed

PIPELINE = "flights"
DAYS = ("2013-03-12", "2013-04-17", "2013-06-01", "2013-08-15", "2013-10-07", "2013-12-05")
READ = {  # the columns that ingest.sql reads
    "flights": ["carrier", "flight", "origin", "dest", "hour", "minute", "distance", "arr_delay"],
    "weather": ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"],
}
UNREALISTIC = (  # what the AVH paper does to characters, and what changes no decision of a model's
    *("digits", "characters", "first values", "last values", "more rows", "fewer rows"),
    *("noise 0.1", "+0.5", "rounded", "one digit", "capped", "wrapped"),
)
SAME = "the examples are as they were"
Delivery = dict[str, pa.Table]


@dataclass(frozen=True)
class Answer:
    """What the gate said of a delivery; `file` and `column` are where the fault was.

    `checks`: those that kept the gate shut; `reason`: the first one's message.
    """

    day: str
    fault: str
    kind: str
    family: str
    file: str
    column: str
    checks: tuple[str, ...]
    reason: str

    @property
    def realistic(self) -> bool:
        """Say whether deliveries go wrong like this."""
        return not self.kind.startswith(UNREALISTIC)


def answers(day: str) -> Iterator[Answer]:
    """Judge a day as it was, which must pass, and every faulty delivery of it."""
    from components.describe import describe

    spec = pipelines.load(PIPELINE)
    before = spans.before(day, HISTORY)
    past = [_landed(earlier) for earlier in before]
    history = [
        describe(spec, _taken_in(earlier, held)) for earlier, held in zip(before, past, strict=True)
    ]
    good = _landed(day)
    content = _taken_in(day, good).digest
    yield Answer(day, "", "", "", "", "", *_judged(day, good, history))
    for fault in FAULTS:
        for file in READ:
            column, copy = _faulty(fault, day, file, [held[file] for held in past], good[file])
            if copy is None:
                continue
            checks, reason = _judged(day, good | {file: copy}, history, but=content)
            if checks or reason != SAME:
                yield Answer(
                    day, fault.name, fault.kind, fault.family, file, column, checks, reason
                )


def _judged(
    day: str, delivery: Delivery, history: Sequence[Artifact], but: str = ""
) -> tuple[tuple[str, ...], str]:
    """Return the checks that refuse a delivery, and why; `SAME` where its examples are those of `but`."""
    from components.describe import describe
    from components.validate_data import validate_data

    spec = pipelines.load(PIPELINE)
    try:
        examples = _taken_in(day, delivery)
        if examples.digest == but:
            return (), SAME
        verdict = validate_data(spec, examples, describe(spec, examples), history)
        offences: Sequence[Check] = gates.read(verdict).offences
    except Refused as refused:
        offences = (refused.check,)
    return tuple(sorted({c.name for c in offences})), offences[0].message if offences else ""


def _landed(day: str) -> Delivery:
    return {"flights": feed.flights(day), "weather": feed.weather(day)}


def _taken_in(day: str, delivery: Delivery) -> Artifact:
    folder = feed.upstream() / day
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in delivery.items():
        pq.write_table(table, folder / f"{name}.parquet")
    (folder / feed.SUCCESS).touch()
    return ingest(pipelines.load(PIPELINE), day)


def _faulty(
    fault: Fault, day: str, file: str, before: Sequence[pa.Table], table: pa.Table
) -> tuple[str, pa.Table | None]:
    """Return the column at fault, and the faulty file; None where the fault does not apply."""
    if fault.family == "table":
        return "", faults.apply(fault, table, None, before, dice(day, file, fault.name))
    for column in map(str, dice(day, file, fault.name).permutation(READ[file])):
        copy = faults.apply(fault, table, column, before, dice(day, file, column, fault.name))
        if copy is not None:
            return column, copy
    return "", None


@contextmanager
def house() -> Iterator[None]:
    """Make a house of its own this process's, with nothing in it but the pipeline."""
    source, known = home.home(), os.environ.get("SLUICE_HOME")
    with tempfile.TemporaryDirectory(prefix="sluice-deliveries-") as folder:
        for name in ("pipelines", "schemas"):
            shutil.copytree(source / name, Path(folder) / name)
        os.environ["SLUICE_HOME"] = folder
        try:
            yield
        finally:
            os.environ.pop("SLUICE_HOME")
            os.environ |= {"SLUICE_HOME": known} if known else {}


def run(days: Sequence[str] = DAYS) -> list[Answer]:
    """Return the answers to all deliveries of some days."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")
    with house():
        return [answer for day in days for answer in answers(day)]


def main() -> None:
    """Run, say what is missed, write var/benchmarks/gates/deliveries.json."""
    into = home.var() / "benchmarks" / "gates" / "deliveries.json"
    held = run(sys.argv[1:] or DAYS)
    for answer in held:
        if bool(answer.checks) != bool(answer.fault):
            where = f" in {answer.column or answer.file}" if answer.fault else ""
            print(f"{answer.day} {answer.fault or 'as it was'}{where}: {answer.reason or 'passed'}")
    into.parent.mkdir(parents=True, exist_ok=True)
    into.write_text(json.dumps([asdict(answer) for answer in held], indent=1))
    for told, chosen in (("realistic", [a for a in held if a.realistic]), ("all", held)):
        faulty = [a for a in chosen if a.fault]
        caught = sum(bool(a.checks) for a in faulty)
        print(f"{told}: {caught} of {len(faulty)} caught, {caught / len(faulty):.3f}")


if __name__ == "__main__":
    main()
