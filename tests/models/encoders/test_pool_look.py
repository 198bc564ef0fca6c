"""What is read off some files of a pool before its images are described."""

from pathlib import Path

import pytest
import rasterio

from models.encoders.pool_look import look_at_pool
from models.errors import TrainingDataError
from models.rasters.bands import AS_DECLARED
from tests.data.make_scene import make_scene


def test_sensor_says_what_the_chosen_bands_are(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "a.tif", width=48, height=32, bands=13)
    look = look_at_pool([str(path)], 13, [8, 4, 3], "sentinel-2", AS_DECLARED)
    assert (look.kinds, look.side_px, look.eight_bit) == (["nir", "red", "green"], 48, False)


def test_descriptions_of_the_first_image_that_opens_say_it(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "b.tif", width=32, height=32, bands=2)
    with rasterio.open(path, "r+") as target:
        target.descriptions = ("B8", "red")
    look = look_at_pool([str(tmp_path / "gone.tif"), str(path)], 2, [1, 2], None, AS_DECLARED)
    assert look.kinds == ["nir", "red"]


def test_a_sensor_of_other_bands_and_no_image_at_all_are_refused(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "c.tif", width=32, height=32, bands=3)
    with pytest.raises(TrainingDataError, match="sar-vv-vh, which has 2 bands, but the images have 3"):
        look_at_pool([str(path)], 3, [1, 2, 3], "sar-vv-vh", AS_DECLARED)
    with pytest.raises(TrainingDataError, match="none of the images can be read"):
        look_at_pool([str(tmp_path / "gone.tif")], 3, [1, 2, 3], None, AS_DECLARED)
