"""Metrics that TFMA lacks, each made of figures that TFMA has.

Classes of TFMA's public extension point: an EvalConfig names them by module, both ways of evaluating
make them, thresholds hold them, and every reader of TFMA shows them like its own. They keep no state
of their own, so what suffices for TFMA's metrics suffices for these.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow_model_analysis as tfma

BINS = 10


class Derived(tfma.metrics.Metric):
    """A metric made of others, its `parts`, which stay hidden from the result."""

    def __init__(self, name: str, **config: Any) -> None:
        super().__init__(self._computations, name=name, **config)

    @abstractmethod
    def parts(self, name: str, **config: Any) -> Sequence[tfma.metrics.Metric]:
        """Return the metrics that this one is made of; `name` begins the name of each."""

    @abstractmethod
    def value(self, model: str, *parts: Any, **config: Any) -> float:
        """Return the figure of one slice for a model, from those of its parts."""

    def _computations(
        self,
        name: str,
        eval_config: Any = None,
        model_names: Sequence[str] | None = None,
        output_names: Sequence[str] | None = None,
        example_weighted: bool = False,
        **config: Any,
    ) -> list[Any]:
        computations: list[Any] = []
        for model in model_names or [""]:
            keys = []
            for part in self.parts(f"_{name}", **config):
                computations += part.computations(
                    eval_config=eval_config,
                    model_names=[model],
                    output_names=output_names,
                    example_weighted=example_weighted,
                )
                keys.append(computations[-1].keys[-1])
            key = keys[0]._replace(name=name)
            key = tfma.metrics.MetricKey(*key)  # the part may have been a plot
            computations.append(self._derived(key, keys, config))
        return computations

    def _derived(self, key: Any, keys: Sequence[Any], config: Mapping[str, Any]) -> Any:
        def result(metrics: Mapping[Any, Any]) -> dict[Any, float]:
            return {key: self.value(key.model_name, *(metrics[k] for k in keys), **config)}

        return tfma.metrics.DerivedMetricComputation(keys=[key], result=result)


class ExpectedCalibrationError(Derived):
    """How far scores are from the share of positives, in the mean over the examples.

    The scores fall into ten bins of equal width, as in Naeini, Cooper and Hauskrecht, "Obtaining Well
    Calibrated Probabilities Using Bayesian Binning" (AAAI 2015). Between 0 and 1. Few examples make it
    larger than it is: a perfect model has some .08 on 100 of them, .026 on 1,000, .008 on 10,000.
    """

    def parts(self, name: str, **config: Any) -> Sequence[tfma.metrics.Metric]:
        """Return the histogram of ten bins, and one either side that stays empty."""
        return [tfma.metrics.CalibrationPlot(num_buckets=BINS, left=0.0, right=1.0, name=name)]

    def value(self, model: str, *parts: Any, **config: Any) -> float:
        """Return the weighted mean distance of the bins."""
        bins = parts[0].buckets
        apart = sum(abs(b.total_weighted_label.value - _scores(b)) for b in bins)
        examples = sum(b.num_weighted_examples.value for b in bins)
        return apart / examples if examples else math.nan


def _scores(bucket: Any) -> float:
    return float(bucket.total_weighted_refined_prediction.value)


class EqualOpportunityDifference(Derived):
    """A slice's true-positive rate less the one overall; `overall`: the latter by model.

    Hardt, Price and Srebro, "Equality of Opportunity in Supervised Learning" (NeurIPS 2016), compare
    groups with each other; against overall, every slice has a figure, and few examples of one group do
    not move those of all the others.
    """

    def parts(self, name: str, **config: Any) -> Sequence[tfma.metrics.Metric]:
        """Return the true-positive rate."""
        return [tfma.metrics.TPR(name=name)]

    def value(self, model: str, *parts: Any, **config: Any) -> float:
        """Return the distance, signed."""
        return float(parts[0]) - float(config["overall"][model])


class RootMeanSquaredError(Derived):
    """The root of the mean squared error, in the label's own unit."""

    def parts(self, name: str, **config: Any) -> Sequence[tfma.metrics.Metric]:
        """Return the mean squared error."""
        return [tfma.metrics.MeanSquaredError(name=name)]

    def value(self, model: str, *parts: Any, **config: Any) -> float:
        """Return its root."""
        return math.sqrt(parts[0])


class MeanBias(Derived):
    """The mean prediction less the mean label, in the label's own unit."""

    def parts(self, name: str, **config: Any) -> Sequence[tfma.metrics.Metric]:
        """Return the two means."""
        predicted = tfma.metrics.MeanPrediction(name=f"{name}_prediction")
        return [predicted, tfma.metrics.MeanLabel(name=f"{name}_label")]

    def value(self, model: str, *parts: Any, **config: Any) -> float:
        """Return the difference."""
        return float(parts[0]) - float(parts[1])
