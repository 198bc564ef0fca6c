"""Label files that other programs wrote wrongly: told, never a stop, and no hindrance to the files beside them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from al_loop.campaigns.importing import plan_import
from al_loop.campaigns.importing.stac import reading
from al_loop.errors import AlLoopError, InvalidValueError
from tests.al_loop.campaigns.importing.boxes.test_voc import entry
from tests.al_loop.campaigns.importing.boxes.test_voc import folder as voc_folder
from tests.al_loop.campaigns.importing.fixtures import annotation, collection, square, write_json, write_raster
from tests.al_loop.campaigns.importing.stac.folders import label_item, write_folder
from tests.al_loop.campaigns.importing.test_coco import SQUARE, coco, outline
from tests.data.examples import examples

DEEP = "deep"
ODD = [
    None, True, 0, -1, 256, 2**63, 10**400, 1.5, -1e308, "", "x", "--5", "1" * 5000, "../..", "/etc/passwd", [],
    [[]], {},    [1, "x"], {"a": 1}, [{"value": "x"}], [{"value": 300}], [{}], [[None, None]], {"type": "Point"}, DEEP,
]  # fmt: skip
"""What may stand where a format says something else."""


class Kind(NamedTuple):
    """A folder of two labelled images: one of its documents is spoiled, which must not hinder the other image."""

    write: Callable[[Path], object]
    spoiled: list[str]
    kept: str | None
    """Label that is always there; None: all labels are in one document."""


def _coco(root: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        write_raster(root / name)
    write_json(
        root / "_annotations.coco.json",
        coco(outline(10, 1, [SQUARE]), outline(11, 3, {"size": [8, 10], "counts": [3, 5, 72]})),
    )


def _scaneo(root: Path) -> None:
    for name in ("a.tif", "b.tif"):
        write_raster(root / name)
    write_json(root / "spai.json", {"labels": [{"name": "water", "color": "#fd0d0d"}]})
    area = {"type": "MultiPolygon", "coordinates": [square(1, 1), square(5, 4)]}
    one = {"type": "Polygon", "coordinates": square(0, 0)}
    write_json(
        root / "a.geojson", collection(annotation("water", "segmentation", area), annotation("x", "detection", one))
    )
    write_json(root / "b.geojson", collection(annotation("water", "segmentation", one)))


def _stac_raster(root: Path) -> None:
    label = label_item()
    label["properties"] |= {"label:type": "raster", "label:classes": [{"name": None, "classes": ["1", "2"]}]}
    codes = [{"value": 1, "name": "water"}, {"value": 2, "name": "road"}]
    label["assets"] = {"labels": {"href": "./mask.png", "roles": ["labels"], "classification:classes": codes}}
    write_folder(root, label=label)
    write_raster(root / "mask.png", np.full((8, 10), 2, np.uint8))


KINDS = {
    "coco": Kind(_coco, ["_annotations.coco.json"], None),
    "scaneo": Kind(_scaneo, ["a.geojson"], "b.tif"),
    "stac": Kind(write_folder, ["a.json", "a-labels.json", "a.geojson"], "b.tif"),
    "stac with a raster": Kind(_stac_raster, ["a-labels.json"], "b.tif"),
}


def places(document: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    members = document.items() if isinstance(document, dict) else enumerate(document)
    inner = [(*at, key) for key, _ in members] if isinstance(document, dict | list) else []
    return inner + [place for path in inner for place in places(_at(document, path[len(at) :]), path) if place]


def _at(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        document = document[key]
    return document if isinstance(document, dict | list) else []


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One folder a kind, written once."""
    found = {}
    for name, kind in KINDS.items():
        found[name] = tmp_path_factory.mktemp("odd")
        kind.write(found[name])
    return found


@pytest.mark.parametrize("name", KINDS)
def test_odd_member_is_refused_or_told_and_hinders_no_other_image(folders: dict[str, Path], name: str) -> None:
    kind, root = KINDS[name], folders[name]

    @settings(max_examples=examples(40))
    @given(st.data())
    def check(data: st.DataObject) -> None:
        file = root / data.draw(st.sampled_from(kind.spoiled))
        good = file.read_text()
        document = json.loads(good)
        *path, last = data.draw(st.sampled_from(places(document)))
        _at(document, tuple(path))[last] = data.draw(st.sampled_from(ODD))
        file.write_text(json.dumps(document).replace(f'"{DEEP}"', "[" * 2000 + "]" * 2000))
        try:
            labels = [label.path for label in plan_import(root).labels()]
        except AlLoopError:
            labels = []
            assert kind.kept is None
        finally:
            file.write_text(good)
        assert kind.kept is None or kind.kept in labels

    check()


