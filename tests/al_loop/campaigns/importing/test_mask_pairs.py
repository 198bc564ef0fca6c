from pathlib import Path

import msgspec
import numpy as np
import pytest
import rasterio.features
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from al_loop.campaigns.importing import ImportPlan, plan_import
from al_loop.domain.labels import LabelInput
from al_loop.errors import InvalidValueError
from tests.al_loop.campaigns.importing.fixtures import write_json, write_raster

CODES = np.zeros((8, 10), np.uint8)
CODES[:3, :4] = 1
CODES[5:, 2:] = 2
CODES[6, 5] = 0
CODES[0, 9] = 255


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    root = tmp_path / "pairs"
    write_raster(root / "a.jpg")
    write_raster(root / "a_mask.png", CODES)
    write_raster(root / "sub/b.tif")
    write_raster(root / "sub/b_mask.tif", np.zeros((8, 10), np.uint8))
    write_raster(root / "unlabelled.tif")
    write_json(root / "classes.json", {"classes": ["roof", "road"], "background": 0, "ignore": 255})
    return root


def reasons(plan: ImportPlan) -> dict[str, str]:
    return {skipped.path: skipped.reason for skipped in plan.skipped}


def paint(label: LabelInput, classes: list[str], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """The mask again, painted by another library call than the importer's."""
    assert label.features is not None
    features = label.features["features"]
    codes = [255 if f["properties"]["label"] is None else classes.index(f["properties"]["label"]) + 1 for f in features]
    shapes = [(feature["geometry"], code) for feature, code in zip(features, codes, strict=True)]
    return rasterio.features.rasterize(shapes, shape, dtype=np.uint8) if shapes else np.zeros(shape, np.uint8)


def test_mask_becomes_pixel_polygons_that_paint_the_same_mask(pairs: Path) -> None:
    plan = plan_import(pairs)

    assert (plan.kind, plan.paths) == ("mask-pairs", ["a.jpg", "sub/b.tif", "unlabelled.tif"])
    assert [spec.classes for spec in plan.tasks] == [["roof", "road"]]
    first, _ = plan.labels()
    assert (first.path, first.crs) == ("a.jpg", "pixel")
    np.testing.assert_array_equal(paint(first, ["roof", "road"], CODES.shape), CODES)


def test_mask_label_survives_json(pairs: Path) -> None:
    for label in plan_import(pairs).labels():
        assert msgspec.json.decode(msgspec.json.encode(label), type=LabelInput).features is not None


def test_mask_of_background_is_an_empty_label(pairs: Path) -> None:
    _, second = plan_import(pairs).labels()
    assert (second.path, second.features) == ("sub/b.tif", {"type": "FeatureCollection", "features": []})


def test_masks_without_class_list_name_classes_by_code(pairs: Path) -> None:
    (pairs / "classes.json").unlink()
    assert plan_import(pairs).tasks[0].classes == ["1", "2"]


def test_masks_read_a_plain_list_of_classes(pairs: Path) -> None:
    write_json(pairs / "classes.json", ["x", "y"])
    assert plan_import(pairs).tasks[0].classes == ["x", "y"]


@pytest.mark.parametrize("content", [{"classes": "roof"}, {"classes": ["a"], "background": 9}, {"names": ["a"]}])
def test_masks_refuse_a_class_list_that_does_not_fit(pairs: Path, content: dict[str, object]) -> None:
    write_json(pairs / "classes.json", content)
    with pytest.raises(InvalidValueError, match=r"classes\.json"):
        plan_import(pairs)


def test_unusable_mask_is_skipped_with_a_reason(pairs: Path) -> None:
    write_json(pairs / "classes.json", ["only one"])
    for name, mask in {
        "size": np.zeros((4, 4), np.uint8),
        "colour": np.zeros((3, 8, 10), np.uint8),
        "range": np.full((8, 10), 300, np.uint16),
    }.items():
        write_raster(pairs / f"{name}.tif")
        write_raster(pairs / f"{name}_mask.tif", mask)
    write_raster(pairs / "text.tif")
    (pairs / "text_mask.png").write_text("not a picture")
    write_raster(pairs / "orphan_mask.png", CODES)

    plan = plan_import(pairs)
    assert [label.path for label in plan.labels()] == ["sub/b.tif"]
    found = reasons(plan)
    assert found["orphan_mask.png"].startswith("mask without an image")
    assert "codes [2] name no class of " in found["a_mask.png"]
    assert "4 x 4 px, its image 10 x 8 px" in found["size_mask.tif"]
    assert "colours instead of one band of class codes" in found["colour_mask.tif"]
    assert "from 0 to 255" in found["range_mask.tif"]
    assert "not a TIFF, JPEG or PNG" in found["text_mask.png"]


def names_to_pattern(root: Path, names: list[str], crs: str | None = None) -> str | None:
    for name in names:
        write_raster(root / f"{name}.tif", crs=crs)
    write_raster(root / f"{names[0]}_mask.tif", CODES)
    write_json(root / "classes.json", ["a", "b"])
    return plan_import(root).settings.reserve.group_pattern


def test_parts_of_one_tile_share_a_block(tmp_path: Path) -> None:
    names = [f"tile{tile}_{part:03}" for tile in (1, 2, 3) for part in range(3)]
    assert names_to_pattern(tmp_path, names) == r"^(.+?)(?:[_-]\d+)+\.[^./]+$"


def test_numbered_images_of_no_common_place_share_no_block(tmp_path: Path) -> None:
    assert names_to_pattern(tmp_path, [f"img_{number}" for number in range(9)]) is None


def test_georeferenced_parts_are_blocked_by_place_not_by_name(tmp_path: Path) -> None:
    names = [f"tile{tile}_{part:03}" for tile in (1, 2, 3) for part in range(3)]
    assert names_to_pattern(tmp_path, names, crs="EPSG:4326") is None


SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9))


@given(codes=arrays(np.uint8, SHAPES, elements=st.sampled_from([0, 1, 2, 255])))
def test_any_mask_round_trips_through_a_label(
    tmp_path_factory: pytest.TempPathFactory, codes: NDArray[np.uint8]
) -> None:
    root = tmp_path_factory.mktemp("mask")
    write_raster(root / "a.tif", codes)
    write_raster(root / "a_mask.tif", codes)
    write_json(root / "classes.json", {"classes": ["a", "b"], "ignore": 255})

    (label,) = plan_import(root).labels()
    np.testing.assert_array_equal(paint(label, ["a", "b"], codes.shape), codes)


@pytest.mark.shared_data
def test_masks_of_dubai_are_blocked_by_tile(shared_data: Path) -> None:
    plan = plan_import(shared_data / "dubai_seg")

    assert plan.label_counts == {"segmentation": 45}
    assert plan.tasks[0].classes == ["Building", "Land", "Road", "Vegetation", "Water"]
    assert plan.settings.reserve.group_pattern is not None
    assert next(plan.labels()).path == "tile1_001.jpg"
