import json
from pathlib import Path

import pytest

from al_loop.campaigns.overlaying.plan import plan_overlay
from al_loop.domain.line_widths import LineSettings
from al_loop.errors import InvalidValueError
from models.card import TaskSpec
from tests.data.make_roads import write_roads

SPEC = TaskSpec(task="segmentation", classes=["road"])


def shifted(folder: Path, metres: float) -> Path:
    """The roads, moved to the east."""
    collection = json.loads((folder / "roads.geojson").read_text(encoding="utf-8"))
    for feature in collection["features"]:
        for position in feature["geometry"]["coordinates"]:
            position[0] += metres / (111_320 * 0.747)  # at 41.7 degrees north
    path = folder / "moved.geojson"
    path.write_text(json.dumps(collection), encoding="utf-8")
    return path


def test_roads_are_laid_over_chips_and_an_offset_is_found(tmp_path: Path) -> None:
    chips = write_roads(tmp_path, scenes=2, chips=16)
    paths = [chip.path.relative_to(tmp_path).as_posix() for chip in chips]
    plan = plan_overlay(tmp_path / "roads.geojson", tmp_path, paths, SPEC, LineSettings())
    with_roads = {path for path, chip in zip(paths, chips, strict=True) if chip.roads}
    assert {entry.header.path for entry in plan.found.laid} >= with_roads
    assert not plan.offset.is_off, plan.offset
    assert plan.offset.is_clear
    labels = list(plan.labels("import"))
    assert {label.path for label in labels} == {entry.header.path for entry in plan.found.laid}
    moved = plan_overlay(shifted(tmp_path, 30.0), tmp_path, paths, SPEC, LineSettings())
    assert (moved.offset.columns, moved.offset.rows) == (-3, 0)
    assert "seem to be off" in " ".join(moved.sentences())


def test_images_without_roads_are_answered_only_where_asked(tmp_path: Path) -> None:
    chips = write_roads(tmp_path, scenes=2, chips=16)
    paths = [chip.path.relative_to(tmp_path).as_posix() for chip in chips]
    silent, said = (
        plan_overlay(tmp_path / "roads.geojson", tmp_path, paths, SPEC, LineSettings(), empty=empty)
        for empty in (False, True)
    )
    assert silent.found.without
    assert len(list(said.labels("a"))) - len(list(silent.labels("a"))) == len(silent.found.without)
    assert sum(label.features == {"type": "FeatureCollection", "features": []} for label in said.labels("a")) > 0


def test_unknown_class_and_unreachable_images_are_refused(tmp_path: Path) -> None:
    write_roads(tmp_path, scenes=1, chips=1)
    file = tmp_path / "roads.geojson"
    with pytest.raises(InvalidValueError, match="no class 'river'"):
        plan_overlay(file, tmp_path, [], SPEC, LineSettings(), named="river")
    with pytest.raises(InvalidValueError, match="cannot be read from here"):
        plan_overlay(file, tmp_path / "elsewhere", [], SPEC, LineSettings())


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (chip,) = write_roads(tmp_path, scenes=1, chips=1)
    path = chip.path.relative_to(tmp_path).as_posix()
    plan = plan_overlay(tmp_path / "roads.geojson", tmp_path, [path, "gone.tif"], SPEC, LineSettings())
    assert [entry.path for entry in plan.unread] == ["gone.tif"]
