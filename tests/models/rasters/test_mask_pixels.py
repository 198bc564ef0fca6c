from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import Affine

from models.errors import UnreadableRasterError
from models.rasters.mask_pixels import hex_colour, read_mask
from tests.al_loop.campaigns.importing.fixtures import write_raster

CODES = np.array([[0, 1, 2], [2, 255, 0]], np.uint8)


def test_codes_are_read_from_eight_and_sixteen_bits(tmp_path: Path) -> None:
    for dtype in (np.uint8, np.uint16, np.float32):
        mask = read_mask(write_raster(tmp_path / f"{np.dtype(dtype).name}.tif", CODES.astype(dtype)))
        np.testing.assert_array_equal(mask.values, CODES)
        assert (mask.coloured, mask.palette) == (False, {})


def test_colours_are_packed_and_transparent_pixels_are_black(tmp_path: Path) -> None:
    pixels = np.zeros((2, 3, 4), np.uint8)
    pixels[0] = [255, 128, 0, 255]
    pixels[1] = [255, 128, 0, 0]
    Image.fromarray(pixels).save(tmp_path / "a.png")
    mask = read_mask(tmp_path / "a.png")
    assert mask.coloured
    np.testing.assert_array_equal(mask.values, [[0xFF8000] * 3, [0] * 3])
    assert hex_colour(0xFF8000) == "#ff8000"


def test_palette_tells_the_colours_of_the_codes_in_use(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[0, 1, 1]], np.uint8), "P")
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    picture.save(tmp_path / "a.png")
    mask = read_mask(tmp_path / "a.png")
    assert (mask.values.tolist(), mask.palette) == ([[0, 1, 1]], {0: 0, 1: 0xFF0000})


@pytest.mark.parametrize(
    ("name", "pixels", "reason"),
    [
        ("a.jpg", CODES, "JPEG blurs"),
        ("a.tif", np.zeros((5, 2, 3), np.uint8), "not 5 bands"),
        ("b.tif", np.full((2, 3), 256, np.uint16), "from 0 to 255"),
        ("c.tif", np.full((2, 3), 0.5, np.float32), "fractions"),
        ("d.tif", np.zeros((3, 2, 3), np.uint16), "8-bit"),
        ("e.tif", np.full((2, 3), np.nan, np.float32), "from 0 to 255"),
    ],
)
def test_what_is_no_mask_is_refused(tmp_path: Path, name: str, pixels: np.ndarray, reason: str) -> None:
    with pytest.raises(UnreadableRasterError, match=reason):
        read_mask(write_raster(tmp_path / name, pixels))


@pytest.mark.parametrize("bands", [2, 4])
def test_a_last_band_that_is_no_alpha_is_not_taken_for_one(tmp_path: Path, bands: int) -> None:
    profile = {
        "driver": "GTiff",
        "count": bands,
        "height": 2,
        "width": 3,
        "dtype": "uint8",
        "photometric": "MINISBLACK",
    }
    with rasterio.open(
        tmp_path / "a.tif", "w", crs="EPSG:32630", transform=Affine(1, 0, 9, 0, -1, 9), **profile
    ) as file:
        file.write(np.ones((bands, 2, 3), np.uint8))
    with pytest.raises(UnreadableRasterError, match=f"band {bands} of this one is no alpha"):
        read_mask(tmp_path / "a.tif")
