"""An artifact is whole or not there; its inputs name it; a torn one is never taken for a whole one."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components import store
from components.errors import SluiceError

SPAN = "2013-02-08"
FILES = {"a.txt": b"first", "sub/b.bin": bytes(range(256)), "empty": b""}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path))
    return tmp_path


def write(draft: store.Draft, files: dict[str, bytes] = FILES) -> dict[str, int]:
    for name, content in files.items():
        path = draft.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return {"rows": 3}


def made(build: Callable[..., dict] = write, **inputs: str) -> store.Artifact:
    return store.once("thing", "p", SPAN, inputs=inputs or {"x": "1"}, build=build)


def test_the_same_inputs_find_what_the_first_try_finished() -> None:
    first = made()

    def never(draft: store.Draft) -> dict:
        pytest.fail("built twice")

    assert made(never) == first
    assert first.facts == {"rows": 3}
    assert set(first.manifest.files) == set(FILES)


def test_other_inputs_or_parameters_make_another_artifact() -> None:
    first, second = made(x="1"), made(x="2")
    third = store.once("thing", "p", SPAN, inputs={"x": "1"}, parameters={"n": 1}, build=write)
    assert len({first.folder, second.folder, third.folder}) == 3
    assert first.digest == second.digest == third.digest  # they hold the same files


def test_a_crash_leaves_nothing_but_what_is_kept_to_resume() -> None:
    def crash(draft: store.Draft) -> dict:
        write(draft)
        draft.resume.mkdir()
        (draft.resume / "epoch-3").touch()
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        made(crash)
    left = {p.name.partition(".")[2] for p in (store.root("p") / "thing" / SPAN).iterdir()}
    assert left == {"lock", "resume"}

    def resume(draft: store.Draft) -> dict:
        assert (draft.resume / "epoch-3").exists()
        return write(draft)

    artifact = made(resume)
    assert not artifact.folder.with_suffix(".resume").exists()


def die(draft: store.Draft) -> dict:
    write(draft)
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def count(draft: store.Draft) -> dict:
    with (store.root("p") / "builds").open("a") as file:
        file.write("x")
    return write(draft)


def in_processes(build: Callable[..., dict], processes: int) -> list[int | None]:
    """Return the exit codes of processes that all make the same artifact."""
    spawn = multiprocessing.get_context("spawn")  # forking a process with threads may hang
    writers = [spawn.Process(target=made, args=(build,)) for _ in range(processes)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    return [writer.exitcode for writer in writers]


def test_a_killed_writer_leaves_no_artifact_and_the_next_one_makes_it() -> None:
    assert in_processes(die, 1) == [-signal.SIGKILL]
    assert not list((store.root("p") / "thing").rglob(store.MANIFEST))
    assert (made().folder / "a.txt").read_bytes() == b"first"


def test_writers_at_once_make_one_artifact() -> None:
    assert in_processes(count, 3) == [0, 0, 0]
    assert (store.root("p") / "builds").read_text() == "x"


# What must never happen: hypothesis tears an artifact in every way it can think of.


@pytest.fixture
def anew(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Give every example of a property its own house."""
    with tempfile.TemporaryDirectory(dir=home) as folder:
        yield lambda: monkeypatch.setenv("SLUICE_HOME", tempfile.mkdtemp(dir=folder))


each = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
content = st.dictionaries(
    st.sampled_from(["a", "b/c", "b/d", "e"]), st.binary(max_size=64), min_size=1
)


