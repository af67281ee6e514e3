"""What many tests stand on: a house of their own, and real flights landing in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from components import home, spans, spec
from demo import feed

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A house with the flights pipeline and its schema, and nothing in `var/`."""
    shutil.copytree(REPOSITORY / "pipelines" / "flights", tmp_path / "pipelines" / "flights")
    (tmp_path / "schemas").mkdir()
    shutil.copy(REPOSITORY / "schemas" / "flights.pbtxt", tmp_path / "schemas")
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path))
    assert home.home() == tmp_path
    return tmp_path


@pytest.fixture
def flights(house: Path) -> spec.Spec:
    """The flights pipeline of the test's own house."""
    return spec.load("flights")


@pytest.fixture
def land(house: Path) -> Callable[..., None]:
    """`land("2013-02-06", "2013-02-08")` lands the real flights of these days, and those between."""

    def landed(first: str, last: str | None = None) -> None:
        for day in spans.between(first, last or first):
            feed.land(feed.upstream(), day)

    return landed
