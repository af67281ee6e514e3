"""One model of real flights: trained on three weeks of January, judged on the four days after."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from components import home, pipelines, scoring, spans
from components.spec import Spec
from components.store import Artifact
from demo import feed

REPOSITORY = Path(__file__).resolve().parent.parent.parent
TRAINS = spans.between("2013-01-03", "2013-01-23")
JUDGES = spans.between("2013-01-24", "2013-01-27")


@dataclass
class Flights:
    """The model, and the labelled examples of the days that judge it; `home`: the house of them all."""

    model: Artifact
    scorer: scoring.Scorer
    examples: pd.DataFrame
    home: Path
    spec: Spec
    taken_in: dict[str, Artifact]


@pytest.fixture(scope="session")
def flights(tmp_path_factory) -> Flights:
    from components.describe import describe
    from components.ingest import ingest
    from components.train import train
    from components.transform import transform

    folder = tmp_path_factory.mktemp("flights")
    for part in ("pipelines", "schemas"):
        shutil.copytree(REPOSITORY / part, folder / part)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLUICE_HOME", str(folder))
        assert home.home() == folder
        what = pipelines.load("flights")
        taken_in = {}
        for day in (*TRAINS, *JUDGES):
            feed.land(feed.upstream(), day)
            taken_in[day] = ingest(what, day)
        trains = [taken_in[day] for day in TRAINS]
        constants = transform(what, JUDGES[0], [describe(what, e) for e in trains])
        model = train(what, JUDGES[0], trains, constants, None)
        judges = [pd.read_parquet(taken_in[day].file("examples.parquet")) for day in JUDGES]
        examples = pd.concat(judges, ignore_index=True)
        labelled = examples[examples[what.label].notna()].reset_index(drop=True)
        return Flights(model, scoring.load(model), labelled, folder, what, taken_in)