@given(files=content, data=st.data())
@each
def test_a_file_torn_anywhere_is_never_taken_for_whole(
    anew: Callable[[], None], files: dict[str, bytes], data: st.DataObject
) -> None:
    anew()
    artifact = made(lambda draft: write(draft, files))
    assert store.load(artifact.folder) == artifact
    path = artifact.folder / data.draw(st.sampled_from(sorted(files)))
    before = path.read_bytes()
    how = data.draw(st.sampled_from(["cut", "flipped", "longer", "gone"]))
    if how == "gone":
        path.unlink()
    elif how == "longer":
        path.write_bytes(before + data.draw(st.binary(min_size=1, max_size=8)))
    elif how == "cut" and before:
        path.write_bytes(before[: data.draw(st.integers(0, len(before) - 1))])
    elif before:
        at = data.draw(st.integers(0, len(before) - 1))
        path.write_bytes(before[:at] + bytes([before[at] ^ 1]) + before[at + 1 :])
    else:
        path.write_bytes(b"!")
    with pytest.raises(SluiceError, match=r"torn"):
        store.load(artifact.folder)
    with pytest.raises(SluiceError, match="no whole thing"):
        store.find("thing", "p", SPAN, artifact.digest)
    again = made(lambda draft: write(draft, files))
    assert again.digest == artifact.digest
    assert store.load(again.folder) == again


@given(kept=st.floats(0, 1, exclude_max=True))
@each
def test_a_manifest_torn_anywhere_is_never_taken_for_whole(
    anew: Callable[[], None], kept: float
) -> None:
    anew()
    artifact = made()
    path = artifact.folder / store.MANIFEST
    before = path.read_bytes()
    path.write_bytes(before[: int(kept * len(before))])
    with pytest.raises(SluiceError):
        store.load(artifact.folder)
    assert store.load(made().folder).digest == artifact.digest


@pytest.mark.parametrize(
    "edit", [{"files": {}}, {"digest": "0" * 64}, {"inputs": {}}, {"facts": {"rows": 4}}]
)
def test_a_manifest_that_was_edited_is_never_taken_for_whole(edit: dict) -> None:
    artifact = made()
    path = artifact.folder / store.MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **edit}))
    with pytest.raises(SluiceError, match="seal is broken"):
        store.load(artifact.folder)


def test_a_pointer_that_is_torn_is_told(home: Path) -> None:
    pointer = store.root("p") / "latest"
    store.point(pointer, made())
    for torn in (b"\xff", b"thing/\0", b"thing/2013"):
        pointer.write_bytes(torn)
        with pytest.raises(SluiceError):
            store.pointed("p", pointer)


@given(parts=st.dictionaries(st.text(max_size=8), st.text(max_size=8), min_size=2, max_size=6))
def test_a_digest_of_parts_does_not_depend_on_their_order(parts: dict[str, str]) -> None:
    assert store.digest_of(dict(reversed(parts.items()))) == store.digest_of(parts)
    changed = parts | {next(iter(parts)): next(iter(parts.values())) + "!"}
    assert store.digest_of(changed) != store.digest_of(parts)


# Names


def test_asking_for_a_file_that_is_not_there_says_what_to_do() -> None:
    with pytest.raises(SluiceError, match="holds no 'model': it was made by other code"):
        made().file("model")


def test_finding_what_was_never_made_is_an_error_and_not_a_guess() -> None:
    with pytest.raises(SluiceError, match=f"no whole thing of p {SPAN} with digest 000000000000"):
        store.find("thing", "p", SPAN, "0" * 64)


def test_a_folder_without_a_manifest_is_no_artifact(tmp_path: Path) -> None:
    with pytest.raises(SluiceError, match="no finished artifact"):
        store.load(tmp_path)


def test_a_pointer_names_the_latest_and_there_may_be_none(home: Path) -> None:
    pointer = store.root("p") / "latest"
    assert store.pointed("p", pointer) is None
    for n in ("1", "2"):
        store.point(pointer, made(x=n))
    assert store.pointed("p", pointer) == made(x="2")


def test_an_artifact_that_wants_making_again_is_set_aside() -> None:
    first = made()
    second = store.once(
        "thing", "p", SPAN, inputs={"x": "1"}, build=write, again=lambda found: True
    )
    assert second.folder == first.folder
    assert second.manifest.finished > first.manifest.finished
    assert [p for p in first.folder.parent.iterdir() if ".aside-" in p.name]


def test_a_manifest_says_code_packages_and_cost() -> None:
    manifest = made().manifest
    assert "+" in manifest.code
    assert "tensorflow" in manifest.packages
    assert manifest.peak_memory_mb > 1
