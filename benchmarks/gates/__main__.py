"""How often the data gate is right, and what else would have been: `make bench-gates`.

python -m benchmarks.gates                               # the report; some minutes, two cores
python -m benchmarks.gates --role tune --method Sluice   # what constants may be tuned on
python -m benchmarks.gates --table my.csv --date day     # a table of your own
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gates import protocol, report, tables
from benchmarks.gates.figures import figures, frame
from benchmarks.gates.own import UNITS, Own
from benchmarks.gates.picture import draw
from benchmarks.gates.protocol import METHODS
from benchmarks.gates.run import Tried, run
from components import home, provenance
from components.errors import UsageError, near_miss

TEACHING = """
how it works
  The table is cut into spans by --unit. The first 30 to 60 warm up; from then on each clean span
  must pass, and copies of some of them, made faulty in 150 ways, must be caught, knowing nothing
  but the spans before.

a table of your own
  A CSV or Parquet file, or a folder of such, with a column of dates. Integer columns whose numbers
  are names (a postcode, a shop's number) are told by --category, once each.

    python -m benchmarks.gates --table orders.parquet --date ordered_at --category shop

what comes out
  The table on the screen, a Markdown report with a picture of the curves beside it, and every figure
  as JSON, in var/benchmarks/gates/. Without --table, docs/benchmarks/ is written as well.
"""


def main(given: Sequence[str] | None = None) -> int:
    """Judge, work the figures out, write the report; return the exit status."""
    asked = _parser().parse_args(given)
    try:
        chosen = _chosen(asked)
        efforts = protocol.efforts(asked.method or list(METHODS), asked.full)
        held = run(chosen, efforts, asked.jobs)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    _write(held, asked)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gates",
        description="How often the data gate is right, and what else would have been.",
        epilog=TEACHING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--table", type=Path, help="a CSV or Parquet file, or a folder of such")
    parser.add_argument("--date", help="its column of dates")
    parser.add_argument("--unit", choices=UNITS, default="day", help="what a span is")
    parser.add_argument("--category", action="append", default=[], help="an integer that is a name")
    parser.add_argument("--role", choices=("report", "tune"), default="report", help="which tables")
    parser.add_argument("--only", action="append", help="one table of the role, by name")
    parser.add_argument("--method", action="append", choices=list(METHODS), help="one method only")
    parser.add_argument(
        "--full", action="store_true", help="more spans and copies: an hour and more"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    return parser


def _chosen(asked: argparse.Namespace) -> list[str] | list[Own]:
    if asked.table:
        if not asked.date:
            raise UsageError("--table needs --date, the name of its column of dates")
        return [Own(asked.table, asked.date, asked.unit, tuple(asked.category))]
    known = tables.names(asked.role)
    for name in asked.only or ():
        if name not in known:
            raise UsageError(f"{name!r} is no table to {asked.role}{near_miss(name, known)}")
    return asked.only or known


def _write(held: Sequence[Tried], asked: argparse.Namespace) -> None:
    changes = {table.name: table.changes for table in held}
    judgements = frame([record for table in held for record in table.records], changes)
    told = figures(judgements)
    into = home.var() / "benchmarks" / "gates"
    name = asked.table.stem if asked.table else asked.role
    folders = [into]
    if not (asked.table or asked.only or asked.method) and asked.role == "report":
        folders.append(home.home() / "docs" / "benchmarks")
    text = report.markdown(told, held)
    for folder in folders:
        stem = "data-gate" if folder != into else name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{stem}.svg").write_text(draw(told))
        (folder / f"{stem}.md").write_text(text.replace("CURVES", f"{stem}.svg"))
    (into / f"{name}.json").write_text(
        json.dumps({"methods": told, "packages": provenance.packages()}, indent=1)
    )
    judgements.to_parquet(into / f"{name}.parquet")
    print(report.screen(told))
    print(f"written to {', '.join(str(folder) for folder in folders)}")


if __name__ == "__main__":
    sys.exit(main())
