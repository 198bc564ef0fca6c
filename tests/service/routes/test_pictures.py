"""Views and tiles over HTTP, for every kind of image that people have."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Http
from tests.data.make_scene import make_scene

TILE = 256


def campaign(http: Http, imagery: Path, **more: Any) -> dict[str, int]:
    """Make a campaign over all images; ids by path."""
    tasks = [{"task": "classification", "classes": ["water", "forest"]}]
    made = http.post("/campaigns", json={"name": "demo", "tasks": tasks, "root": str(imagery)} | more)
    assert made.status_code == 201, made.text
    assert http.post("/campaigns/demo/samples", json={"scan": True}).status_code == 201
    samples = http.get("/campaigns/demo/samples").json()["samples"]
    return {sample["path"]: sample["sample_id"] for sample in samples}


def picture(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def tile(http: Http, sample_id: int, z: int, x: int, y: int, query: str = "") -> np.ndarray:
    answer = http.get(f"/campaigns/demo/samples/{sample_id}/tiles/{z}/{x}/{y}.png{query}")
    assert answer.status_code == 200, answer.text
    return picture(answer.content)


def test_tiles_at_full_zoom_are_the_pixels_of_the_image(http: Http, imagery: Path) -> None:
    content = np.random.default_rng(0).integers(0, 256, (3, 300, 520))
    make_scene(imagery / "a.tif", width=520, height=300, dtype="uint8", content=content)
    (sample_id,) = campaign(http, imagery).values()

    mosaic = np.concatenate(
        [np.concatenate([tile(http, sample_id, 2, x, y) for x in range(3)], axis=1) for y in range(2)]
    )

    np.testing.assert_array_equal(mosaic[:300, :520, :3], content.transpose(1, 2, 0))
    assert (mosaic[..., 3] > 0).sum() == 300 * 520
    for beyond in ("2/3/0", "2/0/2", "3/0/0", "0/1/0", "2/0/1.5"):
        answer = http.get(f"/campaigns/demo/samples/{sample_id}/tiles/{beyond}.png")
        assert answer.status_code == 404, beyond


@pytest.mark.parametrize(
    ("count", "names"),
    [
        (1, ["grey"]),
        (2, ["radar", "vv", "vh"]),
        (3, ["true-colour"]),
        (4, ["true-colour", "infrared", "ndvi", "ndwi"]),
        (5, ["true-colour", "grey"]),
        (12, ["true-colour", "infrared", "swir", "ndvi", "ndwi"]),
        (13, ["true-colour", "infrared", "swir", "ndvi", "ndwi"]),
    ],
)
def test_views_fit_the_bands_and_each_can_be_drawn(http: Http, imagery: Path, count: int, names: list[str]) -> None:
    make_scene(imagery / "a.tif", bands=count)
    (sample_id,) = campaign(http, imagery).values()

    listed = http.get("/campaigns/demo/views").json()

    assert [view["name"] for view in listed["views"]] == names
    assert (listed["default"], listed["stretch"], listed["editable"]) == (names[0], "campaign", True)
    for name in names:
        for stretch in ("campaign", "image"):
            drawn = tile(http, sample_id, 0, 0, 0, f"?view={name}&stretch={stretch}")
            assert drawn[:48, :64, 3].all()
            assert drawn[:48, :64, :3].std() > 0
            assert not drawn[48:].any()
    assert http.get(f"/campaigns/demo/samples/{sample_id}/tiles/0/0/0.png?view=rainbow").status_code == 404


def test_a_picture_that_the_browser_has_is_not_sent_again(http: Http, imagery: Path) -> None:
    make_scene(imagery / "a.tif")
    (sample_id,) = campaign(http, imagery).values()
    address = f"/campaigns/demo/samples/{sample_id}/tiles/0/0/0.png"

    first = http.get(address)
    again = http.get(address, headers={"If-None-Match": first.headers["etag"]})

    assert "private" in first.headers["cache-control"]
    assert (again.status_code, again.content) == (304, b"")
    assert http.get(f"{address}?gamma=2").headers["etag"] != first.headers["etag"]
