"""How good an enlarged image is: PSNR, SSIM, and what opensr-test measures.

opensr-test is Aybar et al. 2024 (IEEE GRSL 21, doi 10.1109/LGRS.2024.3401394): *consistency* asks whether the output,
reduced again, is the input; *synthesis* how much was added to it; *correctness* whether what was added is right
(improvement), missing (omission) or invented (hallucination). Differences from the package: reduced by the stated
point-spread function instead of a triangle, not shifted onto the truth, and distances are absolute differences of
scaled values. Its constants changed between versions, so figures compare models here, not with published tables.
"""

from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.super_resolution.degrading import degraded

Image: TypeAlias = NDArray[np.floating]
"""Values (C, H, W), NaN where invalid."""

MOST_DB = 100.0
"""PSNR of equal images."""
_SSIM_SIGMA = 1.5
LEAST_SSIM_PX = 11
"""Side of SSIM's window (Wang et al. 2004, doi 10.1109/TIP.2003.819861)."""

GAMMA_IMPROVEMENT, GAMMA_OMISSION, GAMMA_HALLUCINATION = 0.8, 0.8, 0.4
TEMPERATURE = 0.5
LEAST_CHANGE_QUANTILE = 0.75
"""Of the distance between truth and enlarged input: pixels where nothing differs by more say nothing."""
_SMALLEST = 1e-6


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One enlarged image against its truth. Values are scaled to the range of each band first."""

    psnr: float
    """Peak signal to noise in dB, at most `MOST_DB`; the peak is the band's range."""
    ssim: float
    """Structural similarity, mean over bands; higher is better."""
    reflectance: float
    """Consistency: mean absolute difference between input and reduced output; lower is better."""
    spectral: float
    """Consistency: mean angle between their spectra in degrees; 0 for one band; lower is better."""
    spatial: float
    """Consistency: shift between them in input pixels, by phase correlation; lower is better."""
    synthesis: float
    """Mean absolute difference between output and linearly enlarged input: how much was added, right or wrong."""
    improvement: float
    """Share of what differs that is right; the three shares sum to 1; higher is better."""
    omission: float
    """Share that is missing; lower is better."""
    hallucination: float
    """Share that was invented; lower is better."""


HIGHER = {"psnr": True, "ssim": True, "improvement": True, "synthesis": None}
"""Whether higher is better, where it is not that lower is; None: neither."""
UNITS = {"psnr": "dB", "spectral": "degrees", "spatial": "px"}


