"""Queries about points of images through the real app."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.make_scene import make_scene
from tests.e2e.campaigns import Http, create, register, write_pool

TASKS = [{"task": "segmentation", "classes": ["field", "water"]}]
NO_RESERVE = {"reserve": {"share": 0, "minimum": 0}, "query": {"control_share": 0}}


@pytest.fixture
def campaign(start_service: Callable[[], Http], imagery: Path) -> Http:
    """Three images of 64 px, one of them without data in its left half."""
    write_pool(imagery / "pool", 2)
    data = np.full((3, 64, 64), 900.0)
    data[:, :, :32] = 0
    make_scene(imagery / "pool" / "half.tif", width=64, height=64, content=data, nodata=0, nodata_as="value")
    http = start_service()
    create(http, imagery / "pool", tasks=TASKS, settings=NO_RESERVE)
    register(http)
    return http


def ask(http: Http, size: int = 3, **more: Any) -> Any:
    body = {"annotator": "ann", "query_size": size, "unit": "point", **more}
    return http.post("/campaigns/demo/queries", json=body)


def leases(http: Http, **more: Any) -> list[dict[str, Any]]:
    params = {"annotator": "ann", **more}
    found: list[dict[str, Any]] = http.get("/campaigns/demo/leases", params=params).json()["leases"]
    return found


def pixels(points: list[dict[str, float]]) -> set[tuple[float, float]]:
    return {(point["column"], point["row"]) for point in points}


def test_a_query_about_points_leases_pixels_with_data_and_says_which(campaign: Http) -> None:
    answer = ask(campaign, points=6).json()

    asked = {sample["path"]: sample["points"] for sample in answer["samples"]}
    assert set(asked) == {"scene_000.tif", "scene_001.tif", "half.tif"}
    assert answer["unit"] == "point"
    for path, points in asked.items():
        assert len(pixels(points)) == 6
        assert all(column % 1 == row % 1 == 0.5 and 0 < row < 64 for column, row in pixels(points))
        assert all((32 if path == "half.tif" else 0) < column < 64 for column, _ in pixels(points))
    held = leases(campaign)
    assert {lease["path"]: lease["points"] for lease in held} == asked
    assert {lease["unit"] for lease in held} == {"point"}
    explained = campaign.get(f"/campaigns/demo/queries/{answer['query_id']}").json()
    assert explained["unit"] == "point"
    assert {sample["path"]: sample["points"] for sample in explained["samples"]} == asked


def test_a_query_about_images_has_no_points(campaign: Http) -> None:
    answer = ask(campaign, unit="image").json()

    assert {tuple(sample["points"]) for sample in answer["samples"]} == {()}
    assert {(lease["unit"], *lease["points"]) for lease in leases(campaign)} == {("image",)}


@pytest.mark.parametrize(
    ("more", "field"), [({"points": 0}, "points"), ({"points": 51}, "points"), ({"unit": "pixel"}, "unit")]
)
def test_a_query_about_points_out_of_range_is_refused(campaign: Http, more: dict[str, Any], field: str) -> None:
    refused = ask(campaign, **more)

    assert refused.status_code == 400
    assert f"$.{field}" in refused.text


def test_a_campaign_without_a_task_for_pixels_is_not_asked_about_points(
    start_service: Callable[[], Http], imagery: Path
) -> None:
    write_pool(imagery / "pool", 1)
    http = start_service()
    create(http, imagery / "pool", tasks=[{"task": "classification", "classes": ["wet", "dry"]}])
    register(http)

    refused = ask(http)
    assert refused.status_code == 400
    assert "$.unit" in refused.text
    settings = http.get("/campaigns/demo/settings").json()
    changed = http.put("/campaigns/demo/settings", json=settings | {"query": {"unit": "point"}})
    assert changed.status_code == 400
    assert "query.unit" in changed.text
