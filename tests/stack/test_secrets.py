"""Secrets are made once, for one pair of eyes."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from sluice.stack import paths, secrets


@pytest.fixture
def house(tmp_path, monkeypatch):
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path))
    paths.make()
    return tmp_path


def told() -> dict[str, str]:
    return {path.name: path.read_text() for path in paths.secrets().iterdir()}


def test_secrets_are_readable_by_their_owner_alone(house):
    secrets.make()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in paths.secrets().iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE(paths.secrets().stat().st_mode) == 0o700


def test_a_second_start_keeps_the_secrets_of_the_first(house):
    secrets.make()
    first = told()
    secrets.make()
    assert told() == first


def test_starts_at_once_agree_on_one_secret(house):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: secrets.make(), range(8)))
    first = told()
    assert len(first) == 4
    assert secrets.password() in first["airflow-passwords.json"]
