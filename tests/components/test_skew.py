"""What is served and what is trained on are told apart when they differ, and only then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from components import (
    describe,
    gates,
    home,
    ingest,
    pipelines,
    schema,
    served,
    spec,
    store,
)
from components.columns import columns
from components.profile.numbers import LEVELS
from components.store import Artifact
from components.validate_data import skew, validate_data
from components.validate_data.skew import chance, questions
from components.validate_data.subject import Subject
from components.verdict import Check, Status, Verdict

DAY = "2013-02-07"
WEATHER = ["temp", "dewp", "humid", "wind_speed", "pressure", "visib", "precip"]
Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture
def examples(flights: spec.Spec, week: list[Artifact], land: Callable[..., None]) -> Artifact:
    """The day under judgement, after a week of accepted ones."""
    land(DAY)
    return ingest.ingest(flights, DAY)


def log(
    what: spec.Spec, of: Artifact, rows: int = 1500, change: Change = lambda rows: rows
) -> Path:
    """Log requests as if clients had asked about a day's flights, some often and some never."""
    frame = pd.read_parquet(of.file("examples.parquet"))
    asked = frame.iloc[np.random.default_rng(rows).integers(0, len(frame), rows)]
    fed = schema.inputs(schema.load(what.schema_path))
    return served.write(what.name, of.manifest.span, columns(change(asked), fed))


def checks(what: spec.Spec, examples: Artifact, week: list[Artifact]) -> dict[str, Check]:
    subject = Subject(what, examples, describe.describe(what, examples), week)
    return {check.subject: check for check in skew.checks(subject)}


def judged(what: spec.Spec, examples: Artifact, week: list[Artifact]) -> Verdict:
    return gates.read(validate_data(what, examples, describe.describe(what, examples), week))


def told(found: dict[str, Check], status: Status) -> set[str]:
    return {column for column, check in found.items() if check.status is status}


def amend(what: spec.Spec, old: str, new: str) -> spec.Spec:
    text = what.schema_path.read_text()
    assert old in text
    what.schema_path.write_text(text.replace(old, new))
    return pipelines.load(what.name)


# When there is nothing to compare


def test_without_a_log_the_layer_says_so_and_the_gate_passes(
    flights: spec.Spec, examples: Artifact, week: list[Artifact]
) -> None:
    verdict = judged(flights, examples, week)
    assert verdict.passed
    (check,) = [check for check in verdict.checks if check.name == "skew"]
    assert check.status is Status.SKIPPED
    assert check.message == "no requests are logged for flights"


@pytest.mark.parametrize("rows", [0, 999])
def test_too_few_rows_say_nothing_even_when_all_of_them_are_wrong(
    flights: spec.Spec, examples: Artifact, week: list[Artifact], rows: int
) -> None:
    log(flights, examples, rows, lambda asked: asked.assign(carrier="xx", distance=1.0))
    (check,) = checks(flights, examples, week).values()
    assert check.status is Status.SKIPPED
    assert check.message == f"{rows} of 1000 served rows that it takes are logged of {DAY}"


def test_how_many_rows_it_takes_is_a_setting(
    flights: spec.Spec, examples: Artifact, week: list[Artifact]
) -> None:
    path = home.pipelines() / "flights" / "pipeline.yaml"
    said = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**said, "data_gate": {"skew_rows": 300}}))
    flights = pipelines.load("flights")
    log(flights, examples, 400, lambda asked: asked.assign(carrier="xx"))
    assert told(checks(flights, examples, week), Status.FAILED) == {"carrier"}


# Sound rows


def test_rows_of_the_day_itself_pass_in_every_column(
    flights: spec.Spec, examples: Artifact, week: list[Artifact]
) -> None:
    log(flights, examples)
    found = checks(flights, examples, week)
    fed = [feature.name for feature in schema.inputs(schema.load(flights.schema_path))]
    assert list(found) == fed
    assert told(found, Status.PASSED) == set(fed)
    assert found["temp"].seen.startswith("0 % missing")


