"""Chips of known classes as the shipped encoder describes them: made once, kept outside of the repository."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.card import ModelConfig
from models.encoders.frozen import FrozenFeatures, scale_for
from models.encoders.multispectral import feature_source
from models.encoders.pool_look import PoolLook
from models.encoders.session import describe_by
from models.rasters.reading import read_raster
from models.scoring.features import image_features
from models.training.data.augmentations import turn
from models.training.data.statistics import estimate_statistics

CHUNK = 500
"""Chips of one file of the cache; what an interruption costs at most."""

BATCH = 50
MULTISPECTRAL = ("coastal", "blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "watervapour",
                 "cirrus", "swir16", "swir22", "nir2")  # fmt: skip
SETS = {"eurosat_rgb": ("*/*.jpg", ("red", "green", "blue")), "eurosat_ms": ("*/*.tif", MULTISPECTRAL)}


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledChips:
    """N chips, each of one of K classes."""

    names: list[str]
    """Of the classes, K."""
    codes: NDArray[np.int64]
    """Class of each chip, (N,)."""
    frozen: NDArray[np.float32]
    """What `FrozenFeatures` answers, band statistics joined, (N, D + 2 C)."""
    stages: int
    """D: how many of these values are the encoder's own, which rank the pool."""
    features: NDArray[np.float32]
    """`models.scoring.features.image_features`, (N, F)."""


def labelled_chips(data: Path, name: str, cache: Path, *, multispectral: bool = False) -> LabelledChips:
    """Read a set, or what the cache has of it.

    Band statistics are those of a random part of all chips, as registration makes them: without labels. With
    `multispectral` features of `ukis-csmask` are among the encoder's own.
    """
    pattern, bands = SETS[name]
    paths = sorted((data / name).glob(pattern))
    if not paths:
        raise SystemExit(f"{data / name} has no {pattern}")
    names, codes = np.unique([path.parent.name for path in paths], return_inverse=True)
    folder = cache / f"{name}{'-multispectral' if multispectral else ''}"
    folder.mkdir(parents=True, exist_ok=True)
    network: FrozenFeatures | None = None
    parts = []
    for start in range(0, len(paths), CHUNK):
        file = folder / f"{start:06}.npz"
        if not file.is_file():
            network = network or _network(paths, bands, multispectral=multispectral)
            np.savez(file, **_described(network, paths[start : start + CHUNK], len(bands)))
        with np.load(file) as part:
            parts.append((part["frozen"], part["features"]))
    frozen, features = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    stages = frozen.shape[1] - 2 * len(bands)
    return LabelledChips(names=names.tolist(), codes=codes, frozen=frozen, stages=stages, features=features)


def turned_chips(data: Path, name: str, cache: Path, view: int, *, multispectral: bool = False) -> NDArray[np.float32]:
    """`LabelledChips.frozen` of the chips turned and flipped, (N, D + 2 C); views are numbered as `turn` does."""
    pattern, bands = SETS[name]
    paths = sorted((data / name).glob(pattern))
    file = cache / f"{name}{'-multispectral' if multispectral else ''}" / f"view-{view}.npy"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        describe = describe_by(_network(paths, bands, multispectral=multispectral))
        found = []
        for start in range(0, len(paths), BATCH):
            images = np.stack([read_raster(path, range(1, len(bands) + 1)) for path in paths[start : start + BATCH]])
            found.append(describe(np.ascontiguousarray(turn(images, view))))
        np.save(file, np.concatenate(found))
    answer: NDArray[np.float32] = np.load(file)
    return answer


def _network(paths: list[Path], bands: tuple[str, ...], *, multispectral: bool) -> FrozenFeatures:
    shuffled = [str(paths[row]) for row in np.random.default_rng(0).permutation(len(paths))]
    first = read_raster(paths[0], range(1, len(bands) + 1))
    statistics = estimate_statistics(shuffled, range(1, len(bands) + 1))
    look = PoolLook(list(bands), paths[0].suffix == ".jpg", max(first.shape[1:]))
    source = feature_source(ModelConfig(multispectral="on" if multispectral else "off"), look, statistics, None)
    if multispectral and source.spectral is None:
        raise SystemExit(source.words)
    return FrozenFeatures(
        statistics,
        bands,
        eight_bit=look.eight_bit,
        scale=scale_for(look.side_px),
        band_statistics=True,
        source=source,
    )


def _described(network: FrozenFeatures, paths: list[Path], bands: int) -> dict[str, NDArray[np.float32]]:
    images = np.stack([read_raster(path, range(1, bands + 1)) for path in paths])
    with torch.inference_mode():
        frozen = [
            network(torch.from_numpy(images[start : start + BATCH]))["embedding"].numpy()
            for start in range(0, len(images), BATCH)
        ]
    return {"frozen": np.concatenate(frozen), "features": np.stack([image_features(image) for image in images])}
