"""Each way in which a candidate cannot be served shuts the gate, and nothing is left running."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap

import candidates
import numpy as np
import psutil
import pytest
from tiny_house import NAME, House

from components import answers, gates, golden, schema, store, validate_infra
from components.answers import Answers
from components.schema import Feature
from components.validate_infra import latency, server_process
from components.validate_infra.sandbox import VERSION, sandbox
from components.verdict import Status, Verdict

REAL = validate_infra.validate_infra  # the tiny house has its own in this place
PASSED, FAILED, ERROR = Status.PASSED, Status.FAILED, Status.ERROR


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        yield House(tmp_path_factory.mktemp("house"), patch)


@pytest.fixture(scope="module")
def fine(house):
    return candidates.candidate(candidates.fine, "fine")


def judge(house: House, model: store.Artifact, **budget) -> tuple[Verdict, store.Artifact]:
    spec = house.spec
    serving = spec.serving.model_copy(update={"latency_ms": 2000.0, **budget})
    spec = spec.model_copy(update={"serving": serving})
    judged = REAL(spec, candidates.SPAN, model, [candidates.examples()])
    return gates.read(judged), judged


def told(verdict: Verdict) -> dict[tuple[str, str], Status]:
    return {(check.name, check.subject): check.status for check in verdict.checks}


def servers() -> list[int]:
    """Return the processes that serve out of a sandbox."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any("/sandbox/" in word for word in process.info["cmdline"] or ()):
            found.append(process.pid)
    return found


@pytest.fixture(autouse=True)
def nothing_is_left(house):
    before = set(servers())
    yield
    assert set(servers()) <= before
    assert list(store.root(NAME).glob("validate_infra/*/*.draft")) == []
    assert list(store.root(NAME).glob("validate_infra/*/*/sandbox")) == []


def test_a_server_killed_in_the_middle_is_no_verdict_and_the_next_look_is_one(
    house, fine, monkeypatch
):
    ask_all = answers.ask_all

    def killed(*given):
        for pid in servers():
            os.kill(pid, signal.SIGKILL)
        return ask_all(*given)

    with monkeypatch.context() as patch:
        patch.setattr(answers, "ask_all", killed)
        cut_short, _ = judge(house, fine)
    assert cut_short.status is ERROR
    assert "died by SIGKILL" in cut_short.reason
    verdict, judged = judge(house, fine)
    assert verdict.passed, verdict.reason
    asked = ("REST, 64 rows", "REST, one row", "gRPC, 64 rows", "gRPC, one row")
    assert told(verdict) == {
        ("loads", ""): PASSED,
        ("warm-up", ""): PASSED,
        ("signature", "serving_default"): PASSED,
        **{(check, how): PASSED for check in ("finite", "parity") for how in asked},
        ("latency", "REST"): PASSED,
        ("latency", "gRPC"): PASSED,
        ("memory", ""): PASSED,
    }
    assert verdict.speaks_of == {"model": fine.digest}
    assert f"{NAME}/1 AVAILABLE" in judged.file("server.log").read_text()
    row = golden.asked_as(verdict.evidence["golden"]["row"])
    assert {name: len(values) for name, values in row.items()} == {"distance": 1, "carrier": 1}
    assert "latency histogram" in judged.file("verdict.html").read_text().lower()


class TestOneThatDoesNotLoad:
    def test_torn(self, house):
        verdict, judged = judge(house, candidates.candidate(candidates.torn, "torn"))
        assert told(verdict) == {("loads", ""): FAILED}
        assert "the server refuses it: Can't parse saved_model/saved_model.pb" in verdict.reason
        assert "Can't parse" in judged.file("server.log").read_text()

    def test_a_warm_up_record_that_fails(self, house):
        model = candidates.candidate(candidates.failing_warm_up, "failing warm-up")
        verdict, _ = judge(house, model)
        assert told(verdict) == {("loads", ""): FAILED}
        assert "warm" in verdict.reason
        assert "altitude" in verdict.reason

    def test_one_that_hangs(self, house, monkeypatch):
        monkeypatch.setattr(validate_infra, "LOADS_WITHIN_S", 15)
        verdict, _ = judge(house, candidates.candidate(candidates.hanging, "hanging"))
        assert told(verdict) == {("loads", ""): FAILED}
        assert "the server hangs: alive, and not serving it after 15 s" in verdict.reason

    def test_one_that_takes_the_server_down(self, house, fine, monkeypatch, tmp_path):
        binary = tmp_path / "model_server"  # as TensorFlow Serving ends when its first load fails
        binary.write_text(
            "#!/bin/sh\nfor flag; do case $flag in --model_base_path=*) base=${flag#*=};; esac; done\n"
            '[ -e "$base/1" ] || exec sleep 600\necho "cannot serve $base/1"; kill -SEGV $$\n'
        )
        binary.chmod(0o755)
        monkeypatch.setenv("SLUICE_MODEL_SERVER", f"{binary} --quiet")
        verdict, _ = judge(house, fine)
        assert told(verdict) == {("loads", ""): FAILED}
        assert "the server died by SIGSEGV: cannot serve saved_model" in verdict.reason

    def test_one_that_grows_without_bounds_is_stopped(self, house, fine):
        verdict, _ = judge(house, fine, memory_mb=40)
        assert told(verdict) == {("loads", ""): FAILED}
        assert "while loading it, and was stopped" in verdict.reason


