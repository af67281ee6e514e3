"""Records: JSON that says of itself whether it is still what was written, and files of them that grow.

The last key of an entry, `seal`, is a digest of the others: a bit that the disk changes makes no
other version, span or model of it. An entry of such a file is one line, on the disk before it counts.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from components.files import exclusive

log = logging.getLogger(__name__)
Entry = TypeVar("Entry", bound=BaseModel)

SEAL = "seal"


def text(entry: BaseModel, indent: int | None = None) -> str:
    """Return an entry as sealed JSON, on one line unless it is indented."""
    told = entry.model_dump(mode="json")
    return json.dumps({**told, SEAL: _seal(told)}, indent=indent)


def parse(kind: type[Entry], said: str | bytes) -> Entry:
    """Return the entry of sealed JSON; raise ValueError unless it is what was written.

    What was written before there were seals has none, and is taken as it is.
    """
    told = json.loads(said)
    if not isinstance(told, dict):
        raise ValueError(f"it is no {kind.__name__}")
    if told.pop(SEAL, None) not in (None, _seal(told)):
        raise ValueError("its seal is broken: it was changed after it was written")
    return kind.model_validate(told)


def append(path: Path, entry: BaseModel) -> None:
    """Append an entry to the record at `path`."""
    with exclusive(path.with_suffix(".lock")), path.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # a line torn by a crash: keep it apart from ours
                file.write(b"\n")
        file.write(text(entry).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read(path: Path, kind: type[Entry]) -> list[Entry]:
    """Return every entry, oldest first; a line torn by a crash never counted, and is passed over."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    entries = []
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            entries.append(parse(kind, line))
        except ValueError:
            log.warning("%s line %d is torn, and does not count", path, number)
    return entries


def _seal(told: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