class Scale(NamedTuple):
    """Range of each band, arrays (C,)."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def __call__(self, image: Image) -> NDArray[np.float64]:
        """Values (C, H, W) as shares of the range."""
        scaled: NDArray[np.float64] = (image - self.low[:, None, None]) / (self.high - self.low)[:, None, None]
        return scaled


def measure(made: Image, truth: Image, image: Image, scale: Scale, factor: int, mtf: float) -> Measured:
    """Compare an enlarged image with the truth and with what it was made from.

    Args:
        made: (C, f H, f W).
        truth: (C, f H, f W), NaN where unknown.
        image: (C, H, W), NaN where invalid.
        scale: Range of each band.
        factor: f.
        mtf: Of the stated point-spread function.
    """
    output, right, seen = scale(made), scale(truth), scale(image)
    known = np.isfinite(output) & np.isfinite(right)
    back = degraded(output.astype(np.float32), factor, mtf).astype(np.float64)
    wide = linearly_enlarged(seen, factor)
    shares = correctness(histogram_matched(output, right), right, wide)
    return Measured(
        psnr=psnr(output, right),
        ssim=ssim(output, right),
        reflectance=_mean(np.abs(back - seen)),
        spectral=_mean(spectral_angle(back, seen)),
        spatial=float(np.hypot(*shift_between(seen, back))),
        synthesis=_mean(np.abs(output - wide)[known]),
        improvement=shares[0],
        omission=shares[1],
        hallucination=shares[2],
    )


def psnr(made: Image, truth: Image) -> float:
    """Peak signal to noise ratio in dB of scaled values, whose peak is 1; pixels that are NaN in one are left out."""
    error = _mean((made - truth) ** 2)
    return min(MOST_DB, float(-10.0 * np.log10(error))) if error > 0 else MOST_DB


def ssim(made: Image, truth: Image) -> float:
    """Mean structural similarity of scaled values with a Gaussian window of 1.5 px; NaN below 11 px a side."""
    from skimage.metrics import structural_similarity  # here: it loads scipy's filters, and serving needs none of this

    if min(made.shape[1:]) < LEAST_SSIM_PX:
        return float("nan")
    known = np.isfinite(made) & np.isfinite(truth)
    _, maps = structural_similarity(  # type: ignore[no-untyped-call]
        np.where(known, made, 0.0), np.where(known, truth, 0.0), data_range=1.0, channel_axis=0, full=True,
        gaussian_weights=True, sigma=_SSIM_SIGMA, use_sample_covariance=False,
    )  # fmt: skip
    return _mean(maps[known])


def spectral_angle(one: Image, other: Image) -> NDArray[np.float64]:
    """Angle in degrees (H, W) between the spectra of two images (C, H, W); NaN where a value is missing."""
    lengths = np.linalg.norm(one, axis=0) * np.linalg.norm(other, axis=0)
    cosine = (one * other).sum(axis=0) / np.where(lengths > _SMALLEST, lengths, np.nan)
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def linearly_enlarged(image: Image, factor: int) -> NDArray[np.float64]:
    """An image (C, H, W) enlarged by bilinear interpolation between centres of pixels; it goes on beyond its edges."""

    def along(values: NDArray[np.floating], axis: int) -> NDArray[np.float64]:
        length = values.shape[axis]
        places = np.clip((np.arange(length * factor) + 0.5) / factor - 0.5, 0, length - 1)
        first = np.minimum(places.astype(np.int64), max(length - 2, 0))
        share = (places - first).reshape([-1 if position == axis else 1 for position in range(3)])
        second = np.minimum(first + 1, length - 1)
        return np.asarray(np.take(values, first, axis) * (1 - share) + np.take(values, second, axis) * share)

    return along(along(image, 1), 2)


def histogram_matched(image: Image, to: Image) -> NDArray[np.float64]:
    """Values of an image mapped so that each band has the histogram of `to`, over pixels that both know."""
    matched = np.array(image, np.float64)
    for band, (values, wanted) in enumerate(zip(image, to, strict=True)):
        known = np.isfinite(values) & np.isfinite(wanted)
        if known.any():
            order = np.argsort(np.argsort(values[known], kind="stable"), kind="stable")
            matched[band][known] = np.sort(wanted[known])[order]
    return matched


def correctness(
    made: Image, truth: Image, enlarged: Image, *, quantile: float = LEAST_CHANGE_QUANTILE
) -> tuple[float, float, float]:
    """Shares of improvement, omission and hallucination, which sum to 1.

    With d_im the distance of output and truth and d_om that of output and enlarged input, both over that of truth and
    enlarged input, and H = d_im + d_om - 1: improvement lies at d_im + d_om (1 - exp(-g H)), omission at
    d_om + d_im (1 - exp(-g H)), hallucination at exp(-g d_im d_om). The nearer, the larger the share (soft minimum).

    Args:
        made: Output (C, H, W), scaled.
        truth: (C, H, W), scaled.
        enlarged: The input, enlarged to (C, H, W), scaled.
        quantile: Pixels whose three distances all lie below this quantile of truth to enlarged input are left out.

    Returns:
        NaN where no pixel is left.
    """
    reference, to_truth, to_input = (
        np.abs(one - other).mean(axis=0) for one, other in ((enlarged, truth), (made, truth), (made, enlarged))
    )
    known = np.isfinite(reference) & np.isfinite(to_truth) & np.isfinite(to_input)
    if not known.any():
        return (float("nan"),) * 3
    least = float(np.quantile(reference[known], quantile))
    counted = known & (np.maximum(np.maximum(reference, to_truth), to_input) > max(least, _SMALLEST))
    if not counted.any():
        return (float("nan"),) * 3
    base = np.maximum(reference[counted], _SMALLEST)
    d_im, d_om = to_truth[counted] / base, to_input[counted] / base
    excess = d_im + d_om - 1.0
    centres = np.stack(
        [
            d_im + d_om * (1.0 - np.exp(-GAMMA_IMPROVEMENT * excess)),
            d_om + d_im * (1.0 - np.exp(-GAMMA_OMISSION * excess)),
            np.exp(-GAMMA_HALLUCINATION * d_im * d_om),
        ]
    )
    nearness = np.exp(-(centres - centres.min(axis=0)) / TEMPERATURE)
    shares = (nearness / nearness.sum(axis=0)).mean(axis=1)
    return float(shares[0]), float(shares[1]), float(shares[2])


def shift_between(reference: Image, moved: Image) -> tuple[float, float]:
    """Rows and columns by which `moved` has to be shifted to lie on `reference`, in pixels to a twentieth.

    Phase correlation with an up-sampled peak (Guizar-Sicairos et al. 2008, doi 10.1364/OL.33.000156) of the means of
    bands; invalid pixels count as the mean of the image. 0 where an image is constant.
    """
    from skimage.registration import phase_cross_correlation  # here: serving needs none of this

    planes = [_plane(image) for image in (reference, moved)]
    if min(plane.std() for plane in planes) < _SMALLEST:
        return 0.0, 0.0
    window = np.outer(*(np.hanning(size + 2)[1:-1] for size in planes[0].shape))
    first, second = (plane * window for plane in planes)
    found, _, _ = phase_cross_correlation(first, second, upsample_factor=20)  # type: ignore[no-untyped-call]
    return float(found[0]), float(found[1])


def _plane(image: Image) -> NDArray[np.float64]:
    """Mean over bands of standardised values (H, W); 0 where a value is missing."""
    known = np.isfinite(image).all(axis=0)
    if not known.any():
        return np.zeros(known.shape)
    values = image[:, known].astype(np.float64)
    mean, deviation = values.mean(axis=1), values.std(axis=1)
    scaled = (image - mean[:, None, None]) / np.maximum(deviation, _SMALLEST)[:, None, None]
    return np.where(known, scaled.mean(axis=0), 0.0)


def _mean(values: NDArray[np.floating]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")
