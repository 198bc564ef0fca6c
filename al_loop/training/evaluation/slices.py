"""Metrics of parts of the test reserve with their intervals: of classes, places, distances, confidences. Pure.

Every metric is a function of sums over samples, so that its interval comes from sums over resampled samples.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from al_loop.domain.round_reports import Measured, ReliabilityBin, SliceReport
from models import metrics
from models.metrics import CALIBRATION_BINS, expected_calibration_error
from models.training.reserve.outcomes import TaskOutcomes

Doubles = NDArray[np.float64]
OfSums = Callable[[Doubles], Doubles]
"""Sums (..., F) -> values (...), NaN where nothing was counted."""

SEED = 20240229
"""As of evaluations: their intervals and these come from the same resamples."""

MOST_PLACES = 200

NEXT_TO = 1.5
"""Sides of a footprint from centre to centre within which two images touch."""
NEAR = 5.0

DISTANCES = ("next to a training image", "within 5 footprints of one", "farther away")


class Sums:
    """Counts of each of S samples in one row (S, F), so that any subset is resampled in one product of matrices."""

    def __init__(self, outcomes: TaskOutcomes) -> None:
        samples = len(outcomes.sample_ids)
        self._classes = len(outcomes.task.classes)
        self._exact = not (outcomes.task.per_pixel or outcomes.task.finds_objects)
        self._several = outcomes.task.multi_label
        parts = (outcomes.class_counts, outcomes.answers, outcomes.bins)
        self.rows = np.concatenate([part.reshape(samples, -1) for part in parts], axis=1)
        self.blocks = outcomes.blocks
        self._block_names = np.asarray(outcomes.blocks)
        self._answers = 4 * self._classes
        self._bins = self._answers + 2

    def slice(self, name: str, chosen: NDArray[np.bool_]) -> SliceReport:
        """All metrics of the chosen samples, (S,); at least one."""
        resample = self._resample(chosen)
        return SliceReport(
            name=name,
            samples=int(chosen.sum()),
            accuracy=self._measured(self._accuracy, chosen, resample, self._binomial(self._accuracy_counts, chosen)),
            f1=self._measured(self._macro_f1, chosen, resample),
            iou=self._measured(self._mean_iou, chosen, resample),
            expected_calibration_error=self._measured(self._calibration_error, chosen, resample),
        )

    def of_class(self, index: int, name: str, bins: Doubles) -> SliceReport:
        """All metrics of one class over all samples.

        Args:
            index: Of the class.
            name: Its name.
            bins: Of the answers that name it, (15, 3).
        """
        every = np.ones(len(self.rows), np.bool_)
        resample = self._resample(every)
        counts = self.rows[:, 4 * index : 4 * index + 4]

        def share(part: Sequence[int], whole: Sequence[int]) -> Measured | None:
            def counted(sums: Doubles) -> tuple[Doubles, Doubles]:
                own = sums[..., 4 * index : 4 * index + 4]
                return own[..., list(part)].sum(axis=-1), own[..., list(whole)].sum(axis=-1)

            return self._measured(lambda sums: _ratio(*counted(sums)), every, resample, self._binomial(counted, every))

        iou = share([0], [0, 1, 2])
        return SliceReport(
            name=name,
            samples=int((counts[:, :3].sum(axis=1) > 0).sum()),
            accuracy=share([0, 3], [0, 1, 2, 3]),
            precision=share([0], [0, 1]),
            recall=share([0], [0, 2]),
            f1=None if iou is None else _as_f1(iou),
            iou=iou,
            expected_calibration_error=_plain(expected_calibration_error(bins)) if bins[:, 0].any() else None,
        )

    def reliability(self) -> list[ReliabilityBin]:
        """Confidence against correctness, without empty bins."""
        every = np.ones(len(self.rows), np.bool_)
        resample = self._resample(every)
        found = []
        for place in range(CALIBRATION_BINS):
            count, confidence, _ = self._bin(self.rows.sum(axis=0), place)

            def counted(sums: Doubles, place: int = place) -> tuple[Doubles, Doubles]:
                parts = self._bin(sums, place)
                return parts[2], parts[0]

            def correctness(sums: Doubles, place: int = place) -> Doubles:
                parts = self._bin(sums, place)
                return _ratio(parts[2], parts[0])

            correct = self._measured(correctness, every, resample, self._binomial(counted, every))
            if correct is not None:
                found.append(
                    ReliabilityBin(
                        low=place / CALIBRATION_BINS,
                        high=(place + 1) / CALIBRATION_BINS,
                        count=int(count),
                        confidence=float(confidence / count),
                        correct=correct,
                    )
                )
        return found

    def _bin(self, sums: Doubles, place: int) -> tuple[Doubles, Doubles, Doubles]:
        start = self._bins + 3 * place
        return sums[..., start], sums[..., start + 1], sums[..., start + 2]

    def _resample(self, chosen: NDArray[np.bool_]) -> Doubles | None:
        """Sums (RESAMPLES, F) over resampled blocks of the chosen samples; None: there is one sample."""
        if chosen.sum() < 2:
            return None
        if chosen.all():
            return self._resampled
        blocks: list[str] = self._block_names[chosen].tolist()
        return np.asarray(metrics.resample_weights(blocks, SEED) @ self.rows[chosen])

    @cached_property
    def _resampled(self) -> Doubles:
        """Of all samples: a table of 500 classes asks for it 500 times."""
        return np.asarray(metrics.resample_weights(self.blocks, SEED) @ self.rows)

    def _measured(
        self,
        metric: OfSums,
        chosen: NDArray[np.bool_],
        resample: Doubles | None,
        at_least: tuple[float, float] | None = None,
    ) -> Measured | None:
        """A metric with its interval, not narrower than `at_least`; None where nothing was counted.

        Where resamples are all alike, it is that of so many images that are alike.
        """
        value = float(metric(self.rows[chosen].sum(axis=0)))
        if not np.isfinite(value):
            return None
        if resample is None and at_least is None:
            return _plain(value)
        low = high = value
        if resample is not None:
            low, high = metrics.interval(metric(resample), value)
            if at_least is None:
                low, high = metrics.wide_enough(low, high, int(chosen.sum()))
        if at_least is not None:
            low, high = min(low, at_least[0]), max(high, at_least[1])
        return Measured(value=value, low=low, high=high)

    def _binomial(
        self, counted: Callable[[Doubles], tuple[Doubles, Doubles]], chosen: NDArray[np.bool_]
    ) -> tuple[float, float] | None:
        """The exact interval of a share of images; None for pixels and boxes, which are no independent draws."""
        right, of = (float(count) for count in counted(self.rows[chosen].sum(axis=0)))
        if not self._exact or self._several or of == 0:
            return None
        return metrics.binomial_interval(round(right), round(of))

    def _accuracy_counts(self, sums: Doubles) -> tuple[Doubles, Doubles]:
        return sums[..., self._answers], sums[..., self._answers + 1]

    def _accuracy(self, sums: Doubles) -> Doubles:
        return _ratio(*self._accuracy_counts(sums))

    def _by_class(self, sums: Doubles) -> tuple[Doubles, Doubles, Doubles]:
        counts = sums[..., : self._answers].reshape(*sums.shape[:-1], self._classes, 4)
        return counts[..., 0], counts[..., 1], counts[..., 2]

    def _macro_f1(self, sums: Doubles) -> Doubles:
        right, wrong, missed = self._by_class(sums)
        return _mean_where(right + missed > 0, _ratio(2 * right, 2 * right + wrong + missed))

    def _mean_iou(self, sums: Doubles) -> Doubles:
        right, wrong, missed = self._by_class(sums)
        return _mean_where(right + missed > 0, _ratio(right, right + wrong + missed))

    def _calibration_error(self, sums: Doubles) -> Doubles:
        bins = sums[..., self._bins :].reshape(*sums.shape[:-1], CALIBRATION_BINS, 3)
        return _ratio(np.abs(bins[..., 1] - bins[..., 2]).sum(axis=-1), bins[..., 0].sum(axis=-1))


def place_slices(sums: Sums) -> tuple[list[SliceReport], int]:
    """Metrics of each block of the reserve, most samples first, and how many further blocks there are.

    Samples that stand alone are no place.
    """
    sizes = Counter(block for block in sums.blocks if not block.startswith("sample:"))
    ranked = sorted(sizes, key=lambda block: (-sizes[block], block))
    blocks = np.asarray(sums.blocks)
    return [sums.slice(block, blocks == block) for block in ranked[:MOST_PLACES]], len(ranked[MOST_PLACES:])


def distance_slices(sums: Sums, nearest_m: Doubles, sides_m: Doubles) -> list[SliceReport]:
    """Metrics by distance to the nearest training image.

    Args:
        sums: Of the samples.
        nearest_m: From centre to centre, (S,); NaN without a place.
        sides_m: Of each footprint, (S,).
    """
    away = nearest_m / sides_m
    groups = (away <= NEXT_TO, (away > NEXT_TO) & (away <= NEAR), away > NEAR)
    return [sums.slice(name, chosen) for name, chosen in zip(DISTANCES, groups, strict=True) if chosen.any()]


def _plain(value: float) -> Measured:
    return Measured(value=value, low=None, high=None)


def _as_f1(iou: Measured) -> Measured:
    """F1 from IoU, of which it is a function that keeps the order."""

    def of(value: float) -> float:
        return 2 * value / (1 + value)

    ends = [None if end is None else of(end) for end in (iou.low, iou.high)]
    return Measured(value=of(iou.value), low=ends[0], high=ends[1])


def _ratio(part: Doubles, whole: Doubles) -> Doubles:
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    ratio: Doubles = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
    return ratio


def _mean_where(chosen: NDArray[np.bool_], values: Doubles) -> Doubles:
    return _ratio(np.where(chosen, values, 0.0).sum(axis=-1), chosen.sum(axis=-1).astype(np.float64))
