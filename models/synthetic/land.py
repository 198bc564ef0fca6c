"""The land of a generated scene: relief, land cover and the reflectance of its surfaces."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

Field = NDArray[np.float64]
"""One value a pixel, shape (H, W)."""

CLASSES = ("water", "forest", "cropland", "built-up", "bare")
"""In the order of their codes, 1 to 5; 0 is background: verges and hedges between fields."""
WATER, FOREST, CROPLAND, BUILT_UP, BARE = range(1, 6)

# Reflectance x 10,000 in blue, green, red, near infrared.
_DEEP_WATER, _MURKY_WATER = (480, 420, 280, 160), (620, 780, 640, 340)
_CONIFERS, _BROADLEAVES = (270, 420, 290, 2300), (300, 560, 340, 3300)
_VERGE = (430, 700, 560, 2500)
_ROCK, _SAND = (1050, 1200, 1330, 1600), (1300, 1650, 2000, 2500)
_STREET, _GARDEN = (950, 1020, 1080, 1300), (480, 740, 600, 2700)
_ROOFS = ((1100, 1250, 1750, 2100), (1900, 1950, 2000, 2200), (800, 840, 880, 1050), (1350, 1500, 1850, 2200))
_CROPS = (
    (330, 620, 350, 4000), (380, 760, 480, 3500), (620, 930, 1050, 2500), (780, 1120, 1380, 2450),
    (820, 1050, 1350, 1950), (620, 780, 980, 1400), (300, 520, 330, 2900),
)  # fmt: skip
_CROP_SHARES = (0.24, 0.2, 0.14, 0.12, 0.12, 0.08, 0.1)


@dataclass(frozen=True)
class Land:
    """Truth of one scene."""

    reflectance: Field
    """(4, H, W), reflectance x 10,000, before haze and noise."""
    codes: NDArray[np.uint8]
    """(H, W): 0 background, k = k-th of `CLASSES`."""


def make_land(size_px: int, rng: np.random.Generator) -> Land:
    """Draw the land of a square scene of `size_px`."""
    relief = _noise(size_px, rng, (90, 35, 12), (1.0, 0.45, 0.15))
    moisture = _noise(size_px, rng, (60, 20, 6), (1.0, 0.5, 0.25))
    town = _noise(size_px, rng, (32, 10), (1.0, 0.3))
    rough = _noise(size_px, rng, (40, 9), (1.0, 0.35))

    codes = np.full((size_px, size_px), CROPLAND, np.uint8)
    codes[moisture + 0.5 * relief > np.quantile(moisture + 0.5 * relief, rng.uniform(0.66, 0.76))] = FOREST
    codes[rough + 0.4 * relief > np.quantile(rough + 0.4 * relief, rng.uniform(0.90, 0.94))] = BARE
    codes[town - 0.4 * relief > np.quantile(town - 0.4 * relief, rng.uniform(0.88, 0.93))] = BUILT_UP
    river = np.abs(_noise(size_px, rng, (70, 25), (1.0, 0.3)) + 0.3 * relief) < rng.uniform(0.025, 0.05)
    lake = relief < np.quantile(relief, rng.uniform(0.03, 0.08))
    codes[lake | river] = WATER

    fields, verge = _fields(size_px, rng)
    codes[verge & (codes == CROPLAND)] = 0
    surfaces = {
        0: _mix(_VERGE, _GARDEN, _noise(size_px, rng, (2,), (1.0,))) * _speckle(size_px, rng, 0.7, 0.10),
        WATER: _mix(_DEEP_WATER, _MURKY_WATER, _noise(size_px, rng, (40,), (1.0,))),
        FOREST: _mix(_CONIFERS, _BROADLEAVES, _noise(size_px, rng, (14, 4), (1.0, 0.5)))
        * _speckle(size_px, rng, 0.9, 0.22),
        CROPLAND: fields,
        BUILT_UP: _town(size_px, rng),
        BARE: _mix(_ROCK, _SAND, _noise(size_px, rng, (18, 5), (1.0, 0.6))) * _speckle(size_px, rng, 1.6, 0.12),
    }
    reflectance = np.zeros((4, size_px, size_px))
    for code, surface in surfaces.items():
        where = codes == code
        reflectance[:, where] = surface[:, where]
    slope = np.gradient(gaussian_filter(relief, 2), axis=1)
    reflectance *= np.where(codes == WATER, 1.0, 1.0 + np.clip(6 * slope, -0.25, 0.25))
    # The sensor's blur makes borders smooth.
    return Land(gaussian_filter(reflectance, (0, 0.7, 0.7)), codes)


def _noise(size_px: int, rng: np.random.Generator, scales_px: tuple[float, ...], weights: tuple[float, ...]) -> Field:
    """Sum of smooth noises of several scales, mean 0 and standard deviation 1."""
    total = np.zeros((size_px, size_px))
    for scale, weight in zip(scales_px, weights, strict=True):
        coarse = max(1, int(scale / 3))  # wide filters are drawn small and enlarged
        small = gaussian_filter(rng.normal(size=(size_px // coarse + 4,) * 2), scale / coarse, mode="wrap")
        total += weight * _enlarged(small, coarse, size_px) / small.std()
    scaled: Field = (total - total.mean()) / total.std()
    return scaled


def _enlarged(small: Field, factor: int, size_px: int) -> Field:
    if factor == 1:
        return small[:size_px, :size_px]
    large: Field = zoom(small, factor, order=1)
    return large[:size_px, :size_px]


def _speckle(size_px: int, rng: np.random.Generator, scale_px: float, strength: float) -> Field:
    """Factor around 1 that gives a surface its grain; the same in all bands."""
    grain = gaussian_filter(rng.normal(size=(size_px, size_px)), scale_px)
    factor: Field = np.clip(1 + strength * grain / grain.std(), 0.3, 2.0)
    return factor


def _mix(first: tuple[int, ...], second: tuple[int, ...], noise: Field) -> Field:
    """Spectra (4, H, W) between two surfaces: the first where noise is low, the second where it is high."""
    share = 1 / (1 + np.exp(-1.5 * noise))
    low, high = (np.array(spectrum, float)[:, None, None] for spectrum in (first, second))
    mixed: Field = low + (high - low) * share
    return mixed


def _rotated(size_px: int, rng: np.random.Generator, bend_px: float) -> tuple[Field, Field]:
    """Coordinates of a turned and slightly bent grid, in pixels."""
    angle = rng.uniform(0, np.pi)
    rows, columns = np.mgrid[:size_px, :size_px].astype(float)
    along = columns * np.cos(angle) + rows * np.sin(angle) + bend_px * _noise(size_px, rng, (60,), (1.0,))
    across = rows * np.cos(angle) - columns * np.sin(angle) + bend_px * _noise(size_px, rng, (60,), (1.0,))
    return along + 2 * size_px, across + 2 * size_px


def _fields(size_px: int, rng: np.random.Generator) -> tuple[Field, NDArray[np.bool_]]:
    """Spectra (4, H, W) of arable land in parcels, and where the verges between parcels are."""
    along, across = _rotated(size_px, rng, 5.0)
    strip = (across / rng.uniform(16, 26)).astype(int)
    lengths = rng.uniform(18, 60, strip.max() + 1)
    shifts = rng.uniform(0, 60, strip.max() + 1)
    parcel_in_strip = ((along + shifts[strip]) / lengths[strip]).astype(int)
    parcel = strip * (parcel_in_strip.max() + 1) + parcel_in_strip
    crop = rng.choice(len(_CROPS), parcel.max() + 1, p=_CROP_SHARES)
    vigour = rng.normal(1, 0.10, (parcel.max() + 1, 1)) * rng.normal(1, 0.04, (parcel.max() + 1, 4))
    spectra = np.array(_CROPS, float)[crop[parcel]] * vigour[parcel]
    rows = 1 + rng.uniform(0.0, 0.05, parcel.max() + 1)[parcel] * np.sin(along * rng.uniform(1.1, 1.9))
    patchiness = 1 + 0.05 * _noise(size_px, rng, (5,), (1.0,))
    edge = (parcel != np.roll(parcel, 1, 0)) | (parcel != np.roll(parcel, 1, 1))
    has_verge = rng.random(parcel.max() + 1) < 0.6
    return np.moveaxis(spectra, -1, 0) * rows * patchiness, edge & has_verge[parcel]


def _town(size_px: int, rng: np.random.Generator) -> Field:
    """Spectra (4, H, W) of houses and gardens between streets."""
    along, across = _rotated(size_px, rng, 2.0)
    block_px, lot_px = rng.uniform(9, 13), 3.0
    street = (along % block_px < 1.6) | (across % (block_px * 1.4) < 1.6)
    lot = (along / lot_px).astype(int) * 10_007 + (across / lot_px).astype(int)
    kinds = rng.integers(0, 100, 4096)[lot % 4096]
    roofs = np.array(_ROOFS, float)[kinds % len(_ROOFS)]
    spectra = np.where((kinds < 58)[..., None], roofs, np.array(_GARDEN, float))
    spectra = np.where(street[..., None], np.array(_STREET, float), spectra)
    return np.moveaxis(spectra, -1, 0) * _speckle(size_px, rng, 0.6, 0.12)
