from pathlib import Path
from typing import Any

import msgspec

from tests.al_loop.campaigns.exporting.test_boxes import GIVEN, exported, images


def test_coco_file_is_as_other_programs_want_it(tmp_path: Path) -> None:
    content: dict[str, Any] = msgspec.json.decode(exported(images(tmp_path, list(GIVEN)), GIVEN, "coco")[0])
    assert content["categories"] == [{"id": 1, "name": "ship"}, {"id": 2, "name": "captain's boat"}]
    assert [(image["id"], image["file_name"], image["width"], image["height"]) for image in content["images"]] == [
        (1, "a.tif", 10, 8), (2, "images/b.tif", 10, 8), (3, "sub/c.tif", 10, 8),
    ]  # fmt: skip
    first = content["annotations"][0]
    assert (first["image_id"], first["category_id"], first["bbox"], first["area"]) == (1, 1, [1, 2, 5, 3.5], 17.5)
    assert [entry["id"] for entry in content["annotations"]] == [1, 2, 3]
