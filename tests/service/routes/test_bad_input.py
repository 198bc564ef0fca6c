"""What clients get wrong: each answer names the field or file and what to do, and nothing is lost."""

from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from service.app import create_app
from service.settings import Settings
from tests.data.make_scene import make_hostile, make_scene
from tests.e2e.campaigns import Http, create, label_all, register, write_pool


@pytest.fixture
def root(imagery: Path) -> Path:
    """A campaign root of 12 scenes."""
    folder = imagery / "pool"
    write_pool(folder, 12)
    return folder


@pytest.fixture
def campaign(http: Http, root: Path) -> str:
    """A campaign with both tasks and 12 samples."""
    tasks = [
        {"task": "classification", "classes": ["dark", "bright"]},
        {"task": "segmentation", "classes": ["field"]},
    ]
    create(http, root, tasks=tasks)
    assert register(http)["registered"] == 12
    return "demo"


def refused(response: Any, status: int, *words: str) -> dict[str, Any]:
    """Check that an answer is a problem of this status whose detail has these words."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/problem+json")
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    for word in words:
        assert word in problem["detail"], problem
    return problem


def new(**changes: Any) -> dict[str, Any]:
    task = {"task": "classification", "classes": ["a", "b"]}
    return {"name": "new", "tasks": [task], "root": "."} | changes


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (new(name="Has Spaces"), 400, ["$.name"]),
        (new(name="x" * 65), 400, ["$.name"]),
        (new(tasks=[]), 400, ["$.tasks"]),
        (new(tasks=[{"task": "painting", "classes": ["a"]}]), 400, ["$.tasks[0].task", "painting"]),
        (new(tasks=[{"task": "detection", "classes": ["a"]}]), 501, ["detection is not built yet", "$.tasks[0].task"]),
        (new(tasks=[{"task": "classification", "classes": ["a"]}]), 400, ["$.tasks[0].classes", "2 classes"]),
        (new(tasks=[{"task": "classification", "classes": ["a", "a"]}]), 400, ["$.tasks[0].classes", "unique"]),
        (new(root="/etc"), 400, ["$.root", "/etc"]),
        (new(root="../.."), 400, ["$.root"]),
        (new(root="no-such-folder"), 400, ["$.root", "not an existing directory"]),
        (new(bands=[0]), 400, ["$.bands"]),
        (new(tasks=[{"task": "segmentation", "classes": ["a"], "multi_label": True}]), 400, ["$.tasks[0].multi_label"]),
        (new(settings={"reserve": {"group_pattern": "tile"}}), 400, ["$.settings.reserve.group_pattern", "group"]),
        (new(policy={"cron": "0 3 * * *"}), 501, ["cron", "$.policy.cron"]),
        (new(surprise=1), 400, ["surprise"]),
        ({"name": "new"}, 400, ["tasks"]),
    ],
)
def test_bad_campaign_is_refused(http: Http, body: dict[str, Any], status: int, words: list[str]) -> None:
    refused(http.post("/campaigns", json=body), status, *words)
    assert http.get("/campaigns").json() == []


@pytest.mark.parametrize("pattern", ["tile[0-9]+_", "("])
def test_reserve_pattern_that_names_no_block_is_refused_when_settings_are_replaced(
    http: Http, campaign: str, pattern: str
) -> None:
    answer = http.put(f"/campaigns/{campaign}/settings", json={"reserve": {"group_pattern": pattern}})
    refused(answer, 400, "$.reserve.group_pattern")
    assert http.get(f"/campaigns/{campaign}").json()["settings"]["reserve"]["group_pattern"] is None


def test_body_that_is_no_json_is_refused(http: Http) -> None:
    headers = {"content-type": "application/json"}
    refused(http.post("/campaigns", content=b"{not json", headers=headers), 400)


def test_taken_campaign_name_is_refused(http: Http, campaign: str, root: Path) -> None:
    refused(http.post("/campaigns", json=new(name=campaign, root=str(root))), 409, "exists already")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/campaigns/nobody", None),
        ("POST", "/campaigns/nobody/samples", {"scan": True}),
        ("GET", "/campaigns/nobody/samples", None),
        ("POST", "/campaigns/nobody/queries", {"annotator": "a", "query_size": 1}),
        ("POST", "/campaigns/nobody/labels", []),
        ("GET", "/campaigns/nobody/labels", None),
        ("GET", "/campaigns/nobody/export?format=geojson", None),
        ("POST", "/campaigns/nobody/rounds", {}),
        ("GET", "/campaigns/nobody/rounds", None),
        ("GET", "/campaigns/nobody/models", None),
        ("PUT", "/campaigns/nobody/policy", {}),
        ("GET", "/campaigns/nobody/learning-curve", None),
    ],
)
def test_unknown_campaign_is_404(http: Http, method: str, path: str, body: object) -> None:
    response = http.request(method, path) if body is None else http.request(method, path, json=body)
    refused(response, 404, "no campaign 'nobody'")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("empty", ["empty"]),
        ("truncated", ["truncated"]),
        ("text", ["not a TIFF"]),
        ("vrt", ["not a TIFF"]),
        ("vrt_named_tif", ["not a TIFF"]),
        ("vrt_of_passwd", ["not a TIFF"]),
        ("huge", ["1000000 x 1000000"]),
    ],
)
def test_hostile_file_is_skipped_with_its_reason(
    http: Http, campaign: str, root: Path, kind: Any, words: list[str]
) -> None:
    make_hostile(kind, root / "bad.tif")
    answer = http.post(f"/campaigns/{campaign}/samples", json={"paths": ["bad.tif"]})
    assert answer.status_code == 201
    body = answer.json()
    assert body["registered"] == 0
    assert body["skipped"][0]["path"] == "bad.tif"
    for word in words:
        assert word in body["skipped"][0]["reason"]


@pytest.mark.parametrize("kind", ["empty", "truncated", "text", "vrt_of_passwd", "huge"])
def test_hostile_upload_is_a_plain_sentence(http: Http, campaign: str, tmp_path: Path, kind: Any) -> None:
    label_all(http)
    file = make_hostile(kind, tmp_path / "bad.tif")
    response = http.post(f"/campaigns/{campaign}/predictions/classification", files={"image": file.read_bytes()})
    assert response.status_code in (409, 413, 415)
    assert response.headers["content-type"].startswith("text/plain")
    assert "{" not in response.text


def test_paths_outside_the_root_are_skipped(http: Http, campaign: str, imagery: Path, root: Path) -> None:
    outside = make_scene(imagery / "outside.tif")
    (root / "link.tif").symlink_to(outside)
    (root / "folder").symlink_to(imagery)
    paths = ["../outside.tif", str(outside), "link.tif", "folder/outside.tif", "missing.tif", "", "a\x00b.tif"]
    body = http.post(f"/campaigns/{campaign}/samples", json={"paths": paths}).json()
    assert body["registered"] == 0
    assert {entry["path"] for entry in body["skipped"]} == set(paths)
    assert "no `..`" in body["skipped"][0]["reason"]


def test_scan_does_not_follow_links_out_of_the_root(http: Http, campaign: str, imagery: Path, root: Path) -> None:
    outside = make_scene(imagery / "elsewhere" / "outside.tif")
    (root / "link.tif").symlink_to(outside)
    (root / "folder").symlink_to(outside.parent)
    assert register(http)["registered"] == 0


def test_wrong_band_count_is_skipped(http: Http, campaign: str, root: Path) -> None:
    make_scene(root / "four.tif", bands=4)
    body = http.post(f"/campaigns/{campaign}/samples", json={"paths": ["four.tif"]}).json()
    assert "4 bands" in body["skipped"][0]["reason"]


def test_duplicate_registration_is_skipped(http: Http, campaign: str) -> None:
    body = register(http)
    assert body["registered"] == 0
    assert body["skipped_count"] == 12
    assert "already" in body["skipped"][0]["reason"]


@pytest.mark.parametrize("body", [{}, {"scan": True, "paths": ["a"]}, {"scan": False}])
def test_registration_wants_paths_or_scan(http: Http, campaign: str, body: dict[str, Any]) -> None:
    refused(http.post(f"/campaigns/{campaign}/samples", json=body), 400, "$.paths")


@pytest.mark.parametrize("size", [0, -1, 1_000_000])
def test_query_size_out_of_range_is_refused(http: Http, campaign: str, size: int) -> None:
    body = {"annotator": "a", "query_size": size}
    refused(http.post(f"/campaigns/{campaign}/queries", json=body), 400, "$.query_size")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"strategy": {"type": "oracle"}}, "$.strategy"),
        ({"strategy": {"type": "power", "beta": -1}}, "$.strategy.beta"),
        ({"strategy": {"type": "power", "variant": "hard"}}, "$.strategy.variant"),
        ({"strategy": {"type": "u_herding", "temperature": 0}}, "$.strategy.temperature"),
        ({"strategy": {"type": "u_herding", "uncertainty": "doubt"}}, "$.strategy.uncertainty"),
        ({"strategy": {"type": "max_herding", "radius": "wide"}}, "$.strategy.radius"),
        ({"strategy": {"type": "typiclust", "neighbours": 0}}, "$.strategy.neighbours"),
        ({"strategy": {"type": "prob_cover", "purity": 2}}, "$.strategy.purity"),
        ({"strategy": {"type": "clasp_pe", "schedule_labels": 0.5}}, "$.strategy.schedule_labels"),
        ({"strategy": {"type": "entropy", "beta": 1}}, "$.strategy"),
        ({"annotator": ""}, "$.annotator"),
        ({"annotator": "x" * 10_000}, "$.annotator"),
        ({"query_size": "many"}, "$.query_size"),
    ],
)
def test_bad_query_is_refused(http: Http, campaign: str, changes: dict[str, Any], word: str) -> None:
    body = {"annotator": "a", "query_size": 1} | changes
    refused(http.post(f"/campaigns/{campaign}/queries", json=body), 400, word)


def label(**changes: Any) -> dict[str, Any]:
    return {"path": "scene_000.tif", "task": "classification", "annotator": "a", "classes": ["dark"]} | changes


def polygon(*points: tuple[float, float], label: str = "field") -> dict[str, Any]:
    geometry = {"type": "Polygon", "coordinates": [[list(point) for point in points]]}
    feature = {"type": "Feature", "properties": {"label": label}, "geometry": geometry}
    return {"type": "FeatureCollection", "features": [feature]}


SEGMENTATION = {"task": "segmentation", "classes": None}
FAR_AWAY = polygon((100.0, 10.0), (101.0, 10.0), (101.0, 11.0), (100.0, 10.0))
BOW_TIE = polygon((0, 0), (40, 40), (40, 0), (0, 40), (0, 0))
INFINITE = polygon((0, 0), (1e999, 4), (4, 4), (0, 0))


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"path": "nobody.tif"}, 404, "nobody.tif"),
        ({"path": None, "sample_id": 999_999}, 404, "999999"),
        ({"classes": ["purple"]}, 400, "$[1].classes[0]"),
        ({"classes": ["dark", "bright"]}, 400, "$[1].classes"),
        ({"classes": None}, 400, "$[1]"),
        ({"task": "painting"}, 400, "$[1].task"),
        ({"task": "detection"}, 400, "$[1].task"),
        (SEGMENTATION | {"features": {"type": "Point"}}, 400, "$[1].features"),
        (SEGMENTATION | {"features": polygon((0, 0), (9, 0), (9, 9), (0, 0), label="sea"), "crs": "pixel"}, 400, "sea"),
        (SEGMENTATION | {"features": FAR_AWAY}, 400, "outside"),
        (SEGMENTATION | {"features": BOW_TIE, "crs": "pixel"}, 400, "$[1].features.features[0].geometry"),
        (SEGMENTATION | {"features": FAR_AWAY, "crs": "EPSG:banana"}, 400, "$[1].crs"),
        ({"labelled_at": "2026-01-01T00:00:00"}, 400, "$[1].labelled_at"),
    ],
)
def test_bad_label_refuses_the_whole_request(
    http: Http, campaign: str, change: dict[str, Any], status: int, word: str
) -> None:
    response = http.post(f"/campaigns/{campaign}/labels", json=[label(path="scene_001.tif"), label(**change)])
    refused(response, status, word)
    assert http.get(f"/campaigns/{campaign}/labels").json()["labels"] == []


def test_infinite_coordinates_are_refused(http: Http, campaign: str) -> None:
    body = label(**SEGMENTATION, features=None, crs="pixel")
    text = str(body).replace("'", '"').replace("None", "null")
    text = text.replace('"features": null', '"features": ' + str(INFINITE).replace("'", '"').replace("inf", "1e999"))
    response = http.post(
        f"/campaigns/{campaign}/labels", content=text.encode(), headers={"content-type": "application/json"}
    )
    assert response.status_code == 400


def test_polygon_in_another_crs_is_moved_to_its_place(http: Http, campaign: str) -> None:
    ring = polygon((500_000, 4_599_500), (500_320, 4_599_500), (500_320, 4_599_900), (500_000, 4_599_500))
    response = http.post(f"/campaigns/{campaign}/labels", json=label(**SEGMENTATION, features=ring, crs="EPSG:32631"))
    assert response.status_code == 201, response.text
    stored = http.get(f"/campaigns/{campaign}/labels").json()["labels"][0]
    assert stored["crs"] == "EPSG:4326"
    longitude, latitude = stored["features"]["features"][0]["geometry"]["coordinates"][0][0]
    assert (round(longitude), round(latitude)) == (3, 42)


@pytest.mark.parametrize(
    "empty",
    [
        {"classes": []},
        {"classes": None, "features": {"type": "FeatureCollection", "features": []}, "task": "segmentation"},
    ],
)
def test_empty_label_is_an_answer(http: Http, campaign: str, empty: dict[str, Any]) -> None:
    tasks = [
        {"task": "classification", "classes": ["dark", "bright"], "multi_label": True},
        {"task": "segmentation", "classes": ["field"]},
    ]
    root = http.get(f"/campaigns/{campaign}").json()["root"]
    create(http, Path(root), name="multi", tasks=tasks)
    register(http, "multi")
    assert http.post("/campaigns/multi/labels", json=label(**empty)).status_code == 201
    assert len(http.get("/campaigns/multi/labels").json()["labels"]) == 1


def test_label_for_a_sample_leased_to_someone_else_is_refused_but_can_be_forced(http: Http, campaign: str) -> None:
    query = http.post(f"/campaigns/{campaign}/queries", json={"annotator": "anna", "query_size": 1}).json()
    leased = query["samples"][0]["sample_id"]
    body = {"sample_id": leased, "task": "classification", "annotator": "bob", "classes": ["dark"]}
    problem = refused(http.post(f"/campaigns/{campaign}/labels", json=body), 409, "anna", "override_lease")
    assert problem["sample_id"] == leased
    assert http.post(f"/campaigns/{campaign}/labels", json=body | {"override_lease": True}).status_code == 201


def test_exhausted_pool_is_200_with_a_reason(http: Http, campaign: str) -> None:
    label_all(http)
    response = http.post(f"/campaigns/{campaign}/queries", json={"annotator": "a", "query_size": 5})
    assert response.status_code == 200
    assert response.json()["samples"] == []
    assert "labelled" in response.json()["reason"]


def test_round_with_too_few_labels_says_how_many_are_missing(http: Http, campaign: str) -> None:
    problem = refused(http.post(f"/campaigns/{campaign}/rounds", json={}), 409, "label")
    assert problem["missing"] == 8


def test_round_with_one_class_only_is_refused(http: Http, campaign: str) -> None:
    samples = http.get(f"/campaigns/{campaign}/samples").json()["samples"]
    labels = [label(path=sample["path"]) for sample in samples]
    assert http.post(f"/campaigns/{campaign}/labels", json=labels).status_code == 201
    refused(http.post(f"/campaigns/{campaign}/rounds", json={}), 409, "only 'dark'")


def test_prediction_without_a_model_says_what_to_label(http: Http, campaign: str, root: Path) -> None:
    files = {"image": (root / "scene_000.tif").read_bytes()}
    response = http.post(f"/campaigns/{campaign}/predictions/classification", files=files)
    assert response.status_code == 409
    assert response.text == "No trained model for this campaign yet: label 8 more images."


def test_prediction_problem_is_json_on_request(http: Http, campaign: str, root: Path) -> None:
    files = {"image": (root / "scene_000.tif").read_bytes()}
    headers = {"accept": "application/problem+json"}
    refused(http.post(f"/campaigns/{campaign}/predictions/classification", files=files, headers=headers), 409)


@pytest.mark.parametrize(("task", "status"), [("detection", 501), ("painting", 404)])
def test_unbuilt_prediction_task_is_501(http: Http, campaign: str, task: str, status: int) -> None:
    response = http.post(f"/campaigns/{campaign}/predictions/{task}", files={"image": b"x"})
    assert response.status_code == status
    assert task in response.text


def test_prediction_without_a_file_says_so(http: Http, campaign: str) -> None:
    url = f"/campaigns/{campaign}/predictions/classification"
    for response in (http.post(url), http.post(url, json={}), http.post(url, files={"picture": b"x"})):
        assert response.status_code == 400
        assert "`image`" in response.text


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({}, 400, "url"),
        ({"url": "localhost:8000", "campaign": "a"}, 400, "url"),
        ({"url": "http://127.0.0.1:1", "campaign": "a"}, 502, "is it running"),
        ({"url": "http://127.0.0.1:1", "campaign": "a", "database": "/nowhere/scaneo.db"}, 400, "scaneo.db"),
    ],
)
def test_link_to_no_scaneo_is_refused(
    http: Http, campaign: str, body: dict[str, Any], status: int, sentence: str
) -> None:
    refused(http.put(f"/campaigns/{campaign}/scaneo", json=body), status, sentence)


def test_campaign_without_a_link_says_how_to_make_one(http: Http, campaign: str) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/batches"), ("POST", "/refresh")):
        refused(http.request(method, f"/campaigns/{campaign}/scaneo{path}"), 404, "scaneo connect")


@pytest.mark.parametrize("cursor", ["nonsense", "AAAA", "%F0%9F%9A%80"])
def test_bad_cursor_is_refused(http: Http, campaign: str, cursor: str) -> None:
    refused(http.get(f"/campaigns/{campaign}/samples?cursor={cursor}"), 400, "cursor")


@pytest.mark.parametrize("query", ["state=lost", "limit=0", "limit=1000000"])
def test_bad_page_is_refused(http: Http, campaign: str, query: str) -> None:
    refused(http.get(f"/campaigns/{campaign}/samples?{query}"), 400, query.split("=")[0])


def test_as_of_without_a_time_zone_is_refused(http: Http, campaign: str) -> None:
    refused(http.get(f"/campaigns/{campaign}/labels?as_of=2026-01-01T00:00:00"), 400, "time zone")


@pytest.mark.parametrize("path", ["rounds/99", "rounds/99/events", "models/v99", "samples/99999/thumbnail.png"])
def test_unknown_part_of_a_campaign_is_404(http: Http, campaign: str, path: str) -> None:
    refused(http.get(f"/campaigns/{campaign}/{path}"), 404)


def test_file_that_vanished_is_named(http: Http, campaign: str, root: Path) -> None:
    sample = http.get(f"/campaigns/{campaign}/samples").json()["samples"][0]
    (root / sample["path"]).unlink()
    refused(http.get(f"/campaigns/{campaign}/samples/{sample['sample_id']}/thumbnail.png"), 415, sample["path"])


def test_upload_over_the_limit_is_413(imagery: Path, root: Path, tmp_path: Path) -> None:
    small = Settings(data=tmp_path / "other", imagery=str(imagery), max_upload_mb=1)
    with TestClient(create_app(small), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        create(client, root)
        response = client.post("/campaigns/demo/predictions/classification", files={"image": bytes(2_000_000)})
        assert response.status_code == 413
