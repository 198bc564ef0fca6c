"""Candidate and incumbent on parts of the test reserve: by class, and by place.

Knows nothing of torch: see `models.training.tallies` for what is counted.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from models import metrics
from models.card import SliceEvaluation
from models.training.tallies import Tally

MOST_PLACES = 200
"""Places that are measured: those with the most labelled reserve samples."""
ALONE = "sample:"
"""Begins the block of a sample that stands alone, which is no place."""


def slice_evaluations(
    new: Tally, old: Tally | None, blocks: Sequence[str], weights: NDArray[np.float64]
) -> Iterator[SliceEvaluation]:
    """Each class that the reserve shows, then each place, the largest first.

    Args:
        new: Of the candidate.
        old: Of the incumbent on the same samples; None: it was not measured.
        blocks: Block of each of the n labelled samples.
        weights: (RESAMPLES, n), see `metrics.resample_weights`; the whole reserve is resampled for every slice, so that
            intervals say what other reserves of this kind would show.
    """
    yield from _by_class(new, old, weights)
    yield from _by_place(new, old, blocks, weights)


def _by_class(new: Tally, old: Tally | None, weights: NDArray[np.float64]) -> Iterator[SliceEvaluation]:
    task, tables = new.task, [counted.tables[counted.labelled] for counted in (new, old) if counted is not None]
    metric = task.metric
    values = [metric.by_class(table.sum(axis=0)) for table in tables]
    draws = [metrics.resampled(metric.by_class, table, weights) for table in tables]
    shown = np.isfinite(metric.by_class(tables[0]))  # (n, K): a class has a value where the truth shows it
    for number, name in enumerate(task.classes):
        if not np.isfinite(values[0][number]):
            continue
        change = None
        if old is not None:
            change = metrics.interval(
                draws[0][:, number] - draws[1][:, number], float(values[0][number] - values[1][number])
            )
        yield SliceEvaluation(
            task=task.name,
            by="class",
            name=name,
            metric=metric.of_class,
            samples=int(shown[:, number].sum()),
            value=float(values[0][number]),
            incumbent=None if old is None else float(values[1][number]),
            low=None if change is None else change[0],
            high=None if change is None else change[1],
        )


def _by_place(
    new: Tally, old: Tally | None, blocks: Sequence[str], weights: NDArray[np.float64]
) -> Iterator[SliceEvaluation]:
    metric = new.task.metric
    place = np.asarray(blocks)
    counted = [entry for entry in (new, old) if entry is not None]
    for name, samples in Counter(block for block in blocks if not block.startswith(ALONE)).most_common(MOST_PLACES):
        chosen = place == name
        tables = [entry.tables[entry.labelled][chosen] for entry in counted]
        values = [float(metric.value(table.sum(axis=0))) for table in tables]
        if not np.isfinite(values).all():
            continue
        errors = [
            metrics.expected_calibration_error(entry.bins[entry.labelled][chosen].sum(axis=0)) for entry in counted
        ]
        change = None
        if old is not None:
            inside = _weights(weights[:, chosen])
            draws = [metrics.resampled(metric.value, table, inside) for table in tables]
            change = metrics.interval(draws[0] - draws[1], values[0] - values[1])
        yield SliceEvaluation(
            task=new.task.name,
            by="place",
            name=name,
            metric=metric.name,
            samples=samples,
            value=values[0],
            expected_calibration_error=errors[0],
            incumbent=None if old is None else values[1],
            incumbent_calibration_error=None if old is None else errors[1],
            low=None if change is None else change[0],
            high=None if change is None else change[1],
        )


def _weights(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights within one place: its samples are drawn one by one, for it is a single block."""
    samples = weights.shape[1]
    return metrics.resample_weights([str(number) for number in range(samples)], samples)
