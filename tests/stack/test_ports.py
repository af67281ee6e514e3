"""Ports are chosen once, and a taken one is told in one line that says what to do."""

import socket

import pytest

from components.errors import SluiceError, UsageError
from demo.house import free_ports
from sluice.stack import ports as stack_ports
from sluice.stack.ports import Ports


def test_a_taken_port_names_the_port_its_use_its_holder_and_the_variable():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        wanted = free_ports().model_copy(update={"rest": port})
        with pytest.raises(SluiceError) as told:
            stack_ports.insist_free(wanted, list(Ports.model_fields))
    message = str(told.value)
    assert "\n" not in message
    assert f"port {port} (gateway, REST) is taken by" in message
    assert "SLUICE_REST_PORT=" in message


def test_free_ports_are_let_through():
    stack_ports.insist_free(free_ports(), list(Ports.model_fields))


def test_ports_once_chosen_are_remembered_without_the_environment(tmp_path, monkeypatch):
    memory = tmp_path / "ports.json"
    monkeypatch.setenv("SLUICE_AIRFLOW_PORT", "18080")
    stack_ports.remember(memory, stack_ports.load(memory))
    monkeypatch.delenv("SLUICE_AIRFLOW_PORT")
    assert stack_ports.load(memory).airflow == 18080
    assert stack_ports.remembered(memory).airflow == 18080


@pytest.mark.parametrize("given", ["http", "0", "65536", "-1", ""])
def test_a_variable_that_is_no_port_is_wrong_use(tmp_path, monkeypatch, given):
    monkeypatch.setenv("SLUICE_REST_PORT", given)
    with pytest.raises(UsageError, match="SLUICE_REST_PORT"):
        stack_ports.load(tmp_path / "ports.json")


def test_one_port_for_two_parts_is_wrong_use(tmp_path, monkeypatch):
    monkeypatch.setenv("SLUICE_REST_PORT", "8080")
    with pytest.raises(UsageError, match="8080 is given to two parts"):
        stack_ports.load(tmp_path / "ports.json")


def test_a_torn_memory_is_named(tmp_path):
    memory = tmp_path / "ports.json"
    memory.write_text('{"rest": ')
    with pytest.raises(SluiceError, match="is torn; remove it"):
        stack_ports.remembered(memory)
