"""What values and colours of masks mean: classes, or a refusal with what to do."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from al_loop.campaigns.importing import ImportPlan, plan_import
from al_loop.errors import InvalidValueError
from models.rasters.masks import polygons_to_codes
from tests.al_loop.campaigns.importing.fixtures import write_json, write_raster

MASK = np.zeros((8, 10), np.uint8)
MASK[2:5, 1:6] = 1
MASK[5:7, 7:9] = 2
WHITE = np.where(MASK == 1, 255, 0).astype(np.uint8)
RED, BLUE = (200, 0, 0), (0, 0, 200)
PALETTE = [0, 0, 0, *RED, *BLUE]


def image(path: Path) -> None:
    write_raster(path)


def paint(colours: dict[int, tuple[int, int, int]]) -> NDArray[np.uint8]:
    """The mask in colours, shape (H, W, 3)."""
    painted = np.zeros((*MASK.shape, 3), np.uint8)
    for code, colour in colours.items():
        painted[code == MASK] = colour
    return painted


def save(path: Path, pixels: NDArray[Any], mode: str | None = None, palette: list[int] | None = None) -> None:
    """A PNG by Pillow, as annotation tools write it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(pixels) if mode is None else Image.fromarray(pixels, mode)
    if palette is not None:
        picture.putpalette(palette)
    picture.save(path)


def painted(plan: ImportPlan, path: str) -> NDArray[np.uint8]:
    """The codes that the label of an image paints."""
    classes = plan.tasks[0].classes
    label = next(label for label in plan.labels() if label.path == path)
    assert label.crs == "pixel"
    assert label.features is not None
    from shapely import to_wkb
    from shapely.geometry import shape

    areas = [
        (255 if f["properties"]["label"] is None else classes.index(f["properties"]["label"]) + 1,
         to_wkb(shape(f["geometry"])))
        for f in label.features["features"]
    ]  # fmt: skip
    return polygons_to_codes(areas, 8, 10)


