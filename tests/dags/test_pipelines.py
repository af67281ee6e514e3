"""The shape of the DAGs, whatever their pipelines' specs hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from airflow_in_process import ENVIRONMENT, ROOT
from tiny_house import NAME, YAML, write

from components import home, plan

PARSE = """
import json, sys, time
import airflow.sdk, airflow.sdk.exceptions
from airflow.sdk import DAG, Asset, BaseOperator, BaseOperatorLink, Param
from airflow.sdk import CronPartitionTimetable, PartitionedAssetTimetable, chain
before = time.process_time()
import pipelines
print(json.dumps([time.process_time() - before, sorted(pipelines.DAGS), sorted(sys.modules)]))
"""
HEAVY = ("tensorflow", "tensorflow_data_validation", "tensorflow_model_analysis", "keras")
HEAVY += ("apache_beam", "pandas", "pyarrow", "duckdb", "grpc")


def core(dag):
    """Return the DAG's timetable as the scheduler has it."""
    from airflow.serialization.serialized_objects import DagSerialization

    return DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag)).timetable


def next_run(dag):
    """Return what the scheduler would start next, or None."""
    from airflow.timetables.base import TimeRestriction

    limits = TimeRestriction(earliest=dag.start_date, latest=dag.end_date, catchup=dag.catchup)
    return core(dag).next_dagrun_info_v2(last_dagrun_info=None, restriction=limits)


def test_tasks_are_the_plan_in_its_order(dags):
    dag = dags()[NAME]
    order = [task.task_id for task in dag.topological_sort()]
    assert order == ["ingest", *(step.name for step in plan.PLAN)]
    assert all(len(task.downstream_task_ids) <= 1 for task in dag.tasks)


def test_no_leaf_turns_a_halted_run_green(dags):
    assert {task.trigger_rule for task in dags()[NAME].tasks} == {"all_success"}


def test_killed_tasks_are_tried_again(dags):
    assert all(task.retries >= 2 for task in dags()[NAME].tasks)


def test_devices_are_taken_from_their_pool(dags):
    pools = {task.task_id: task.pool for task in dags()[NAME].tasks}
    assert pools.pop("train") == "gpu"
    assert set(pools.values()) == {"default_pool"}


def test_every_task_gives_up_some_time(dags):
    assert all(task.execution_timeout for task in dags()[NAME].tasks)


def test_runs_of_a_pipeline_follow_each_other(dags):
    dag = dags()[NAME]
    assert dag.max_active_runs == 1
    assert not dag.catchup


def test_cron_is_for_the_span_of_the_day_before(dags, tiny):
    write("nightly", YAML + "schedule: '30 4 * * *'\n")
    coming = next_run(dags()["nightly"])
    assert (coming.run_after.hour, coming.run_after.minute) == (4, 30)
    assert coming.run_after > datetime.now(UTC)  # and not at once, for yesterday
    assert (coming.run_after.date() - datetime.fromisoformat(coming.partition_key).date()).days == 1


def test_closed_source_schedules_nothing_after_its_last_span(dags, tiny):
    write("closed", YAML.replace("2013-01-01}", "2013-01-01, last: 2013-12-31}"))
    assert next_run(dags()["closed"]) is None


@pytest.mark.parametrize("time_of_day", ["0 0", "30 4", "59 23"])
def test_closed_source_schedules_each_span_upto_its_last(dags, tiny, time_of_day):
    closed = YAML.replace("2013-01-01}", "2013-01-01, last: 2013-01-04}")
    write("closed", f"{closed}schedule: '{time_of_day} * * *'\n")
    dag, keys, run = dags()["closed"], [], None
    since = datetime(2013, 1, 2, tzinfo=UTC)
    from airflow.timetables.base import TimeRestriction

    every = TimeRestriction(earliest=since, latest=dag.end_date, catchup=True)
    while run := core(dag).next_dagrun_info_v2(last_dagrun_info=run, restriction=every):
        keys.append(run.partition_key)
    assert keys == ["2013-01-01", "2013-01-02", "2013-01-03", "2013-01-04"]


def test_arrival_waits_for_its_asset(dags, tiny):
    write("awaited", YAML + "schedule: arrival\n")
    dag = dags()["awaited"]
    assert core(dag).partitioned
    assert [key.name for key, _ in core(dag).asset_condition.iter_assets()] == ["awaited-arrival"]
    assert next_run(dag) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("key: [", "is not YAML"),
        (YAML.replace("label: late", "label: lat"), "did you mean 'late'?"),
        (YAML + "schedule: '0 */6 * * *'\n", "schedule: must be one minute and hour"),
        (YAML + "shedule: arrival\n", "did you mean 'schedule'?"),
    ],
)
def test_broken_spec_is_a_dag_that_says_so_beside_healthy_ones(dags, tiny, text, said):
    write("askew", text)
    found = dags()
    assert {"askew", NAME} == set(found)
    assert "broken" in found["askew"].tags
    assert said in found["askew"].description
    assert [task.task_id for task in found["askew"].tasks] == ["spec"]
    assert len(found[NAME].tasks) == 1 + len(plan.PLAN)


def test_broken_spec_is_red_every_morning_until_it_is_mended(dags, tiny):
    write("askew", YAML.replace("label: late", "label: lat"))
    coming = next_run(dags()["askew"])
    assert coming.run_after > datetime.now(UTC)
    assert coming.run_after - datetime.now(UTC) < timedelta(days=1)


def test_folder_without_a_spec_does_not_vanish(dags, tiny):
    (home.pipelines() / "empty").mkdir()
    assert "pipeline.yaml: the file is missing" in dags()["empty"].description


def test_folder_whose_name_is_no_dag_id_takes_no_other_dag_with_it(dags, tiny):
    write("my pipeline", YAML)
    write("my_pipeline", YAML)
    found = dags()
    assert "the folder names the pipeline" in found["my pipeline"].description
    assert found["my_pipeline"].dag_id == "my_pipeline" != found["my pipeline"].dag_id
    assert NAME in found


def test_parsing_is_quick_and_imports_nothing_heavy(tiny):
    path = os.pathsep.join((str(ROOT), str(ROOT / "dags")))
    environment = os.environ | ENVIRONMENT | {"PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", PARSE], env=environment, capture_output=True, text=True, check=True
    )
    seconds, found, modules = json.loads(done.stdout.splitlines()[-1])
    assert found == [NAME]
    assert not set(HEAVY) & set(modules)
    assert seconds < 1
