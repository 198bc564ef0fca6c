from pathlib import Path

import numpy as np
import pytest

from al_loop.campaigns.importing import plan_import
from al_loop.errors import InvalidValueError
from tests.al_loop.campaigns.importing.fixtures import write_raster
from tests.al_loop.campaigns.importing.test_recognise import painted

NAMES = [
    "names: [roof, 'open water']", "names:\n  0: roof\n  1: open water  # lakes\nnc: 2",
    "nc: 2\nnames:\n- roof\n- \"open water\"\n",
    "names: {0: roof, 1: open water}",
]  # fmt: skip


def outlines(root: Path, images: str = "train/images", labels: str = "train/labels") -> None:
    for name, text in {"a": "1 .1 .25 .6 .25 .6 .625 .1 .625\n", "b": ""}.items():
        write_raster(root / images / f"{name}.jpg")
        (root / labels).mkdir(parents=True, exist_ok=True)
        (root / labels / f"{name}.txt").write_text(text)
    write_raster(root / images / "c.jpg")


@pytest.mark.parametrize("names", NAMES)
def test_outlines_become_labels_named_by_data_yaml(tmp_path: Path, names: str) -> None:
    outlines(tmp_path)
    (tmp_path / "data.yaml").write_text(f"train: ../train/images\n{names}\n")
    plan = plan_import(tmp_path)
    assert (plan.kind, plan.tasks[0].classes) == ("yolo", ["roof", "open water"])
    assert (len(plan.paths), plan.label_counts) == (3, {"segmentation": 2})
    codes = np.zeros((8, 10), np.uint8)
    codes[2:5, 1:6] = 2
    np.testing.assert_array_equal(painted(plan, "train/images/a.jpg"), codes)
    assert not painted(plan, "train/images/b.jpg").any()


def test_names_are_asked_for_and_may_be_given(tmp_path: Path) -> None:
    outlines(tmp_path, "images/train", "labels/train")
    with pytest.raises(InvalidValueError, match="--classes A,B"):
        plan_import(tmp_path)
    assert plan_import(tmp_path, classes=["a", "b"]).class_counts == {"segmentation": {"a": 0, "b": 1}}


def test_bad_file_is_told_and_hinders_no_other(tmp_path: Path) -> None:
    outlines(tmp_path)
    for name, text in {
        "d": "0 .1 .2",
        "e": "5 .1 .1 .2 .1 .2 .2",
        "f": "0 .5 .5 .1 .1 .9",
        "g": "0 1 1 40 1 40 40",
    }.items():
        write_raster(tmp_path / f"train/images/{name}.jpg")
        (tmp_path / f"train/labels/{name}.txt").write_text(text)
    plan = plan_import(tmp_path, classes=["roof", "water"])
    assert [label.path for label in plan.labels()] == ["train/images/a.jpg", "train/images/b.jpg"]
    assert {entry.path[-5:] for entry in plan.problems} == {"d.txt", "e.txt", "f.txt", "g.txt"}


def test_boxes_beside_outlines_are_refused_until_it_is_said_what_is_wanted(tmp_path: Path) -> None:
    outlines(tmp_path)
    write_raster(tmp_path / "train/images/d.jpg")
    (tmp_path / "train/labels/d.txt").write_text("0 .5 .5 .1 .1\n")
    with pytest.raises(InvalidValueError, match="1 objects have an outline and 1 only a box"):
        plan_import(tmp_path, classes=["roof", "water"])
    plan = plan_import(tmp_path, classes=["roof", "water"], task="segmentation")
    assert plan.label_counts == {"segmentation": 2}
    assert [entry.path for entry in plan.problems] == ["train/images/d.jpg"]
