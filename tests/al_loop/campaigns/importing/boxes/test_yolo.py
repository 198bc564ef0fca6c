from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_loop.campaigns.importing import plan_import
from al_loop.campaigns.importing.boxes import Box, inside
from al_loop.errors import InvalidValueError
from tests.al_loop.campaigns.importing.boxes.test_coco import boxes
from tests.al_loop.campaigns.importing.fixtures import write_raster


def folder(root: Path, **texts: str) -> Path:
    """Images of 10 x 8 px with their text files, and classes roof and water."""
    (root / "labels").mkdir(parents=True)
    for name, text in texts.items():
        write_raster(root / f"images/{name}.jpg")
        (root / f"labels/{name}.txt").write_text(text)
    (root / "classes.txt").write_text("roof\nwater\n")
    return root


def test_boxes_alone_become_a_detection_campaign(tmp_path: Path) -> None:
    plan = plan_import(folder(tmp_path, a="1 .35 .4375 .5 .375\n0 0.5 0.5 1 1\n", b=""))
    assert (plan.kind, plan.tasks[0].task, plan.tasks[0].classes) == ("yolo", "detection", ["roof", "water"])
    found = boxes(plan)
    assert found["images/b.jpg"] == []
    (one, first), (other, second) = found["images/a.jpg"]
    assert (one, other) == ("water", "roof")
    assert first == pytest.approx([1, 2, 6, 5])
    assert second == [0, 0, 10, 8]


def test_outlines_become_their_bounds_where_boxes_are_asked_for(tmp_path: Path) -> None:
    plan = plan_import(folder(tmp_path, a="1 .1 .25 .6 .25 .6 .625 .1 .625\n0 .5 .5 .2 .25\n"), task="detection")
    (_, first), (_, second) = boxes(plan)["images/a.jpg"]
    assert first == pytest.approx([1, 2, 6, 5])
    assert second == pytest.approx([4, 3, 6, 5])
    assert "1 outlines became boxes: their bounds" in plan.notes


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 153.5 .5 .1 .1", "153.5 looks like pixels, where shares of width and height are wanted"),
        ("2 .5 .5 .1 .1", "a class beyond the 2 that are named"),
        ("roof .5 .5 .1 .1", "no class followed by numbers"),
        ("0 .5 .5 .1", "a box has 4, an outline has 3 points or more"),
        ("0 .5 .5 .1 .1 .93", "a confidence behind them is a prediction's"),
        ("0 .5 .5 0 .1", "has no area"),
        ("0 .5 nan .1 .1", "no class followed by numbers"),
        ("-1 .5 .5 .1 .1", "no class followed by numbers"),
    ],
)
def test_file_with_a_bad_line_is_left_out_with_the_reason(tmp_path: Path, line: str, reason: str) -> None:
    plan = plan_import(folder(tmp_path, a=f"0 .5 .5 .2 .2\n{line}\n", b="0 .5 .5 .2 .2\n"))
    assert list(boxes(plan)) == ["images/b.jpg"]
    assert [reason in entry.reason for entry in plan.problems] == [True]


def test_classes_without_names_are_asked_for(tmp_path: Path) -> None:
    folder(tmp_path, a="0 .5 .5 .2 .2\n")
    (tmp_path / "classes.txt").unlink()
    with pytest.raises(InvalidValueError, match=r"put data\.yaml or classes\.txt there, or say --classes A,B"):
        plan_import(tmp_path)
    assert plan_import(tmp_path, classes=["ship"]).class_counts == {"detection": {"ship": 1}}


sides = st.floats(-50, 50, allow_nan=False)


@given(sides, sides, sides, sides)
def test_corners_in_any_order_are_one_box_inside_the_image_or_a_reason(
    left: float, top: float, right: float, bottom: float
) -> None:
    found = inside(Box("ship", left, top, right, bottom), 10, 8)
    for other in (Box("ship", right, bottom, left, top), Box("ship", left, bottom, right, top)):
        assert inside(other, 10, 8) == found
    if isinstance(found, Box):
        assert 0 <= found.left < found.right <= 10
        assert 0 <= found.top < found.bottom <= 8
