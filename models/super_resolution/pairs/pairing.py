"""Bring two images of one place onto one grid: registered to parts of a pixel, with matched histograms, or refused."""

import math
from typing import Literal, NamedTuple, get_args

import numpy as np

from models.arrays import Floats
from models.errors import SuperResolutionError
from models.super_resolution.degrading import degraded
from models.super_resolution.measures import shift_between

Histogram = Literal["none", "linear", "quantiles"]
"""How values of the fine image are brought to those of the coarse one, band by band. linear: gain and offset such that
the reduced fine image has the mean and deviation of the coarse one; quantiles: the curve between their quantiles."""

MOST_SHIFT_PX = 4.0
"""Coarse pixels that a pair is shifted by at most: beyond that phase correlation has found something else."""
LEAST_CORRELATION = 0.5
"""Between the coarse image and the reduced fine one, after registration: less shows another place, or clouds."""
LEAST_SIDE_PX = 16
"""Of the coarse image of a pair."""
_QUANTILES = np.linspace(0.0, 1.0, 65)
_CONSTANT = 1e-6


class Paired(NamedTuple):
    """A pair on one grid."""

    low: Floats
    """(C, H, W)."""
    high: Floats
    """(C, f H, f W)."""
    shift: tuple[float, float]
    """Rows and columns in coarse pixels that the fine image was shifted by."""
    correlation: float
    """Of the coarse image and the reduced fine one, after registration."""
    cut: int
    """Coarse pixels that were cut off at each edge."""


def factor_of(low: tuple[int, int], high: tuple[int, int], name: str) -> int:
    """How many fine pixels lie along a coarse one, by the sizes of two images of the same ground.

    Raises:
        SuperResolutionError: Not twice or four times as many, along both axes.
    """
    ratios = high[0] / low[0], high[1] / low[1]
    if ratios not in ((2.0, 2.0), (4.0, 4.0)):
        raise SuperResolutionError(
            f"{name}: {high[1]} x {high[0]} px are {ratios[1]:.3g} x {ratios[0]:.3g} times {low[1]} x {low[0]} px; a "
            "pair has exactly 2 or 4 times as many pixels along both axes"
        )
    return int(ratios[0])


def pair_up(
    low: Floats, high: Floats, name: str, *, mtf: float, histogram: Histogram = "linear", register: bool = True
) -> Paired:
    """Register a pair and match its histograms.

    Args:
        low: The coarse image (C, H, W), NaN where invalid.
        high: The fine one (C, f H, f W).
        name: What messages call the pair.
        mtf: Of the point-spread function by which the fine image is reduced for comparison.
        histogram: How values of the fine image are brought to those of the coarse one.
        register: Whether the fine image is shifted; else it is taken to lie where it should.

    Raises:
        SuperResolutionError: Other bands or sizes, a constant image, too small, too far apart, or of another place.
    """
    if histogram not in get_args(Histogram):
        raise SuperResolutionError(f"no histogram match {histogram!r}; there are {', '.join(get_args(Histogram))}")
    if len(low) != len(high):
        raise SuperResolutionError(
            f"{name}: {len(low)} bands in the coarse image and {len(high)} in the fine one; choose the same with "
            "--bands and --high-bands"
        )
    factor = factor_of(low.shape[1:], high.shape[1:], name)
    if min(low.shape[1:]) < LEAST_SIDE_PX:
        raise SuperResolutionError(f"{name}: {low.shape[2]} x {low.shape[1]} px; at least {LEAST_SIDE_PX} are needed")
    for image, which in ((low, "coarse"), (high, "fine")):
        _check_varied(image, f"{name}: the {which} image")
    shift, cut = (0.0, 0.0), 0
    if register:
        shift = shift_between(low, degraded(high, factor, mtf))
        if max(map(abs, shift)) > MOST_SHIFT_PX:
            raise SuperResolutionError(
                f"{name}: the images seem {shift[1]:+.1f} columns and {shift[0]:+.1f} rows apart, more than "
                f"{MOST_SHIFT_PX:g} px: they do not show the same place, or too little of it alike"
            )
        cut = math.ceil(max(map(abs, shift)))
        low, high = _shifted(low, high, shift, factor, cut)
    reduced = degraded(high, factor, mtf)
    correlation = _correlation(low, reduced)
    if not correlation >= LEAST_CORRELATION:  # NaN is none either
        raise SuperResolutionError(
            f"{name}: the images have a correlation of {correlation:.2f} (at least {LEAST_CORRELATION:g}): they do not "
            "show the same place, or clouds or seasons differ"
        )
    return Paired(low, _matched(high, reduced, low, histogram), shift, correlation, cut)


