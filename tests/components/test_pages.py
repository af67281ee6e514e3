"""Verdict pages: the offence is seen first, all evidence is shown, and data cannot become markup."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.ledger import Release
from components.pages import message_page, step_page, verdict_page
from components.runs import Run, StepRecord
from components.verdict import Check, Status, Verdict

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}"
VOID = {"meta", "br"}


class Page(HTMLParser):
    """What a browser would make of a page: its elements, their attributes, its visible text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(html)
        assert not self.open, f"{self.open} are never closed"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        if self.open and self.open[-1] != "style" and data.strip():
            self.texts.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(self.texts)


def verdict(*checks: Check, **about) -> Verdict:
    given = {"gate": "data", "pipeline": "flights", "span": "2013-02-08", "speaks_of": {}}
    return Verdict(**(given | about), checks=checks)


def volume(status: Status = Status.FAILED, **about) -> Check:
    told = {"subject": "rows", "seen": "472 rows", "expected": "718 to 1,010 rows"}
    return Check(name="volume", status=status, **({"message": "472 rows came"} | told | about))


def release() -> Release:
    return Release(
        event="released",
        at=datetime.now(UTC),
        pipeline="flights",
        span="2013-02-07",
        run="r",
        fingerprint="f",
        version=7,
        model="m",
        artifact="a",
        baseline=None,
        verdicts={},
        metrics={},
    )


def test_halted_page_tells_the_offence_before_anything_else():
    fine = volume(Status.PASSED, seen="fine figures")
    text = Page(verdict_page(verdict(fine, volume()), serving=release())).text
    told = ["data gate halted", "flights 2013-02-08", "Meanwhile version 7, of 2013-02-07"]
    told += [
        "rows",
        "volume failed",
        "472 rows came",
        "472 rows",
        "718 to 1,010 rows",
        "fine figures",
    ]
    places = [text.index(part) for part in told]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("checks", "said"),
    [
        ((volume(Status.PASSED),), "data gate passed"),
        ((volume(Status.FAILED),), "data gate halted"),
        ((volume(Status.ERROR), volume(Status.FAILED)), "data gate could not judge"),
        ((), "no checks is not a pass"),
        ((volume(Status.SKIPPED),), "data gate could not judge"),
    ],
)
def test_page_says_how_the_gate_came_out(checks, said):
    assert said in Page(verdict_page(verdict(*checks))).text


@pytest.mark.parametrize("status", list(Status))
def test_no_check_is_left_out(status):
    checks = [volume(status, subject=f"column_{n}", message=f"told of {n}") for n in range(5)]
    text = Page(verdict_page(verdict(*checks))).text
    assert all(f"column_{n}" in text and f"told of {n}" in text for n in range(5))


EVIDENCE = {
    "a figure": 0.123456,
    "an amount": 336776,
    "a sentence": "rows of a day",
    "lines": "first line\nlast line",
    "nothing": None,
    "yes or no": True,
    "pairs": {"rows_in": 930, "rejected": None},
    "listed": [908, 910.5, "three"],
    "empty": [],
    "rows": [{"column": "carrier", "missing": 0.5}, {"column": "dest", "top": ["ATL", "ORD"]}],
    "deep": {"one": {"two": [{"three": "found at last"}]}},
    "summary": "in one line",
    "metrics": {"auc": 0.71, "loss": 0.44},
    "baseline_metrics": {"auc": 0.69},
    "slices": [
        {
            "slice": "origin=JFK",
            "examples": 2000,
            "candidate": {"auc": 0.81},
            "baseline": {"auc": 0.5},
        },
        {"slice": "origin=LGA", "examples": 9, "candidate": {"auc": None}},
    ],
    "latency_histogram": [
        {"up to ms": 1.0, "rest": 3, "grpc": 100},
        {"up to ms": 2.0, "rest": 150, "within budget": False},
    ],
    "memory": {"budget MB": 2000, "peak MB": 640.5, "over time": [{"s": 0, "MB": 9}]},
}
FOUND = [
    "0.1235",
    "336,776",
    "rows of a day",
    "last line",
    "yes",
    "rows in 930",
    "908, 910.5, three",
]
FOUND += ["carrier", "ATL, ORD", "found at last", "in one line", "0.71", "0.69", "origin=JFK"]
FOUND += ["2,000", "0.81", "0.5", "up to ms", "150", "over the budget", "640.5 MB at the peak"]


@pytest.mark.parametrize("said", FOUND)
def test_evidence_of_any_shape_is_shown(said):
    assert said in Page(verdict_page(verdict(volume(), evidence=EVIDENCE))).text


