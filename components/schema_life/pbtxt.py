"""Edits of a text proto that leave the rest of the file as it was: comments, order, layout.

protobuf's own text format forgets comments. A place in the text is named by steps: a field's name, or
a field's name and what its `name` says, where it is one of several:

    put(text, [("feature", "late"), "presence", "min_fraction"], "0.48")
    add(text, [("string_domain", "carrier"), "value"], '"G4"')

The text must parse; protobuf says so better than this could.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf import text_encoding

Step = str | tuple[str, str]

WIDTH = 100
TOKEN = re.compile(
    r"""\s+ | \#[^\n]* | (?P<text>"(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*') |
    (?P<word>[-+]?\s*(?:\d[\d.]*(?:[eE][-+]?\d+)?\w* | [\w.]+)) | (?P<mark>[{}<>\[\]:,;])""",
    re.VERBOSE,
)


@dataclass
class _Field:
    """A field: from `start` on, its value from `value` to `end`; a message has `fields`.

    `behind`: where another of its kind may follow, which for one of a list in brackets is behind it.
    """

    name: str
    start: int
    value: int
    end: int
    behind: int
    fields: list[_Field] | None = None


class _Reader:
    """Reads tokens into fields."""

    def __init__(self, text: str) -> None:
        self.tokens = [token for token in TOKEN.finditer(text) if token.lastgroup]
        self.at = 0

    def fields(self) -> list[_Field]:
        """Return the fields up to the end of the message, or of the file."""
        found: list[_Field] = []
        while self.at < len(self.tokens) and self._next() not in "}>":
            found += self._field()
            if self.at < len(self.tokens) and self._next() in ",;":
                self.at += 1
        return found

    def _field(self) -> list[_Field]:
        name = self._take()
        if self._next() == ":":
            self.at += 1
        if self._next() != "[":
            return [self._valued(name)]
        self.at += 1
        listed = []
        while self._next() != "]":
            listed.append(self._valued(name))
            if self._next() == ",":
                self.at += 1
        behind = self._take().end()
        for one in listed:
            one.behind = behind
        return listed

    def _valued(self, name: re.Match[str]) -> _Field:
        first = self._take()
        if first[0] in "{<":
            fields = self.fields()
            end = self._take().end()
            return _Field(name[0], name.start(), first.start(), end, end, fields)
        last = first
        while last.lastgroup == "text" and self.at < len(self.tokens):
            if self.tokens[self.at].lastgroup != "text":
                break
            last = self._take()  # texts side by side are one
        return _Field(name[0], name.start(), first.start(), last.end(), last.end())

    def _next(self) -> str:
        return self.tokens[self.at][0]

    def _take(self) -> re.Match[str]:
        self.at += 1
        return self.tokens[self.at - 1]


def quoted(value: str) -> str:
    """Return a text as a text proto has it."""
    if value.isprintable():
        return f'"{text_encoding.CEscape(value, as_utf8=True)}"'  # type: ignore[arg-type]
    return f'"{text_encoding.CEscape(value.encode(), as_utf8=False)}"'


def put(text: str, steps: Sequence[Step], value: str) -> str:
    """Return the text with one value set: where it stands, or written where it belongs."""
    within, rest = _deepest(text, steps)
    if rest:
        return _written(text, within, _nested(rest, value))
    return text[: within.value] + value + text[within.end :]


def add(text: str, steps: Sequence[Step], value: str) -> str:
    """Return the text with one more value of a repeated field, after the last there is."""
    (*outer, last) = steps
    within, rest = _deepest(text, outer)
    listed = [field for field in within.fields or () if field.name == last]
    if rest or not listed:
        return _written(text, within, _nested([*rest, last], value))
    end, start = listed[-1].behind, text.rfind("\n", 0, listed[-1].start) + 1
    more = f"{last}: {value}"
    fits = end - start + 1 + len(more) <= WIDTH
    return text[:end] + (" " if fits else "\n" + _indentation(text, start)) + more + text[end:]


def _deepest(text: str, steps: Sequence[Step]) -> tuple[_Field, Sequence[Step]]:
    """Return the innermost field on the way that is there, the file itself if none, and what is left."""
    found = _Field("", 0, 0, len(text), len(text), _Reader(text).fields())
    for number, step in enumerate(steps):
        chosen = next((f for f in found.fields or () if _is(text, f, step)), None)
        if chosen is None:
            return found, steps[number:]
        found = chosen
    return found, ()


def _is(text: str, field: _Field, step: Step) -> bool:
    if isinstance(step, str):
        return field.name == step
    kind, called = step
    names = [text[f.value : f.end] for f in field.fields or () if f.name == "name"]
    return field.name == kind and [_unquoted(name) for name in names] == [called]


def _unquoted(literal: str) -> str:
    parts = [m["text"][1:-1] for m in TOKEN.finditer(literal) if m["text"]]
    return b"".join(text_encoding.CUnescape(part) for part in parts).decode()


def _nested(steps: Sequence[Step], value: str) -> str:
    *outer, last = [step if isinstance(step, str) else step[0] for step in steps]
    opened = "".join(f"{name} {{ " for name in outer)
    return f"{opened}{last}: {value}{' }' * len(outer)}"


def _written(text: str, within: _Field, more: str) -> str:
    """Return the text with a new field at the end of a message, laid out as its others are."""
    if not within.name:
        return f"{text.rstrip()}\n\n{more}\n"
    last = max((f.behind for f in within.fields or ()), default=within.value + 1)
    line_end = text.find("\n", last)
    if -1 < line_end < within.end:
        start = text.rfind("\n", 0, last) + 1
        return f"{text[:line_end]}\n{_indentation(text, start)}{more}{text[line_end:]}"
    return f"{text[:last]} {more}{text[last:]}"


def _indentation(text: str, start: int) -> str:
    return text[start : len(text) - len(text[start:].lstrip(" \t"))]
