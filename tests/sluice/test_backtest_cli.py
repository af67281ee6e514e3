"""A backtest of made rows, from the source to the page: killed half-way, it goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from training_house import MODEL, NAME, SCHEMA, rows

from components import home, spans, store

PATIENCE_S = 900
DAYS = spans.between("2013-01-01", "2013-01-10")
FIRST, LAST, BAD = DAYS[4], DAYS[9], DAYS[6]
YAML = """
source: {path: "var/arrivals/{span}/rows.parquet"}
span: {first: 2013-01-01}
window: {train: 3, evaluate: 1}
label: late
key: [id]
train: {epochs: 2, batch_size: 32}
thresholds: [{metric: auc, at_least: 0.1}]
serving: {name: made}
"""


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A house with ten days of rows; on one of them no distance is known."""
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path))
    contract = SCHEMA.replace(
        'name: "distance" type: FLOAT',
        'name: "distance" type: FLOAT presence { min_fraction: 0.5 }',
    )
    for path, text in {
        f"schemas/{NAME}.pbtxt": contract,
        f"pipelines/{NAME}/ingest.sql": "FROM read_parquet($source)",
        f"pipelines/{NAME}/model.py": MODEL,
        f"pipelines/{NAME}/pipeline.yaml": YAML,
    }.items():
        (home.home() / path).parent.mkdir(parents=True, exist_ok=True)
        (home.home() / path).write_text(text)
    for day in DAYS:
        frame = rows(day)
        if day == BAD:
            frame["distance"] = pd.Series([None] * len(frame), dtype="float32")
        frame["late"] = frame["late"].where(pd.Series(range(len(frame))) % 10 > 0)
        (home.var() / "arrivals" / day).mkdir(parents=True)
        frame.to_parquet(home.var() / "arrivals" / day / "rows.parquet", index=False)
    return tmp_path


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "sluice.cli", "backtest", NAME, *words]


def told(*words: str) -> dict:
    run = subprocess.run(
        command("--from", FIRST, "--to", LAST, "--json", *words),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def made() -> dict[Path, int]:
    """Return when each artifact was finished."""
    found = store.root(NAME).glob("*/*/*/manifest.json")
    return {path: path.stat().st_mtime_ns for path in found}


@pytest.mark.timeout(2 * PATIENCE_S)
def test_a_backtest_that_is_killed_goes_on_where_it_was(house):
    begun = subprocess.Popen(
        command("--from", FIRST, "--to", LAST, "--workers", "1"),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    lines = []
    for line in begun.stderr:
        lines.append(line)
        if f"{DAYS[5]}  would be released" in line:  # the second of five that train
            break
    workers = [int(pid) for pid in _children(begun.pid)]
    os.kill(begun.pid, signal.SIGKILL)
    begun.wait(PATIENCE_S)
    begun.stderr.close()
    assert lines[-1].startswith("   2 of 6"), "".join(lines)
    assert workers
    before = made()
    report = told("--workers", "0")
    after = made()
    assert before.items() <= after.items()
    assert after.keys() > before.keys()
    assert not [pid for pid in workers if _is_a_worker(pid)]

    outcomes = {one["span"]: (one["outcome"], one["gate"]) for one in report["tried"]}
    assert outcomes.pop(BAD) == ("halted", "data")
    assert set(outcomes.values()) == {("released", None)}
    days = {day["span"]: day for day in report["fares"]["days"]}
    assert list(days) == DAYS[5:]
    assert not days[BAD]["counts"]
    assert days[DAYS[7]]["served"] == {"gated": DAYS[5], "always": DAYS[5], "never": DAYS[4]}
    assert days[LAST]["served"] == {"gated": DAYS[8], "always": DAYS[8], "never": DAYS[4]}
    assert days[LAST]["examples"] == 108  # a row in ten has no label
    gated = {span: day["metric"]["gated"] for span, day in days.items()}
    assert all(0 < value < 1 for value in gated.values())
    assert gated[LAST] == pytest.approx(_auc_by_hand(LAST, DAYS[8]), abs=1e-6)
    assert report["fares"]["differences"]["always"]["value"] == 0

    page = (Path(report["folder"]) / "report.html").read_text()
    assert "5 of 6 spans would be released, 1 halted" in page
    assert "prefers-color-scheme: dark" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert page.count("<polyline") == 3
    links = [part.split('"')[0] for part in page.split('href="')[1:]]
    assert len(links) == 6
    assert all((Path(report["folder"]) / link).resolve().is_file() for link in links)


@pytest.mark.timeout(2 * PATIENCE_S)
def test_nothing_that_passes_is_exit_3_and_a_missing_source_is_wrong_use(house):
    path = home.pipelines() / NAME / "pipeline.yaml"
    path.write_text(YAML.replace("at_least: 0.1", "at_least: 0.9999"))
    words = ("--from", DAYS[4], "--to", DAYS[5], "--workers", "0")
    halted = subprocess.run(command(*words), capture_output=True, text=True, timeout=PATIENCE_S)
    assert halted.returncode == 3, halted.stderr
    assert "0 of 2 would be released, 2 halted" in halted.stdout
    assert "halts at the model gate" in halted.stdout
    words = ("--from", "2013-02-04", "--to", "2013-02-05")
    empty = subprocess.run(command(*words), capture_output=True, text=True, timeout=PATIENCE_S)
    assert empty.returncode == 2
    assert "made has no data from 2013-02-04 to 2013-02-05" in empty.stderr


def _auc_by_hand(day: str, model_of: str) -> float:
    from sklearn.metrics import roc_auc_score

    from components import scoring

    (folder,) = (store.root(NAME) / "train" / model_of).glob("*/manifest.json")
    frame = pd.read_parquet(home.var() / "arrivals" / day / "rows.parquet")
    known = frame[frame["late"].notna()].reset_index(drop=True)
    scores = scoring.load(store.load(folder.parent)).scores(known)
    return roc_auc_score(known["late"].to_numpy(float), scores)


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _is_a_worker(pid: int) -> bool:
    try:
        return b"multiprocessing" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False
