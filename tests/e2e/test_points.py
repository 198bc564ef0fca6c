"""Points through the real app: stored, exported and brought back, refused where there is nothing to see."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from rasterio.warp import transform

from al_loop.domain.painting import painted
from al_loop.loop import Loop
from tests.data.make_scene import make_scene
from tests.e2e.campaigns import Http, all_labels, create, register, write_pool


def points(*found: tuple[float, float, str]) -> dict[str, Any]:
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"label": label},
                "geometry": {"type": "Point", "coordinates": [column, row]},
            }
            for column, row, label in found
        ],
    }


def send(http: Http, path: str, features: dict[str, Any], crs: str | None = "pixel", name: str = "demo") -> Any:
    label = {"path": path, "task": "segmentation", "annotator": "ann", "features": features, "crs": crs}
    return http.post(f"/campaigns/{name}/labels", json=[label])


@pytest.fixture
def campaign(start_service: Callable[[], Http], imagery: Path) -> Http:
    write_pool(imagery / "pool", 4)
    data = np.full((3, 64, 64), 900.0)
    data[:, :32] = 0
    make_scene(imagery / "pool" / "half.tif", width=64, height=64, content=data, nodata=0, nodata_as="value")
    http = start_service()
    create(http, imagery / "pool", tasks=[{"task": "segmentation", "classes": ["field"]}])
    register(http)
    return http


def test_points_come_back_as_points_from_an_export_and_can_be_sent_again(campaign: Http, imagery: Path) -> None:
    assert send(campaign, "scene_000.tif", points((3.5, 7.5, "field"))).status_code == 201
    (x,), (y,) = transform("EPSG:32631", "EPSG:4326", [502_000.0 + 405.0], [4_600_000.0 - 95.0])
    assert send(campaign, "scene_001.tif", points((x, y, "field")), crs=None).status_code == 201

    exported = campaign.get("/campaigns/demo/export", params={"format": "geojson"})

    found = {feature["properties"]["path"]: feature for feature in exported.json()["features"]}
    assert {feature["geometry"]["type"] for feature in found.values()} == {"Point"}
    assert found["scene_001.tif"]["geometry"]["coordinates"] == pytest.approx([x, y])
    stored = {label["path"]: label for label in all_labels(campaign)}
    again = {"type": "FeatureCollection", "features": [found["scene_000.tif"]]}
    assert send(campaign, "scene_000.tif", again, crs=None).status_code == 201
    replaced = {label["path"]: label for label in all_labels(campaign)}["scene_000.tif"]
    assert replaced["label_id"] > stored["scene_000.tif"]["label_id"]


def test_a_point_without_data_under_it_is_refused_and_one_beside_it_is_not(campaign: Http) -> None:
    refused = send(campaign, "half.tif", points((3.5, 40.5, "field"), (3.5, 7.5, "field")))
    assert refused.status_code == 400
    assert "features[1].geometry" in refused.text
    assert "holds no data" in refused.text

    assert send(campaign, "half.tif", points((3.5, 40.5, "field"))).status_code == 201
    cannot_tell = points((3.5, 40.5, "field"), (3.5, 7.5, "field"))
    cannot_tell["features"][1]["properties"] = {"label": None, "ignore": True}
    assert send(campaign, "half.tif", cannot_tell).status_code == 201


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (points((64.5, 3.5, "field")), "outside the image"),
        (points((3.5, 3.5, "lake")), "no class"),
        (points(*[(3.5, 3.5, "field")] * 10_001), "more than 10000 points"),
    ],
)
def test_points_that_cannot_be_are_the_clients_mistake(campaign: Http, features: Any, words: str) -> None:
    answer = send(campaign, "scene_000.tif", features)
    assert answer.status_code == 400, answer.text[:300]
    assert words in answer.text
    assert all_labels(campaign) == []
    assert msgspec.json.decode(answer.content)["detail"]


def area(label: str, left: float, top: float, side: float) -> dict[str, Any]:
    ring = [[left, top], [left + side, top], [left + side, top + side], [left, top + side], [left, top]]
    return {
        "type": "Feature",
        "properties": {"label": label},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def from_geojson(content: bytes) -> list[dict[str, Any]]:
    """Label bodies of an exported FeatureCollection."""
    labels: dict[tuple[str, str], dict[str, Any]] = {}
    for feature in msgspec.json.decode(content)["features"]:
        about = feature["properties"]
        label = labels.setdefault(
            (about["path"], about["annotator"]),
            {
                "path": about["path"], "annotator": about["annotator"], "task": about["task"], "crs": about["crs"],
                "features": {"type": "FeatureCollection", "features": []},
            },
        )  # fmt: skip
        label["features"]["features"].append({**feature, "properties": {"label": about["label"]}})
    return [*labels.values()]


def from_parquet(content: bytes) -> list[dict[str, Any]]:
    """Label bodies of an exported table."""
    rows = pq.read_table(io.BytesIO(content), columns=["path", "annotator", "task", "features", "crs"]).to_pylist()
    return [row | {"features": msgspec.json.decode(row["features"])} for row in rows]


def codes(http: Http) -> dict[tuple[str, str], list[list[int]]]:
    """What each label says of each pixel, by path and annotator."""
    loop: Loop = http.app.state.loop
    campaign = loop.store.campaigns.get("demo")
    labels = loop.store.labels.current(campaign.campaign_id)
    headers = loop.store.samples.headers(campaign.campaign_id, [label.sample_id for label in labels])
    classes = campaign.tasks[0].classes
    return {
        (label.path, label.annotator): painted(classes, label, headers[label.sample_id]).tolist() for label in labels
    }


@pytest.mark.parametrize(("export_format", "read"), [("geojson", from_geojson), ("parquet", from_parquet)])
def test_an_export_sent_to_a_new_campaign_says_the_same_of_every_pixel(
    campaign: Http, imagery: Path, export_format: str, read: Callable[[bytes], list[dict[str, Any]]]
) -> None:
    (x,), (y,) = transform("EPSG:32631", "EPSG:4326", [502_000.0 + 405.0], [4_600_000.0 - 95.0])
    mixed = points((3.5, 7.5, "field"), (63.5, 63.5, "field"))
    mixed["features"] += [area("field", 10, 10, 8)]
    assert send(campaign, "scene_000.tif", mixed).status_code == 201
    assert send(campaign, "scene_001.tif", points((x, y, "field")), crs=None).status_code == 201
    assert send(campaign, "half.tif", points((0.5, 63.5, "field"), (60.2, 40.9, "field"))).status_code == 201
    assert send(
        campaign, "scene_002.tif", {"type": "FeatureCollection", "features": [area("field", 0, 0, 9)]}
    ).is_success
    before = codes(campaign)
    content = campaign.get("/campaigns/demo/export", params={"format": export_format}).content

    deleted = campaign.delete("/campaigns/demo", params={"confirm": "demo"})
    assert deleted.is_success, deleted.text
    create(campaign, imagery / "pool", tasks=[{"task": "segmentation", "classes": ["field"]}])
    register(campaign)
    sent = campaign.post("/campaigns/demo/labels", json=read(content))

    assert sent.status_code == 201, sent.text
    assert codes(campaign) == before
    kinds = {
        label["path"]: [part["geometry"]["type"] for part in label["features"]["features"]]
        for label in all_labels(campaign)
    }
    assert kinds["scene_000.tif"] == ["Point", "Point", "Polygon"]
