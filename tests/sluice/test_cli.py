"""The command line tells wrong use from broken, and both from halted, and says what to do."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sluice import cli

HERE = Path(__file__).resolve().parents[2]


@pytest.fixture
def call(monkeypatch, capfd):
    """Call the command line as a person does; return (exit code, stdout, stderr)."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["sluice", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
        told = capfd.readouterr()
        return end.value.code, told.out, told.err

    return call


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A house with the flights pipeline, and nothing run yet."""
    for folder in ("pipelines", "schemas"):
        (tmp_path / folder).symlink_to(HERE / folder)
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path))
    return tmp_path


def test_unknown_pipeline_is_wrong_use_and_offers_the_near_miss(house, call):
    code, _, told = call("run", "flight", "2013-02-08")
    assert code == 2
    assert "did you mean 'flights'?" in told


@pytest.mark.parametrize("span", ["yesterday", "2013-2-8", "2013-02-30", "20130208"])
def test_a_span_that_is_no_day_is_wrong_use(house, call, span):
    code, _, told = call("run", "flights", span)
    assert code == 2
    assert "YYYY-MM-DD" in told


def test_an_absent_span_halts_with_3_and_leaves_a_run_on_record(house, call):
    code, told, _ = call("run", "flights", "2013-02-08", "--json")
    result = json.loads(told)
    assert code == 3
    assert result["outcome"] == "halted"
    assert "2013-02-08" in result["reason"]
    assert result["release"] is None
    code, told, _ = call("show", result["run"], "--json")
    assert code == 0
    assert json.loads(told)["outcome"] == "halted"


def test_releases_before_the_first_says_how_to_begin(house, call):
    code, told, _ = call("releases", "flights")
    assert code == 0
    assert "sluice run flights" in told


def test_show_of_an_unknown_run_is_wrong_use(house, call):
    code, _, told = call("show", "2013-02-08-deadbeef")
    assert code == 2
    assert "no run" in told


def test_admit_of_a_span_never_taken_in_is_wrong_use(house, call):
    code, _, told = call("admit", "flights", "2013-02-08", "--because", "it was a blizzard")
    assert code == 2
    assert "2013-02-08" in told


def test_help_names_the_exit_codes():
    told = CliRunner().invoke(cli.app, ["run", "--help"]).output
    assert "3 halted" in " ".join(told.split())


def test_the_command_line_starts_without_tensorflow_or_airflow():
    heavy = ("tensorflow", "airflow", "apache_beam", "pandas", "pyarrow", "duckdb", "keras")
    code = f"import sys, sluice.cli; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
