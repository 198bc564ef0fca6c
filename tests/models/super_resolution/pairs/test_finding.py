from pathlib import Path

import pytest

from models.errors import SuperResolutionError
from models.super_resolution.pairs.finding import plan_pairs
from tests.models.super_resolution.fixtures import land, write_raster


def folder(
    home: Path, names: dict[str, tuple[float, float] | None], side: int = 32, pixel: float = 10, epsg: int = 32630
) -> Path:
    for name, corner in names.items():
        write_raster(home / name, land(1, side), pixel=pixel, corner=corner, epsg=epsg)
    return home


def pairs_of(high: Path, low: Path, **options: str) -> dict[str, str]:
    plan = plan_pairs(high, low, **options)  # type: ignore[arg-type]
    return {Path(pair.high).name: Path(pair.low or "").name for pair in plan.pairs}


def test_fine_images_alone_are_planned_to_be_reduced(tmp_path: Path) -> None:
    fine = folder(tmp_path, {"north/a 1.tif": None, "b.tif": None})
    plan = plan_pairs(fine, None)
    assert (plan.matched_by, [pair.name for pair in plan.pairs]) == ("made", ["b", "north-a-1"])
    assert "2 pairs have no place on Earth, and each counts as a place of its own" in plan.notes[0]


def test_names_match_without_what_all_names_of_a_folder_share(tmp_path: Path) -> None:
    fine = folder(tmp_path / "hr", {"HR_12_TOA.tif": None, "HR_1_TOA.tif": None, "HR_7_TOA.tif": None})
    coarse = folder(tmp_path / "lr", {"12_S2.tif": None, "1_S2.tif": None, "3_S2.tif": None}, 16)
    plan = plan_pairs(fine, coarse)
    assert plan.matched_by == "name"
    assert pairs_of(fine, coarse) == {"HR_12_TOA.tif": "12_S2.tif", "HR_1_TOA.tif": "1_S2.tif"}
    assert [text.partition(": ")[2] for text in plan.refused] == [
        "no coarse image has its name", "no fine image has its name",
    ]  # fmt: skip


def test_equal_names_match_as_they_are(tmp_path: Path) -> None:
    fine = folder(tmp_path / "hr", {"a.tif": None, "b.tif": None})
    coarse = folder(tmp_path / "lr", {"b.tif": None, "a.tif": None}, 16)
    assert pairs_of(fine, coarse) == {"a.tif": "a.tif", "b.tif": "b.tif"}


def test_footprints_match_whatever_the_names_and_overlapping_pairs_are_one_place(tmp_path: Path) -> None:
    corners = {
        "x.tif": (500_000.0, 4e6),
        "y.tif": (500_100.0, 4e6),
        "z.tif": (700_000.0, 4e6),
        "far.tif": (800_000.0, 4e6),
    }
    fine = folder(tmp_path / "hr", corners, 32, 5)
    coarse = folder(tmp_path / "lr", {"scene.tif": (499_900.0, 4_000_100.0), "other.tif": (700_000.0, 4e6)}, 60)
    plan = plan_pairs(fine, coarse)
    assert plan.matched_by == "footprint"
    assert pairs_of(fine, coarse) == {"x.tif": "scene.tif", "y.tif": "scene.tif", "z.tif": "other.tif"}
    assert [pair.place for pair in plan.pairs] == ["x", "x", "z"]
    assert [text.partition(": ")[2] for text in plan.refused] == ["no coarse image overlaps it"]


def test_pairs_of_another_crs_are_refused_with_the_remedy(tmp_path: Path) -> None:
    fine = folder(tmp_path / "hr", {"a.tif": (500_000, 4e6)}, 32, 5, epsg=32631)
    coarse = folder(tmp_path / "lr", {"a.tif": (500_000, 4e6)})
    with pytest.raises(SuperResolutionError, match=r"it has EPSG:32631, and the coarse images EPSG:32630: bring them"):
        plan_pairs(fine, coarse)


def test_place_comes_from_the_name_by_a_pattern(tmp_path: Path) -> None:
    fine = folder(tmp_path, {"tile1_001.tif": None, "tile1_002.tif": None, "tile2_001.tif": None})
    assert [p.place for p in plan_pairs(fine, None, place_pattern=r"^(tile\d+)_").pairs] == ["tile1", "tile1", "tile2"]
    with pytest.raises(SuperResolutionError, match="finds no place in the name 'tile1_001'"):
        plan_pairs(fine, None, place_pattern="scene")
    with pytest.raises(SuperResolutionError, match="is no regular expression"):
        plan_pairs(fine, None, place_pattern="(")


def test_files_that_cannot_be_read_are_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    fine = folder(tmp_path, {"a.tif": None})
    (fine / "b.tif").write_bytes(b"no image")
    plan = plan_pairs(fine, None)
    assert (len(plan.pairs), len(plan.refused)) == (1, 1)
    assert "b.tif" in plan.refused[0]


def test_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SuperResolutionError, match="has no readable image"):
        plan_pairs(tmp_path, None)
    with pytest.raises(SuperResolutionError, match="is no folder"):
        plan_pairs(tmp_path / "none", None)
