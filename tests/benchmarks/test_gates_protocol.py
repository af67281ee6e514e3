"""How the data gate is tried: nothing is known but the spans before, and the figures add up."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.gates import protocol, report
from benchmarks.gates.baselines import Tests, ZScores
from benchmarks.gates.figures import figures, frame, interval
from benchmarks.gates.methods import Judge
from benchmarks.gates.picture import draw
from benchmarks.gates.protocol import BY_COLUMN, BY_TABLE, Effort, Record
from benchmarks.gates.run import Tried
from benchmarks.gates.tables import Table

SPANS, EFFORT = 80, Effort(clean=20, faulty=2, clean_of_column=5, faulty_of_column=1)


def table(spans: int = SPANS) -> Table:
    rng = np.random.default_rng(3)
    days = {
        f"2024-{k // 28 + 1:02d}-{k % 28 + 1:02d}": pa.table(
            {
                "amount": np.round(rng.gamma(4, 5, 40), 2),
                "shop": rng.choice(["ulm", "bonn", "kiel"], 40).tolist(),
                "paid": rng.random(40) < 0.9,
            }
        )
        for k in range(spans)
    }
    return Table("till", "made", "report", days, changes=frozenset(["2024-03-20"]))


def told(span: pa.Table) -> str:
    return str(span.to_pydict())


TABLE = table()
CLEAN = {
    told(part)
    for span in TABLE.spans.values()
    for part in (span, *(span.select([name]) for name in span.column_names))
}


class Witness:
    """A method that alarms at whatever is no span of the table, and keeps what it was given."""

    given: ClassVar[list[list[str]]] = []

    def __init__(self, categories: Sequence[str], warm_up: int) -> None:
        self.looks = 0

    def look(self, span: pa.Table) -> str:
        self.looks += 1
        return told(span)

    def expect(self, past: Sequence[str]) -> Judge:
        Witness.given.append(list(past))
        return lambda look: 0.0 if look in CLEAN else 2.0


@pytest.fixture
def witness(monkeypatch: pytest.MonkeyPatch) -> type[Witness]:
    monkeypatch.setitem(protocol.METHODS, "witness", Witness)
    monkeypatch.setitem(protocol.OF_COLUMNS, "witness", Witness)
    monkeypatch.setattr(Witness, "given", [])
    return Witness


def test_a_method_knows_every_span_before_and_none_after(witness: type[Witness]) -> None:
    list(protocol.by_table(TABLE, {"witness": EFFORT}))
    days = [told(span) for span in TABLE.spans.values()]
    counts = [len(past) for past in witness.given]
    assert counts == sorted(counts)
    assert min(counts) >= protocol.warm_up(SPANS)
    assert all(past == days[: len(past)] for past in witness.given)


def test_whole_tables_are_tried_clean_and_in_every_fault_that_applies(witness) -> None:
    records = list(protocol.by_table(TABLE, {"witness": EFFORT}))
    clean = [r for r in records if not r.fault]
    assert len({r.span for r in clean}) == len(clean) >= EFFORT.clean
    assert not any(r.score > 1 for r in clean)
    faulty = [r for r in records if r.fault]
    assert len({r.span for r in faulty}) == EFFORT.faulty
    assert {r.family for r in faulty} == {"numeric", "string", "table"}
    assert len({r.fault for r in faulty}) > 120
    assert "2024-03-20" not in {r.span for r in faulty}


def test_columns_alone_are_tried_in_avhs_set_ups_only(witness: type[Witness]) -> None:
    records = list(protocol.by_column(TABLE, {"witness": EFFORT}))
    assert {r.column for r in records} == {"amount", "shop"}
    assert all(r.score > 1 for r in records if r.fault)
    assert not any(r.score > 1 for r in records if not r.fault)
    faults = {
        r.column: {x.fault for x in records if x.fault and x.column == r.column} for r in records
    }
    # a table of two columns, one of each type, has no other column's values to put in
    assert 20 <= len(faults["amount"]) <= 27
    assert 20 <= len(faults["shop"]) <= 33


def test_the_same_run_twice_gives_the_same_scores() -> None:
    tried = {"z-scores": EFFORT}
    once, again = ([*protocol.by_table(TABLE, tried)] for _ in range(2))
    assert [replace(r, look_ms=0, judge_ms=0) for r in once] == [
        replace(r, look_ms=0, judge_ms=0) for r in again
    ]


@pytest.mark.parametrize("method", [ZScores, Tests])
def test_a_baseline_passes_the_like_and_not_what_is_a_thousand_times_as_much(method) -> None:
    spans = list(TABLE.spans.values())
    asked = method((), 60)
    judge = asked.expect([asked.look(span) for span in spans[:-1]])
    loud = spans[-1].set_column(0, "amount", pa.array(spans[-1]["amount"].to_numpy() * 1000))
    assert judge(asked.look(loud)) > max(1.0, judge(asked.look(spans[-1])))


def test_tfdvs_schemas_alarm_at_a_new_kind_of_value_and_the_curated_one_forgives_one() -> None:
    from benchmarks.gates.tfdv_baselines import Curated, Inferred

    spans = list(TABLE.spans.values())
    few = ["oslo", *spans[-1]["shop"].to_pylist()[1:]]
    one_new = spans[-1].set_column(1, "shop", pa.array(few))
    all_new = spans[-1].set_column(1, "shop", pa.array(["oslo"] * 40))
    schemas = {}
    for method in (Inferred, Curated):
        asked = method((), 60)
        judge = asked.expect([asked.look(span) for span in spans[:-1]])
        assert judge(asked.look(all_new)) > 1
        schemas[method] = judge(asked.look(one_new)) - judge(asked.look(spans[-1]))
    assert schemas[Inferred] > 0
    assert schemas[Curated] == 0


def record(score: float, fault: str = "", **more: object) -> Record:
    about = {"method": "Sluice", "protocol": BY_TABLE, "table": "a", "span": "1", "column": ""}
    family = fault.split(":")[0]
    return Record(**about | {"family": family, "fault": fault, "rows": 200, "score": score,
                            "look_ms": 1.0, "judge_ms": 2.0} | more)  # fmt: skip


TIMES, NULLS = "numeric: ×1.1 100%", "string: nulls 10%"
HELD = [
    *(record(2.0 if k == 0 else 0.5, span=str(k)) for k in range(10)),
    *(record(0.1, table="b", span=str(k)) for k in range(30)),
    record(9.0, table="b", span="change"),
    *(record(2.0, TIMES) for _ in range(3)),
    record(0.9, TIMES),
    *(record(0.2, TIMES, table="b") for _ in range(4)),
    record(3.0, NULLS),
    *(
        record(0.1, protocol=BY_COLUMN, family="numeric", column="x", span=str(k))
        for k in range(29)
    ),
    record(1.5, protocol=BY_COLUMN, family="numeric", column="x"),
    record(2.0, "numeric: ×10 100%", protocol=BY_COLUMN, family="numeric", column="x"),
]
CHANGES = {"a": frozenset[str](), "b": frozenset(["change"])}


def test_every_table_weighs_the_same_in_false_halts_and_in_recall() -> None:
    found = figures(frame(HELD, CHANGES))["Sluice"]["tables"]
    assert found["false_halts"] == pytest.approx((1 / 10 + 0 / 30) / 2)
    assert (found["halts"], found["days"]) == (1, 40)
    assert found["worst"][0] == {"table": "a", "rate": 0.1, "days": 10}
    assert found["recall"]["numeric"] == pytest.approx((3 / 4 + 0) / 2)
    assert found["recall"]["all"] == pytest.approx((3 / 8 + 1) / 2)
    assert found["known"] == {"spans": 1, "alarms": 1}


def test_precision_alone_is_at_avhs_base_rate() -> None:
    found = figures(frame(HELD, CHANGES))["Sluice"]["columns"]["numeric"]
    assert found["false_alarms"] == pytest.approx(1 / 30)
    assert found["recall"] == 1.0
    assert found["precision"] == pytest.approx(1 / (1 + 30 * 1 / 30))  # one set-up, one false alarm
    assert found["recall_when_precise"] == 1.0  # a limit between 1.5 and 2 is never wrong


def test_the_interval_of_a_rate_is_clopper_and_pearsons() -> None:
    assert interval(0, 100) == pytest.approx((0.0, 0.03622), abs=1e-4)
    assert interval(5, 100) == pytest.approx((0.01643, 0.11284), abs=1e-4)


def test_the_report_names_what_is_hard_to_see_and_the_picture_is_svg() -> None:
    found = figures(frame(HELD, CHANGES))
    tried = [Tried(name, "made", "day", 40, 200, 3, CHANGES[name], ()) for name in ("a", "b")]
    text = report.markdown(found, tried)
    assert f"| {TIMES} | .375 |" in text
    assert NULLS not in text[text.index("What stays invisible") :]
    root = ElementTree.fromstring(draw(found))
    assert root.tag.endswith("svg")
    assert "nan" not in draw(found)
