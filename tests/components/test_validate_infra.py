"""Each way in which a candidate cannot be served shuts the gate, and nothing is left running."""

from __future__ import annotations

import importlib
import json
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
from markupsafe import escape
from tiny_house import NAME, House

from components import answers, gates, golden, home, schema, store, validate_infra
from components.answers import Answers
from components.schema import Feature
from components.validate_infra import latency, server_process, signatures
from components.validate_infra.sandbox import VERSION, sandbox
from components.verdict import Check, Status, Verdict

REAL = validate_infra.validate_infra  # the tiny house has its own in this place
PASSED, FAILED, ERROR = Status.PASSED, Status.FAILED, Status.ERROR


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        yield House(tmp_path_factory.mktemp("house"), patch)


@pytest.fixture(scope="module")
def fine(house):
    return candidates.candidate(candidates.fine, "fine")


def judge(
    house: House, model: store.Artifact, baseline: store.Artifact | None = None, **budget
) -> tuple[Verdict, store.Artifact]:
    spec = house.spec
    serving = spec.serving.model_copy(update={"latency_ms": 2000.0, **budget})
    spec = spec.model_copy(update={"serving": serving})
    judged = REAL(spec, candidates.SPAN, model, baseline, [candidates.examples()])
    return gates.read(judged), judged


def told(verdict: Verdict) -> dict[tuple[str, str], Status]:
    return {(check.name, check.subject): check.status for check in verdict.checks}


def servers() -> list[int]:
    """Return the processes that serve out of a sandbox of this house."""
    found, ours = [], str(home.var())
    for process in psutil.process_iter(["cmdline"]):
        if any(ours in word and "/sandbox/" in word for word in process.info["cmdline"] or ()):
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
        **{("repeatable", how): PASSED for how in asked if "64" in how},
        ("independent", "REST"): PASSED,
        ("independent", "gRPC"): PASSED,
        ("latency", "REST"): PASSED,
        ("latency", "gRPC"): PASSED,
        ("memory", ""): PASSED,
    }
    assert verdict.speaks_of == {"model": fine.digest, "baseline": "none"}
    assert f"{NAME}/1 AVAILABLE" in judged.file("server.log").read_text()
    row = golden.asked_as(verdict.evidence["golden"]["row"])
    assert {name: len(values) for name, values in row.items()} == {"distance": 1, "carrier": 1}
    page = judged.file("verdict.html").read_text().lower()
    assert "latency histogram" in page
    assert "resident memory over time" in page


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
        assert told(verdict) == {("hangs", ""): FAILED}
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
        assert told(verdict) == {("crashes", ""): FAILED}
        assert "the server died by SIGSEGV: cannot serve saved_model" in verdict.reason

    def test_one_that_grows_without_bounds_is_stopped(self, house, fine):
        verdict, _ = judge(house, fine, memory_mb=40)
        assert told(verdict) == {("memory", ""): FAILED}
        assert "while loading it, and was stopped; the budget is 40 MB" in verdict.reason


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
    assert set(request["expected"].split()) >= {"number;", "offline"}
    sent = json.loads(request["request"])["inputs"]
    assert set(sent) == {"distance", "carrier"}
    slow = failed["latency", "REST"]
    assert slow.values["p99_ms"] > slow.values["p50_ms"] > 2
    assert "REST: one row takes" in slow.message
    assert failed["memory", ""].values["resident_mb"] > 256
    assert told(verdict)["warm-up", ""] is Status.WARNED
    page = judged.file("verdict.html").read_text()
    assert "no finite number" in page
    assert escape(request["request"].splitlines()[1]) in page
    assert "over the budget" in page


