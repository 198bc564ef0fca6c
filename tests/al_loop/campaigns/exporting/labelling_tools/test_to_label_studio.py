import json
from pathlib import Path

from tests.al_loop.campaigns.exporting.labelling_tools.test_shapes import BOXES, RING, again, drawn, exported, feature


def test_none_here_is_an_annotation_without_a_result(tmp_path: Path) -> None:
    answers = drawn("a.tif", "detection", feature("ship", "Polygon", [RING])), drawn("b.tif", "detection")
    archive, skipped = exported(tmp_path, [BOXES], "label-studio", *answers)
    assert skipped == []
    assert (again(tmp_path, archive)["b.tif", "detection"].features or {})["features"] == []
    ship, none = json.loads(archive.read("label-studio.json"))
    assert ship["data"] == {"image": "/data/local-files/?d=a.tif"}
    assert ship["annotations"][0]["result"][0]["value"]["x"] == 10.0
    assert none["annotations"][0]["result"] == []
