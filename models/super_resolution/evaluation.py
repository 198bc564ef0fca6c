"""Measures of a model on held-out places, always beside bicubic, and whether it may be served."""

from collections.abc import Sequence

import msgspec
import numpy as np

from models.metrics import interval, resample_weights
from models.super_resolution.card import MeasureRow, SuperResolutionReport
from models.super_resolution.measures import HIGHER, UNITS, Measured

SEED = 20261130
"""Of the bootstrap."""
FEW_PLACES = 5
"""Below which an interval says little."""


def compare(models: Sequence[Measured], others: Sequence[Measured], places: Sequence[str]) -> list[MeasureRow]:
    """Each measure of two ways to enlarge the same images, with the paired 95 % interval of the difference.

    The bootstrap draws whole places; with a single place it draws images. Images for which a measure does not exist,
    such as SSIM of very small ones, are left out of it.

    Args:
        models: Of each image.
        others: Of the same images, such as bicubic.
        places: Of each image.
    """
    rows = []
    weights = resample_weights(places, SEED)
    for name in (field.name for field in msgspec.structs.fields(Measured)):
        ours = np.array([getattr(entry, name) for entry in models], np.float64)
        theirs = np.array([getattr(entry, name) for entry in others], np.float64)
        known = np.isfinite(ours) & np.isfinite(theirs)
        if not known.any():
            continue
        differences, counted = (ours - theirs)[known], weights[:, known]
        sums = counted.sum(axis=1)
        means = (counted @ differences)[sums > 0] / sums[sums > 0]
        estimate = float(differences.mean())
        low, high = interval(means, estimate)
        rows.append(
            MeasureRow(
                name=name, model=float(ours[known].mean()), bicubic=float(theirs[known].mean()), difference=estimate,
                low=low, high=high, unit=UNITS.get(name, ""), higher_is_better=HIGHER.get(name, False),
            )
        )  # fmt: skip
    return rows


def report_of(models: Sequence[Measured], bicubic: Sequence[Measured], places: Sequence[str]) -> SuperResolutionReport:
    """What a card says: the measures, and whether the model may be served."""
    rows = compare(models, bicubic, places)
    gain = next(row for row in rows if row.name == "psnr")
    count = len(set(places))
    better = gain.low > 0
    said = f"{gain.difference:+.2f} dB [{gain.low:+.2f}, {gain.high:+.2f}] against bicubic"
    verdict = f"{said}: better, and may be served" if better else f"{said}: better was not shown, so it is not served"
    if count < FEW_PLACES:
        verdict += f"; the interval is rough, with {count} held-out {'place' if count == 1 else 'places'}"
    return SuperResolutionReport(images=len(models), places=count, rows=rows, better=better, verdict=verdict)
