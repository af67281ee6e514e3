"""Processes that die, stumble and overtake one another, at any chosen operation on the disk.

A thread stands for a process: it has its own death, and lets go of its locks when it dies.
"""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest


class Killed(BaseException):
    """The process is dead: whatever runs after this (`finally`, `except`) must change nothing."""


class Crashes:
    """Counts operations on the disk; at the one that was armed, the process dies, or `then` happens.

    A write that is struck leaves half of its text behind. `revive` is the next process's start.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._life = threading.local()
        self._turns: _Turns | None = None
        for name in ("rename", "replace", "unlink", "rmdir", "mkdir", "fdopen"):
            patch.setattr(os, name, self._struck(getattr(os, name)))
        # A crash of the process loses nothing that was written; the flush is only a place to die at.
        patch.setattr(os, "fsync", self._struck(lambda handle: None))
        patch.setattr(
            os, "open", self._struck(os.open, only=lambda _, how, *more: how & os.O_CREAT)
        )
        patch.setattr(fcntl, "flock", self._waiting(fcntl.flock))
        write, copy, look = Path.write_text, shutil.copyfile, Path.open

        def write_text(path: Path, text: str, *args: Any, **kwargs: Any) -> int:
            self._operation(lambda: write(path, text[: len(text) // 2]))
            return write(path, text, *args, **kwargs)

        def copyfile(source: Any, target: Any, **kwargs: Any) -> Any:
            read = Path(source).read_bytes()
            self._operation(lambda: Path(target).write_bytes(read[: len(read) // 2]))
            return copy(source, target, **kwargs)

        def opened(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            return _Appended(path, self) if mode == "a+b" else look(path, mode, *args, **kwargs)

        patch.setattr(Path, "write_text", write_text)
        patch.setattr(shutil, "copyfile", copyfile)
        patch.setattr(Path, "open", opened)

    def arm(self, operations: int, then: Callable[[], object] | None = None) -> None:
        """After so many operations die, or do `then` and go on."""
        self._life.left, self._life.then = operations, then

    def aim(self, at: str, operations: int, then: Callable[[], object] | None = None) -> None:
        """Be armed once the process comes to `at`."""
        self._life.aimed = (at, operations, then)

    def comes_to(self, at: str) -> None:
        """Tell where the process is."""
        aimed = getattr(self._life, "aimed", None)
        if aimed and aimed[0] == at:
            self.arm(*aimed[1:])

    def revive(self) -> None:
        """Start anew."""
        self._life.left, self._life.dead, self._life.aimed = None, False, None

    def at_once(self, random: Random, does: Sequence[Callable[[], None]]) -> None:
        """Do all of it as processes side by side: after any operation another may go on instead."""
        self._turns = _Turns(random, len(does))
        try:
            self._turns.take(does)
        finally:
            self._turns = None

    def _operation(self, half: Callable[[], object] = lambda: None) -> None:
        """Come to a place where a process may die, half of what it is at done, or be overtaken."""
        life = self._life
        if getattr(life, "dead", False):
            raise Killed
        if self._turns:
            self._turns.maybe_pass()
        if getattr(life, "left", None) is None:
            return
        life.left -= 1
        if life.left < 0:
            life.left = None
            if life.then:
                life.then()
            else:
                half()
                life.dead = True
                raise Killed

    def _struck(self, operation: Any, only: Callable[..., object] = lambda *given: True) -> Any:
        def struck(*args: Any, **kwargs: Any) -> Any:
            if only(*args):
                self._operation()
            return operation(*args, **kwargs)

        return struck

    def _waiting(self, flock: Any) -> Any:
        """While several processes share this one, whoever waits for a lock lets the others go on."""

        def waiting(file: Any, how: int) -> None:
            while self._turns:
                try:
                    return flock(file, how | fcntl.LOCK_NB)
                except BlockingIOError:
                    self._turns.must_pass(waiting=True)
            return flock(file, how)

        return waiting


class _Appended(io.BufferedRandom):
    """A file that is appended to, by a process that may die when half of it is written."""

    def __init__(self, path: Path, crashes: Crashes) -> None:
        super().__init__(io.FileIO(path, "a+b"))
        self._crashes = crashes

    def write(self, data: Any) -> int:
        def half() -> None:
            super(_Appended, self).write(data[: len(data) // 2])
            self.flush()

        self._crashes._operation(half)
        return super().write(data)


class _Turns:
    """One goes on at a time; which one is up to `random`."""

    def __init__(self, random: Random, several: int) -> None:
        self._random, self._me = random, threading.local()
        self._pace = random.choice([0.05, 0.2, 0.6])
        self._gates = [threading.Semaphore(0) for _ in range(several)]
        self._going = set(range(several))
        self._waited = 0

    def take(self, does: Sequence[Callable[[], None]]) -> None:
        failed: list[BaseException] = []

        def live(me: int, do: Callable[[], None]) -> None:
            self._me.number = me
            self._gates[me].acquire()
            try:
                do()
            except BaseException as error:
                failed.append(error)
            self._going.discard(me)
            if self._going:
                self._gates[self._random.choice(sorted(self._going))].release()

        threads = [threading.Thread(target=live, args=each) for each in enumerate(does)]
        for thread in threads:
            thread.start()
        self._gates[0].release()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]

    def maybe_pass(self) -> None:
        self._waited = 0
        if self._random.random() < self._pace:
            self.must_pass()

    def must_pass(self, *, waiting: bool = False) -> None:
        self._waited += waiting
        assert self._waited < 1000, "a lock that nobody lets go of"
        me = self._me.number
        others = sorted(self._going - {me})
        if others:
            self._gates[self._random.choice(others)].release()
            self._gates[me].acquire()