@pytest.mark.parametrize("said", FOUND[:10])
def test_figures_behind_an_offence_are_shown(said):
    values = {name: EVIDENCE[name] for name in list(EVIDENCE)[:11]}
    assert said in Page(verdict_page(verdict(volume(values=values)))).text


def difference(slice_: str, **about) -> dict:
    row = {"slice": slice_, "metric": "auc", "better": 1, "examples": 900, "candidate": 0.7}
    row |= {"baseline": 0.72, "difference": -0.02, "interval": [-0.05, 0.01], "tolerated": 0.06}
    return row | {"status": "passed", "harm": -0.07} | about


# A real one has more of everything.
JUDGED = {
    "metrics": {"auc": 0.71, "loss": 0.44},
    "baseline_metrics": {"auc": 0.73, "loss": 0.43},
    "differences": [
        difference("origin=JFK", difference=-0.2, status="failed", harm=0.1),
        difference("overall"),
        difference("origin=LGA", interval=None),
        difference("origin=VLA", underpowered=True, needs=4000.0, examples=12),
    ],
    "curves": {
        "roc": {"candidate": {"points": [[0, 0], [0.4, 0.7], [1, 1]], "area": 0.654}},
        "calibration": {
            "candidate": [{"score": 0.2, "positives": 0.25, "interval": [0.2, 0.3], "examples": 90}]
        },
        "edges": [0.0, 0.5, 1.0],
        "scores": {"candidate": {"positive": [1, 2], "negative": [5, 1]}},
    },
    "changes": {
        "windows": {"baseline": ["2013-01-01"], "candidate": ["2013-01-02"], "judging": []},
        "entered": ["2013-01-02"],
        "left": ["2013-01-01"],
        "settings": [{"name": "epochs", "baseline": 8, "candidate": 6}],
        "files": [{"name": "model.py", "baseline": "a" * 64, "candidate": "b" * 64}],
        "same_files": ["ingest.sql"],
        "statistics": [
            {
                "column": "temp",
                "statistic": "mean",
                "baseline": 40.5,
                "candidate": 44.25,
                "effect": 0.2,
            }
        ],
        "unknown": ["where the schema went"],
    },
}


def judged(**about) -> Verdict:
    check = Check(name="auc", subject="origin=JFK", status=Status.FAILED, message="auc is worse")
    values = {"bound": "worse_by_at_most", "candidate": 0.5, "examples": 900, "needs": 5000.0}
    check = check.model_copy(update={"values": values | {"interval": [-0.3, -0.1], "p": 0.002}})
    return verdict(check, **({"gate": "model", "evidence": JUDGED} | about))


def test_the_model_gate_tells_verdict_metrics_slices_scores_changes_in_this_order():
    text = Page(verdict_page(judged())).text
    told = ["model gate halted", "auc is worse", "p 0.002 · needs 5,000 examples", "Overall"]
    told += ["0.730", "most harmed first: auc", "origin=JFK", "origin=LGA"]
    told += ["1 too small to tell", "origin=VLA", "needs 4,000"]
    told += ["The scores", "What changed since the baseline", "where the schema went"]
    told += ["epochs", "model.py", "a" * 12, "temp mean", "44.25"]
    at = 0
    for part in told:
        at = text.index(part, at)


def test_every_picture_is_told_in_words():
    page = Page(verdict_page(judged()))
    drawn = [name for name, value in page.attributes if (name, value) == ("role", "img")]
    told = [value for name, value in page.attributes if name == "aria-label"]
    assert len(drawn) == len(told) >= 12
    assert all(told)
    assert (
        "auc of origin=JFK: −0.200, between −0.050 and +0.010; tolerated is 0.06 worse; failed"
        in told
    )


def test_a_long_list_of_offences_unfolds_and_none_is_left_out():
    checks = [volume(subject=f"column_{n}") for n in range(7)]
    page = Page(verdict_page(verdict(*checks)))
    assert all(f"column_{n}" in page.text for n in range(7))
    assert "4 more" in page.text


@pytest.mark.parametrize("name", list(JUDGED))
def test_the_page_of_a_model_gate_does_without_any_piece_of_evidence(name):
    less = {piece: held for piece, held in JUDGED.items() if piece != name}
    assert "model gate halted" in Page(verdict_page(judged(evidence=less))).text


