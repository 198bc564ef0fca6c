import errno
import shutil

import numpy as np
import pytest
import rasterio
from rasterio.errors import RasterioIOError

from models.rasters.cogs import open_cog
from models.rasters.tiling import Window

UTM = {"crs": "EPSG:32631", "transform": [10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_000.0]}


def write(path, height, width, parts, **place):
    with open_cog(
        path,
        height,
        width,
        crs=place.get("crs"),
        transform=place.get("transform"),
        description="entropy",
        unit="nats",
        tags={"MODEL_VERSION": "v3"},
    ) as target:
        for window, values in parts:
            target.write(window, values)


def offsets(dataset, level):
    """Offset of each block of full resolution (None) or of an overview."""
    height, width = dataset.shape if level is None else (-(-side // 2 ** (level + 1)) for side in dataset.shape)
    names = [f"{column}_{row}" for row in range(-(-height // 512)) for column in range(-(-width // 512))]
    found = [dataset.get_tag_item(f"BLOCK_OFFSET_{name}", "TIFF", 1, level) for name in names]
    return [int(offset) for offset in found if offset is not None]


def test_large_raster_has_the_layout_of_a_cog(tmp_path):
    values = np.random.default_rng(0).random((1100, 1300), dtype=np.float32)
    parts = [
        (Window(column, row, 650, 550), values[row : row + 550, column : column + 650])
        for row in (550, 0)
        for column in (0, 650)
    ]
    path = tmp_path / "a.tif"
    write(path, 1100, 1300, parts, **UTM)
    assert [file.name for file in tmp_path.iterdir()] == ["a.tif"]
    with rasterio.open(path) as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert dataset.block_shapes == [(512, 512)]
        assert dataset.overviews(1) == [2, 4]
        # Directories come first, then blocks from the smallest overview to full resolution, each in order.
        order = [*offsets(dataset, 1), *offsets(dataset, 0), *offsets(dataset, None)]
        assert len(order) == 1 + 4 + 9
        assert order == sorted(order)
        assert b"LAYOUT=IFDS_BEFORE_DATA" in path.read_bytes()[:200]
        np.testing.assert_array_equal(dataset.read(1), values)


@pytest.mark.parametrize("place", [UTM, {}])
def test_what_is_not_written_is_nodata_and_the_file_says_what_it_shows(tmp_path, place):
    path = tmp_path / "a.tif"
    write(path, 40, 30, [(Window(0, 0, 30, 20), np.ones((20, 30), np.float32))], **place)
    with rasterio.open(path) as dataset:
        assert (dataset.dtypes, dataset.shape) == (("float32",), (40, 30))
        assert np.isnan(dataset.nodata)
        assert dataset.crs == place.get("crs")
        assert np.isnan(dataset.read(1)[20:]).all()
        assert (dataset.read(1)[:20] == 1).all()
        assert (dataset.units, dataset.descriptions) == (("nats",), ("entropy",))
        assert dataset.tags()["MODEL_VERSION"] == "v3"


def test_error_leaves_no_file(tmp_path):
    with pytest.raises(RuntimeError, match="model"):
        write(tmp_path / "a.tif", 4, 4, (_ for _ in [0] if raise_("model")))
    assert not list(tmp_path.iterdir())


def raise_(message):
    raise RuntimeError(message)


def test_full_disk_is_told_as_one(tmp_path, monkeypatch):
    def parts():
        yield Window(0, 0, 8, 8), np.zeros((8, 8), np.float32)
        raise RasterioIOError("Write failed. See previous exception for details.")  # all that GDAL says

    with pytest.raises(RasterioIOError):
        write(tmp_path / "a.tif", 8, 8, parts())
    full = shutil.disk_usage(tmp_path)._replace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(OSError, match="No space left") as caught:
        write(tmp_path / "a.tif", 8, 8, parts())
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []
