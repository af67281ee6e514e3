"""What `sensitive` names is quoted by nothing that the data gate writes, logs or prints."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components import (
    describe,
    gates,
    home,
    ingest,
    pipelines,
    plan,
    quarantine,
    served,
    spans,
    spec,
)
from components.errors import Halted
from components.store import Artifact
from components.validate_data import LAYERS, validate_data
from components.validate_data.anomalies import serving_checks
from components.validate_data.rows import masked
from components.verdict import Status

DAYS = spans.between("2013-01-01", "2013-01-15")
TODAY = DAYS[-1]
SECRETS = ("Xanthippe", "31337", "3.134e+04", "Yolande", "Zebedee", "Wilhelmina")
YAML = {
    "source": {"path": "var/upstream/{span}.parquet"},
    "span": {"first": DAYS[0]},
    "window": {"train": 14, "evaluate": 6},
    "label": "late",
    "key": ["id"],
    "data_gate": {"sensitive": ["name", "wage"], "learning": 14},
    "thresholds": [{"metric": "auc", "at_least": 0.5}],
    "serving": {"name": "people"},
}
SCHEMA = """
default_environment: "TRAINING"
default_environment: "SERVING"
feature { name: "id" type: INT not_in_environment: "SERVING" }
feature {
  name: "name" type: BYTES domain: "name"
  drift_comparator { infinity_norm { threshold: 0.3 } }
}
feature { name: "wage" type: FLOAT float_domain { max: 9000 } }
feature { name: "town" type: BYTES }
feature { name: "late" type: INT not_in_environment: "SERVING" }
string_domain { name: "name" value: "Zebedee" value: "Wilhelmina" value: "Ann" }
"""


@pytest.fixture
def people(house: Path) -> spec.Spec:
    """A pipeline with a name and a wage that nobody is to see, and three weeks of it landed."""
    folder = home.pipelines() / "people"
    folder.mkdir()
    (folder / "pipeline.yaml").write_text(yaml.safe_dump(YAML))
    (folder / "ingest.sql").write_text("FROM read_parquet($source)")
    (folder / "model.py").write_text("def model(inputs, vocabulary_sizes):\n    return None\n")
    (home.schemas() / "people.pbtxt").write_text(SCHEMA)
    for day in DAYS:
        land(day, rows(day))
    return pipelines.load("people")


def rows(day: str, names: Sequence[str] = ("Zebedee", "Wilhelmina", "Ann")) -> dict[str, object]:
    draw = np.random.default_rng(spans.parse(day).toordinal())
    count = 400
    return {
        "id": np.arange(count),
        "name": draw.choice(names, count),
        "wage": draw.normal(3000, 200, count).round(),
        "town": draw.choice(["Rye", "Hay", "Wells"], count),
        "late": draw.integers(0, 2, count),
    }


def land(day: str, table: dict[str, object]) -> None:
    path = home.var() / "upstream" / f"{day}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(table), path)


def judged(what: spec.Spec) -> Artifact:
    known = [describe.describe(what, ingest.ingest(what, day)) for day in DAYS]
    return validate_data(what, ingest.current(what, TODAY), known[-1], known[:-1])


def tells_nothing(*written: str) -> None:
    for secret in SECRETS:
        for text in written:
            assert secret not in text, text[max(0, text.find(secret) - 300) :][:600]


def faulty(**changed: Callable[[np.ndarray], object]) -> None:
    table = rows(TODAY)
    land(TODAY, table | {column: change(table[column]) for column, change in changed.items()})


FAULTS: dict[str, dict[str, Callable[[np.ndarray], object]]] = {
    "new values": {"name": lambda v: np.where(np.arange(400) % 3, "Xanthippe", "Yolande")},
    "beyond the range": {"wage": lambda v: np.where(np.arange(400) % 3, v, 31337.0)},
    "a lost value": {"name": lambda v: np.full(400, "Zebedee")},
    "swapped with one that is shown": {"town": lambda v: rows(TODAY)["name"]},
    "rows lost": {c: lambda v: v[:90] for c in ("id", "name", "wage", "town", "late")},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_that_the_gate_writes_quotes_a_sensitive_value(
    people: spec.Spec, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    faulty(**FAULTS[fault])
    artifact = judged(people)
    verdict = gates.read(artifact)
    assert not verdict.passed
    texts = {f.name: f.read_text() for f in artifact.folder.iterdir() if f.suffix != ".binpb"}
    assert set(texts) == {"verdict.json", "verdict.html", "anomalies.pbtxt", "manifest.json"}
    if fault == "swapped with one that is shown":  # they are shown where they came to stand
        assert not any(c.subject in ("name", "wage") for c in verdict.offences)
        return
    schema_of_the_house = texts["anomalies.pbtxt"].partition("anomaly_info")
    tells_nothing(texts["verdict.json"], texts["verdict.html"], texts["manifest.json"], caplog.text)
    tells_nothing(*(part for part in schema_of_the_house[1:]))


def test_a_cause_of_the_rows_as_a_whole_quotes_no_sensitive_value(people: spec.Spec) -> None:
    table = rows(TODAY)
    kept = np.asarray(table["name"]) != "Zebedee"
    land(TODAY, {column: np.asarray(values)[kept] for column, values in table.items()})
    artifact = judged(people)
    verdict = gates.read(artifact)
    assert any(c.name == "history" and c.subject == "rows" for c in verdict.offences)
    tells_nothing(artifact.file("verdict.json").read_text())
    shown = people.model_copy(
        update={"data_gate": people.data_gate.model_copy(update={"sensitive": ()})}
    )
    assert "Zebedee" in gates.read(judged(shown)).reason  # as it would be told


def test_what_only_a_client_may_not_send_quotes_no_sensitive_value(people: spec.Spec) -> None:
    found = anomalies_pb2.Anomalies()
    reason = found.anomaly_info["name"].reason.add()
    reason.type = anomalies_pb2.AnomalyInfo.ENUM_TYPE_UNEXPECTED_STRING_VALUES
    reason.short_description = "Unexpected string values"
    reason.description = "Examples contain values missing from the schema: Xanthippe (~66%)."
    none = anomalies_pb2.Anomalies()
    (check,) = serving_checks(found, none, ["name"], "schemas/people.pbtxt")
    assert (check.subject, check.status) == ("name", Status.FAILED)
    assert "Xanthippe" in check.message
    (told,) = masked(people, [check])
    tells_nothing(told.model_dump_json())
    (passed,) = serving_checks(found, found, ["name"], "schemas/people.pbtxt")  # told already
    assert passed.status is Status.PASSED


@pytest.mark.parametrize("layer", LAYERS)
def test_a_crash_tells_its_place_and_not_its_words(
    people: spec.Spec, monkeypatch: pytest.MonkeyPatch, layer: str
) -> None:
    def crash(*asked: object) -> None:
        raise ValueError("could not convert 'Xanthippe'")

    monkeypatch.setitem(LAYERS, layer, crash)
    verdict = gates.read(judged(people))
    assert verdict.status is Status.ERROR
    tells_nothing(verdict.reason)
    assert "ValueError in test_sensitive.py line " in verdict.reason


def test_a_rule_that_fails_on_a_value_does_not_quote_it(people: spec.Spec) -> None:
    folder = people.folder / "rules"
    folder.mkdir()
    (folder / "number.sql").write_text("-- Names are numbers.\nFROM examples WHERE name::INT > 1")
    verdict = gates.read(judged(pipelines.load("people")))
    assert verdict.status is Status.ERROR
    tells_nothing(verdict.reason)
    assert "rules/number.sql: Conversion Error, whose words may quote a value" in verdict.reason


def test_an_ingest_that_fails_on_a_value_does_not_quote_it(people: spec.Spec) -> None:
    path = people.folder / "ingest.sql"
    path.write_text("SELECT * REPLACE (name::INT AS name) FROM read_parquet($source)")
    with pytest.raises(Halted) as halted:
        plan.ingest("people", TODAY)
    tells_nothing(str(halted.value), halted.value.verdict.model_dump_json())


def test_a_log_of_what_was_served_is_not_quoted(people: spec.Spec) -> None:
    served.write("people", TODAY, {"name": ["Ann"], "wage": ["31337"], "town": ["Rye"]})
    verdict = gates.read(judged(people))
    assert verdict.status is Status.ERROR
    assert "column 'wage' holds what no client can have sent" in verdict.reason
    tells_nothing(verdict.reason)


def test_what_was_served_is_held_against_what_was_trained_on_without_a_word_of_it(
    people: spec.Spec,
) -> None:
    asked = rows(TODAY, ["Xanthippe", "Ann"]) | {"wage": np.full(400, 31337.0)}
    fed = {column: list(asked[column]) * 3 for column in ("name", "wage", "town")}  # type: ignore[call-overload]
    served.write("people", TODAY, fed)
    artifact = judged(people)
    skewed = {c.subject for c in gates.read(artifact).offences if c.name == "skew"}
    assert skewed == {"name", "wage"}
    tells_nothing(artifact.file("verdict.json").read_text())


def test_neither_a_draft_nor_a_suggestion_nor_the_quarantine_quotes_one(
    people: spec.Spec,
) -> None:
    from components.schema_life import infer
    from components.schema_life.observed import observe
    from components.schema_life.suggest import of
    from components.validate_data.subject import Subject

    faulty(name=FAULTS["new values"]["name"], wage=FAULTS["beyond the range"]["wage"])
    run = plan.ingest("people", TODAY).run
    plan.perform(plan.STEPS["describe"], "people", run.id)
    with pytest.raises(Halted) as halted:
        plan.perform(plan.STEPS["validate_data"], "people", run.id)
    (delivery,) = quarantine.deliveries(people)
    tells_nothing(str(halted.value), delivery.model_dump_json())

    known = [describe.describe(people, ingest.ingest(people, day)) for day in DAYS]
    subject = Subject(people, ingest.current(people, TODAY), known[-1], known[:-1])
    added = [line for line in of(subject).told.splitlines() if line.startswith("+")]
    assert added
    tells_nothing(*added)

    (home.schemas() / "people.pbtxt").unlink()
    outline = pipelines.outline("people")
    tells_nothing(infer.draft(outline, observe(outline, DAYS, print), print))
