import io
import zipfile
from pathlib import Path

from al_loop.campaigns.exporting.to_yolo import text_file
from tests.al_loop.campaigns.exporting.test_boxes import Boxes, exported, images


def test_images_that_share_a_text_file_are_told(tmp_path: Path) -> None:
    root = images(tmp_path, ["a.tif", "a.png"])
    ship: Boxes = {path: [("ship", (1.0, 1.0, 4.0, 4.0))] for path in ("a.png", "a.tif")}
    content, skipped = exported(root, ship, "yolo")
    assert skipped == {"a.tif": "its text file belongs to a.png"}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert "a.tif: its text file belongs to a.png" in archive.read("left-out.txt").decode()


def test_text_files_lie_where_yolo_looks_for_them() -> None:
    assert text_file("a.tif") == "labels/a.txt"
    assert text_file("train/images/a.tif") == "train/labels/a.txt"
    assert text_file("images/images/x/a.jpg") == "images/labels/x/a.txt"
