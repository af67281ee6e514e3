"""The ledger only grows, counts whole lines only, and knows which model serves."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime

import pytest
from tiny_house import NAME, House

from components import ledger, store
from components.ledger import Release


@pytest.fixture
def path(tmp_path, monkeypatch):
    House(tmp_path, monkeypatch)
    return store.root(NAME) / "ledger.jsonl"


def line(version: int, event: str = "released", **changes) -> Release:
    about = {
        "event": event,
        "at": datetime.now(UTC),
        "pipeline": NAME,
        "span": "2013-02-07",
        "run": f"run-{version}",
        "fingerprint": f"print-{version}",
        "version": version,
        "model": f"model-{version}",
        "artifact": f"train/2013-02-07/{version}",
        "baseline": None,
        "verdicts": {"infra": "passed"},
        "metrics": {"auc": 0.7},
    }
    return Release(**{**about, **changes})


def test_nothing_is_released_before_the_first_line(path):
    assert ledger.baseline(NAME) is None
    assert ledger.entries(NAME) == []


def test_only_a_released_line_makes_a_baseline(path):
    ledger.append(line(1))
    ledger.append(line(2, "pushing"))
    ledger.append(line(3, "refused"))
    assert ledger.baseline(NAME).version == 1
    assert ledger.of_fingerprint(NAME, "print-2") is None
    assert ledger.of_fingerprint(NAME, "print-1").version == 1


def test_the_highest_version_serves_whatever_the_order_of_lines(path):
    for version in (1, 3, 2):
        ledger.append(line(version))
    assert ledger.baseline(NAME).version == 3


def test_a_torn_line_does_not_count_and_does_not_tear_the_next(path):
    ledger.append(line(1))
    with path.open("a") as file:
        file.write(line(2).model_dump_json()[:40])
    assert ledger.baseline(NAME).version == 1
    ledger.append(line(3))
    assert [entry.version for entry in ledger.entries(NAME)] == [1, 3]


def test_lines_of_processes_that_write_at_once_stay_whole(path):
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as processes:
        list(processes.map(ledger.append, [line(version) for version in range(1, 41)]))
    assert sorted(entry.version for entry in ledger.entries(NAME)) == list(range(1, 41))
