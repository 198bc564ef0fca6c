import numpy as np
import pytest

from models.rasters.reading import read_header, read_raster
from models.synthetic.scenes import CLASSES, write_scenes


@pytest.fixture(scope="module")
def chips(tmp_path_factory):
    return write_scenes(tmp_path_factory.mktemp("scenes"), scenes=3, seed=1, size_px=256)


def test_chips_are_georeferenced_and_masks_fit(chips):
    for chip in chips[::7]:
        header, mask = read_header(chip.path), read_header(chip.mask_path)
        assert (header.width, header.height, header.band_count, header.dtype) == (64, 64, 4, "uint16")
        assert (header.crs, header.nodata) == ("EPSG:32631", 0)
        assert (mask.width, mask.height, mask.band_count, mask.dtype) == (64, 64, 1, "uint8")
        assert (mask.crs, mask.transform) == (header.crs, header.transform)


def test_chips_do_not_overlap(chips):
    corners = {(header.transform[2], header.transform[5]) for header in (read_header(chip.path) for chip in chips)}

    assert len(corners) == len(chips) == len({chip.path for chip in chips})


def test_masks_hold_codes_and_mark_nodata(chips):
    for chip in chips:
        codes = read_raster(chip.mask_path, [1])[0]
        assert set(np.unique(codes)) <= {0, 1, 2, 3, 4, 5, 255}
        np.testing.assert_array_equal(np.isnan(read_raster(chip.path, [1])[0]), codes == 255)


def test_class_of_a_chip_is_its_most_frequent_land_cover(chips):
    for chip in chips[::5]:
        counts = np.bincount(read_raster(chip.mask_path, [1]).astype(int).ravel(), minlength=256)[1:6]
        assert CLASSES[counts.argmax()] == chip.class_name


def test_classes_are_unequal_and_look_different(chips):
    names = [chip.class_name for chip in chips]
    assert names.count("cropland") > len(names) / 3
    near_infrared, red = (
        {
            name: np.nanmean([read_raster(chip.path, [band]) for chip in chips if chip.class_name == name])
            for name in ("forest", "water", "cropland")
            if name in names
        }
        for band in (4, 3)
    )
    assert near_infrared["water"] < near_infrared["forest"]
    assert red["forest"] < red["cropland"]


def test_same_seed_writes_the_same_files(tmp_path):
    first = write_scenes(tmp_path / "a", scenes=1, seed=5, size_px=128)
    second = write_scenes(tmp_path / "b", scenes=1, seed=5, size_px=128)
    other = write_scenes(tmp_path / "c", scenes=1, seed=6, size_px=128)

    assert [chip.path.read_bytes() for chip in first] == [chip.path.read_bytes() for chip in second]
    assert first[0].path.read_bytes() != other[0].path.read_bytes()