class TestNoServerAtAll:
    def test_no_such_command(self, house, fine, monkeypatch):
        monkeypatch.setenv("SLUICE_MODEL_SERVER", "no_such_model_server")
        verdict, _ = judge(house, fine)
        assert told(verdict) == {("sandbox", ""): ERROR}
        assert "'no_such_model_server', which is no command here" in verdict.reason

    def test_one_that_dies_without_any_model_too(self, house, fine, monkeypatch, tmp_path):
        binary = tmp_path / "model_server"
        binary.write_text("#!/bin/sh\necho 'libfoo.so.1: cannot open'; exit 127\n")
        binary.chmod(0o755)
        monkeypatch.setenv("SLUICE_MODEL_SERVER", str(binary))
        verdict, _ = judge(house, fine)
        assert told(verdict) == {("sandbox", ""): ERROR}
        assert (
            "without any model, too, the server died with exit code 127: libfoo" in verdict.reason
        )

    def test_a_port_that_another_process_took(self, house, fine, monkeypatch):
        with (
            socket.create_server(("127.0.0.1", 0)) as one,
            socket.create_server(("127.0.0.1", 0)) as other,
        ):
            ports = one.getsockname()[1], other.getsockname()[1]
            monkeypatch.setattr(server_process, "_free_ports", lambda: ports)
            verdict, _ = judge(house, fine, memory_mb=3003)
        assert told(verdict) == {("sandbox", ""): ERROR}
        assert "another process took the sandbox's ports" in verdict.reason


def test_wrong_answers_slowness_and_size_are_each_named_with_figures(house, monkeypatch):
    monkeypatch.setattr(golden, "REAL_ROWS", 10)
    model = candidates.candidate(candidates.wrong_in_use, "wrong in use")
    verdict, judged = judge(house, model, latency_ms=2, memory_mb=450)
    failed = {(c.name, c.subject): c for c in verdict.offences}
    assert {name for name, _ in failed} == {"finite", "latency", "memory"}
    request = failed["finite", "gRPC, one row"].values
    assert request["answered"] == "nan"
    assert set(request["request"].values()) & {None, ""}
    slow = failed["latency", "REST"]
    assert slow.values["p99_ms"] > slow.values["p50_ms"] > 2
    assert "best of 3 rounds" in slow.message
    assert failed["memory", ""].values["resident_mb"] > 256
    assert told(verdict)["warm-up", ""] is Status.WARNED
    assert "no finite number" in judged.file("verdict.html").read_text()