def test_white_masks_need_a_name_and_get_it(tmp_path: Path) -> None:
    image(tmp_path / "a.tif")
    write_raster(tmp_path / "a_mask.png", WHITE)
    with pytest.raises(InvalidValueError, match=r"only 0 and 255.*--classes field"):
        plan_import(tmp_path)
    with pytest.raises(InvalidValueError, match="names 2"):
        plan_import(tmp_path, classes=["field", "road"])
    np.testing.assert_array_equal(painted(plan_import(tmp_path, classes=["field"]), "a.tif"), WHITE // 255)
    write_json(tmp_path / "classes.json", ["field"])
    plan = plan_import(tmp_path)
    assert (plan.tasks[0].classes, plan.notes) == (
        ["field"], ["the masks hold only 0 and 255: 255 is field, 0 is background"],
    )  # fmt: skip
    write_json(tmp_path / "classes.json", {"classes": ["field"], "ignore": 255})
    assert (painted(plan_import(tmp_path), "a.tif") == WHITE).all()


def test_colours_go_by_classes_json_and_are_listed_without_it(tmp_path: Path) -> None:
    image(tmp_path / "images/a.tif")
    save(tmp_path / "masks/a.png", paint({1: RED, 2: BLUE}))
    with pytest.raises(InvalidValueError, match=r"#0000c8, #c80000.*classes\.json, as \{\"class 1\": \"#0000c8\""):
        plan_import(tmp_path)
    write_json(tmp_path / "classes.json", {"roof": "#c80000", "water": list(BLUE)})
    plan = plan_import(tmp_path)
    assert plan.tasks[0].classes == ["roof", "water"]
    np.testing.assert_array_equal(painted(plan, "images/a.tif"), MASK)
    write_json(tmp_path / "classes.json", {"roof": "#c80000"})
    with pytest.raises(InvalidValueError, match=r"a\.png: colours \[#0000c8\] name no class"):
        plan_import(tmp_path)


def test_colours_of_cvat_go_by_its_label_map(tmp_path: Path) -> None:
    image(tmp_path / "JPEGImages/a.jpg")
    save(tmp_path / "SegmentationClass/a.png", paint({1: RED, 2: BLUE}))
    (tmp_path / "labelmap.txt").write_text(
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\nroof:200,0,0::\nwater:0,0,200::\n"
    )
    np.testing.assert_array_equal(painted(plan_import(tmp_path), "JPEGImages/a.jpg"), MASK)


def test_palettes_go_by_code_by_colour_or_are_refused_where_they_differ(tmp_path: Path) -> None:
    for name, codes, palette in (("a", MASK, PALETTE), ("b", MASK, PALETTE)):
        image(tmp_path / "images" / f"{name}.tif")
        save(tmp_path / "masks" / f"{name}.png", codes, "P", palette)
    np.testing.assert_array_equal(painted(plan_import(tmp_path), "images/b.tif"), MASK)
    swapped = np.array([0, 2, 1], np.uint8)[MASK]
    save(tmp_path / "masks/b.png", swapped, "P", [0, 0, 0, *BLUE, *RED])
    with pytest.raises(InvalidValueError, match="palettes of the masks differ"):
        plan_import(tmp_path)
    write_json(tmp_path / "classes.json", {"roof": list(RED), "water": list(BLUE)})
    for name in ("a", "b"):
        np.testing.assert_array_equal(painted(plan_import(tmp_path), f"images/{name}.tif"), MASK)


def test_grey_with_alpha_and_one_bit_masks_are_codes(tmp_path: Path) -> None:
    image(tmp_path / "a.tif")
    image(tmp_path / "b.tif")
    alpha = np.full(MASK.shape, 255, np.uint8)
    alpha[5:7, 7:9] = 0
    save(tmp_path / "a_mask.png", np.stack([MASK, alpha], 2), "LA")
    save(tmp_path / "b_mask.png", MASK == 1)
    plan = plan_import(tmp_path, classes=["field"])
    for path in ("a.tif", "b.tif"):
        np.testing.assert_array_equal(painted(plan, path), MASK == 1)


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        (np.arange(80, dtype=np.uint8).reshape(8, 10) + 20, "80 different values"),
        (np.where(MASK > 0, 38 * MASK, 0).astype(np.uint8), r"\[38, 76\]: name them in classes.json"),
        (np.zeros((8, 10), np.uint8), "only background"),
    ],
)
def test_values_that_are_no_list_of_classes_are_refused(tmp_path: Path, mask: NDArray[np.uint8], told: str) -> None:
    image(tmp_path / "a.tif")
    write_raster(tmp_path / "a_mask.png", mask)
    with pytest.raises(InvalidValueError, match=told):
        plan_import(tmp_path)


def test_codes_by_name_may_leave_gaps(tmp_path: Path) -> None:
    image(tmp_path / "a.tif")
    write_raster(tmp_path / "a_mask.png", 38 * MASK)
    write_json(tmp_path / "classes.json", {"roof": 38, "water": 76})
    np.testing.assert_array_equal(painted(plan_import(tmp_path), "a.tif"), MASK)


def test_one_bad_mask_is_told_and_hinders_no_other(tmp_path: Path) -> None:
    for name in "abcde":
        image(tmp_path / "images" / f"{name}.tif")
    write_raster(tmp_path / "masks/a.png", MASK)
    write_raster(tmp_path / "masks/b.png", MASK[:4])
    (tmp_path / "masks/c.png").write_bytes((tmp_path / "masks/a.png").read_bytes()[:60])
    write_raster(tmp_path / "masks/d.jpg", MASK)
    write_raster(tmp_path / "masks/e.png", MASK * 5)
    plan = plan_import(tmp_path, classes=["roof", "road"])
    assert [label.path for label in plan.labels()] == ["images/a.tif"]
    told = {entry.path: entry.reason for entry in plan.problems}
    assert told.keys() == {"masks/b.png", "masks/c.png", "masks/d.jpg", "masks/e.png"}
    assert "codes [5, 10] name no class" in told["masks/e.png"]
    assert "JPEG blurs" in told["masks/d.jpg"]
