"""One number an image. The model answers its mean and the logarithm of its variance, (2,)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.arrays import Floats
from models.metrics import CALIBRATION_BINS
from models.tasks import Task
from models.tasks.measuring import TaskMetric
from models.tasks.task import Scores
from models.tasks.uncertainty import SCORE_NAMES


class Regression(Task, frozen=True, kw_only=True, tag="regression"):
    """A number for the whole image. A label carries it as the text of its only class, as in `["0.25"]`."""

    uncertainty_unit = "standard deviation of the predicted number"
    full_uncertainty = 1.0

    @property
    def outputs(self) -> int:
        return 2

    @property
    def class_bounds(self) -> tuple[int, int]:
        return 0, 0

    @property
    def metric(self) -> TaskMetric:
        """Share of the variance that is explained; it has no classes."""
        return TaskMetric("r2", explained, lambda tables: np.empty(0))

    def refused(self, names: Sequence[str]) -> tuple[int | None, str] | None:
        try:
            (number,) = map(float, names)
        except ValueError:
            return None, 'one number is the answer, written as in ["0.25"]'
        return None if np.isfinite(number) else (0, f"{number} is not finite")

    @staticmethod
    def column() -> pa.DataType:
        return pa.list_(pa.float64())

    def encode(self, names: Sequence[str], polygons: Sequence[tuple[int, bytes]]) -> list[Any]:
        return [float(name) for name in names]

    def says(self, target: list[float]) -> bool:
        return True

    def count(self, truths: Iterable[list[float]]) -> NDArray[np.float64]:
        """Number of labels, their sum and the sum of their squares, (3,)."""
        values = np.array([truth[0] for truth in truths])
        return np.array([len(values), values.sum(), (values**2).sum()])

    def is_learnable(self, counts: NDArray[np.float64]) -> bool:
        return bool(counts[0] > 1 and spread(counts) > 0)

    def batch(self, truths: Sequence[list[float] | None]) -> NDArray[np.float32]:
        """Numbers (N,); NaN = not labelled."""
        return np.array([np.nan if truth is None else truth[0] for truth in truths], np.float32)

    @property
    def table_shape(self) -> tuple[int, int]:
        return 1, 4

    def tally(self, truth: list[float], output: NDArray[np.floating]) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Number of samples, sum of the truth, of its square and of the squared error."""
        table = np.array([[1.0, truth[0], truth[0] ** 2, (truth[0] - output[0]) ** 2]])
        return table, np.zeros((CALIBRATION_BINS, 3))

    def majority(self, total: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean of the training labels everywhere."""
        (number, truth, squares, _), mean = total[0], counts[1] / counts[0]
        return np.array([[number, truth, squares, squares - 2 * mean * truth + number * mean**2]])

    def scores(self, outputs: Floats, invalid: NDArray[np.bool_]) -> Scores:
        """The standard deviation, whatever score is asked for."""
        deviation = np.exp(outputs[:, 1] / 2)
        return dict.fromkeys(SCORE_NAMES, deviation)

    def record(self, answer: NDArray[Any]) -> dict[str, Any]:
        return {"value": float(answer[0]), "deviation": float(np.exp(answer[1] / 2))}

    def proposed(self, record: Mapping[str, Any]) -> list[str]:
        return [f"{record['value']:.3g}"]

    def caption(self, record: Mapping[str, Any]) -> list[str]:
        return [f"{record['value']:.3g} ± {record['deviation']:.2g}"]


def explained(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    """R squared (...) of tables (..., 1, 4); NaN where the truth does not vary."""
    number, truth, squares, errors = np.moveaxis(tables[..., 0, :], -1, 0)
    variation = squares - truth**2 / np.maximum(number, 1)
    usable = variation > 1e-9
    return np.where(usable, 1 - errors / np.where(usable, variation, 1.0), np.nan)


def spread(counts: NDArray[np.float64]) -> float:
    """Variance of the labels."""
    return float(counts[2] / counts[0] - (counts[1] / counts[0]) ** 2)
