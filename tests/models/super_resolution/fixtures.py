"""Pairs and a model of super-resolution, made once."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.transform import Affine

from models.progress import Progress
from models.rasters.files import allow_missing_georeference
from models.super_resolution.card import SuperResolutionConfig
from models.super_resolution.pairs.finding import plan_pairs
from models.super_resolution.pairs.pair_files import PairOptions, make_pairs
from tests.data.made_once import made_once


def land(seed: int, side: int = 48, bands: int = 3) -> NDArray[np.float32]:
    """Fields with sharp borders and a little texture, (bands, side, side), about 0 to 200."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    image = np.zeros((bands, side, side))
    for _ in range(12):
        angle, place = rng.uniform(0, np.pi), rng.uniform(0, side)
        beyond = np.cos(angle) * rows + np.sin(angle) * columns > place
        image += rng.uniform(-40, 40, (bands, 1, 1)) * beyond
    return (image - image.min() + rng.normal(0, 1, image.shape)).astype(np.float32)


def write_raster(
    path: Path, image: NDArray[np.float32], *, pixel: float = 10.0, corner: tuple[float, float] | None = (500_000, 4e6),
    epsg: int = 32630,
) -> Path:  # fmt: skip
    """A float32 GeoTIFF, NaN = nodata; without a place where `corner` is None."""
    place = (
        {}
        if corner is None
        else {"crs": f"EPSG:{epsg}", "transform": Affine(pixel, 0, corner[0], 0, -pixel, corner[1])}
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    allow_missing_georeference()
    with rasterio.open(
        path, "w", driver="GTiff", width=image.shape[2], height=image.shape[1], count=len(image), dtype="float32",
        nodata=np.nan, **place,
    ) as file:  # fmt: skip
        file.write(image)
    return path


@pytest.fixture(scope="session")
def pair_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pairs, 2x, made from images of 48 px at places far apart; two places are held out."""

    def make(home: Path) -> None:
        for number in range(6):
            write_raster(home / "fine" / f"t{number}.tif", land(number), corner=(500_000 + 10_000 * number, 4e6))
        make_pairs(plan_pairs(home / "fine", None), home / "pairs", PairOptions(factor=2, held_out=0.34))

    return made_once(tmp_path_factory, "super-resolution-pairs", make) / "pairs"


@pytest.fixture(scope="session")
def super_model(pair_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny model of three bands, 2x, trained for three steps."""
    from models.train_super_resolution import train_super_resolution  # as in `trained_run`

    def make(out: Path) -> None:
        config = SuperResolutionConfig(channels=4, blocks=1, steps=3, batch_size=2, patch_px=16)
        with Progress(out) as progress:
            train_super_resolution(pair_folder, out, config, progress)

    return made_once(tmp_path_factory, "super-resolution-model", make)


@pytest.fixture(scope="session")
def super_model_4x(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny model of three bands, 4x, trained for one step."""
    from models.train_super_resolution import train_super_resolution  # as in `trained_run`

    def make(out: Path) -> None:
        for number in range(4):
            write_raster(out / "fine" / f"t{number}.tif", land(number, 64), corner=(500_000 + 10_000 * number, 4e6))
        make_pairs(plan_pairs(out / "fine", None), out / "pairs", PairOptions(factor=4, held_out=0.5))
        config = SuperResolutionConfig(channels=4, blocks=1, steps=1, batch_size=1, patch_px=16)
        with Progress(out) as progress:
            train_super_resolution(out / "pairs", out, config, progress)

    return made_once(tmp_path_factory, "super-resolution-model-4x", make)