def test_a_log_of_any_earlier_day_is_held_against_that_day(
    flights: spec.Spec, examples: Artifact, week: list[Artifact]
) -> None:
    """Its weekday and its weather are another day's, and that is no skew."""
    for described in week:  # a log for each day in turn, the latest of which is the one that counts
        span, digest = described.manifest.span, described.manifest.inputs["examples"]
        log(flights, store.find("examples", "flights", span, digest), 1200)
        found = checks(flights, examples, week)
        assert told(found, Status.PASSED) == set(found), span
        assert len(found) == 14


def test_another_mix_of_travellers_warns_of_what_nobody_bounds_and_halts_nothing(
    flights: spec.Spec, examples: Artifact, week: list[Artifact]
) -> None:
    log(flights, examples, 3000, lambda asked: asked[asked.carrier != "UA"])
    found = checks(flights, examples, week)
    assert "carrier" in told(found, Status.WARNED)
    assert not told(found, Status.FAILED)
    assert found["carrier"].message.startswith("carrier moved between training and serving: 'UA' ")
    assert "no skew_comparator bounds it" in found["carrier"].message


# Faults


def utc(asked: pd.DataFrame) -> pd.DataFrame:
    return asked.assign(hour=(asked.hour + 5) % 24, minute=(asked.minute + 300) % 1440)


def truncated(asked: pd.DataFrame) -> pd.DataFrame:
    return asked.assign(**{c: np.trunc(asked[c]) for c in WEATHER})


def stale(asked: pd.DataFrame) -> pd.DataFrame:
    return asked.assign(**{c: asked[c].iloc[0] for c in ("temp", "dewp", "humid", "wind_speed")})


