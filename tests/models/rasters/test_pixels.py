"""The hash of pixels survives being written again and tells contents apart."""

from pathlib import Path

import pytest
import rasterio
from rasterio.crs import CRS
from rasterio.io import MemoryFile
from rasterio.transform import Affine

from models.rasters.files import allow_missing_georeference
from models.rasters.reading import open_upload, pixel_hash
from tests.data.make_scene import make_scene

LAEA = CRS.from_string("+proj=laea +lat_0=50 +lon_0=9.3 +x_0=4321000 +y_0=3210000 +ellps=GRS80 +units=m").to_wkt()


def reencoded(path: Path, **profile) -> bytes:
    """What SCANEO posts: the same pixels, type, CRS and transform in a new file; nodata and tags are lost."""
    allow_missing_georeference()
    with rasterio.open(path) as dataset:
        data = dataset.read()
        profile = {"crs": dataset.crs, "transform": dataset.transform} | profile
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", count=len(data), height=data.shape[1], width=data.shape[2], dtype=data.dtype, **profile
        ) as target:
            target.write(data)
        return memory.read()


@pytest.mark.parametrize("crs", ["EPSG:32630", "EPSG:4326", "EPSG:3035", "EPSG:3857", LAEA, None])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_pixel_hash_survives_being_written_again(tmp_path, crs, dtype):
    path = make_scene(
        tmp_path / "a.tif", bands=4, dtype=dtype, crs=crs, nodata_as="value", compress="deflate", tiled=True,
        blockxsize=16, blockysize=16,
    )  # fmt: skip

    assert open_upload(reencoded(path)).pixel_hash == pixel_hash(path)


def test_pixel_hash_of_a_tall_or_rotated_image_survives_too(tmp_path):
    path = make_scene(tmp_path / "a.tif", width=5, height=1100, bands=2)
    rotated = Affine(9.9, 1.3, 500_000.1, 1.3, -9.9, 4_600_000.7)
    (tmp_path / "b.tif").write_bytes(reencoded(path, transform=rotated, interleave="band"))

    assert open_upload(reencoded(path)).pixel_hash == pixel_hash(path)
    assert open_upload(reencoded(tmp_path / "b.tif")).pixel_hash == pixel_hash(tmp_path / "b.tif")


def test_pixel_hash_tells_pixels_place_and_type_apart(tmp_path):
    variants = [{}, {"seed": 1}, {"origin": (500_010, 4_600_000)}, {"crs": "EPSG:32632"}, {"dtype": "int16"}]
    variants += [{"bands": 2}, {"crs": None}]

    hashes = [pixel_hash(make_scene(tmp_path / f"{n}.tif", **change)) for n, change in enumerate(variants)]

    assert len(set(hashes)) == len(variants)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    "pattern", ["eurosat_ms/*/*.tif", "s2_ships/*.tif", "scaneo_samples/**/*.tif", "dubai_seg/*.jpg"]
)
def test_pixel_hash_of_real_files_survives_being_written_again(shared_data, pattern):
    files = sorted(shared_data.glob(pattern))
    assert files
    for path in files[:: max(1, len(files) // 6)]:
        assert open_upload(reencoded(path)).pixel_hash == pixel_hash(path), path
