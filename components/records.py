"""Records that only grow: one JSON line an entry, whole and on the disk before it counts."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from components.files import exclusive

log = logging.getLogger(__name__)
Entry = TypeVar("Entry", bound=BaseModel)


def append(path: Path, entry: BaseModel) -> None:
    """Append an entry to the record at `path`."""
    with exclusive(path.with_suffix(".lock")), path.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # a line torn by a crash: keep it apart from ours
                file.write(b"\n")
        file.write(entry.model_dump_json().encode() + b"\n")
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
            entries.append(kind.model_validate_json(line))
        except ValidationError:
            log.warning("%s line %d is torn, and does not count", path, number)
    return entries