class TestOneThatFailsWhenAsked:
    """Each by a check of its own name, with the request that did it."""

    def test_it_draws_lots(self, house):
        verdict, _ = judge(house, candidates.candidate(candidates.drawing_lots, "lots"))
        assert verdict.offences[0].name == "repeatable"
        assert "44 of 44 answers were others when the same request was sent again" in verdict.reason
        assert "independent" not in {check.name for check in verdict.checks}

    def test_it_looks_at_a_rows_neighbours(self, house):
        model = candidates.candidate(candidates.depending_on_neighbours, "neighbours")
        verdict, _ = judge(house, model)
        failed = {check.name for check in verdict.offences}
        assert failed == {"independent", "parity"}
        assert told(verdict)["repeatable", "gRPC, 64 rows"] is PASSED

    def test_it_hangs(self, house, monkeypatch):
        module = importlib.import_module("components.validate_infra.sandbox")  # a function hides it
        monkeypatch.setattr(module, "ANSWERS_WITHIN_S", 5.0)
        monkeypatch.setattr(golden, "REAL_ROWS", 10)
        model = candidates.candidate(candidates.hanging_when_asked, "hanging when asked")
        verdict, _ = judge(house, model)  # offline it would never end either
        (offence,) = verdict.offences
        assert (offence.name, offence.status) == ("hangs", FAILED)
        assert "alive, and without an answer to a request of 14 rows" in offence.message
        assert json.loads(offence.values["request"])["inputs"]["distance"]

    def test_it_crashes_the_server(self, house, fine, monkeypatch):
        ask_all = answers.ask_all

        def killed(*given):
            for pid in servers():
                os.kill(pid, signal.SIGABRT)
            return ask_all(*given)

        monkeypatch.setattr(answers, "ask_all", killed)
        verdict, _ = judge(house, fine, memory_mb=3001)
        (offence,) = verdict.offences
        assert (offence.name, offence.status) == ("crashes", FAILED)
        assert "died by SIGABRT" in offence.message
        assert "while it was asked" in offence.message
        assert json.loads(offence.values["request"])["inputs"]["carrier"]

    def test_it_eats_memory(self, house):
        model = candidates.candidate(candidates.eating_memory, "eating memory")
        verdict, judged = judge(house, model, memory_mb=450)
        (offence,) = verdict.offences
        assert (offence.name, offence.status) == ("memory", FAILED)
        assert "while it was asked, and was stopped; the budget is 450 MB" in offence.message
        assert "resident memory over time" in judged.file("verdict.html").read_text()


class TestWhatClientsCall:
    @pytest.fixture
    def called(self, fine):
        return signatures.of(fine)

    def checks(self, now, fine) -> dict[str, Check]:
        return {check.subject: check for check in signatures.against_baseline(now, fine)}

    def test_the_same_signatures_break_nobody(self, called, fine):
        checks = self.checks(called, fine)
        assert {name: check.status for name, check in checks.items()} == dict.fromkeys(
            ["serving_default", "classify", "regress"], PASSED
        )

    @pytest.mark.parametrize(
        ("side", "name", "about", "told"),
        [
            ("inputs", "carrier", None, "no longer takes 'carrier'"),
            ("inputs", "origin", {"dtype": "DT_STRING"}, "wants 'origin', which they do not send"),
            ("inputs", "distance", {"dtype": "DT_INT64"}, "takes 'distance' as DT_INT64 [n], not"),
            ("outputs", "score", None, "no longer answers 'score'"),
            ("outputs", "score", {"dtype": "DT_DOUBLE"}, "answers 'score' as DT_DOUBLE [n], not"),
        ],
    )
    def test_what_breaks_a_client_is_refused_by_name(self, called, fine, side, name, about, told):
        now = json.loads(json.dumps(called))
        held = now["serving_default"][side]
        if about is None:
            del held[name]
        else:
            held[name] = {**held.get(name, {"tensor_shape": {"dim": [{"size": "-1"}]}}), **about}
        check = self.checks(now, fine)["serving_default"]
        assert check.status is FAILED
        assert told in check.message
        assert "serving.name" in check.message

    def test_another_shape_breaks_clients(self, called, fine):
        now = json.loads(json.dumps(called))
        score = now["serving_default"]["outputs"]["score"]
        score["tensor_shape"]["dim"].append({"size": "1"})
        check = self.checks(now, fine)["serving_default"]
        assert "answers 'score' as DT_FLOAT [n, 1], not as DT_FLOAT [n]" in check.message

    def test_what_is_added_is_told_and_breaks_nobody(self, called, fine):
        now = json.loads(json.dumps(called))
        now["serving_default"]["outputs"]["spread"] = {"dtype": "DT_FLOAT"}
        now["explain"] = now["serving_default"]
        checks = self.checks(now, fine)
        assert checks["serving_default"].status is Status.WARNED
        assert "answers with spread in addition" in checks["serving_default"].message
        assert checks["explain"].status is Status.WARNED

    def test_the_gate_refuses_a_candidate_that_lost_a_signature(self, house, fine):
        model = candidates.candidate(candidates.plain, "plain")
        verdict, _ = judge(house, model, fine)
        assert told(verdict)["clients", "classify"] is FAILED
        assert {check.name for check in verdict.offences} == {"clients"}
        assert verdict.speaks_of["baseline"] == fine.digest


