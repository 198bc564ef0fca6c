from pathlib import Path

import pytest

from al_loop.campaigns.importing import ImportPlan, plan_import
from al_loop.errors import InvalidValueError
from tests.al_loop.campaigns.importing.fixtures import write_raster


def classes(plan: ImportPlan) -> dict[str | None, list[str] | None]:
    return {label.path: label.classes for label in plan.labels()}


@pytest.mark.parametrize(
    "table",
    [
        "filename,label\nimages/0.tif,forest\nimages/1.tif,water\n", "label;file\nforest;0.tif\nwater;1.tif\n",
        "\ufeffimage\tclass\n0\tforest\n1\twater\n",
        "Unnamed,Filename,Label,ClassName\n0,0.tif,7,forest\n1,1.tif,8,water\n",
    ],
)  # fmt: skip
def test_table_names_the_class_of_each_image(tmp_path: Path, table: str) -> None:
    for name in ("0", "1", "2"):
        write_raster(tmp_path / f"images/{name}.tif")
    (tmp_path / "labels.csv").write_text(table, encoding="utf-8")
    plan = plan_import(tmp_path)
    assert (plan.kind, plan.tasks[0].classes, plan.tasks[0].multi_label) == ("table", ["forest", "water"], False)
    assert classes(plan) == {"images/0.tif": ["forest"], "images/1.tif": ["water"]}
    assert len(plan.paths) == 3


def test_several_classes_in_a_cell_or_a_column_a_class(tmp_path: Path) -> None:
    for name in ("0", "1"):
        write_raster(tmp_path / f"{name}.tif")
    (tmp_path / "l.csv").write_text("filename,labels\n0.tif,forest|water\n1.tif,water\n")
    assert classes(plan_import(tmp_path)) == {"0.tif": ["forest", "water"], "1.tif": ["water"]}
    (tmp_path / "l.csv").write_text("filename, forest, water, urban\n0.tif, 1, 1, 0\n1.tif, 0, 0, 0\n")
    plan = plan_import(tmp_path)
    assert (plan.tasks[0].classes, plan.tasks[0].multi_label) == (["forest", "water", "urban"], True)
    assert classes(plan) == {"0.tif": ["forest", "water"], "1.tif": []}


def test_rows_without_an_image_and_two_labels_of_one_are_told(tmp_path: Path) -> None:
    write_raster(tmp_path / "0.tif")
    (tmp_path / "l.csv").write_text("filename,label\n0.tif,forest\n0.tif,water\n9.tif,water\n")
    plan = plan_import(tmp_path)
    assert classes(plan) == {"0.tif": ["forest"]}
    assert [entry.path for entry in plan.problems] == ["l.csv: 0.tif", "l.csv: 9.tif"]
    (tmp_path / "l.csv").write_text("filename,label\n9.tif,water\n")
    with pytest.raises(InvalidValueError, match="no row"):
        plan_import(tmp_path)


def test_table_beside_class_folders_must_agree_with_them(tmp_path: Path) -> None:
    for name in ("north/0.tif", "south/1.tif"):
        write_raster(tmp_path / name)
    (tmp_path / "labels.csv").write_text("filename,label\nnorth/0.tif,forest\nsouth/1.tif,water\n")
    with pytest.raises(InvalidValueError, match="folders and a table name different classes"):
        plan_import(tmp_path)
    assert plan_import(tmp_path, layout="table").tasks[0].classes == ["forest", "water"]
    (tmp_path / "labels.csv").write_text("filename,label\nnorth/0.tif,north\nsouth/1.tif,south\n")
    assert plan_import(tmp_path).kind == "class-folders"