def test_the_server_dies_when_we_are_killed(house, fine, tmp_path):
    script = f"""
        import sys, time
        from pathlib import Path
        from components.validate_infra.sandbox import sandbox
        here = Path({str(tmp_path)!r})
        saved = Path({str(fine.file("saved_model"))!r})
        with sandbox(saved, "doomed", here / "sandbox", here / "log") as candidate:
            print(candidate.process.process.pid, flush=True)
            time.sleep(600)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        server = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    _, alive = psutil.wait_procs([server], timeout=30)
    assert alive == []


@pytest.fixture(scope="module")
def asked(house, fine, tmp_path_factory):
    """A sandbox that serves the fine candidate, and golden rows to ask it."""
    folder = tmp_path_factory.mktemp("asked", numbered=False)
    features = schema.inputs(schema.load(house.spec.schema_path))
    saved = fine.file("saved_model")
    with sandbox(saved, NAME, folder / "shared", folder / "log") as candidate:
        candidate.wait(120, 4000)
        rows = golden.questions(fine, features, [candidates.examples()])

        def ask(columns):
            return candidate.server.predict(NAME, columns, version=VERSION)

        yield candidate, rows, ask


class TestTheQuestions:
    def test_each_column_is_once_missing_and_once_unheard_of(self, asked):
        _, rows, _ = asked
        assert len(rows) == 40 + 4
        assert [rows.row(n)["distance"] for n in (40, 41)] == [None, pytest.approx(9.87e8)]
        assert [rows.row(n)["carrier"] for n in (42, 43)] == ["", "never seen before"]

    def test_an_answer_off_by_more_than_the_tolerance_is_found(self, asked):
        _, rows, ask = asked
        off = rows.scores.copy()
        off[17] += 2e-5
        finite, parity = answers.compare(
            "REST", answers.ask_all(ask, rows, 8), golden.Golden(rows.columns, off)
        )
        assert (finite.status, parity.status) == (PASSED, FAILED)
        assert "1 of 44 answers" in parity.message
        assert parity.values["request"] == rows.row(17)

    def test_an_offline_score_that_is_no_number_is_matched_by_none(self, asked):
        _, rows, ask = asked
        off = np.where(np.arange(44) == 3, np.nan, rows.scores)
        _, parity = answers.compare(
            "REST", answers.ask_all(ask, rows, 64), golden.Golden(rows.columns, off)
        )
        assert parity.status is FAILED

    def test_a_refused_request_carries_the_servers_words(self, asked):
        _, rows, ask = asked
        wrong = {**rows.columns, "distance": np.array(["far"] * 44, object)}
        given = answers.ask_all(ask, golden.Golden(wrong, rows.scores), 11)
        (check,) = answers.compare("REST, 11 rows", given, rows)
        assert check.status is FAILED
        assert "4 requests without an answer, the first: POST" in check.message

    def test_an_answer_without_a_score_is_none(self, asked):
        _, rows, ask = asked

        def renamed(columns):
            answer = ask(columns)
            answer.outputs["output_0"] = answer.outputs.pop("score")
            return answer

        (check,) = answers.compare("REST", answers.ask_all(renamed, rows, 44), rows)
        assert "output_0" in check.message

    def test_no_more_is_asked_when_it_takes_too_long(self, asked):
        _, rows, ask = asked
        given = answers.ask_all(ask, rows, 1, patience_s=0)
        assert len(given.seconds) < len(rows)
        (check,) = answers.compare("REST", given, rows)
        assert "not asked, since the rows before it took over 0 s" in check.message

    @pytest.mark.parametrize(
        ("features", "problem"),
        [
            ([Feature("distance", "number", "float32")], "wants 'carrier', which is not served"),
            (
                [*candidates.FEATURES, Feature("origin", "category", "string")],
                "takes no 'origin'",
            ),
            (
                [Feature("distance", "number", "int64"), candidates.FEATURES[1]],
                "takes 'distance' as DT_FLOAT, not as DT_INT64",
            ),
        ],
    )
    def test_a_signature_other_than_the_schemas_is_told(self, asked, features, problem):
        candidate, _, _ = asked
        check = validate_infra._signature(candidate.server.metadata(NAME, 1), features, "score")
        assert check.status is FAILED
        assert problem in check.message

    def test_a_model_without_serving_default_is_told(self, asked):
        candidate, _, _ = asked
        signatures = dict(candidate.server.metadata(NAME, 1))
        del signatures["serving_default"]
        check = validate_infra._signature(signatures, candidates.FEATURES, "score")
        assert "answers without 'score'" in check.message


class TestLatency:
    @staticmethod
    def rounds(*each: float) -> list[Answers]:
        return [Answers(np.zeros(100), np.full(100, ms / 1000)) for ms in each]

    def test_the_best_of_three_rounds_counts(self):
        first, *others = self.rounds(90, 80, 9)
        timed = latency.measure("REST", first, 10, iter(others).__next__)
        assert timed.check.status is PASSED
        assert timed.rounds == pytest.approx((90, 80, 9))
        assert timed.milliseconds[0] == pytest.approx(9)

    def test_no_round_is_made_once_the_budget_is_kept(self):
        (first,) = self.rounds(10)
        assert latency.measure("REST", first, 10.01, iter(()).__next__).check.status is PASSED

    def test_three_slow_rounds_are_enough(self):
        first, *others = self.rounds(30, 20, 11, 1)
        timed = latency.measure("gRPC", first, 10, iter(others).__next__)
        assert timed.check.status is FAILED
        assert "gRPC: one row takes 11.0 ms" in timed.check.message

    def test_one_slow_answer_in_a_hundred_is_seen(self):
        seconds = np.full(300, 0.001)
        seconds[:4] = 0.5
        slow = Answers(seconds, seconds)
        timed = latency.measure("REST", slow, 10, lambda: slow)
        assert timed.check.status is FAILED

    def test_the_histogram_counts_every_request(self):
        fast, slow = self.rounds(0.7, 700)
        timed = [
            latency.measure(name, of, 1e9, iter(()).__next__)
            for name, of in (("gRPC", fast), ("REST", slow))
        ]
        bins = latency.evidence(timed)["latency_histogram"]
        assert sum(row["gRPC"] for row in bins) == sum(row["REST"] for row in bins) == 100
        assert bins[0] == {"up to ms": 1.0, "gRPC": 100, "REST": 0}
        assert bins[-1] == {"up to ms": 1024.0, "gRPC": 0, "REST": 100}
