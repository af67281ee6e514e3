"""A table of one's own: a CSV or Parquet file, or a folder of such, with a column of dates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.gates.cut import DAYS, cut
from benchmarks.gates.tables import Table, in_spans
from components.errors import UsageError, near_miss

if TYPE_CHECKING:
    import pandas as pd

UNITS = [*DAYS, "month"]
KINDS = (".csv", ".parquet")
LEAST = 40  # spans: 30 to learn from, some to judge


@dataclass(frozen=True)
class Own:
    """Where a table is, and how it is cut into spans."""

    path: Path
    date: str
    unit: str = "day"
    categories: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return what the table is called in a report."""
        return self.path.stem

    def load(self) -> Table:
        """Return the table in spans; raise UsageError where it does not read or is too short."""
        import pandas as pd

        rows = self._rows()
        for column in (self.date, *self.categories):
            if column not in rows:
                near = near_miss(column, map(str, rows))
                raise UsageError(f"{self.path} has no column {column!r}{near}")
        when = pd.to_datetime(rows[self.date], errors="coerce", utc=True)
        if not when.notna().any():
            raise UsageError(f"{self.path}: no value of {self.date!r} reads as a date")
        rows, when = rows[when.notna()], when[when.notna()]
        held = cut(rows, when, self.unit, drop=[self.date], categories=self.categories)
        spans = in_spans(held.rows)
        if len(spans) < LEAST:
            raise UsageError(
                f"{self.path} has {len(spans)} spans of a {self.unit} with 8 rows or more, and "
                f"{LEAST} are the least that can be judged: give more, or a shorter --unit"
            )
        return Table(self.name, str(self.path), "report", spans, held.categories, unit=self.unit)

    def _rows(self) -> pd.DataFrame:
        import pandas as pd

        found = sorted(self.path.iterdir()) if self.path.is_dir() else [self.path]
        files = [file for file in found if file.suffix in KINDS and file.exists()]
        if not files:
            raise UsageError(f"{self.path} is no {' or '.join(KINDS)} file, nor a folder of such")
        try:
            return pd.concat(
                [pd.read_csv(f) if f.suffix == ".csv" else pd.read_parquet(f) for f in files],
                ignore_index=True,
            )
        except (ValueError, OSError) as error:
            raise UsageError(f"{self.path} does not read: {error}") from error
