from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from models.card import BandPolicy, BandStatistics
from models.errors import TrainingDataError
from models.pretraining.chip_pool import MIN_CHIPS, ChipPool, Look, read_chips, read_looks, standardise
from models.rasters.reading import read_raster
from models.training.networks.architectures import Normalise
from tests.data.make_scene import make_hostile, make_scene

STATISTICS = BandStatistics(low=[0.0] * 3, high=[3000.0] * 3, mean=[0.4] * 3, std=[0.2] * 3, samples=1)


def scenes(folder: Path, count: int, **changes) -> list[str]:
    return [str(make_scene(folder / f"{n:02d}.tif", seed=n, **changes)) for n in range(count)]


def read(paths: list[str], **changes) -> ChipPool:
    options = {"chip_px": 64, "max_chips": 1000, "seed": 0} | changes
    return read_chips(paths, [1, 2, 3], STATISTICS, **options)


def test_images_of_any_size_become_chips_of_one_size(tmp_path: Path) -> None:
    small = scenes(tmp_path / "small", 8, width=20, height=50)
    large = scenes(tmp_path / "large", 2, width=300, height=200)
    pool = read([*small, *large])
    assert pool.chips.shape == (8 + 2 * 5 * 3, 3, 64, 64)
    assert pool.images == 10
    assert np.isfinite(pool.chips).all()
    whole = standardise(read_raster(Path(small[0]), [1, 2, 3]), STATISTICS)
    np.testing.assert_allclose(pool.chips[0, :, :50, :20], whole, atol=5e-3)
    np.testing.assert_array_equal(pool.chips[0, :, :50, 20:40], pool.chips[0, :, :50, 19::-1][..., :20])  # mirrored


def test_chips_are_no_larger_than_the_images(tmp_path: Path) -> None:
    assert read(scenes(tmp_path, 8, width=20, height=33), chip_px=128).chips.shape[2:] == (64, 64)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_invalid_pixels_stay_invalid_in_any_type(tmp_path: Path, dtype: str) -> None:
    pool = read(scenes(tmp_path, 8, width=64, height=64, dtype=dtype, nodata_as="value", nodata=0))
    invalid = np.isnan(pool.chips).any(axis=1)
    assert invalid[:, :32, :32].all()
    assert not invalid[:, 32:].any()


def test_memory_is_bounded_and_every_image_gets_its_share(tmp_path: Path) -> None:
    paths = scenes(tmp_path, 10, width=256, height=256)
    pool = read(paths, cache_bytes=20 * 3 * 64 * 64 * 2)
    assert len(pool.chips) == 20
    assert pool.images == 10
    assert read(paths, max_chips=9).images == 9


def test_what_cannot_be_used_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    good = scenes(tmp_path / "good", MIN_CHIPS)
    bad = [
        str(make_hostile("text", tmp_path / "text.tif")),
        str(make_scene(tmp_path / "one_band.tif", bands=1)),
        str(make_scene(tmp_path / "nodata.tif", content=np.zeros((3, 64, 64)), nodata=0, nodata_as="value")),
    ]
    pool = read([*bad, *good])
    assert len(pool.chips) == pool.images == MIN_CHIPS
    for name in ("text.tif", "one_band.tif", "nodata.tif"):
        assert name in caplog.text
    with pytest.raises(TrainingDataError, match=r"7 chips of 64 px can be cut from the 10 images.*text.tif"):
        read([*bad, *good[1:]])


def test_standardising_is_what_the_network_does() -> None:
    image = np.random.default_rng(0).uniform(-2000, 9000, (3, 8, 9)).astype(np.float32)
    image[1, 2, 3] = np.nan
    expected, valid = Normalise(STATISTICS)(torch.from_numpy(image[None]))
    ours = standardise(image, STATISTICS)
    np.testing.assert_array_equal(np.isnan(ours).any(axis=0), valid[0, 0].numpy() == 0)
    np.testing.assert_allclose(np.nan_to_num(ours), expected[0].numpy(), rtol=1e-5, atol=1e-5)


def test_partners_are_cut_at_the_same_windows(tmp_path: Path) -> None:
    paths = scenes(tmp_path, 8, width=200, height=150, dtype="float32")
    look = Look([1, 2, 3], STATISTICS, BandPolicy())
    turned = Look([3, 2, 1], STATISTICS, BandPolicy())
    pool = read_looks([(path, path) for path in paths], [look, turned], chip_px=64, max_chips=1000, seed=0)
    assert pool.partners is not None
    assert len(pool.chips) == 8 * 3 * 2
    np.testing.assert_array_equal(pool.partners, pool.chips[:, ::-1])


def test_pair_needs_valid_pixels_in_both(tmp_path: Path) -> None:
    good = scenes(tmp_path / "good", MIN_CHIPS + 1, width=32, height=32)
    partners = scenes(tmp_path / "partners", MIN_CHIPS, width=32, height=32)
    partners.append(str(make_scene(tmp_path / "void.tif", width=32, height=32, content="constant", nodata=0)))
    with rasterio.open(partners[-1], "r+") as void:
        void.write(np.zeros((3, 32, 32), void.dtypes[0]))
        void.nodata = 0
    look = Look([1, 2, 3], STATISTICS, BandPolicy())
    pool = read_looks(list(zip(good, partners, strict=True)), [look, look], chip_px=32, max_chips=1000, seed=0)
    assert (pool.images, len(pool.chips)) == (MIN_CHIPS, MIN_CHIPS)
