"""Crashes on purpose: the process dies at any chosen operation on the disk, half a write done."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest


class Killed(BaseException):
    """The process is dead: whatever runs after this (`finally`, `except`) must change nothing."""


class Crashes:
    """Counts operations on the disk; at the one that was `arm`ed, and ever after, all raise Killed.

    A write that is struck leaves half of its text behind. `revive` is the next process's start.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._left: int | None = None
        self.dead = False
        for name in ("rename", "replace", "unlink", "rmdir", "mkdir"):
            patch.setattr(os, name, self._struck(getattr(os, name)))
        # A crash of the process loses nothing that was written; the flush is only a place to die at.
        patch.setattr(os, "fsync", self._struck(lambda handle: None))
        write = Path.write_text

        def write_text(path: Path, text: str, *args: Any, **kwargs: Any) -> int:
            if self._strikes():
                if not self.dead:
                    write(path, text[: len(text) // 2])
                self._die()
            return write(path, text, *args, **kwargs)

        patch.setattr(Path, "write_text", write_text)

    def arm(self, operations: int) -> None:
        """Die at the operation after so many."""
        self._left = operations

    def revive(self) -> None:
        """Start anew."""
        self._left, self.dead = None, False

    def _strikes(self) -> bool:
        if self.dead or self._left is None:
            return self.dead
        self._left -= 1
        return self._left < 0

    def _die(self) -> None:
        self.dead = True
        raise Killed

    def _struck(self, operation: Any) -> Any:
        def struck(*args: Any, **kwargs: Any) -> Any:
            if self._strikes():
                self._die()
            return operation(*args, **kwargs)

        return struck
