"""The learning curve of finished rounds, extended: what would more labels bring?

A metric against labels is fitted by an inverse power law, `value(n) = a - b * n**-c`, by weighted nonlinear least
squares, as Figueroa et al. (2012, "Predicting sample size required for classification performance", BMC Medical
Informatics and Decision Making 12:8) do; Cortes et al. (1993, "Learning curves: asymptotic values and rate of
convergence", NIPS 6) give the form. A point weighs by its interval on the test reserve.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.domain.rounds import Round
from al_loop.training.triggers.policy import counted

LEAST_POINTS = 4
"""Rounds with different numbers of labels that a fit of three parameters needs, so that it has a residual."""
BOUNDS = ([0.0, 0.0, 0.05], [1.0, 2.0, 2.0])
"""Of a, of b in units of the geometric mean of the labels, and of c."""
START = (0.9, 0.2, 0.5)
LEAST_DEVIATION = 1e-3
"""Of a point: an interval of no width does not outweigh all others."""


class MeasuredRound(NamedTuple):
    """A finished round: labels it was trained on, and its metric on the test reserve with its 95 % interval."""

    labels: int
    value: float
    low: float
    high: float


class TaskCurve(msgspec.Struct, frozen=True, kw_only=True):
    """The rounds of one task, by number."""

    task: str
    metric: str
    rounds: tuple[MeasuredRound, ...]


class ProjectedGain(NamedTuple):
    """What a fitted curve gains between two numbers of labels."""

    gain: float
    """Difference of the fitted values, 0 to 1."""
    noise: float
    """Standard deviation that the gain has to exceed: of the fitted difference (by the delta method), and of a round
    around the curve, added in squares."""


class CurveFit(NamedTuple):
    """`value(n) = a - b * (n / unit)**-c`."""

    parameters: NDArray[np.float64]
    """a, b, c; shape (3,)."""
    covariance: NDArray[np.float64]
    """Of them, shape (3, 3)."""
    unit: float
    """Labels: geometric mean of those of the rounds."""
    residual: float
    """Standard deviation of a round around the curve, in units of the metric."""

    def value(self, labels: float) -> float:
        """The metric that the curve has at a number of labels."""
        a, b, c = self.parameters
        return float(a - b * (labels / self.unit) ** -c)

    def gain(self, start: float, end: float) -> ProjectedGain:
        """From one number of labels to a greater one, both above 0."""
        slope = self._gradient(end) - self._gradient(start)
        variance = float(slope @ self.covariance @ slope) + self.residual**2
        return ProjectedGain(self.value(end) - self.value(start), float(np.sqrt(variance)))

    def _gradient(self, labels: float) -> NDArray[np.float64]:
        _, b, c = self.parameters
        power = (labels / self.unit) ** -c
        return np.array([1.0, -power, b * power * np.log(labels / self.unit)])


def curves_of(rounds: Sequence[Round]) -> tuple[TaskCurve, ...]:
    """The learning curve of each task, from rounds by number; those in the background are of another kind of model."""
    found: dict[str, list[MeasuredRound]] = {}
    metrics: dict[str, str] = {}
    for entry in counted(rounds):
        if entry.evaluation is None or not entry.labels:
            continue
        for result in entry.evaluation.candidate:
            measured = MeasuredRound(entry.labels, result.value, result.low, result.high)
            found.setdefault(result.task, []).append(measured)
            metrics[result.task] = result.metric
    return tuple(TaskCurve(task=task, metric=metrics[task], rounds=tuple(found[task])) for task in found)


def fit_curve(rounds: Sequence[MeasuredRound]) -> CurveFit | None:
    """Fit the inverse power law; None: fewer than four rounds with different numbers of labels, or no finite values.

    The last fits are kept: a page that asks every few seconds costs one fit a round.
    """
    return _fitted(tuple(rounds))


@lru_cache(maxsize=64)
def _fitted(rounds: tuple[MeasuredRound, ...]) -> CurveFit | None:
    from scipy.optimize import least_squares  # half a second that a start without curves need not pay

    labels = np.array([entry.labels for entry in rounds], float)
    values = np.array([entry.value for entry in rounds], float)
    widths = np.array([entry.high - entry.low for entry in rounds], float)
    if len(set(labels.tolist())) < LEAST_POINTS or not np.isfinite([values, widths]).all():
        return None
    deviations = np.maximum(widths / (2 * 1.96), LEAST_DEVIATION)
    unit = float(np.exp(np.log(labels).mean()))
    scaled = labels / unit

    def residuals(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        a, b, c = parameters
        return np.asarray((a - b * scaled**-c - values) / deviations)

    found = least_squares(residuals, START, bounds=BOUNDS)
    reduced = 2 * found.cost / (len(labels) - len(START))  # chi-squared for each degree of freedom
    information = found.jac.T @ found.jac
    covariance = reduced * np.linalg.inv(information + 1e-9 * np.trace(information) * np.eye(3))
    residual = float(np.sqrt(reduced * np.mean(deviations**2)))
    return CurveFit(found.x, covariance, unit, residual)
