"""What a run of a pipeline's DAG comes to, its tasks run by Airflow in this process."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from airflow_in_process import publish, tasks, trigger, work
from tiny_house import NAME, YAML, write

from components import ledger, plan
from components.errors import UsageError
from components.verdict import Status

SPAN = "2013-01-03"
STEPS = ["ingest", *(step.name for step in plan.PLAN)]


@pytest.fixture
def dag(dags, tiny):
    """The tiny DAG, known to Airflow."""
    found = dags()
    publish()
    return found[NAME]


def states(api, run):
    told = tasks(api, run)
    return {name: told[name]["state"] for name in STEPS}


def test_run_by_hand_with_a_span_in_the_form_releases(dags, tiny):
    run = dags()[NAME].test(run_conf={"span": SPAN})
    assert run.state == "success"
    assert {task.state for task in run.get_task_instances()} == {"success"}
    assert [release.span for release in ledger.releases(NAME)] == [SPAN]


def test_partition_key_names_the_span(dag, api):
    assert work(dag, trigger(api, SPAN)) == "success"
    assert [release.span for release in ledger.releases(NAME)] == [SPAN]


def test_second_trigger_with_the_same_input_ends_at_once_and_says_so(dag, api):
    work(dag, trigger(api, SPAN))
    again = trigger(api, SPAN)
    assert work(dag, again) == "success"
    assert states(api, again) == dict.fromkeys(STEPS, "skipped") | {"ingest": "success"}
    assert (
        "already released as version 1 from the same input" in tasks(api, again)["ingest"]["note"]
    )
    assert len(ledger.releases(NAME)) == 1


@pytest.mark.parametrize(
    ("gate", "task"),
    [("data", "validate_data"), ("model", "evaluate"), ("infra", "validate_infra")],
)
def test_halted_run_is_red_at_the_first_try_and_says_why(dag, api, tiny, gate, task):
    tiny.decide = lambda asked, _: Status.FAILED if asked == gate else Status.PASSED
    run = trigger(api, SPAN)
    assert work(dag, run) == "failed"
    told = tasks(api, run)
    after = STEPS[STEPS.index(task) + 1 :]
    assert (told[task]["state"], told[task]["try_number"]) == ("failed", 1)
    assert {told[name]["state"] for name in after} == {"upstream_failed"}
    assert f"{gate} gate halted {NAME} {SPAN}: {gate} was to be failed" in told[task]["note"]
    assert f"/sluice/verdicts/{NAME}/" in told[task]["note"]
    assert not ledger.entries(NAME)


def test_reason_is_the_last_line_of_the_exception(dag, api, tiny, capsys):
    tiny.decide = lambda *_: Status.FAILED
    work(dag, trigger(api, SPAN))
    lines = [
        line for line in capsys.readouterr().out.splitlines() if "AirflowFailException:" in line
    ]
    assert lines[-1].endswith(f"data gate halted {NAME} {SPAN}: data was to be failed")


def test_gate_that_could_not_measure_is_asked_again(dag, api, tiny):
    answers = [Status.ERROR]
    tiny.decide = lambda asked, _: answers.pop() if asked == "infra" and answers else Status.PASSED
    run = trigger(api, SPAN)
    assert work(dag, run) == "success"
    assert tasks(api, run)["validate_infra"]["try_number"] == 2


def test_gate_that_never_measures_is_red(dag, api, tiny):
    tiny.decide = lambda asked, _: Status.ERROR if asked == "infra" else Status.PASSED
    run = trigger(api, SPAN)
    assert work(dag, run) == "failed"
    assert "infra gate could not judge" in tasks(api, run)["validate_infra"]["note"]
    assert not ledger.entries(NAME)


def test_step_that_breaks_once_makes_no_second_version(dag, api, tiny, monkeypatch):
    push, breaks = sys.modules["components.push"].push, [True]

    def broken_once(*about):
        if breaks:
            breaks.pop()
            raise ConnectionError("the server is away")
        return push(*about)

    monkeypatch.setattr(sys.modules["components.push"], "push", broken_once)
    run = trigger(api, SPAN)
    assert work(dag, run) == "success"
    assert tasks(api, run)["push"]["try_number"] == 2
    assert [release.version for release in ledger.releases(NAME)] == [1]


def test_gate_marked_as_success_by_hand_releases_nothing(dag, api, tiny):
    tiny.decide = lambda asked, _: Status.FAILED if asked == "model" else Status.PASSED
    run = trigger(api, SPAN)
    work(dag, run)
    path = f"/api/v2/dags/{NAME}/dagRuns/{run}/taskInstances/evaluate"
    api.patch(path, json={"new_state": "success"}).raise_for_status()
    rest = {"dag_run_id": run, "task_ids": ["validate_infra", "push"], "dry_run": False}
    api.post(f"/api/v2/dags/{NAME}/clearTaskInstances", json=rest).raise_for_status()
    assert work(dag, run) == "failed"
    push = tasks(api, run)["push"]
    assert push["state"] == "failed"
    assert "is not approved" in push["note"]
    assert not ledger.entries(NAME)


def test_ingest_marked_as_success_by_hand_proves_nothing(dag, api):
    run = trigger(api, SPAN)
    path = f"/api/v2/dags/{NAME}/dagRuns/{run}/taskInstances/ingest"
    api.patch(path, json={"new_state": "success"}).raise_for_status()
    assert work(dag, run) == "failed"
    describe = tasks(api, run)["describe"]
    assert describe["try_number"] == 1
    assert "left no run for this step" in describe["note"]


def test_run_without_a_span_names_the_remedy(dag, api):
    run = trigger(api)
    assert work(dag, run) == "failed"
    ingest = tasks(api, run)["ingest"]
    assert ingest["try_number"] == 1
    assert "trigger it with a partition key, or fill in the form" in ingest["note"]


def test_broken_spec_fails_with_its_message(dags, api, tiny):
    write("askew", YAML.replace("label: late", "label: lat"))
    broken = dags()["askew"]
    publish()
    body = {"logical_date": None}
    run = api.post("/api/v2/dags/askew/dagRuns", json=body).raise_for_status().json()["dag_run_id"]
    assert work(broken, run) == "failed"
    assert "did you mean 'late'?" in tasks(api, run, "askew")["spec"]["note"]


def test_note_that_cannot_be_written_changes_nothing(dag, api, monkeypatch):
    run = trigger(api, SPAN)
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", "/nowhere")
    assert work(dag, run) == "success"
    assert tasks(api, run)["push"]["note"] is None


def test_note_of_a_long_message_is_cut_and_not_refused(dag, api, monkeypatch):
    def broken(*about):
        raise ConnectionError("the *server* is away\n" * 500)

    monkeypatch.setattr(sys.modules["components.push"], "push", broken)
    run = trigger(api, SPAN)
    work(dag, run)
    assert tasks(api, run)["push"]["note"].startswith(
        r"ConnectionError: the \*server\* is away the"
    )


def test_note_shows_values_as_they_are(airflow):
    from notes import _as_markdown

    hostile = "carrier ![x](http://evil/) <b>UA</b> `a_b*c` [go](javascript:alert(1))"
    assert _as_markdown(hostile) == (
        r"carrier !\[x\](http://evil/) \<b\>UA\</b\> \`a\_b\*c\` \[go\](javascript:alert(1))"
    )


def asked(key=None, form=None):
    return {"dag_run": SimpleNamespace(partition_key=key), "params": {"span": form}}


@pytest.mark.parametrize("given", [asked(key=SPAN), asked(form=SPAN), asked(key=SPAN, form=SPAN)])
def test_span_is_the_partition_key_or_the_forms(airflow, given):
    from operators import span_of

    assert span_of(given) == SPAN


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (asked(), "has no span"),
        (asked(key=SPAN, form="2013-01-04"), "has two spans"),
        (asked(key="2013-1-3"), "write it as YYYY-MM-DD"),
        (asked(key="../../etc"), "write it as YYYY-MM-DD"),
    ],
)
def test_span_that_is_not_one_day_is_wrong_use(airflow, given, said):
    from operators import span_of

    with pytest.raises(UsageError, match=said):
        span_of(given)
