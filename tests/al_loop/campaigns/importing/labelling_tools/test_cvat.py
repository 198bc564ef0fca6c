from pathlib import Path

import numpy as np
import pytest
from shapely.geometry import shape

from al_loop.campaigns.importing import ImportPlan, plan_import
from al_loop.errors import InvalidValueError
from models.rasters.masks import polygons_to_codes
from tests.al_loop.campaigns.importing.labelling_tools.exports import cvat, drawn, ring

BOX = '<box label="ship" xtl="1" ytl="2" xbr="6.5" ybr="5" occluded="0" z_order="0"/>'
FIELD = '<polygon label="field" points="1,1;5,1;5,4" z_order="0"/>'


def reasons(plan: ImportPlan) -> list[str]:
    return [entry.reason for entry in plan.problems]


def test_boxes_and_tags_become_two_tasks_in_the_order_of_the_labels(tmp_path: Path) -> None:
    folder = cvat(tmp_path, ("harbour", "ship", "sea"), a=BOX + '<tag label="sea"/><tag label="harbour"/>', b="")
    plan = plan_import(folder)
    assert plan.kind == "cvat"
    assert [(spec.task, spec.classes, spec.multi_label) for spec in plan.tasks] == [
        ("classification", ["harbour", "sea"], True),
        ("detection", ["ship"], False),
    ]
    assert drawn(plan) == {
        "a.png:classification": ["sea", "harbour"],
        "a.png:detection": [("ship", ring((1, 2), (6.5, 2), (6.5, 5), (1, 5)))],
    }
    assert plan.notes == ["1 images without a label join the pool unlabelled"]


def test_outlines_masks_lines_points_and_ellipses_become_areas_from_the_bottom_up(tmp_path: Path) -> None:
    mask = '<mask label="water" rle="1, 2, 1, 2" left="4" top="3" width="3" height="2" z_order="1"/>'
    others = '<polyline label="road" points="0,0;9,7"/><points label="well" points="2,3;4.5,5"/>'
    round_one = '<ellipse label="tank" cx="5" cy="4" rx="2" ry="1"/>'
    plan = plan_import(cvat(tmp_path, a=mask + FIELD + others + round_one))
    (found,) = drawn(plan).values()
    assert [name for name, _ in found] == ["field", "road", "well", "well", "tank", "water"]
    by_name = dict(found)
    assert by_name["field"] == ring((1, 1), (5, 1), (5, 4))
    assert by_name["road"] == {"type": "LineString", "coordinates": [[0, 0], [9, 7]]}
    assert by_name["well"] == {"type": "Point", "coordinates": [4.5, 5]}
    assert shape(by_name["tank"]).area == pytest.approx(2 * np.pi, rel=0.01)
    painted = polygons_to_codes([(1, shape(by_name["water"]).wkb)], 8, 10)
    rows, columns = np.nonzero(painted)
    assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == [(3, 5), (3, 6), (4, 5), (4, 6)]


def test_boxes_beside_outlines_are_asked_about(tmp_path: Path) -> None:
    folder = cvat(tmp_path, a=BOX, b=FIELD)
    with pytest.raises(InvalidValueError, match=r"1 objects have an outline and 1 only a box; say --task"):
        plan_import(folder)
    assert drawn(plan_import(folder, task="detection")) == {
        "a.png:detection": [("ship", ring((1, 2), (6.5, 2), (6.5, 5), (1, 5)))],
        "b.png:detection": [("field", ring((1, 1), (5, 1), (5, 4), (1, 4)))],
    }
    outlines = plan_import(folder, task="segmentation")
    assert list(drawn(outlines)) == ["b.png:segmentation"]
    assert reasons(outlines) == ["it has boxes without an outline; --task detection takes boxes"]


def test_turned_box_is_its_bounds_and_says_so(tmp_path: Path) -> None:
    turned = '<box label="ship" xtl="2" ytl="3" xbr="6" ybr="5" rotation="90"/>'
    plan = plan_import(cvat(tmp_path, a=turned))
    ((_, geometry),) = drawn(plan)["a.png:detection"]
    assert shape(geometry).bounds == pytest.approx((3, 2, 5, 6))
    assert "1 turned boxes became upright ones: their bounds" in plan.notes


