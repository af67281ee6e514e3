"""A verdict is final for its inputs, unless it could not measure; and it never opens by accident."""

from __future__ import annotations

import pytest
from tiny_house import NAME, House

from components import gates, store
from components.errors import SluiceError
from components.verdict import Check, Status, Verdict

SPAN = "2013-02-08"


@pytest.fixture
def house(tmp_path, monkeypatch):
    return House(tmp_path, monkeypatch)


def judge(*statuses: Status, looks: list | None = None) -> store.Artifact:
    def look(draft: store.Draft) -> Verdict:
        (draft.folder / "server.log").write_text("what was seen")
        if looks is not None:
            looks.append(statuses)
        checks = tuple(Check(name=f"c{n}", status=s) for n, s in enumerate(statuses))
        about = {"model": "m"}
        return Verdict(gate="infra", pipeline=NAME, span=SPAN, speaks_of=about, checks=checks)

    return gates.judge("validate_infra", NAME, SPAN, inputs={"model": "m"}, look=look)


@pytest.mark.usefixtures("house")
class TestJudge:
    def test_a_verdict_is_kept_beside_its_page_and_its_evidence(self):
        kept = judge(Status.PASSED)
        assert gates.read(kept).passed
        assert set(kept.manifest.files) == {"verdict.json", "verdict.html", "server.log"}
        assert kept.facts["status"] == "passed"

    @pytest.mark.parametrize("first", [Status.PASSED, Status.FAILED])
    def test_asking_again_does_not_change_a_verdict(self, first):
        looks: list = []
        judge(first, looks=looks)
        again = judge(Status.FAILED if first is Status.PASSED else Status.PASSED, looks=looks)
        assert gates.read(again).status is first
        assert len(looks) == 1

    @pytest.mark.parametrize("unmeasured", [(), (Status.ERROR,), (Status.SKIPPED,)])
    def test_a_verdict_that_could_not_measure_is_made_again(self, unmeasured):
        assert gates.read(judge(*unmeasured)).status is Status.ERROR
        assert gates.read(judge(Status.PASSED)).passed

    def test_a_torn_verdict_is_made_again_and_not_read(self):
        kept = judge(Status.FAILED)
        path = kept.file("verdict.json")
        path.write_text(path.read_text().replace("failed", "passed"))
        assert gates.read(judge(Status.FAILED)).status is Status.FAILED

    def test_a_gate_that_crashes_leaves_no_verdict(self):
        def look(draft: store.Draft) -> Verdict:
            (draft.folder / "verdict.json").write_text("{}")
            raise RuntimeError("the gate fell over")

        with pytest.raises(RuntimeError, match="fell over"):
            gates.judge("validate_infra", NAME, SPAN, inputs={"model": "m"}, look=look)
        folder = store.root(NAME) / "validate_infra" / SPAN
        assert [p.name for p in folder.iterdir() if p.suffix != ".lock"] == []

    def test_a_file_that_is_no_verdict_is_named(self):
        kept = judge(Status.PASSED)
        kept.file("verdict.json").write_text('{"gate": "infra"}')
        with pytest.raises(SluiceError, match=r"verdict\.json is no verdict"):
            gates.read(kept)
