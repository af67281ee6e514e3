"""A record only grows: entries come back whole and in order, and a torn line takes no other along."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from components import records


class Entry(BaseModel):
    number: int
    text: str = ""


def test_no_record_holds_no_entries(tmp_path: Path) -> None:
    assert records.read(tmp_path / "none.jsonl", Entry) == []


@given(texts=st.lists(st.text(max_size=20), max_size=8), cut=st.integers(0, 400))
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_torn_end_costs_at_most_the_last_entry_and_none_that_follow(
    tmp_path: Path, texts: list[str], cut: int
) -> None:
    path = tmp_path / "record.jsonl"
    path.unlink(missing_ok=True)
    entries = [Entry(number=n, text=text) for n, text in enumerate(texts)]
    whole = []  # entries of which every byte, but for the line's end, will be left
    for entry in entries:
        records.append(path, entry)
        if path.stat().st_size - 1 <= cut:
            whole.append(entry)
    if path.exists():
        path.write_bytes(path.read_bytes()[:cut])
    last = Entry(number=-1)
    records.append(path, last)
    assert records.read(path, Entry) == [*whole, last]


def test_a_torn_line_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "record.jsonl"
    path.write_text('{"number": 1}\n{"numb')
    assert [entry.number for entry in records.read(path, Entry)] == [1]
    assert "line 2 is torn, and does not count" in caplog.text


def _append_many(path: Path, first: int) -> None:
    for number in range(first, first + 25):
        records.append(path, Entry(number=number, text="x" * 500))


def test_writers_at_once_lose_no_entry(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    spawn = multiprocessing.get_context("spawn")  # forking a process with threads may hang
    writers = [spawn.Process(target=_append_many, args=(path, n * 25)) for n in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert sorted(entry.number for entry in records.read(path, Entry)) == list(range(75))
