"""Items from documents and from EOTDL's table."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from al_loop.campaigns.importing import plan_import
from al_loop.campaigns.importing.listing import list_folder
from al_loop.campaigns.importing.stac.reading import read_items
from al_loop.errors import InvalidValueError
from tests.al_loop.campaigns.importing.fixtures import write_raster
from tests.al_loop.campaigns.importing.stac.folders import features, image_item, label_item, write_folder, write_json

API = "https://api.eotdl.com/datasets/1/stage/"


def row(item: dict[str, Any], href: str) -> dict[str, Any]:
    links = [{"rel": "self", "href": f"/other/machine/{item['id']}.json"}, *item["links"]]
    return {
        "type": "Feature", "stac_version": "1.1.0", "stac_extensions": item["stac_extensions"], "id": item["id"],
        "geometry": b"\x01\x03\x00\x00\x00\x00\x00\x00\x00", "links": links, "assets": {"asset": {"href": href}},
        **{key: value for key, value in item["properties"].items() if key != "datetime"},
    }  # fmt: skip


def write_staged(root: Path, name: str = "catalog.v1.parquet") -> Path:
    """As eotdl stages a data set: files, a README and the table."""
    write_raster(root / "imagery/a.tif")
    write_json(root / "labels/a.geojson", features("water"))
    label = label_item(links=[{"rel": "source", "href": "./imagery/a.tif.json", "title": "imagery/a.tif"}])
    label["id"] = "labels/a.geojson"
    rows = [row(image_item("imagery/a.tif"), f"{API}imagery/a.tif"), row(label, f"{API}labels/a.geojson")]
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.Table.from_pylist(rows[::-1]).schema), root / name)
    (root / "README.md").write_text("---\nname: x\n---\ntext")
    return root


@pytest.mark.parametrize("name", ["catalog.parquet", "catalog.v1.parquet"])
def test_staged_data_set_of_eotdl_is_read_by_its_table(tmp_path: Path, name: str) -> None:
    plan = plan_import(write_staged(tmp_path, name))
    assert (plan.kind, [answer.path for answer in plan.labels()]) == ("eotdl", ["imagery/a.tif"])
    assert plan.problems == []


def test_newest_table_counts(tmp_path: Path) -> None:
    write_staged(tmp_path, "catalog.v10.parquet")
    (tmp_path / "catalog.v9.parquet").write_bytes(b"nothing")
    assert len(read_items(list_folder(tmp_path))) == 2


def test_table_of_a_folder_that_was_not_staged_names_its_files_by_path(tmp_path: Path) -> None:
    write_staged(tmp_path)
    rows = pq.read_table(tmp_path / "catalog.v1.parquet").to_pylist()
    for entry in rows:
        entry["assets"]["asset"]["href"] = f"/other/machine/{entry['id']}"
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "catalog.v1.parquet")
    assert [answer.path for answer in plan_import(tmp_path).labels()] == ["imagery/a.tif"]


def test_file_that_was_not_staged_is_named_and_never_fetched(tmp_path: Path) -> None:
    write_staged(tmp_path)
    (tmp_path / "imagery/a.tif").unlink()
    with pytest.raises(InvalidValueError, match="none is fetched"):
        plan_import(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", b"PAR1" + bytes(100) + b"PAR1"])
def test_damaged_table_is_told(tmp_path: Path, content: bytes) -> None:
    write_staged(tmp_path)
    (tmp_path / "catalog.v1.parquet").write_bytes(content)
    with pytest.raises(InvalidValueError, match=r"catalog.v1.parquet: damaged"):
        plan_import(tmp_path)


def test_damaged_table_beside_class_folders_is_a_problem_and_they_are_imported(tmp_path: Path) -> None:
    for name in ("Forest/1.tif", "Forest/2.tif", "River/3.tif"):
        write_raster(tmp_path / name)
    (tmp_path / "catalog.parquet").write_bytes(b"PAR1")
    plan = plan_import(tmp_path)
    assert plan.kind == "class-folders"
    assert [entry.path for entry in plan.problems] == ["catalog.parquet"]


def test_files_that_eotdl_lists_without_labels_are_read_as_the_folder_they_are(tmp_path: Path) -> None:
    names = ["Forest/1.tif", "Forest/2.tif", "River/3.tif"]
    for name in names:
        write_raster(tmp_path / name)
    rows = [
        {"id": name, "links": [], "assets": {"asset": {"href": API + name}}, "repository": "eotdl"} for name in names
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "catalog.v1.parquet")
    (tmp_path / "README.md").write_text("---\nname: x\n---\n")
    plan = plan_import(tmp_path)
    assert (plan.kind, plan.label_counts, plan.problems) == ("class-folders", {"classification": 3}, [])


def test_table_of_something_else_is_told(tmp_path: Path) -> None:
    write_staged(tmp_path)
    pq.write_table(pa.table({"x": [1]}), tmp_path / "catalog.v1.parquet")
    with pytest.raises(InvalidValueError, match="no column 'assets'"):
        plan_import(tmp_path)


def test_readme_without_front_matter_is_noted(tmp_path: Path) -> None:
    write_folder(tmp_path)
    (tmp_path / "README.md").write_text("# A data set")
    assert "no front matter" in plan_import(tmp_path).notes[-1]


def test_document_that_is_no_json_is_a_problem(tmp_path: Path) -> None:
    write_folder(tmp_path)
    (tmp_path / "broken.json").write_text('{"stac_version": ')
    assert [entry.path for entry in plan_import(tmp_path).problems] == ["broken.json"]
