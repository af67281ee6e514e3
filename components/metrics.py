"""The metrics that a model may be judged by: one catalogue, of every task.

A metric is TFMA's own, or one of ours that is written as TFMA's extension point asks and so lands in
the same files (`components/evaluate/own_metrics.py`). Counts suffice for every one
(`components/evaluate/counted_metrics.py`). This module imports nothing heavy: a pipeline.yaml is checked
against it wherever it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Task = Literal["binary", "multiclass", "regression"]
Better = Literal[-1, 0, 1]
Need = Literal["positive", "negative", "of every class"]

OURS = "components.evaluate.own_metrics"
CUT = 0.5  # a score above it says yes


@dataclass(frozen=True)
class Metric:
    """One metric of one task.

    `about`: what it is, in a line; `better`: whether more (1) or less (-1) of it is better, or nearer
    to `ideal` (0), or None where neither is; `tfma`: the class that makes it, of `module` where it is
    not TFMA's; `needs`: the labels without which a slice has none of it; `macro`: whether it is the
    mean over the classes, each against the rest; `scaled`: whether it is in the label's unit, and no
    share or ratio.
    """

    name: str
    about: str
    better: Better | None
    tfma: str
    ideal: float = 0.0
    module: str = ""
    needs: tuple[Need, ...] = ()
    macro: bool = False
    scaled: bool = False

    def harm(self, value: float) -> float:
        """Return how bad a value is: less is better. Only for a metric with a direction."""
        if self.better is None:
            raise ValueError(f"{self.name} is neither better nor worse for being more")
        return -self.better * value if self.better else abs(value - self.ideal)


BOTH: Any = ("positive", "negative")
_COUNT = Metric("example_count", "the number of examples", None, "ExampleCount")
_MEANS = (
    Metric("mean_prediction", "the mean of the scores", None, "MeanPrediction"),
    Metric("mean_label", "the mean of the labels", None, "MeanLabel"),
    _COUNT,
)
# In the order in which TFMA's viewers list them.
_BINARY = (
    Metric("auc", "the area under the ROC curve", 1, "AUC", needs=BOTH),
    Metric("accuracy", f"the share of right answers, yes above {CUT}", 1, "BinaryAccuracy"),
    Metric("precision", f"the share of positives among scores above {CUT}", 1, "Precision"),
    Metric(
        "recall", f"the share of positives with a score above {CUT}", 1, "Recall",
        needs=("positive",),
    ),
    Metric(
        "calibration", "the sum of scores over that of labels", 0, "Calibration", 1.0,
        needs=("positive",),
    ),
    Metric("loss", "the mean cross entropy, in nats", -1, "BinaryCrossEntropy"),
    Metric(
        "false_positive_rate", f"the share of negatives with a score above {CUT}", -1, "FPR",
        needs=("negative",),
    ),
    Metric(
        "false_negative_rate", f"the share of positives with a score of {CUT} or less", -1, "FNR",
        needs=("positive",),
    ),
    Metric(
        "expected_calibration_error", "the mean distance of scores from the share of positives", -1,
        "ExpectedCalibrationError", module=OURS,
    ),
    Metric(
        "equal_opportunity_difference", "the true-positive rate less the one overall", 0,
        "EqualOpportunityDifference", module=OURS, needs=("positive",),
    ),
    *_MEANS,
)  # fmt: skip
_MULTICLASS = (
    Metric("accuracy", "the share whose likeliest class is right", 1, "SparseCategoricalAccuracy"),
    Metric(
        "auc", "the area under the ROC curve, in the mean over classes against the rest", 1, "AUC",
        needs=("of every class",), macro=True,
    ),
    Metric("loss", "the mean cross entropy, in nats", -1, "SparseCategoricalCrossentropy"),
    _COUNT,
)  # fmt: skip
_REGRESSION = (
    Metric("mae", "the mean absolute error, in the label's unit", -1, "MeanAbsoluteError", scaled=True),
    Metric("mse", "the mean squared error", -1, "MeanSquaredError", scaled=True),
    Metric(
        "rmse", "the root of the mean squared error, in the label's unit", -1,
        "RootMeanSquaredError", module=OURS, scaled=True,
    ),
    Metric("bias", "the mean prediction less the mean label", 0, "MeanBias", module=OURS, scaled=True),
    Metric("calibration", "the sum of predictions over that of labels", 0, "Calibration", 1.0),
    *_MEANS,
)  # fmt: skip
CATALOGUE: dict[Task, dict[str, Metric]] = {
    "binary": {metric.name: metric for metric in _BINARY},
    "multiclass": {metric.name: metric for metric in _MULTICLASS},
    "regression": {metric.name: metric for metric in _REGRESSION},
}
# The one figure that is told where there is room for one, and what it is called there.
HEADLINE: Mapping[Task, tuple[str, str]] = {
    "binary": ("auc", "AUC"),
    "multiclass": ("accuracy", "accuracy"),
    "regression": ("mae", "mean absolute error"),
}


def of(task: Task) -> Mapping[str, Metric]:
    """Return the metrics of a task by name, in the order in which they are shown."""
    return CATALOGUE[task]