def test_the_server_dies_when_we_are_killed(house, fine, tmp_path):
    script = f"""
        import sys, time
        from pathlib import Path
        from components.validate_infra.sandbox import sandbox
        here = Path({str(tmp_path)!r})
        saved = Path({str(fine.file("saved_model"))!r})
        with sandbox(saved, "doomed", here / "sandbox", here / "log", 4000) as candidate:
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
    with sandbox(saved, NAME, folder / "shared", folder / "log", 4000) as candidate:
        candidate.wait(120)
        rows = golden.answered(golden.questions(features, [candidates.examples()]), fine)

        def ask(columns):
            return candidate.server.predict(NAME, columns, version=VERSION)

        yield candidate, rows, ask


class TestTheQuestions:
    def test_each_column_is_once_missing_and_once_unheard_of(self, asked):
        _, rows, _ = asked
        assert len(rows) == 40 + 4
        assert [rows.row(n)["distance"] for n in (40, 41)] == [None, pytest.approx(9.87e8)]
        assert [rows.row(n)["carrier"] for n in (42, 43)] == ["", "never seen before"]

    def test_what_is_sensitive_is_neither_quoted_nor_kept(self, house):
        rows = golden.questions(candidates.FEATURES, [candidates.examples()], ["carrier"])
        shown = rows.presentable()
        assert rows.row(shown)["carrier"] == ""
        assert rows.row(shown)["distance"] is not None
        assert json.loads(rows.sent(0))["inputs"]["carrier"] == ["•••"]
        assert json.loads(rows.sent(0))["inputs"]["distance"] == [100.0]

    def test_a_refusal_does_not_quote_what_is_sensitive(self, asked):
        _, rows, _ = asked
        given = answers.Answers(rows.scores, np.ones(1), {0: "HTTP 400: not among [UA AA VX]"})
        hidden = golden.Golden(rows.columns, rows.scores, ["carrier"])
        for known, quoted in ((rows, True), (hidden, False)):
            told = answers.unanswered("REST", given, known).model_dump_json()
            assert ("UA AA" in told) == quoted

    def test_an_answer_off_by_more_than_the_tolerance_is_found(self, asked):
        _, rows, ask = asked
        off = rows.scores.copy()
        off[17] += 2e-5
        finite, parity = answers.compare(
            "REST", answers.ask_all(ask, rows, 8), golden.Golden(rows.columns, off)
        )
        assert (finite.status, parity.status) == (PASSED, FAILED)
        assert "1 of 44 answers" in parity.message
        assert parity.values["request"] == rows.sent(17)
        assert json.loads(rows.sent(17))["inputs"]["carrier"] == [rows.row(17)["carrier"]]

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
        check = signatures.against_schema(candidate.server.metadata(NAME, 1), features, "score")
        assert check.status is FAILED
        assert problem in check.message

    def test_a_model_without_serving_default_is_told(self, asked):
        candidate, _, _ = asked
        there = dict(candidate.server.metadata(NAME, 1))
        del there["serving_default"]
        check = signatures.against_schema(there, candidates.FEATURES, "score")
        assert "has no signature 'serving_default', only classify, regress" in check.message

    def test_what_the_offending_rows_share_is_told(self, asked):
        _, rows, _ = asked
        numbers = np.arange(len(rows))
        without = rows.columns["carrier"] == ""
        assert rows.in_common(without) == "each where 'carrier' is missing"
        assert rows.in_common(numbers == 42) == ""  # others lack it too
        assert rows.in_common(numbers == 43) == "each where 'carrier' is unheard-of"
        assert rows.in_common(numbers % 7 == 3) == "each where 'distance' is missing"
        assert rows.in_common(numbers < 20) == ""


class TestLatency:
    @staticmethod
    def rounds(*each: float) -> list[Answers]:
        return [Answers(np.zeros(100), np.full(100, ms / 1000)) for ms in each]

    @staticmethod
    def idle() -> np.ndarray:
        return np.full(100, 0.001)

    def test_a_machine_too_busy_to_tell_is_no_fault_of_the_candidate(self):
        (first,) = self.rounds(30)
        timed = latency.measure("gRPC", first, 10, iter(()).__next__, lambda: np.full(100, 0.006))
        assert timed.check.status is ERROR
        assert (
            "requests that ask nothing take 6.0 ms: the machine is too busy" in timed.check.message
        )

    def test_the_best_of_three_rounds_counts(self):
        first, *others = self.rounds(90, 80, 9)
        for of in (first, *others):
            of.seconds[:20] = 0.001  # some were fast: it is the machine that was busy
        timed = latency.measure("REST", first, 10, iter(others).__next__, self.idle)
        assert timed.check.status is PASSED
        assert timed.rounds == pytest.approx((90, 80, 9))
        assert timed.milliseconds[-1] == pytest.approx(9)

    def test_no_round_is_made_once_the_budget_is_kept(self):
        (first,) = self.rounds(10)
        assert (
            latency.measure("REST", first, 10.01, iter(()).__next__, self.idle).check.status
            is PASSED
        )

    def test_three_slow_rounds_are_enough(self):
        first, *others = self.rounds(30, 20, 11, 1)
        for of in (first, *others):
            of.seconds[:20] = 0.001
        timed = latency.measure("gRPC", first, 10, iter(others).__next__, self.idle)
        assert timed.check.status is FAILED
        assert "gRPC: one row takes 11.0 ms" in timed.check.message

    def test_one_round_is_enough_where_no_request_is_fast(self):
        (first,) = self.rounds(11)
        timed = latency.measure("gRPC", first, 10, iter(()).__next__, self.idle)
        assert timed.check.status is FAILED

    def test_one_slow_answer_in_a_hundred_is_seen(self):
        seconds = np.full(300, 0.001)
        seconds[:4] = 0.5
        slow = Answers(seconds, seconds)
        timed = latency.measure("REST", slow, 10, lambda: slow, self.idle)
        assert timed.check.status is FAILED

    def test_the_histogram_counts_every_request(self):
        fast, slow = self.rounds(0.7, 700)
        timed = [
            latency.measure(name, of, 1e9, iter(()).__next__, self.idle)
            for name, of in (("gRPC", fast), ("REST", slow))
        ]
        bins = latency.evidence(timed, 100.0)["latency_histogram"]
        assert sum(row["gRPC"] for row in bins) == sum(row["REST"] for row in bins) == 100
        assert bins[0] == {"up to ms": 1.0, "gRPC": 100, "REST": 0, "within budget": True}
        assert bins[-1] == {"up to ms": 1024.0, "gRPC": 0, "REST": 100, "within budget": False}
        assert [row["within budget"] for row in bins if row["up to ms"] == 100.0] == [True]
