"""The catalogue says of every metric what the gate needs to know, and costs nothing to read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from components import metrics


def test_reading_the_catalogue_imports_neither_tensorflow_nor_numpy():
    told = "import sys, components.metrics; print({'tensorflow', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_name_means_the_same_direction_in_every_task():
    seen: dict[str, set] = {}
    for of_task in metrics.CATALOGUE.values():
        for metric in of_task.values():
            seen.setdefault(metric.name, set()).add((metric.better, metric.ideal))
    assert [name for name, directions in seen.items() if len(directions) > 1] == []


@pytest.mark.parametrize(
    ("name", "worse", "better"),
    [
        ("auc", 0.6, 0.7),
        ("loss", 0.5, 0.4),
        ("calibration", 0.8, 1.1),
        ("calibration", 1.3, 1.2),
        ("equal_opportunity_difference", -0.2, 0.1),
    ],
)
def test_harm_grows_as_a_metric_gets_worse(name, worse, better):
    metric = metrics.of("binary")[name]
    assert metric.harm(worse) > metric.harm(better)


def test_a_metric_without_a_direction_does_no_harm_that_could_be_told():
    with pytest.raises(ValueError, match="neither better nor worse"):
        metrics.of("binary")["mean_label"].harm(0.3)


def test_the_guide_lists_every_metric_of_every_task():
    guide = Path(__file__).parents[2] / "docs" / "add-a-pipeline.md"
    names = {name for of_task in metrics.CATALOGUE.values() for name in of_task}
    assert {name for name in names if f"`{name}`" not in guide.read_text()} == set()
