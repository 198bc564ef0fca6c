"""Labelling at its edges: long and foreign names, many classes and people, huge polygons, tokens and files that go."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.access.people import Tokens
from service.settings import Settings
from tests.e2e.campaigns import Http, create, encoded, label_all, register, run_round, write_pool

LONG = "x" * 200
NAMES = [LONG, "🌊🌊 water", "مياه", "a/b?c#d%20", "Straße 'quoted' \"twice\""]


def task(classes: list[str], name: str = "classification") -> list[dict[str, Any]]:
    return [{"task": name, "classes": classes}]


def label(http: Http, classes: list[str], *, annotator: str = "ann", sample_id: int = 1, **headers: str) -> Any:
    body = {"sample_id": sample_id, "task": "classification", "annotator": annotator, "classes": classes}
    return http.post("/campaigns/demo/labels", json=body, headers=headers)


@pytest.fixture
def pool(imagery: Path) -> Path:
    write_pool(imagery / "pool", 4)
    return imagery / "pool"


@pytest.mark.parametrize("name", NAMES)
def test_class_of_any_name_is_labelled_listed_and_exported(http: Http, pool: Path, name: str) -> None:
    create(http, pool, tasks=task([name, "other"]))
    register(http)
    assert label(http, [name]).status_code == 201
    assert http.get("/campaigns/demo/labels").json()["labels"][0]["classes"] == [name]
    exported = http.get("/campaigns/demo/export", params={"format": "geojson"}).json()
    assert exported["features"][0]["properties"]["classes"] == [name]
    leased = http.post("/campaigns/demo/queries", json={"annotator": name[:200], "query_size": 1}).json()["samples"]
    held = http.get("/campaigns/demo/leases", params={"annotator": name[:200]}).json()["leases"]
    assert [entry["sample_id"] for entry in held] == [entry["sample_id"] for entry in leased]


def test_campaign_takes_500_classes_of_images_and_254_of_pixels_and_says_so_of_more(http: Http, pool: Path) -> None:
    names = [f"class {number}" for number in range(500)]
    create(http, pool, tasks=[*task(names), *task(names[:254], "segmentation")])
    register(http)
    assert label(http, [names[-1]]).status_code == 201
    assert http.get("/campaigns/demo/export", params={"format": "scaneo"}).status_code == 200
    for count, most, kind in ((501, 500, "classification"), (255, 254, "segmentation")):
        body = {"name": "more", "tasks": task([str(number) for number in range(count)], kind), "root": str(pool)}
        refused = http.post("/campaigns", json=body)
        assert refused.status_code == 400
        assert f"at most {most}, got {count}" in refused.json()["detail"]


def test_classes_beyond_the_codes_of_masks_are_trained_and_predicted(http: Http, imagery: Path) -> None:
    names = [f"class {number}" for number in range(300)]
    names[255], names[299] = "dark", "bright"  # 255 is "ignore" among codes of pixels, not among classes of images
    scenes = write_pool(imagery / "many", 24)
    create(http, imagery / "many", tasks=task(names))
    register(http)
    label_all(http)
    ended = run_round(http)
    assert ended["state"] == "promoted", ended
    files = {"image": encoded(imagery / "many" / scenes[1])}
    answer = http.post("/campaigns/demo/predictions/classification", files=files)
    assert answer.status_code in (200, 201), answer.text
    probabilities = answer.json()
    assert len(probabilities) == 300
    assert int(np.argmax(probabilities)) == 299
    assert len(http.get("/campaigns/demo/classes").json()["tasks"][0]["classes"]) == 300


def test_two_hundred_annotators_are_kept_apart(http: Http, pool: Path) -> None:
    create(http, pool, settings={"query": {"overlap_share": 1.0, "overlap_annotators": 10}})
    register(http)
    people = [f"{number:03d} {'n' * 196}" for number in range(200)]
    labels = [
        {"sample_id": 1, "task": "classification", "annotator": person, "classes": ["dark"], "override_lease": True}
        for person in people
    ]
    assert http.post("/campaigns/demo/labels", json=labels).status_code == 201
    for person in (people[0], people[-1]):
        found = http.get("/campaigns/demo/progress", params={"annotator": person}).json()
        assert (found["answered"], found["answered_by_you"]) == (1, 1)
        mine = http.get("/campaigns/demo/labels", params={"annotator": person}).json()["labels"]
        assert [entry["annotator"] for entry in mine] == [person]
    assert label(http, ["dark"], annotator="n" * 201).status_code == 400


def test_polygon_of_50_000_vertices_is_stored_whole(http: Http, pool: Path) -> None:
    create(http, pool, tasks=task(["field"], "segmentation"))
    register(http)
    angles = np.linspace(0, 2 * np.pi, 50_000, endpoint=False)
    ring = np.column_stack([32 + 30 * np.cos(angles), 32 + 30 * np.sin(angles)]).tolist()
    geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    feature = {"type": "Feature", "properties": {"label": "field"}, "geometry": geometry}
    body = {
        "sample_id": 1, "task": "segmentation", "annotator": "ann", "crs": "pixel",
        "features": {"type": "FeatureCollection", "features": [feature]},
    }  # fmt: skip
    answer = http.post("/campaigns/demo/labels", json=body, headers={"Idempotency-Key": "drawn"})
    assert answer.status_code == 201, answer.text
    (stored,) = http.get("/campaigns/demo/labels").json()["labels"]
    assert len(stored["features"]["features"][0]["geometry"]["coordinates"][0]) == 50_001
    again = http.post("/campaigns/demo/labels", json=body, headers={"Idempotency-Key": "drawn"})
    assert again.json() == answer.json()
    (lease,) = http.get("/campaigns/demo/labels", params={"annotator": "ann"}).json()["labels"]
    assert lease["label_id"] == stored["label_id"]


def test_label_that_met_a_revoked_token_is_sent_again_under_a_new_one(
    start_service: Callable[[], Http], pool: Path
) -> None:
    open_service = start_service()
    create(open_service, pool)
    register(open_service)
    open_service.app.state.tokens = Tokens(Settings(tokens="annotate=old-token-1"))
    key, old, new = (
        {"Idempotency-Key": "k"},
        {"Authorization": "Bearer old-token-1"},
        {"Authorization": "Bearer new-token-1"},
    )
    assert label(open_service, ["dark"], **key, **old).status_code == 201
    open_service.app.state.tokens = Tokens(Settings(tokens="annotate=new-token-1"))
    refused = label(open_service, ["bright"], sample_id=2, **{"Idempotency-Key": "l"}, **old)
    assert refused.status_code == 401
    assert "not known to the service" in refused.json()["detail"]
    assert label(open_service, ["bright"], sample_id=2, **{"Idempotency-Key": "l"}, **new).status_code == 201
    assert label(open_service, ["dark"], **key, **new).status_code == 201
    labels = open_service.get("/campaigns/demo/labels", headers=new).json()["labels"]
    assert [entry["sample_id"] for entry in labels] == [1, 2]
    history = open_service.get("/campaigns/demo/samples/1/labels", headers=new).json()
    assert len(history) == 1


def test_scene_deleted_while_it_is_labelled_keeps_its_label(http: Http, pool: Path) -> None:
    create(http, pool)
    register(http)
    (pool / "scene_000.tif").unlink()
    picture = http.get("/campaigns/demo/samples/1/thumbnail.png")
    assert 400 <= picture.status_code < 500, picture.text
    assert "scene_000.tif" in picture.json()["detail"]
    assert label(http, ["dark"]).status_code == 201
    suggested = http.post("/campaigns/demo/samples/1/suggest", json={"annotator": "ann"})
    assert suggested.status_code == 404
    assert "scene_000.tif" in suggested.json()["detail"]
    assert http.get("/campaigns/demo/progress", params={"annotator": "ann"}).json()["answered_by_you"] == 1
