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


@given(at=st.integers(0, 60), bit=st.integers(0, 7))
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_an_entry_of_which_a_bit_has_changed_does_not_count(
    tmp_path: Path, at: int, bit: int
) -> None:
    path = tmp_path / "record.jsonl"
    path.unlink(missing_ok=True)
    for number in (12, 34):
        records.append(path, Entry(number=number, text="seven"))
    text = bytearray(path.read_bytes())
    text[at % text.index(b"\n")] ^= 1 << bit
    path.write_bytes(text)
    assert records.read(path, Entry) in (
        [Entry(number=34, text="seven")],
        [Entry(number=12, text="seven"), Entry(number=34, text="seven")],  # no more than a blank
    )


def test_entries_from_before_there_were_seals_still_count(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    path.write_text('{"number": 1}\n')
    assert records.read(path, Entry) == [Entry(number=1)]


@pytest.mark.parametrize("text", ["", "[]", "12", "null", '{"number": "x"}', "\x00", "{"])
def test_what_is_no_entry_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        records.parse(Entry, text)


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
