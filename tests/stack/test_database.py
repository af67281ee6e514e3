"""PostgreSQL out of its wheel: started, asked and stopped for real."""

import contextlib
import signal
import subprocess
import time

import psutil
import psycopg2
import pytest

from components.errors import SluiceError
from sluice.stack import database, paths


@pytest.fixture(autouse=True)
def house(tmp_path, monkeypatch):
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "house"))
    return tmp_path / "house"


@contextlib.contextmanager
def running():
    """Run the server, and wait until it takes connections."""
    paths.make()
    database.prepare()
    log = paths.log("database")
    with log.open("a") as out:
        server = subprocess.Popen(database.command(), stdout=out, stderr=out)
    try:
        end = time.monotonic() + 90
        while not database.answers():
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        yield server
    finally:
        server.send_signal(signal.SIGINT)
        assert server.wait(60) == 0


def connect():
    """Connect as Airflow does, by the URL among the secrets."""
    url = (paths.secrets() / "database-url").read_text().replace("+psycopg2", "")
    return contextlib.closing(psycopg2.connect(url))


def ask(sql):
    with connect() as connection, connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else None


def test_it_answers_on_its_socket_alone_and_only_to_the_password():
    with running() as server:
        with pytest.raises(psycopg2.OperationalError, match="password"):
            psycopg2.connect(
                dbname="postgres", host=str(paths.sockets()), user="airflow", password="no"
            )
        assert ask("SELECT current_user") == [("airflow",)]
        listening = [
            c for c in psutil.Process(server.pid).net_connections("inet") if c.status == "LISTEN"
        ]
        assert listening == []


def test_it_does_not_run_as_root():
    with running() as server:
        assert psutil.Process(server.pid).uids().effective != 0


def test_what_was_written_is_there_when_the_house_has_moved(house, monkeypatch):
    with running():
        ask("CREATE TABLE kept AS SELECT 7 AS seven")
    monkeypatch.setenv("SLUICE_HOME", str(house.rename(house.with_name("moved"))))
    with running():
        assert ask("SELECT seven FROM kept") == [(7,)]


def test_a_folder_that_was_not_finished_is_made_anew():
    paths.make()
    (database.data() / "base").mkdir(parents=True)  # what a killed initdb leaves
    with running():
        assert ask("SELECT 1") == [(1,)]


def test_a_data_folder_that_cannot_be_made_is_told_and_not_left(monkeypatch):
    paths.make()
    monkeypatch.setattr(database, "USER", "pg_reserved")  # PostgreSQL keeps such names for itself
    with pytest.raises(SluiceError, match="could not be made"):
        database.prepare()
    assert not database.data().exists()