def _check_varied(image: Floats, name: str) -> None:
    known = np.isfinite(image).all(axis=0)
    if not known.any():
        raise SuperResolutionError(f"{name} has no valid pixel")
    spread = image[:, known].std(axis=1)
    if (spread <= _CONSTANT * np.maximum(np.abs(image[:, known]).max(axis=1), 1.0)).any():
        band = int(np.argmin(spread)) + 1
        raise SuperResolutionError(f"{name} is constant in band {band}: nothing can be learned from it")


def _shifted(low: Floats, high: Floats, shift: tuple[float, float], factor: int, cut: int) -> tuple[Floats, Floats]:
    """Both without the edges that the shift brings in; what invalid pixels reach becomes invalid."""
    from scipy.ndimage import shift as moved  # here: serving needs none of this

    by = tuple(factor * part for part in shift)
    known = np.isfinite(high)
    planes = []
    for plane, valid in zip(high, known, strict=True):
        filled = np.where(valid, plane, plane[valid].mean() if valid.any() else 0.0)
        values = moved(filled.astype(np.float64), by, order=3, mode="nearest")
        clear = moved(valid.astype(np.float64), by, order=1, mode="nearest") > 0.999  # all but rounding
        planes.append(np.where(clear, values, np.nan))
    inner = slice(cut, -cut or None)
    wide = slice(cut * factor, -cut * factor or None)
    return low[:, inner, inner], np.stack(planes).astype(np.float32)[:, wide, wide]


def _correlation(one: Floats, other: Floats) -> float:
    """Mean over bands of Pearson's correlation, over pixels that both know."""
    found = []
    for first, second in zip(one, other, strict=True):
        known = np.isfinite(first) & np.isfinite(second)
        if known.sum() > 1 and first[known].std() > 0 and second[known].std() > 0:
            found.append(np.corrcoef(first[known], second[known])[0, 1])
    return float(np.mean(found)) if found else float("nan")


def _matched(high: Floats, reduced: Floats, low: Floats, histogram: Histogram) -> Floats:
    if histogram == "none":
        return high
    matched = high.copy()
    for band in range(len(high)):
        known = np.isfinite(reduced[band]) & np.isfinite(low[band])
        source, wanted = reduced[band][known].astype(np.float64), low[band][known].astype(np.float64)
        if histogram == "linear":
            gain = wanted.std() / max(source.std(), _CONSTANT)
            matched[band] = (high[band] - source.mean()) * gain + wanted.mean()
        else:
            matched[band] = _along_curve(high[band], np.quantile(source, _QUANTILES), np.quantile(wanted, _QUANTILES))
    return matched


def _along_curve(values: Floats, source: Floats, wanted: Floats) -> Floats:
    """Values by the curve between quantiles; beyond its ends as at them, moved by as much."""
    rising, kept = np.unique(source, return_index=True)
    curve = np.interp(values, rising, wanted[kept])
    return np.asarray(curve + np.where(values < rising[0], values - rising[0], 0.0)
                      + np.where(values > rising[-1], values - rising[-1], 0.0), np.float32)  # fmt: skip
