"""Folders as other tools write them: each becomes the right labels, or is refused with what to do."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from al_loop.campaigns.importing import plan_import
from al_loop.campaigns.importing.layout import is_role
from al_loop.errors import AlLoopError, InvalidValueError, UnsupportedError
from tests.al_loop.campaigns.importing.fixtures import collection, square, write_json, write_raster
from tests.al_loop.campaigns.importing.test_mask_meaning import MASK, WHITE, image, painted
from tests.data.examples import examples


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("images/{0}.tif", "masks/{0}.png"),
        ("images/{0}.jpg", "labels/{0}.tif"),
        ("img/{0}.tif", "gt/{0}_gt.png"),
        ("JPEGImages/{0}.jpg", "SegmentationClass/{0}.png"),
        ("Image/{0}.png", "Ground_Truth/{0}_mask.png"),
        ("images/train/{0}.tif", "annotations/train/{0}.png"),
        ("train/images/{0}.tif", "train/masks/{0}.png"),
        ("train/{0}.tif", "train_labels/{0}_label.png"),
        ("Urban/images_png/{0}.png", "Urban/masks_png/{0}.png"),
        ("{0}.tif", "masks/{0}.png"),
        ("{0}.tif", "{0}_label.png"),
        ("{0}_sat.jpg", "{0}_mask.png"),
        ("img_dir/train/{0}.jpg", "ann_dir/train/{0}.png"),
        ("train/{0}.png", "trainannot/{0}.png"),
        ("input/{0}.tif", "target/{0}.tif"),
        ("imagesTr/{0}.png", "labelsTr/{0}.png"),
    ],
)
def test_images_and_masks_are_pairs_by_name(tmp_path: Path, images: str, masks: str) -> None:
    for name in ("a", "b", "c"):
        image(tmp_path / images.format(name))
    for name in ("a", "b"):
        write_raster(tmp_path / masks.format(name), MASK)
    plan = plan_import(tmp_path)
    assert (plan.kind, plan.paths) == ("mask-pairs", [images.format(name) for name in ("a", "b", "c")])
    assert (plan.tasks[0].classes, plan.label_counts) == (["1", "2"], {"segmentation": 2})
    np.testing.assert_array_equal(painted(plan, images.format("b")), MASK)


def test_splits_are_put_together_and_told(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        image(tmp_path / split / "images/0.tif")
        write_raster(tmp_path / split / "masks/0.png", np.roll(MASK, len(split), axis=1))
    plan = plan_import(tmp_path)
    assert plan.label_counts == {"segmentation": 3}
    assert "test (1), train (1), val (1) images; none of them becomes the test reserve" in plan.notes[0]
    np.testing.assert_array_equal(painted(plan, "valid/images/0.tif"), np.roll(MASK, 5, axis=1))


@pytest.mark.parametrize(
    ("files", "refusal"),
    [
        (["scenes/0.tif", "thumbnails/0.png"], "no labelled folder"),
        (["train/0.tif", "valid/0.tif", "test/0.tif"], "no labelled folder"),
        (["images/0.tif", "predictions/0.tif"], "no labelled folder"),
        (["forest/0.tif", "water/1.tif", "test/2.tif"], None),
        (["photo/0.tif", "ql/0.png"], "ambiguous: photo/ and ql/ hold the same names"),
        (["bus/0.tif", "car/1.tif", "train/2.tif"], "ambiguous: the folders bus, car, train"),
    ],
)
def test_folders_named_like_parts_of_a_layout_are_no_classes(
    tmp_path: Path, files: list[str], refusal: str | None
) -> None:
    for file in files:
        image(tmp_path / file)
    if refusal is not None:
        with pytest.raises(InvalidValueError, match=refusal):
            plan_import(tmp_path)
    else:
        with pytest.raises(InvalidValueError, match="--layout class-folders"):
            plan_import(tmp_path)
    forced = plan_import(tmp_path, layout="class-folders")
    assert forced.tasks[0].classes == sorted({file.split("/")[0] for file in files})


@pytest.mark.parametrize(
    ("folders", "told"),
    [
        (["A", "B"], "dates of one place"),
        (["train/A", "train/B", "train/label"], "dates of one place"),
        (["pre", "post"], "dates of one place"),
        (["x", "y"], "inputs and outputs"),
        (["RGB", "NIR", "DSM"], "bands and sensors"),
        (["B02", "B03", "B8A"], "numbered"),
        (["2019", "2020"], "numbered"),
        (["scene_1", "scene_2"], "numbered"),
        (["s1", "s2"], "numbered"),
        (["2_Ortho_RGB", "5_Labels_all"], "5_Labels_all is a part of another layout"),
        (["nnUNet/imagesTr", "nnUNet/labelsTr"], "no labelled folder"),
    ],
)
def test_dates_bands_and_scenes_are_asked_about_instead_of_becoming_classes(
    tmp_path: Path, folders: list[str], told: str
) -> None:
    for number, folder in enumerate(folders):
        image(tmp_path / folder / f"{number}.tif")
    with pytest.raises(InvalidValueError, match=told):
        plan_import(tmp_path)


@pytest.mark.parametrize(
    "folders", [["0", "1", "2"], ["class 1", "class 2"], ["LCZ_1", "LCZ_2"], ["forest", "water"], ["A", "forest"]]
)
def test_classes_with_numbers_for_names_are_classes(tmp_path: Path, folders: list[str]) -> None:
    for folder in folders:
        image(tmp_path / folder / "0.tif")
    assert plan_import(tmp_path).tasks[0].classes == folders


def test_folders_of_the_same_names_with_other_sizes_or_bands_are_asked_about(tmp_path: Path) -> None:
    for name in ("0", "1"):
        write_raster(tmp_path / "sizes/large" / f"{name}.tif", np.full((3, 20, 30), 9, np.uint8))
        write_raster(tmp_path / "sizes/tiny" / f"{name}.tif", np.full((3, 10, 15), 9, np.uint8))
        write_raster(tmp_path / "bands/photo" / f"{name}.tif", np.full((3, 8, 8), 9, np.uint8))
        write_raster(tmp_path / "bands/heights" / f"{name}.tif", np.full((1, 8, 8), 9, np.uint8))
    with pytest.raises(InvalidValueError, match="in different sizes"):
        plan_import(tmp_path / "sizes")
    with pytest.raises(InvalidValueError, match="with different bands"):
        plan_import(tmp_path / "bands")


def test_a_folder_of_unlabelled_images_is_no_class(tmp_path: Path) -> None:
    for file in ("forest/0.tif", "water/1.tif", "unlabeled/2.tif"):
        image(tmp_path / file)
    plan = plan_import(tmp_path)
    assert plan.class_counts == {"classification": {"forest": 1, "water": 1}}
    assert plan.paths == ["forest/0.tif", "unlabeled/2.tif", "water/1.tif"]


def test_class_folders_in_splits_and_beside_previews(tmp_path: Path) -> None:
    for file in (
        "train/forest/0.tif",
        "train/water/1.tif",
        "val/forest/2.tif",
        "test/3.tif",
        "train/forest/thumbs/0.png",
    ):
        image(tmp_path / file)
    plan = plan_import(tmp_path)
    assert plan.class_counts == {"classification": {"forest": 2, "water": 1}}
    assert plan.paths == ["test/3.tif", "train/forest/0.tif", "train/water/1.tif", "val/forest/2.tif"]
    assert [entry.reason for entry in plan.skipped] == ["in a folder of previews"]


def test_table_of_boxes_is_refused_with_what_to_do(tmp_path: Path) -> None:
    image(tmp_path / "images/0.jpg")
    (tmp_path / "labels.csv").write_text("filename,xmin,ymin,xmax,ymax,class\n0.jpg,1,1,2,2,ship\n")
    with pytest.raises(UnsupportedError, match="boxes are read from COCO, YOLO and Pascal VOC"):
        plan_import(tmp_path)


def test_folder_of_two_kinds_of_boxes_is_refused_until_one_is_named(tmp_path: Path) -> None:
    image(tmp_path / "images/0.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/0.txt").write_text("0 .5 .5 .2 .2\n")
    (tmp_path / "labels/0.xml").write_text(
        "<annotation><filename>0.jpg</filename><object><name>ship</name><bndbox><xmin>1</xmin><ymin>1</ymin>"
        "<xmax>3</xmax><ymax>2</ymax></bndbox></object></annotation>"
    )
    with pytest.raises(InvalidValueError, match="it holds yolo and voc; say --layout yolo or --layout voc"):
        plan_import(tmp_path, classes=["ship"])
    for layout in ("yolo", "voc"):
        plan = plan_import(tmp_path, layout=layout, classes=["ship"])  # type: ignore[arg-type]
        assert (plan.kind, plan.label_counts) == (layout, {"detection": 1})


def test_masks_beside_boxes_are_taken_until_boxes_are_asked_for(tmp_path: Path) -> None:
    image(tmp_path / "JPEGImages/0.jpg")
    write_raster(tmp_path / "SegmentationClass/0.png", np.full((8, 10), 1, np.uint8))
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations/0.xml").write_text(
        "<annotation><filename>0.jpg</filename><object><name>ship</name><bndbox><xmin>1</xmin><ymin>1</ymin>"
        "<xmax>3</xmax><ymax>2</ymax></bndbox></object></annotation>"
    )
    assert plan_import(tmp_path).kind == "mask-pairs"
    plan = plan_import(tmp_path, task="detection")
    assert (plan.kind, plan.paths, plan.label_counts) == ("voc", ["JPEGImages/0.jpg"], {"detection": 1})


def test_task_that_a_folder_has_no_labels_for_is_refused(tmp_path: Path) -> None:
    image(tmp_path / "forest/0.tif")
    image(tmp_path / "water/0.tif")
    with pytest.raises(InvalidValueError, match="holds labels for classification, not detection"):
        plan_import(tmp_path, task="detection")


def test_features_of_a_gis_without_label_say_what_they_have(tmp_path: Path) -> None:
    image(tmp_path / "a.tif")
    shape = {"type": "Polygon", "coordinates": square(1, 1)}
    write_json(tmp_path / "a.geojson", collection({"type": "Feature", "geometry": shape, "properties": {"class": "x"}}))
    with pytest.raises(InvalidValueError, match="properties 'class': each needs `label`"):
        plan_import(tmp_path)


def test_layout_that_the_folder_is_not_is_refused(tmp_path: Path) -> None:
    image(tmp_path / "a/0.tif")
    for layout in ("mask-pairs", "coco", "table", "scaneo", "yolo", "voc"):
        with pytest.raises(InvalidValueError):
            plan_import(tmp_path, layout=layout)  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="--classes is for masks"):
        plan_import(tmp_path, layout="class-folders", classes=["a"])


FOLDERS = st.sampled_from(
    ["", "train", "val", "test", "images", "masks", "labels", "JPEGImages", "SegmentationClass", "thumbnails", "scenes",
     "forest", "water", "annotations"]
)  # fmt: skip
FILES: dict[str, Callable[[Path], object]] = {
    "0.tif": image,
    "1.png": lambda path: write_raster(path, MASK),
    "0.png": lambda path: write_raster(path, WHITE),
    "0_mask.png": lambda path: write_raster(path, MASK),
    "1.jpg": image,
    "2.tif": lambda path: path.write_bytes(b"II*\x00 broken"),
    "0.txt": lambda path: path.write_text("0 .1 .1 .5 .1 .5 .5\n"),
    "1.txt": lambda path: path.write_bytes(b"\xff\xfe\x00 0 .1"),
    "0.geojson": lambda path: path.write_text('{"type": "FeatureCollection", "features": [{"type": "Feature"}]}'),
    "0.xml": lambda path: path.write_text("<annotation/>"),
    "labels.csv": lambda path: path.write_text("filename,label\n0.tif,forest\n1.jpg,water\n"),
    "_annotations.coco.json": lambda path: path.write_text('{"images": [], "annotations": [], "categories": []}'),
    "instances.json": lambda path: path.write_text('{"images": 3'),
    "classes.json": lambda path: path.write_text('["a", "b"]'),
    "data.yaml": lambda path: path.write_text("names: [a]\n"),
}


@settings(max_examples=examples(150))
@given(
    tree=st.sets(st.tuples(FOLDERS, FOLDERS, st.sampled_from(sorted(FILES))), max_size=9),
    classes=st.sampled_from([None, ["field"]]),
)
def test_any_folder_is_planned_or_refused_and_no_class_is_made_of_a_layouts_folder(
    tmp_path_factory: pytest.TempPathFactory, tree: set[tuple[str, str, str]], classes: list[str] | None
) -> None:
    root = tmp_path_factory.mktemp("tree")
    for first, second, name in tree:
        file = root / first / second / name
        if not file.is_dir() and not any(parent.is_file() for parent in file.parents):
            file.parent.mkdir(parents=True, exist_ok=True)
            FILES[name](file)
    try:
        plan = plan_import(root, classes=classes)
        labels = list(plan.labels())
    except AlLoopError:
        return
    finally:
        shutil.rmtree(root)
    assert not any(is_role(name) for spec in plan.tasks for name in spec.classes)
    assert {label.path for label in labels} <= set(plan.paths)
    assert len({(label.path, label.task) for label in labels}) == len(labels)


ROBOFLOW = {
    "yolo": ("yolo", "detection", ["ship"], 3),
    "coco": ("coco", "detection", ["ship"], 3),
    "voc": ("voc", "detection", ["ship"], 3),
    "multi": ("table", "classification", ["ship", "buoy"], 3),
    "folders": ("class-folders", "classification", ["buoy", "ship"], 6),
}


@pytest.mark.parametrize("kind", ROBOFLOW)
def test_splits_of_roboflow_are_put_together_in_each_of_its_formats(tmp_path: Path, kind: str) -> None:
    name = "a_jpg.rf.1f"
    (tmp_path / "README.roboflow.txt").write_text("exported")
    for split in ("train", "valid", "test"):
        folder = tmp_path / split
        write_raster(folder / {"yolo": f"images/{name}.jpg", "folders": f"ship/{name}.jpg"}.get(kind, f"{name}.jpg"))
        match kind:
            case "yolo":
                (folder / "labels").mkdir()
                (folder / f"labels/{name}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
                (tmp_path / "data.yaml").write_text("nc: 1\nnames: ['ship']\nroboflow:\n  workspace: w\n")
            case "coco":
                box = {"id": 0, "image_id": 0, "category_id": 1, "bbox": [1, 1, 3, 3], "segmentation": []}
                write_json(
                    folder / "_annotations.coco.json",
                    {
                        "images": [{"id": 0, "file_name": f"{name}.jpg", "width": 10, "height": 8}],
                        "categories": [
                            {"id": 0, "name": "ships", "supercategory": "none"},
                            {"id": 1, "name": "ship", "supercategory": "ships"},
                        ],
                        "annotations": [box],
                    },
                )
            case "voc":
                sides = "<xmin>1</xmin><ymin>1</ymin><xmax>4</xmax><ymax>4</ymax>"
                (folder / f"{name}.xml").write_text(
                    f"<annotation><filename>{name}.jpg</filename><object><name>ship</name><bndbox>{sides}</bndbox>"
                    "</object></annotation>"
                )
            case "multi":
                (folder / "_classes.csv").write_text(f"filename, ship, buoy\n{name}.jpg, 1, 0\n")
            case _:
                write_raster(folder / f"buoy/b_{name}.jpg")
    plan = plan_import(tmp_path)
    told = (plan.kind, plan.tasks[0].task, plan.tasks[0].classes, len(list(plan.labels())))
    assert told == ROBOFLOW[kind]
    assert plan.problems == []
    assert any("splits of the folder were put together" in note for note in plan.notes)
