import numpy as np
import pytest
import rasterio

from models.errors import UnreadableRasterError
from models.pictures.copies import write_copies
from tests.data.make_scene import make_hostile, make_scene


def test_copies_halve_until_a_tile_holds_all(tmp_path):
    path = make_scene(tmp_path / "a.tif", width=2100, height=1500, bands=1)

    write_copies(path, "a", tmp_path)

    assert {file.name for file in tmp_path.iterdir()} == {"a.tif", "4.tif", "8.tif", "16.tif"}
    with rasterio.open(tmp_path / "16.tif") as copy, rasterio.open(path) as dataset:
        assert (copy.shape, copy.dtypes, np.isnan(copy.nodata)) == ((94, 132), ("float32",), True)
        np.testing.assert_allclose(
            copy.read(1)[:93, :131], dataset.read(1)[:1488, :2096].reshape(93, 16, 131, 16).mean((1, 3)), rtol=1e-5
        )


def test_damaged_scene_raises_our_error(tmp_path):
    path = make_hostile("truncated", tmp_path / "a.tif")
    (tmp_path / "out").mkdir()

    with pytest.raises(UnreadableRasterError):
        write_copies(path, "a", tmp_path / "out")
