"""What a coarser sensor would have seen: a stated point-spread function, and one value for each coarse pixel.

The transfer function is a Gaussian times that of the area average over the coarse pixel. It is stated by one number,
the modulation transfer function (MTF) at the Nyquist frequency of the coarse grid, 0.15 to 0.3 for Sentinel-2
(Sentinel-2 MSI performance reports of ESA); Wald et al. 1997 (Photogrammetric Engineering & Remote Sensing 63:691) make
pairs in this way.
"""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models.arrays import Floats
from models.errors import SuperResolutionError

FACTORS = (2, 4)
DEFAULT_MTF = 0.3
LEAST_MTF = 0.05
_REACH = 3.0
"""Standard deviations at which the Gaussian is cut off."""
_LEAST_VALID = 0.5
"""A coarse pixel has no value where less of its weight lies on valid pixels."""


def area_mtf(factor: int) -> float:
    """MTF at the coarse Nyquist frequency of the mean over `factor` pixels alone."""
    return 1.0 / (factor * math.sin(math.pi / (2 * factor)))


def check_mtf(mtf: float, factor: int) -> None:
    """Refuse a point-spread function that cannot be.

    Raises:
        SuperResolutionError: No such factor, or an MTF that no Gaussian gives.
    """
    if factor not in FACTORS:
        raise SuperResolutionError(f"the factor is {factor}; it is 2 or 4")
    most = area_mtf(factor)
    if not LEAST_MTF <= mtf <= most:
        raise SuperResolutionError(
            f"an MTF of {mtf:g} at Nyquist cannot be: for a factor of {factor} it lies from {LEAST_MTF:g} to "
            f"{most:.3f}, which is that of the mean over a pixel alone"
        )


def gaussian_sigma(factor: int, mtf: float) -> float:
    """Standard deviation, in fine pixels, of the Gaussian that brings the area average down to an MTF.

    A Gaussian passes exp(-2 pi^2 sigma^2 nu^2) of frequency nu, and the coarse Nyquist frequency is 1 / (2 factor).
    """
    return factor / math.pi * math.sqrt(max(0.0, 2.0 * math.log(area_mtf(factor) / mtf)))


def psf_kernel(factor: int, mtf: float) -> NDArray[np.float64]:
    """Weights along one axis, length 2 r + factor, sum 1: what of the fine pixels a coarse one is, r beyond its edges.

    Raises:
        SuperResolutionError: See `check_mtf`.
    """
    check_mtf(mtf, factor)
    sigma = gaussian_sigma(factor, mtf)
    radius = math.ceil(_REACH * sigma)
    offsets = np.arange(-radius, radius + 1)
    gaussian = np.exp(-0.5 * (offsets / sigma) ** 2) if radius else np.ones(1)
    return np.convolve(gaussian / gaussian.sum(), np.full(factor, 1.0 / factor))


def degraded(image: Floats, factor: int, mtf: float = DEFAULT_MTF) -> Floats:
    """An image as a coarser sensor would have seen it.

    Args:
        image: Values (C, H, W), NaN where invalid; H and W are multiples of the factor. It goes on beyond its edges as
            at them.
        factor: Fine pixels along a coarse one, 2 or 4.
        mtf: At the Nyquist frequency of the coarse grid, see `check_mtf`.

    Returns:
        float32 (C, H / factor, W / factor); NaN where less than half of the weight lies on valid pixels.

    Raises:
        SuperResolutionError: Sizes that are no multiples, or no such point-spread function.
    """
    kernel = psf_kernel(factor, mtf)
    if image.shape[1] % factor or image.shape[2] % factor:
        raise SuperResolutionError(
            f"{image.shape[2]} x {image.shape[1]} px cannot be reduced by {factor}: cut it to a multiple"
        )
    valid = np.isfinite(image)
    values = _weighted(np.where(valid, image, 0.0), kernel, factor)
    if valid.all():
        return values.astype(np.float32)
    weights = _weighted(valid.astype(np.float64), kernel, factor)
    known = weights >= _LEAST_VALID
    return np.where(known, values / np.where(known, weights, 1.0), np.nan).astype(np.float32)


def _weighted(values: NDArray[np.floating], kernel: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    margin = (len(kernel) - factor) // 2
    padded = np.pad(values.astype(np.float64), ((0, 0), (margin, margin), (margin, margin)), mode="edge")
    rows = sliding_window_view(padded, len(kernel), axis=1)[:, ::factor] @ kernel
    return np.asarray(sliding_window_view(rows, len(kernel), axis=2)[:, :, ::factor] @ kernel)
