from pathlib import Path
from xml.etree import ElementTree

from tests.al_loop.campaigns.exporting.labelling_tools.test_shapes import BOXES, RING, again, drawn, exported, feature


def test_image_without_an_object_is_left_out_as_cvat_does_not_say_whether_somebody_looked(tmp_path: Path) -> None:
    answers = drawn("a.tif", "detection", feature("ship", "Polygon", [RING])), drawn("b.tif", "detection")
    archive, skipped = exported(tmp_path, [BOXES], "cvat", *answers)
    assert skipped == [("b.tif", "somebody looked and found none, which CVAT cannot say")]
    assert list(again(tmp_path, archive)) == [("a.tif", "detection")]
    root = ElementTree.fromstring(archive.read("annotations.xml"))  # noqa: S314  # our own
    assert [(image.get("name"), image.get("width")) for image in root.iter("image")] == [("a.tif", "10")]
    assert [label.findtext("name") for label in root.iter("label")] == ["ship", "ignore"]