def test_tracks_of_a_video_are_refused_with_what_to_do(tmp_path: Path) -> None:
    track = '<track id="0" label="ship"><box frame="0" xtl="1" ytl="1" xbr="2" ybr="2"/></track>'
    with pytest.raises(InvalidValueError, match="1 tracks of a video; export the task as `CVAT for images"):
        plan_import(cvat(tmp_path, a=BOX, rest=track))


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ('<box label="ship" xtl="1" ytl="2" xbr="1" ybr="5"/>', "has no area"),
        ('<box label="ship" xtl="1" ytl="2" xbr="x" ybr="5"/>', "its xbr is no number"),
        ('<box label="ship" xtl="1" ytl="2" ybr="5"/>', "its xbr is no number"),
        ('<box label="ship" xtl="nan" ytl="2" xbr="3" ybr="5"/>', "its xtl is no number"),
        ('<box label="" xtl="1" ytl="2" xbr="3" ybr="5"/>', "a box without a label"),
        ('<box label="ship" xtl="20" ytl="20" xbr="30" ybr="30"/>', "outside the image of 10 x 8 px"),
        ('<polygon label="ship" points="1,1;2,2"/>', "a polygon of 2 corners"),
        ('<polygon label="ship" points="1,1;2;3,3"/>', "no pairs of numbers"),
        ('<polygon label="ship" points="1,1;2,1e300;3,3"/>', "is no place in an image"),
        ('<mask label="ship" rle="1,2" left="0" top="0" width="2" height="2"/>', "do not add up to 2 x 2 px"),
        ('<mask label="ship" rle="-1,5" left="0" top="0" width="2" height="2"/>', "do not add up to 2 x 2 px"),
        ('<mask label="ship" rle="4" left="0" top="0" width="99999" height="99999"/>', "a mask of 99999 x 99999 px"),
        ('<mask label="ship" rle="99999999999999999999" left="0" top="0" width="2" height="2"/>', "no whole numbers"),
        ('<mask label="ship" rle="" left="0.5" top="0" width="2" height="2"/>', "its left is no whole number"),
        ('<mask label="ship" rle="0,4" left="1e300" top="0" width="2" height="2"/>', "is no place in an image"),
        ('<cuboid label="ship" xtl1="1"/>', "neither a box nor an outline"),
        ('<polyline label="ship" points="1,1;3,3"/>', "a LineString has no box"),
    ],
)
def test_image_with_a_bad_shape_is_left_out_with_the_reason(tmp_path: Path, bad: str, reason: str) -> None:
    plan = plan_import(cvat(tmp_path, a=bad, b=BOX), task="detection")
    assert list(drawn(plan)) == ["b.png:detection"]
    assert [told for told in reasons(plan) if reason in told], reasons(plan)


def test_images_of_another_size_or_that_are_not_there_are_told(tmp_path: Path) -> None:
    folder = cvat(tmp_path, a=BOX, b=BOX, c=BOX)
    (folder / "images/b.png").unlink()
    text = (folder / "annotations.xml").read_text()
    (folder / "annotations.xml").write_text(text.replace('name="c.png" width="10"', 'name="c.png" width="640"'))
    plan = plan_import(folder)
    assert list(drawn(plan)) == ["a.png:detection"]
    assert reasons(plan) == ["no image of that name, or several", "annotated at 640 x 8 px; it has 10 x 8 px"]


def test_one_bad_file_leaves_the_others(tmp_path: Path) -> None:
    folder = cvat(tmp_path, a=BOX, b=BOX)
    text = (folder / "annotations.xml").read_text()
    (folder / "broken.xml").write_text(text[: len(text) // 2 + 60])
    (folder / "entities.xml").write_text(text.replace("<version>", '<!DOCTYPE x [<!ENTITY a "b">]><version>'))
    plan = plan_import(folder)
    assert len(drawn(plan)) == 2
    assert [entry.path for entry in plan.problems] == ["broken.xml"]
    assert "cannot be read" in plan.problems[0].reason
    assert "entities.xml" in [entry.path for entry in plan.skipped]
