import os
from pathlib import Path

import pytest

from al_loop.campaigns.importing import ImportPlan, plan_import
from al_loop.errors import InvalidValueError
from tests.al_loop.campaigns.importing.fixtures import write_raster


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    root = tmp_path / "classes"
    for name in ("Forest/f1.tif", "Forest/f2.jpg", "River/r1.png", "loose.tif"):
        write_raster(root / name)
    return root


def reasons(plan: ImportPlan) -> dict[str, str]:
    return {skipped.path: skipped.reason for skipped in plan.skipped}


def test_class_folders_give_each_image_the_class_of_its_folder(class_folders: Path) -> None:
    plan = plan_import(class_folders)

    assert plan.kind == "class-folders"
    assert [(spec.task, spec.classes, spec.multi_label) for spec in plan.tasks] == [
        ("classification", ["Forest", "River"], False)
    ]
    found = {label.path: label.classes for label in plan.labels()}
    assert found == {"Forest/f1.tif": ["Forest"], "Forest/f2.jpg": ["Forest"], "River/r1.png": ["River"]}
    assert plan.label_counts == {"classification": len(found)}


def test_class_folders_image_at_the_root_joins_the_pool_unlabelled(class_folders: Path) -> None:
    assert "loose.tif" in plan_import(class_folders).paths


def test_class_folders_labels_can_be_read_twice(class_folders: Path) -> None:
    plan = plan_import(class_folders)
    assert list(plan.labels()) == list(plan.labels())


def test_import_skips_what_is_no_image_and_says_why(class_folders: Path) -> None:
    expected = {
        ".hidden/x.tif": None,
        "Forest/._f1.tif": "hidden or system file",
        "Forest/Thumbs.db": "hidden or system file",
        "Forest/f1.tif.aux.xml": "sidecar of an image",
        "Forest/f2.jgw": "sidecar of an image",
        "Forest/README.md": "not an image",
        "Forest/deep/x.tif": "deeper than <class>/<image>",
    }
    for name in expected:
        (class_folders / name).parent.mkdir(exist_ok=True)
        (class_folders / name).write_bytes(b"x")
    outside = write_raster(class_folders.parent / "outside.tif")
    (class_folders / "River/out.tif").symlink_to(outside)
    (class_folders / "River/broken.tif").symlink_to(class_folders / "gone.tif")
    (class_folders / "River/folder").symlink_to(class_folders / "Forest")
    (class_folders / "River/inside.tif").symlink_to(class_folders / "Forest/f1.tif")
    os.mkfifo(class_folders / "River/pipe.tif")
    expected |= {
        "River/out.tif": "link that leaves the folder",
        "River/broken.tif": "broken link",
        "River/folder": "link to a folder",
        "River/pipe.tif": "not a regular file",
        ".hidden": "hidden or system file",
    }

    plan = plan_import(class_folders)
    found = reasons(plan)
    del expected[".hidden/x.tif"]
    assert set(found) == set(expected)
    assert all(reason in found[path] for path, reason in expected.items() if reason)
    assert set(plan.paths) == {
        "Forest/f1.tif", "Forest/f2.jpg", "River/inside.tif", "River/r1.png", "loose.tif"
    }  # fmt: skip


def test_import_skips_a_name_that_is_not_utf8(class_folders: Path) -> None:
    (class_folders / "River" / os.fsdecode(b"r\xff.tif")).write_bytes(b"x")

    plan = plan_import(class_folders)
    assert [reason for reason in reasons(plan).values() if "UTF-8" in reason]
    assert all(path.isprintable() for path in [*plan.paths, *reasons(plan)])


def test_import_of_an_unknown_folder_names_what_was_looked_for(tmp_path: Path) -> None:
    write_raster(tmp_path / "plain.tif")
    (tmp_path / "notes.txt").write_text("x")

    with pytest.raises(InvalidValueError, match=r"2 files, 1 of them images.*SCANEO.*image_mask.*class folders"):
        plan_import(tmp_path)


def test_import_of_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InvalidValueError, match="no folder at"):
        plan_import(tmp_path / "nowhere")
    with pytest.raises(InvalidValueError, match="is not a folder"):
        plan_import(tmp_path / "file")


@pytest.mark.shared_data
def test_class_folders_import_of_eurosat_finds_all_labels(shared_data: Path) -> None:
    plan = plan_import(shared_data / "eurosat_rgb")

    assert (plan.label_counts, len(plan.tasks[0].classes)) == ({"classification": 6000}, 10)
