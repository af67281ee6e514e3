"""What many tests stand on: a house of their own, and real flights landing in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from components import home, pipelines, spans, spec
from components.store import Artifact
from demo import feed

REPOSITORY = Path(__file__).resolve().parent.parent


def build_house(folder: Path) -> None:
    """Give a folder the flights pipeline and its schema, and nothing in `var/`."""
    shutil.copytree(REPOSITORY / "pipelines" / "flights", folder / "pipelines" / "flights")
    (folder / "schemas").mkdir()
    shutil.copy(REPOSITORY / "schemas" / "flights.pbtxt", folder / "schemas")


def land_days(first: str, last: str | None = None) -> None:
    """Land the real flights of these days, and of those between."""
    for day in spans.between(first, last or first):
        feed.land(feed.upstream(), day)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A house with the flights pipeline and its schema, and nothing in `var/`."""
    build_house(tmp_path)
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path))
    assert home.home() == tmp_path
    return tmp_path


@pytest.fixture
def flights(house: Path) -> spec.Spec:
    """The flights pipeline of the test's own house."""
    return pipelines.load("flights")


@pytest.fixture
def land(house: Path) -> Callable[..., None]:
    """`land("2013-02-06", "2013-02-08")` lands the real flights of these days in the test's house."""
    return land_days


@pytest.fixture(scope="session")
def shared_house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A house for what is dear to make and never changed: nine real days, the last of a blizzard."""
    folder = tmp_path_factory.mktemp("house")
    build_house(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLUICE_HOME", str(folder))
        land_days("2013-01-31", "2013-02-08")
    return folder


@pytest.fixture
def in_shared_house(shared_house: Path, monkeypatch: pytest.MonkeyPatch) -> spec.Spec:
    """The flights pipeline of the shared house, whose artifacts tests may find but not change."""
    monkeypatch.setenv("SLUICE_HOME", str(shared_house))
    return pipelines.load("flights")


@pytest.fixture
def week(shared_house: Path, house: Path) -> list[Artifact]:
    """Statistics of the week from 2013-01-31 on, made once; the test's own house has it too."""
    from components import describe, ingest

    days = spans.between("2013-01-31", "2013-02-06")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLUICE_HOME", str(shared_house))
        what = pipelines.load("flights")
        examples = [ingest._taken_in(what, day) or ingest.ingest(what, day) for day in days]
        made = [describe.describe(what, one) for one in examples]
    for one in [*examples, *made]:
        shutil.copytree(one.folder, house / one.folder.relative_to(shared_house))
    return made
