"""A detection campaign over HTTP: boxes in, boxes out, suggestions accepted and corrected."""

import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image

from service.settings import Settings
from tests.data.make_scene import make_scene
from tests.data.tiny_model import BOXES
from tests.e2e.campaigns import AIDED, Http, predict, register, serve_tiny, write_pool

CLASSES = ["ship", "buoy"]
TASKS = [{"task": "detection", "classes": CLASSES}]


@pytest.fixture
def served(start_service: Callable[[], Http], settings: Settings, imagery: Path) -> Http:
    """A campaign of 4 scenes whose model finds the same two boxes everywhere."""
    write_pool(imagery, 4)
    unreserved = AIDED | {"reserve": {"share": 0.0, "minimum": 0}}
    http = serve_tiny(
        start_service, settings, imagery, classes=CLASSES, known=CLASSES, trained=["detection"], tasks=TASKS,
        settings=unreserved,
    )  # fmt: skip
    register(http)
    return http


def box(name: str | None, left: float, top: float, right: float, bottom: float) -> dict[str, Any]:
    ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
    properties = {"label": name} if name else {"label": None, "ignore": True}
    return {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def label(http: Http, sample_id: int, *boxes: dict[str, Any], annotator: str = "ann", **fields: Any) -> Any:
    features = {"type": "FeatureCollection", "features": list(boxes)}
    body = {"sample_id": sample_id, "task": "detection", "annotator": annotator, "features": features, "crs": "pixel"}
    return http.post("/campaigns/demo/labels", json=body | fields)


def sample_ids(http: Http) -> list[int]:
    return [entry["sample_id"] for entry in http.get("/campaigns/demo/samples").json()["samples"]]


def suggest(http: Http, sample_id: int) -> dict[str, Any]:
    answer = http.post(f"/campaigns/demo/samples/{sample_id}/suggest", json={"annotator": "ann"})
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()
    return dict(found)


def answered(http: Http, labels: int) -> list[dict[str, Any]]:
    """What became of suggestions, once so many labels are assessed."""
    deadline = time.monotonic() + 60
    while True:
        found: list[dict[str, Any]] = http.get("/campaigns/demo/assists").json()["answered"]
        if sum(entry["accepted"] + entry["edited"] + entry["rejected"] for entry in found) >= labels:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_boxes_are_recorded_listed_undone_and_exported(served: Http) -> None:
    first, second, *_ = sample_ids(served)
    recorded = label(served, first, box("ship", 30, 10, 5, 20), box(None, 40, 40, 60, 60))
    assert recorded.status_code == 201, recorded.text
    assert label(served, second).status_code == 201
    found = served.get("/campaigns/demo/labels").json()["labels"]
    assert [len(entry["features"]["features"]) for entry in found] == [2, 0]
    coco = served.get("/campaigns/demo/export", params={"format": "coco"})
    assert coco.headers["content-disposition"] == 'attachment; filename="demo-coco.json"'
    assert [entry["bbox"] for entry in coco.json()["annotations"]] == [[5, 10, 25, 10], [40, 40, 20, 20]]
    assert served.get("/campaigns/demo/export", params={"format": "yolo"}).content.startswith(b"PK")
    gone = served.delete(f"/campaigns/demo/labels/{recorded.json()['label_ids'][0]}", params={"annotator": "ann"})
    assert gone.status_code == 200
    assert len(served.get("/campaigns/demo/labels").json()["labels"]) == 1
    assert len(served.get(f"/campaigns/demo/samples/{first}/labels").json()) == 2


@pytest.mark.parametrize(
    ("polygon", "words"),
    [
        (box("ship", 5, 5, 5, 9), "the area is empty"),
        (box("ship", 90, 90, 99, 99), "lies outside the image"),
        (box("ship", 5, 5, 5.2, 9), "at least 0.5 px wide and high"),
        (box("boat", 5, 5, 9, 9), "no class 'boat'"),
    ],
)
def test_bad_box_is_refused_with_its_place(served: Http, polygon: dict[str, Any], words: str) -> None:
    answer = label(served, sample_ids(served)[0], box("ship", 1, 1, 9, 9), polygon)
    assert answer.status_code == 400
    assert words in answer.text
    assert "$.features.features[1]" in answer.text
    assert served.get("/campaigns/demo/labels").json()["labels"] == []


def test_prediction_gives_boxes_in_pixels_and_on_the_ground(served: Http, imagery: Path, tmp_path: Path) -> None:
    answer = predict(served, "detection", (imagery / "scene_000.tif").read_bytes())
    assert answer.status_code == 200
    assert answer.headers["X-Model-Version"] == "v1"
    body = answer.json()
    assert body["boxes"] == BOXES[:2, :4].tolist()
    assert (body["labels"], body["scores"]) == (["ship", "buoy"], [0.9, 0.6])
    first = body["features"]["features"][0]
    assert (first["properties"]["class"], first["properties"]["score"]) == ("ship", 0.9)
    placeless = predict(served, "detection", make_scene(tmp_path / "plain.tif", crs=None).read_bytes()).json()
    assert placeless["boxes"] == body["boxes"]
    assert "features" not in placeless


def test_suggestion_shows_boxes_and_is_accepted(served: Http) -> None:
    sample_id, *_ = sample_ids(served)
    found = suggest(served, sample_id)
    features = found["boxes"]["features"]
    assert [(entry["properties"]["label"], entry["properties"]["score"]) for entry in features] == [
        ("ship", 0.9), ("buoy", 0.6),
    ]  # fmt: skip
    body = {"annotator": "ann", "task": "detection", "prediction_ids": [found["prediction_id"]]}
    assert served.post(f"/campaigns/demo/samples/{sample_id}/accept", json=body).status_code == 201
    (stored,) = served.get("/campaigns/demo/labels").json()["labels"]
    assert (stored["crs"], len(stored["features"]["features"])) == ("pixel", 2)


def test_what_became_of_single_boxes_is_counted(served: Http) -> None:
    first, second, third, _ = sample_ids(served)
    boxes = suggest(served, first)["boxes"]["features"]
    assert label(served, first, *boxes).status_code == 201
    suggest(served, second)
    assert label(served, second, box("ship", 10, 8, 22, 18), box("buoy", 50, 50, 60, 60)).status_code == 201
    suggest(served, third)
    assert label(served, third).status_code == 201
    (entry,) = answered(served, 3)
    assert (entry["accepted"], entry["edited"], entry["rejected"]) == (1, 1, 1)
    assert entry["boxes"] == {"accepted": 2, "moved": 1, "removed": 3, "added": 1}


def test_pictures_show_boxes_and_where_the_model_is_unsure(served: Http) -> None:
    sample_id, *_ = sample_ids(served)
    suggest(served, sample_id)
    url = f"/campaigns/demo/samples/{sample_id}"
    plain, drawn = (
        np.asarray(Image.open(BytesIO(served.get(f"{url}/thumbnail.png", params={"size": 64} | more).content)))
        for more in ({}, {"overlay": "suggestion"})
    )
    differs = (plain != drawn).any(axis=-1)
    assert differs[6, 8:20].all()  # the line above the first box
    assert not differs[10:16, 10:18].any()  # inside of it
    with rasterio.open(BytesIO(served.get(f"{url}/uncertainty.tif").content)) as raster:
        values = raster.read(1)
    assert values[15, 37] > values[13, 14] > 0  # the box of .6 is more uncertain than that of .9
    assert values[60, 60] == 0


def test_query_and_agreement_know_boxes(served: Http) -> None:
    query = served.post("/campaigns/demo/queries", json={"annotator": "ann", "query_size": 2})
    assert query.status_code == 201
    first, second = (entry["sample_id"] for entry in query.json()["samples"])
    for annotator, moved in (("ann", 0), ("bert", 2)):
        assert label(
            served, first, box("ship", 10 + moved, 10, 20 + moved, 20), annotator=annotator, override_lease=True
        ).status_code == 201  # fmt: skip
        assert label(served, second, annotator=annotator, override_lease=True).status_code == 201
    (task,) = served.get("/campaigns/demo/agreement").json()["tasks"]
    assert task["pairs"][0]["iou"]["value"] == pytest.approx((80 / 120 + 1) / 2)
    assert served.get("/campaigns/demo/relabels").json()["relabels"] == []
