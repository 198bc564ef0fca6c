from pathlib import Path

import pytest

from al_loop.campaigns.importing import plan_import
from al_loop.errors import InvalidValueError
from tests.al_loop.campaigns.importing.boxes.test_coco import boxes
from tests.al_loop.campaigns.importing.fixtures import write_raster


def entry(*corners: float, name: str = "ship", tag: str = "bndbox") -> str:
    sides = zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=False)
    inner = "".join(f"<{side}>{value}</{side}>" for side, value in sides)
    return f"<object><name>{name}</name><difficult>0</difficult><{tag}>{inner}</{tag}></object>"


def folder(root: Path, database: str = "Unknown", size: tuple[int, int] = (10, 8), **objects: str) -> Path:
    """Images of 10 x 8 px below JPEGImages/ and their files below Annotations/."""
    (root / "Annotations").mkdir(parents=True)
    for name, inner in objects.items():
        write_raster(root / f"JPEGImages/{name}.jpg")
        (root / f"Annotations/{name}.xml").write_text(
            f"<annotation><filename>{name}.jpg</filename><source><database>{database}</database></source>"
            f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>{inner}</annotation>"
        )
    return root


def test_boxes_become_a_detection_campaign(tmp_path: Path) -> None:
    plan = plan_import(folder(tmp_path, a=entry(1, 2, 6, 5) + entry(0, 0, 2.5, 1, name="buoy"), b=""))
    assert (plan.kind, plan.tasks[0].task, plan.tasks[0].classes) == ("voc", "detection", ["buoy", "ship"])
    assert boxes(plan) == {
        "JPEGImages/a.jpg": [("ship", [1, 2, 6, 5]), ("buoy", [0, 0, 2.5, 1])],
        "JPEGImages/b.jpg": [],
    }


def test_corners_may_be_swapped(tmp_path: Path) -> None:
    assert boxes(plan_import(folder(tmp_path, a=entry(6, 2, 1, 5)))) == {"JPEGImages/a.jpg": [("ship", [1, 2, 6, 5])]}


def test_files_of_the_challenge_count_pixels_from_1(tmp_path: Path) -> None:
    plan = plan_import(folder(tmp_path, database="The VOC2007 Database", a=entry(2, 3, 6, 5)))
    assert boxes(plan) == {"JPEGImages/a.jpg": [("ship", [1, 2, 6, 5])]}


def test_file_beside_its_image_or_naming_it_is_found(tmp_path: Path) -> None:
    folder(tmp_path, a=entry(1, 2, 6, 5))
    (tmp_path / "Annotations/a.xml").rename(tmp_path / "JPEGImages/a.xml")
    write_raster(tmp_path / "JPEGImages/b.jpg")
    (tmp_path / "Annotations/other.xml").write_text(
        f"<annotation><filename>b.jpg</filename>{entry(1, 2, 3, 4)}</annotation>"
    )
    assert set(boxes(plan_import(tmp_path))) == {"JPEGImages/a.jpg", "JPEGImages/b.jpg"}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (entry(1, 2, 1, 5), "has no area"),
        (entry(20, 20, 30, 30), "outside the image of 10 x 8 px"),
        (entry(1, 2, 6), "lacks one of xmin, ymin, xmax, ymax"),
        (entry(1, 2, 6, float("nan")), "no number"),
        (entry(1, 2, 6, 5, name=""), "object 1 has no name"),
        (entry(1, 2, 6, 5, tag="robndbox"), "has no bndbox, but a robndbox"),
        ("<object>", "cannot be read: mismatched tag"),
    ],
)
def test_file_with_a_bad_object_is_left_out_with_the_reason(tmp_path: Path, bad: str, reason: str) -> None:
    plan = plan_import(folder(tmp_path, a=bad, b=entry(1, 2, 6, 5)))
    assert list(boxes(plan)) == ["JPEGImages/b.jpg"]
    assert [entry.reason for entry in plan.problems if reason in entry.reason], plan.problems


def test_image_of_another_size_is_left_out(tmp_path: Path) -> None:
    plan = plan_import(folder(tmp_path, size=(640, 480), a=entry(1, 2, 6, 5)))
    assert [entry.reason for entry in plan.problems] == ["annotated at 640 x 480 px; it has 10 x 8 px"]


def test_entities_are_not_read(tmp_path: Path) -> None:
    folder(tmp_path, a=entry(1, 2, 6, 5), b=entry(1, 2, 6, 5))
    secret = tmp_path / "secret.txt"
    secret.write_text("ship")
    (tmp_path / "Annotations/a.xml").write_text(
        f'<!DOCTYPE annotation [<!ENTITY x SYSTEM "file://{secret}">]>'
        "<annotation><filename>a.jpg</filename><object><name>&x;</name></object></annotation>"
    )
    plan = plan_import(tmp_path)
    assert list(boxes(plan)) == ["JPEGImages/b.jpg"]
    assert [entry.reason for entry in plan.problems] == ["it defines entities, or is no text in UTF-8"]


def test_folder_without_a_box_says_so_and_classes_must_be_complete(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="no box in the XML files"):
        plan_import(folder(tmp_path / "none", a=""))
    full = folder(tmp_path / "full", a=entry(1, 2, 6, 5))
    with pytest.raises(InvalidValueError, match="name ship, too"):
        plan_import(full, classes=["plane"])
    assert plan_import(full, classes=["plane", "ship"]).tasks[0].classes == ["plane", "ship"]