FAULTS: dict[str, tuple[Change, set[str], str]] = {
    "miles sent as kilometres": (
        lambda asked: asked.assign(distance=asked.distance * 1.609),
        {"distance"},
        "distance moved between training and serving: its mean went from 9",
    ),
    "Celsius": (
        lambda asked: asked.assign(temp=(asked.temp - 32) / 1.8),
        {"temp"},
        "Jensen–Shannon divergence 1; at most 0.5, schemas/flights.pbtxt",
    ),
    "knots": (
        lambda asked: asked.assign(wind_speed=(asked.wind_speed / 1.15078).round()),
        {"wind_speed"},
        "wind_speed has a fraction in 0 % of its values served, against ",
    ),
    "hours in UTC": (
        utc,
        {"hour", "minute"},
        "values that no row of the window had: '",
    ),
    "never sent": (
        lambda asked: asked.assign(humid=np.float32("nan")),
        {"humid"},
        "humid is missing in 100 % of the rows served, against 0 % of those trained on (1500 rows "
        f"served on {DAY}, 932 trained on)",
    ),
    "empty texts": (
        lambda asked: asked.assign(dest=""),
        {"dest"},
        "dest is missing in 100 % of the rows served",
    ),
    "missing now and then": (
        lambda asked: asked.assign(temp=asked.temp.where(np.arange(len(asked)) % 10 > 0)),
        {"temp"},
        "temp is missing in 10 % of the rows served, against 0 % of those trained on",
    ),
    "lower case": (
        lambda asked: asked.assign(carrier=asked.carrier.str.lower()),
        {"carrier"},
        "carrier is served with 100 % values that no row of the window had: '",
    ),
    "a space at the end": (
        lambda asked: asked.assign(dest=asked.dest + " "),
        {"dest"},
        "dest is served with 100 % values that no row of the window had: '",
    ),
    "weekdays from 0": (
        lambda asked: asked.assign(weekday=asked.weekday - 1),
        {"weekday"},
        "'4' went from 100 % to 0 % (L∞ 1; at most 0.1, schemas/flights.pbtxt)",
    ),
    "swapped columns": (
        lambda asked: asked.assign(origin=asked.dest, dest=asked.origin),
        {"origin", "dest"},
        "origin is served with 100 % values that no row of the window had: '",
    ),
    "decimals cut off": (
        truncated,
        {"temp", "dewp", "humid", "wind_speed", "pressure"},
        "temp has a fraction in 0 % of its values served, against ",
    ),
    "one value all day": (
        stale,
        {"temp", "dewp", "humid", "wind_speed"},
        "temp moved between training and serving: its mean went from ",
    ),
    "missing sent as a value": (
        lambda asked: asked.assign(pressure=asked.pressure.fillna(0), visib=-999),
        {"visib", "pressure"},
        "visib is served with 100 % values that no row of the window had: -999 to -999 (known",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_what_clients_send_halts_and_names_column_and_figures(
    flights: spec.Spec, examples: Artifact, week: list[Artifact], fault: str
) -> None:
    change, columns_of, words = FAULTS[fault]
    log(flights, examples, change=change)
    found = checks(flights, examples, week)
    assert told(found, Status.FAILED) == columns_of
    assert any(words in found[column].message for column in columns_of)
    for column in columns_of:
        assert found[column].message.endswith(f"(1500 rows served on {DAY}, 932 trained on)")
        assert found[column].seen
        assert found[column].expected


def test_the_gate_halts_on_skew_unless_it_is_silenced(
    flights: spec.Spec, examples: Artifact, week: list[Artifact]
) -> None:
    log(flights, examples, change=lambda asked: asked.assign(distance=asked.distance * 1.609))
    verdict = judged(flights, examples, week)
    assert verdict.status is Status.FAILED
    assert verdict.reason.startswith(f"data gate halted flights {DAY}: distance moved between ")
    path = home.pipelines() / "flights" / "pipeline.yaml"
    said = yaml.safe_load(path.read_text())
    silence = {"check": "skew", "column": "distance", "until": DAY, "because": "ticket 7"}
    path.write_text(yaml.safe_dump({**said, "data_gate": {"silenced": [silence]}}))
    assert judged(pipelines.load("flights"), examples, week).passed


def test_what_a_sensitive_column_holds_is_not_told(
    flights: spec.Spec, examples: Artifact, week: list[Artifact]
) -> None:
    path = home.pipelines() / "flights" / "pipeline.yaml"
    said = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**said, "data_gate": {"sensitive": ["carrier", "distance"]}}))
    flights = pipelines.load("flights")
    log(
        flights,
        examples,
        change=lambda asked: asked.assign(carrier="SECRET", distance=asked.distance * 1.609),
    )
    checks = judged(flights, examples, week).checks
    of_skew = [c for c in checks if c.name == "skew" and c.subject in ("carrier", "distance")]
    assert [check.status for check in of_skew] == [Status.FAILED] * 2
    text = "".join(check.model_dump_json() for check in of_skew)
    assert "SECRET" not in text
    assert "mean went" not in text
    assert "4983" not in text  # miles to Honolulu, the end of the known range


# Failing closed


def test_a_log_that_cannot_be_read_shuts_the_gate_until_it_is_mended(
    flights: spec.Spec, examples: Artifact, week: list[Artifact]
) -> None:
    path = log(flights, examples)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    verdict = judged(flights, examples, week)
    assert verdict.status is Status.ERROR
    assert f"skew could not be measured: SluiceError: {home.short(path)} cannot" in verdict.reason
    path.write_bytes(whole)
    assert judged(flights, examples, week).passed


def test_a_comparator_that_tfdv_cannot_apply_is_an_error_and_no_pass(
    flights: spec.Spec, examples: Artifact, week: list[Artifact]
) -> None:
    flights = amend(
        flights,
        "skew_comparator { jensen_shannon_divergence { threshold: 0.5 } }  # °C comes to 1",
        "skew_comparator { infinity_norm { threshold: 0.5 } }",
    )
    log(flights, examples)
    found = checks(flights, examples, week)
    assert told(found, Status.ERROR) == {"temp"}
    assert "its skew_comparator gives no distance (schemas/flights.pbtxt)" in found["temp"].message


