"""Features for Sentinel-2 and Landsat bands, from the cloud-masking networks of `ukis-csmask`, an optional package.

They are EfficientNet-B4 U-Nets of DLR that saw reflectances of land, clouds and shadows from all over the world
(Wieland, Fichtner, Martinis 2022, doi 10.5194/isprs-archives-XLIII-B3-2022-217-2022; Apache-2.0). Early blocks of their
encoders add to what the shipped encoder says of an image. Knows nothing of torch.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.card import BandStatistics, ModelConfig, Reflectance
from models.encoders.pool_look import PoolLook
from models.encoders.wheel import installed_file
from models.errors import ShippedWeightsError, TrainingDataError

DISTRIBUTION = "ukis-csmask"
VERSION = "1.0.0"
EXTRA = "multispectral"
SHIPPED_FEATURES = "EfficientNet-Lite0 (ImageNet)"
"""What describes images in any case, in words."""

REFLECTANCE = Reflectance(scale=1e-4)
"""Of Sentinel-2 before processing baseline 04.00, and of later products whose offset was taken off."""
LANDSAT_REFLECTANCE = Reflectance(scale=2.75e-5, offset=-0.2 / 2.75e-5)
"""Of Collection 2, surface reflectance."""

LEAST, BRIGHT, MOST = -0.25, 0.02, 2.0
"""Plausible reflectances: the 2nd percentile of each band is at least the first, the 98th of all at most the last, and
that of the brightest at least the middle one."""

_BLOCK = "/model/encoder/_blocks.{}/Add_output_0"


class SpectralNetwork(NamedTuple):
    """One network of the package."""

    file: str
    """Inside the installed distribution."""
    sha256: str
    bands: tuple[str, ...]
    """What it reads, in its order; see `models.encoders.bands`."""
    mean: tuple[float, ...]
    """Reflectances are standardised by these."""
    std: tuple[float, ...]
    stages: dict[str, int] = {_BLOCK.format(5): 4, _BLOCK.format(9): 8, _BLOCK.format(15): 16}  # noqa: RUF012  # not a class variable
    """Values of its graph that are features, each with its stride in pixels."""


NETWORKS = (  # most bands first; those for L2A did no worse than those for L1C on the L1C chips of EuroSAT
    SpectralNetwork(
        "ukis_csmask/model_6b_l2a.onnx",
        "d11c530978637ca420eedc40791c62bf78997dd39e1201777e2527e4bd94904e",
        ("blue", "green", "red", "nir", "swir16", "swir22"),
        (0.26681778, 0.27799085, 0.28811994, 0.36494744, 0.22257099, 0.1785904),
        (0.33637598, 0.3125456, 0.31114846, 0.27260706, 0.16653667, 0.14328985),
    ),
    SpectralNetwork(
        "ukis_csmask/model_4b_l2a.onnx",
        "3884d75ca497ec59d8335973477bd31eb038857007bbb36fb2aba1ad375ee043",
        ("blue", "green", "red", "nir"),
        (0.26681778, 0.27799085, 0.28811994, 0.36494744),
        (0.33637598, 0.3125456, 0.31114846, 0.27260706),
    ),
)


class SpectralFeatures(NamedTuple):
    """A network fitted to a pool."""

    file: Path
    stages: dict[str, int]
    rows: list[int]
    """Which of the model's bands it reads, 0-based, in its order."""
    factor: list[float]
    """Of each of these: raw value * factor + shift is what the network takes."""
    shift: list[float]
    words: str
    """What describes images so, for people."""


class FeatureSource(NamedTuple):
    """What describes the images of a pool beside the shipped encoder."""

    spectral: SpectralFeatures | None
    words: str
    """All sources, and why one is not used that was asked for."""


def multispectral_problem() -> str | None:
    """Why the package cannot be used here, in one sentence; None if it can."""
    try:
        for network in NETWORKS:
            _file_of(network)
    except ShippedWeightsError as error:
        return str(error)
    return None


def waited_for_package(words: str | None) -> bool:
    """Whether a pool that was described so (`FeatureSource.words`) could be described by the package now."""
    missing = words is not None and f"{DISTRIBUTION} is not installed" in words
    return missing and multispectral_problem() is None


def feature_source(
    model: ModelConfig,
    look: PoolLook,
    statistics: BandStatistics,
    sensor: str | None,
    networks: Sequence[SpectralNetwork] = NETWORKS,
) -> FeatureSource:
    """What describes a pool, as `settings.model.multispectral` asks for it.

    Args:
        model: Of the campaign.
        look: What the pool's bands are.
        statistics: Of the same bands.
        sensor: What took the images, which says how values become reflectances unless `model.reflectance` does.
        networks: To choose from; the first whose bands are all there is taken.
    """
    if model.multispectral == "off":
        return FeatureSource(None, SHIPPED_FEATURES)
    try:
        found = _fitted(networks, model, look, statistics, sensor)
    except (TrainingDataError, ShippedWeightsError) as error:
        return FeatureSource(None, f"{SHIPPED_FEATURES}; {DISTRIBUTION} is not used: {error}")
    return FeatureSource(found, f"{SHIPPED_FEATURES} and {found.words}")


def _fitted(
    networks: Sequence[SpectralNetwork],
    model: ModelConfig,
    look: PoolLook,
    statistics: BandStatistics,
    sensor: str | None,
) -> SpectralFeatures:
    network = next((network for network in networks if set(network.bands) <= set(look.kinds)), None)
    if network is None:
        raise TrainingDataError(
            f"{DISTRIBUTION} needs blue, green, red and nir; the models read {', '.join(look.kinds)}"
        )
    file = _file_of(network)
    if look.eight_bit:
        raise TrainingDataError("8-bit values are no reflectances")
    scale, offset = _reflectance(model, sensor)
    rows = [look.kinds.index(band) for band in network.bands]
    low, high = (scale * (np.array(values)[rows] + offset) for values in (statistics.low, statistics.high))
    formula = f"reflectance = {scale:g} x (value {'-' if offset < 0 else '+'} {abs(offset):g})"
    if low.min() < LEAST or high.max() > MOST or high.max() < BRIGHT:
        raise TrainingDataError(
            f"{', '.join(network.bands)} would have reflectances of {low.min():.3g} to {high.max():.3g} by {formula}; "
            "settings.model.reflectance says how values become reflectances"
        )
    mean, std = np.array(network.mean), np.array(network.std)
    return SpectralFeatures(
        file=file,
        stages=network.stages,
        rows=rows,
        factor=(scale / std).tolist(),
        shift=((scale * offset - mean) / std).tolist(),
        words=f"{DISTRIBUTION} {VERSION} ({', '.join(network.bands)}; {formula})",
    )


def _reflectance(model: ModelConfig, sensor: str | None) -> tuple[float, float]:
    found = model.reflectance or (LANDSAT_REFLECTANCE if sensor == "landsat-8" else REFLECTANCE)
    return found.scale, found.offset


def _file_of(network: SpectralNetwork) -> Path:
    return installed_file(DISTRIBUTION, VERSION, network.file, network.sha256, EXTRA)
