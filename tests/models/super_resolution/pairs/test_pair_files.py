from pathlib import Path

import numpy as np
import pytest
import rasterio

from models.errors import SuperResolutionError
from models.super_resolution.card import read_pair_set
from models.super_resolution.degrading import degraded
from models.super_resolution.pairs.finding import plan_pairs
from models.super_resolution.pairs.pair_files import PairOptions, make_pairs, read_pair
from tests.models.super_resolution.fixtures import land, write_raster


def write_two_folders(home: Path, count: int = 4, factor: int = 2, fine_pixel: float = 5.0) -> tuple[Path, Path]:
    """Fine images and what a coarser sensor sees of them, georeferenced, at places far apart."""
    for number in range(count):
        image, corner = land(number, 96), (500_000 + 10_000.0 * number, 4e6)
        write_raster(home / "fine" / f"{number}.tif", image, pixel=fine_pixel, corner=corner)
        write_raster(home / "low" / f"{number}.tif", degraded(image, factor), pixel=5.0 * factor, corner=corner)
    return home / "fine", home / "low"


def test_made_pairs_are_on_one_grid_and_whole_places_are_held_out(pair_folder: Path) -> None:
    pairs = read_pair_set(pair_folder)
    assert (pairs.factor, pairs.made, pairs.bands, pairs.histogram) == (2, True, [1, 2, 3], "none")
    assert sorted(entry.split for entry in pairs.pairs) == ["test"] * 2 + ["train"] * 4
    low, high = read_pair(pair_folder, pairs.pairs[0], 3)
    assert low == pytest.approx(degraded(high, 2), abs=1e-4)
    with (
        rasterio.open(pair_folder / "low" / "t0.tif") as coarse,
        rasterio.open(pair_folder / "high" / "t0.tif") as fine,
    ):
        assert coarse.bounds == fine.bounds
        assert coarse.res == (20.0, 20.0)


def test_pairs_of_two_folders_are_cut_to_what_both_show(tmp_path: Path) -> None:
    fine, low = write_two_folders(tmp_path)
    part = degraded(land(0, 96), 2)[:, 4:, 8:]
    write_raster(low / "0.tif", part, pixel=10.0, corner=(500_080, 4e6 - 40))
    made = make_pairs(plan_pairs(fine, low), tmp_path / "pairs", PairOptions(register=False))
    kept = {entry.name: read_pair(tmp_path / "pairs", entry, 3) for entry in made.pairs}
    assert {name: pair[0].shape for name, pair in kept.items()} == {"0": (3, 44, 40)} | dict.fromkeys(
        "123", (3, 48, 48)
    )
    assert kept["0"][0] == pytest.approx(part)
    assert kept["0"][1] == pytest.approx(land(0, 96)[:, 8:, 16:], abs=1.0)


def test_finer_images_are_brought_to_the_grid_that_is_asked_for(tmp_path: Path) -> None:
    fine, low = write_two_folders(tmp_path, factor=4)
    made = make_pairs(plan_pairs(fine, low), tmp_path / "pairs", PairOptions(factor=2))
    assert made.factor == 2
    low_image, high = read_pair(tmp_path / "pairs", made.pairs[0], 3)
    assert high.shape[1] == 2 * low_image.shape[1]


def said(plan_of: tuple[Path, Path | None], out: Path, options: PairOptions) -> str:
    with pytest.raises(SuperResolutionError) as error:
        make_pairs(plan_pairs(*plan_of), out, options)
    assert not (out / "pairs.json").exists()
    return str(error.value)


def test_other_ratios_are_refused(tmp_path: Path) -> None:
    folders = write_two_folders(tmp_path, fine_pixel=3.0)
    assert "are 3.33 x 3.33 times as fine, which is neither 2 nor 4" in said(folders, tmp_path / "p", PairOptions())
    assert "less than the 4 asked for" in said(folders, tmp_path / "p", PairOptions(factor=4))


def test_other_bands_are_refused(tmp_path: Path) -> None:
    folders = write_two_folders(tmp_path)
    assert "2 bands of the coarse image and 3 of the fine one" in said(
        folders, tmp_path / "p", PairOptions(bands=[1, 2], high_bands=[1, 2, 3])
    )
    assert "band 7" in said(folders, tmp_path / "p", PairOptions(bands=[7]))


def test_pairs_matched_by_name_that_do_not_overlap_are_refused(tmp_path: Path) -> None:
    fine, low = write_two_folders(tmp_path)
    for number in range(4):
        write_raster(low / f"{number}.tif", degraded(land(number, 96), 2), corner=(100_000, 4e6))
    with pytest.raises(SuperResolutionError, match="the two images do not overlap"):
        make_pairs(plan_pairs(fine, low, match="name"), tmp_path / "p", PairOptions())


def test_pairs_matched_by_name_of_another_crs_are_refused(tmp_path: Path) -> None:
    fine, low = write_two_folders(tmp_path)
    for number in range(4):
        write_raster(low / f"{number}.tif", degraded(land(number, 96), 2), epsg=32631)
    with pytest.raises(SuperResolutionError, match="the coarse image has EPSG:32631 and the fine one EPSG:32630"):
        make_pairs(plan_pairs(fine, low, match="name"), tmp_path / "p", PairOptions())


def test_too_few_pairs_and_a_single_place_are_refused(tmp_path: Path) -> None:
    for number in range(4):
        write_raster(tmp_path / "fine" / f"{number}.tif", land(number), corner=None)
    (tmp_path / "few").mkdir()
    for number in range(3):
        (tmp_path / "few" / f"{number}.tif").symlink_to(tmp_path / "fine" / f"{number}.tif")
    assert "3 pairs of 3 places are too few" in said((tmp_path / "few", None), tmp_path / "p", PairOptions())
    with pytest.raises(SuperResolutionError, match="4 pairs of 1 places are too few"):
        make_pairs(plan_pairs(tmp_path / "fine", None, place_pattern="^()"), tmp_path / "p", PairOptions())


def test_constant_small_and_empty_images_are_left_out_by_name(tmp_path: Path) -> None:
    for number in range(4):
        write_raster(tmp_path / "fine" / f"{number}.tif", land(number), corner=None)
    write_raster(tmp_path / "fine" / "flat.tif", np.full((3, 48, 48), 5, np.float32), corner=None)
    write_raster(tmp_path / "fine" / "gone.tif", np.full((3, 48, 48), np.nan, np.float32), corner=None)
    write_raster(tmp_path / "fine" / "tiny.tif", land(1, 20), corner=None)
    made = make_pairs(plan_pairs(tmp_path / "fine", None), tmp_path / "p", PairOptions())
    assert sorted(made.refused) == [
        "flat: the image is constant: nothing can be learned from it", "gone: every pixel is nodata",
        "tiny: 20 x 20 px; at least 32 are needed",
    ]  # fmt: skip


def test_pairs_of_several_kinds_do_not_go_together(tmp_path: Path) -> None:
    for number in range(4):
        write_raster(tmp_path / "fine" / f"{number}.tif", land(number, bands=3 + number % 2), corner=None)
    assert "the pairs do not go together: factor 2, 3 bands; factor 2, 4 bands" in said(
        (tmp_path / "fine", None), tmp_path / "p", PairOptions()
    )