@pytest.mark.parametrize("name", list(JUDGED))
def test_evidence_of_another_shape_than_its_picture_needs_is_shown_as_it_is(name):
    odd = JUDGED | {name: {"what": "another shape", "deep": [{"than": ["expected"]}]}}
    text = Page(verdict_page(judged(evidence=odd))).text
    assert "another shape" in text
    assert "expected" in text


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
JSON = st.recursive(
    SCALARS,
    lambda held: st.lists(held, max_size=3) | st.dictionaries(st.text(), held, max_size=3),
    max_leaves=8,
)
PARTS = st.dictionaries(st.sampled_from(["slice", "candidate", "baseline", "examples"]), JSON)
NAMES = st.sampled_from([*EVIDENCE, *JUDGED]) | st.text()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    evidence=st.dictionaries(NAMES, JSON | st.lists(PARTS, max_size=3), max_size=4),
    values=st.dictionaries(NAMES, JSON, max_size=4),
)
def test_no_evidence_keeps_a_verdict_from_being_told(evidence, values):
    page = Page(verdict_page(verdict(volume(values=values), evidence=evidence)))
    assert "data gate halted" in page.text


def poisoned() -> Verdict:
    """A verdict with hostile text wherever data can put one."""
    told = dict.fromkeys(("subject", "seen", "expected", "message"), HOSTILE)
    values = {HOSTILE: HOSTILE, "deep": {HOSTILE: [HOSTILE, {HOSTILE: HOSTILE}]}}
    checks = [volume(status, **told, values=values) for status in Status]
    slices = [{"slice": HOSTILE, "examples": HOSTILE, "candidate": {HOSTILE: HOSTILE}}]
    evidence = {HOSTILE: HOSTILE, "summary": HOSTILE, "slices": slices}
    evidence |= {"metrics": {HOSTILE: HOSTILE}, "log": f"{HOSTILE}\n{HOSTILE}"}
    evidence |= {"a_histogram": [{HOSTILE: HOSTILE, "b": HOSTILE}], "rows": [{HOSTILE: HOSTILE}]}
    return verdict(*checks, span=HOSTILE, speaks_of={HOSTILE: HOSTILE}, evidence=evidence)


def poisoned_model() -> Verdict:
    """The same where pictures are drawn: slices, metrics, columns and spans are data."""
    told = dict.fromkeys(("name", "subject", "seen", "expected", "message"), HOSTILE)
    values = {"bound": "worse_by_at_most", "candidate": HOSTILE, "interval": [HOSTILE]}
    changes = JUDGED["changes"] | {name: [HOSTILE] for name in ("left", "same_files", "unknown")}
    changes["windows"] = {key: [HOSTILE] for key in ("baseline", "candidate", HOSTILE)}
    changes["settings"] = [{"name": HOSTILE, "baseline": HOSTILE, "candidate": {HOSTILE: HOSTILE}}]
    changes["statistics"] = [
        one | {"column": HOSTILE, "statistic": HOSTILE} for one in changes["statistics"]
    ]
    curves = JUDGED["curves"]
    curves = {
        name: {HOSTILE: curves[name]["candidate"]} for name in ("roc", "calibration", "scores")
    }
    evidence = {
        "metrics": {HOSTILE: 0.5},
        "baseline_metrics": {HOSTILE: 0.5},
        "differences": [
            difference(slice_, metric=HOSTILE, status=HOSTILE) for slice_ in (HOSTILE, "overall")
        ],
        "curves": JUDGED["curves"] | curves,
        "changes": changes,
    }
    check = Check(status=Status.FAILED, **told, values=values)
    return verdict(check, gate="model", evidence=evidence)


def pages() -> dict[str, str]:
    run = Run(
        id=HOSTILE,
        pipeline=HOSTILE,
        span=HOSTILE,
        version=1,
        fingerprint="f",
        opened=datetime.now(UTC),
        examples={},
        admitted={},
        files={},
    )
    step = StepRecord(
        step=HOSTILE,
        outcome="error",
        artifact=None,
        message=HOSTILE,
        finished=datetime.now(UTC),
        seconds=1,
    )
    return {
        "verdict": verdict_page(poisoned()),
        "model": verdict_page(poisoned_model()),
        "step": step_page(run, step, None),
        "message": message_page(HOSTILE, HOSTILE),
    }


@pytest.mark.parametrize("kind", ["verdict", "model", "step", "message"])
def test_data_does_not_become_markup(kind):
    page = Page(pages()[kind])
    assert not {"script", "img", "iframe", "object", "link", "base", "form", "a"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert HOSTILE in page.text


@pytest.mark.parametrize("kind", ["verdict", "model", "step", "message"])
def test_page_fetches_nothing_and_runs_no_script(kind):
    html = pages()[kind]
    page = Page(html)
    assert not {"src", "href", "srcset", "action"} & {name for name, _ in page.attributes}
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes
    assert "url(" not in html
    assert "@import" not in html