# Once


def test_served_statistics_are_made_once_and_again_for_a_log_that_grew(
    flights: spec.Spec, examples: Artifact, week: list[Artifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    real = describe.statistics_of
    monkeypatch.setattr(
        describe, "statistics_of", lambda table, c: made.append(len(table)) or real(table, c)
    )
    described = describe.describe(flights, examples)
    log(flights, examples, 1100)
    made.clear()
    first = validate_data(flights, examples, described, week)
    assert validate_data(flights, examples, described, week) == first
    amended = amend(flights, "threshold: 0.12", "threshold: 0.13")
    assert validate_data(amended, examples, described, week) != first
    assert made == [1100]
    log(flights, examples, 1200, lambda asked: asked.assign(weekday=7))
    second = validate_data(amended, examples, described, week)
    assert made == [1100, 2300]
    assert gates.read(first).passed
    assert gates.read(second).status is Status.FAILED  # a new log is a new judgement
    assert first.manifest.inputs.keys() == second.manifest.inputs.keys()
    assert f"served/{DAY}" in first.manifest.inputs


def test_a_column_that_is_fed_from_now_on_is_read_from_logs_already_described(
    flights: spec.Spec, examples: Artifact, week: list[Artifact]
) -> None:
    log(flights, examples)
    assert "flight" not in checks(flights, examples, week)
    old = 'int_domain { min: 1 max: 9999 }\n  not_in_environment: "SERVING"'
    amended = amend(flights, old, "int_domain { min: 1 max: 9999 }")
    assert told(checks(amended, examples, week), Status.FAILED) == {
        "flight"
    }  # clients never sent it


# Chance


@pytest.mark.parametrize("share", [0.0, 0.002, 0.05, 0.5])
@pytest.mark.parametrize("others", [100, 900])
def test_shares_of_one_population_are_hardly_ever_unlike(share: float, others: int) -> None:
    random = np.random.default_rng(1)
    some, other = random.binomial(1000, share, 20_000), random.binomial(others, share, 20_000)
    unlike = [chance.unlike(a, 1000, b, others) for a, b in zip(some, other, strict=True)]
    assert sum(unlike) <= 20  # two are what is asked for


def test_samples_of_one_population_are_hardly_ever_apart() -> None:
    random = np.random.default_rng(1)
    far = []
    for _ in range(2000):
        one, other = np.sort(random.random(1000)), np.sort(random.random(300))
        at = np.concatenate([one, other])
        below = [np.searchsorted(s, at, "right") / len(s) for s in (one, other)]
        far.append(np.abs(below[0] - below[1]).max())
    assert max(far) < chance.apart(1000, 300)
    assert chance.apart(1000, 300) < 0.15


@given(
    st.lists(st.integers(0, 9), min_size=200, max_size=400),
    st.lists(st.integers(0, 9), min_size=200, max_size=400),
)
def test_the_distance_of_two_columns_is_never_told_larger_than_it_is(
    one: list[int], other: list[int]
) -> None:
    told = questions._distance(np.quantile(one, LEVELS), np.quantile(other, LEVELS))
    at = np.arange(10)
    below = [np.searchsorted(np.sort(s), at, "right") / len(s) for s in (one, other)]
    assert told <= np.abs(below[0] - below[1]).max() + 1 / 200 + 1e-9


def test_what_a_column_that_moved_far_is_told_to_have_moved_is_most_of_it() -> None:
    one, other = np.linspace(0, 1, 500), np.linspace(0.3, 1.3, 500)
    told = questions._distance(np.quantile(one, LEVELS), np.quantile(other, LEVELS))
    assert 0.24 < told < 0.3001