@pytest.mark.parametrize("name", ["scaneo", "stac"])
@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 9000, b"\xff\xfe\x00", b"", b"null", b"\x00" * 99])
def test_file_that_is_no_document_is_told_and_hinders_no_other(tmp_path: Path, name: str, content: bytes) -> None:
    KINDS[name].write(tmp_path)
    (tmp_path / "a.geojson").write_bytes(content)
    plan = plan_import(tmp_path)
    assert [label.path for label in plan.labels()] == ["b.tif"]
    assert any("a.geojson" in f"{entry.path} {entry.reason}" for entry in plan.problems)


@pytest.mark.parametrize("bad", [entry(1, 2, 6, 5).replace("1", "1" * 5000), entry(1e999, 2, 6, 5), "\x00", "&a;"])
def test_odd_file_of_boxes_hinders_no_other(tmp_path: Path, bad: str) -> None:
    plan = plan_import(voc_folder(tmp_path, a=bad, b=entry(1, 2, 6, 5)))
    assert "JPEGImages/b.jpg" in [label.path for label in plan.labels()]


def test_class_of_thousands_of_digits_is_no_class(tmp_path: Path) -> None:
    for name, number in (("a", "1" * 5000), ("b", "0")):
        write_raster(tmp_path / f"{name}.jpg")
        (tmp_path / f"{name}.txt").write_text(f"{number} .1 .25 .6 .25 .6 .625\n")
    plan = plan_import(tmp_path, classes=["roof"])
    assert [label.path for label in plan.labels()] == ["b.jpg"]
    assert "line 1 is no class" in plan.problems[0].reason


def test_run_length_without_an_end_is_told(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        write_raster(tmp_path / name)
    endless = {"size": [8, 10], "counts": "o" * 1_000_000}
    write_json(tmp_path / "_annotations.coco.json", coco(outline(10, 1, [SQUARE]), outline(11, 3, endless)))
    plan = plan_import(tmp_path)
    assert [label.path for label in plan.labels()] == ["a.jpg"]
    assert "neither polygons nor run lengths" in plan.problems[0].reason


@pytest.mark.parametrize("header", ["a" * 200_000, '"' * 50_001, "'a'," * 20_000])
def test_table_of_one_long_line_is_looked_at_in_time_of_its_length(tmp_path: Path, header: str) -> None:
    """`csv.Sniffer` took minutes."""
    write_raster(tmp_path / "a.tif")
    (tmp_path / "other.csv").write_text(f"{header}\n1\n")
    (tmp_path / "labels.csv").write_text("filename;label\na.tif;water\n")
    assert [label.classes for label in plan_import(tmp_path).labels()] == [["water"]]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"id": ["a"]}, "no column 'assets'"),
        ({"id": ["a"], "assets": ["text"]}, "not an item of STAC"),
        ({"id": ["a"], "assets": [{"x": 1}]}, "not an item of STAC"),
        ({"id": ["a"], "assets": [{"x": {"href": "y"}}], "links": ["text"]}, "not an item of STAC"),
        ({"id": ["a"], "assets": [{"x": {"href": "y"}}], "stac_extensions": [[1]]}, "not an item of STAC"),
    ],
)
def test_table_that_holds_no_items_is_told(tmp_path: Path, columns: dict[str, Any], reason: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "catalog.parquet")
    with pytest.raises(InvalidValueError, match=reason):
        plan_import(tmp_path)


@pytest.mark.parametrize(("rows", "text", "reason"), [(2**21, "x", "2,097,152 rows"), (4000, "x" * 2**10, "2 MiB")])
def test_small_table_that_claims_a_lot_is_not_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, text: str, reason: str
) -> None:
    monkeypatch.setattr(reading, "MOST_TABLE_BYTES", 2**21)
    ids = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int8)), [text])
    pq.write_table(pa.table({"id": ids, "assets": ids}), tmp_path / "catalog.parquet", compression="zstd")
    assert (tmp_path / "catalog.parquet").stat().st_size < 2**20
    with pytest.raises(InvalidValueError, match=reason):
        plan_import(tmp_path)


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    write_raster(tmp_path / "secret.tif")
    write_json(tmp_path / "secret.geojson", collection())
    root = write_folder(tmp_path / "data")
    for name in ("a.tif", "a.geojson"):
        (root / name).unlink()
        (root / name).symlink_to(tmp_path / f"secret{Path(name).suffix}")
    plan = plan_import(root)
    assert [label.path for label in plan.labels()] == ["b.tif"]
    assert plan.paths == ["b.tif"]
