"""Suggestions over HTTP: shown, withheld, accepted, corrected, ignored; and what is said of them."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.features
from shapely.geometry import shape

from al_loop.domain.geojson import coded_polygons
from al_loop.domain.scaneo_links import Link, LinkOptions
from al_loop.loop import Loop
from models.card import TaskName
from models.rasters.masks import polygons_to_codes
from service.app import create_app
from service.cli import main
from service.settings import Settings
from tests.e2e.campaigns import AIDED, Http, encoded, predict, register, running_server, serve_tiny, write_pool
from tests.waiting import PATIENCE_S, wait_for

CLASSES = ["one", "two", "three"]
GROWN = [*CLASSES, "later"]


@pytest.fixture
def served(start_service: Callable[[], Http], settings: Settings, imagery: Path) -> Http:
    """A campaign of 12 scenes; its model does not know the class that came later."""
    write_pool(imagery, 12)
    unreserved = AIDED | {"reserve": {"share": 0.0, "minimum": 0}}
    http = serve_tiny(start_service, settings, imagery, classes=GROWN, known=CLASSES, settings=unreserved)
    register(http)
    return http


def post(http: Http, sample_id: int, verb: str, annotator: str = "ann", **body: Any) -> Any:
    return http.post(f"/campaigns/demo/samples/{sample_id}/{verb}", json={"annotator": annotator} | body)


def label(http: Http, sample_id: int, classes: list[str], annotator: str = "ann") -> None:
    body = {"sample_id": sample_id, "task": "classification", "annotator": annotator, "classes": classes}
    assert http.post("/campaigns/demo/labels", json=body).status_code == 201


def report(http: Http, answered: int) -> dict[str, Any]:
    """The report, once it tells of so many labels."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found: dict[str, Any] = http.get("/campaigns/demo/assists").json()
        kinds = ("accepted", "edited", "rejected", "blind")
        if sum(entry[kind] for entry in found["answered"] for kind in kinds) >= answered:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def workbench_of(http: Http) -> Loop:
    loop: Loop = http.app.state.loop
    return loop


def set_blind_share(http: Http, share: float) -> None:
    settings = http.get("/campaigns/demo").json()["settings"]
    settings["assist"]["blind_share"] = share
    assert http.put("/campaigns/demo/settings", json=settings).status_code == 200


def test_answers_follow_the_campaigns_classes(served: Http, imagery: Path) -> None:
    image = encoded(imagery / "scene_000.tif")
    probabilities = predict(served, "classification", image).json()
    assert len(probabilities) == 4
    assert probabilities[3] == 0.0
    assert sum(probabilities) == pytest.approx(1, abs=1e-5)
    with rasterio.MemoryFile(predict(served, "segmentation", image).content) as memory, memory.open() as mask:
        assert set(np.unique(mask.read(1))) <= {0, 1, 2, 3}


def test_mask_has_no_specks(served: Http, imagery: Path) -> None:
    with rasterio.MemoryFile(predict(served, "segmentation", encoded(imagery / "scene_000.tif")).content) as memory:
        codes = memory.open().read(1)
    with rasterio.open(imagery / "scene_000.tif") as image:
        noisy = image.read().argmax(axis=0)
    areas = [shape(geometry).area for geometry, _ in rasterio.features.shapes(codes, connectivity=4)]
    assert min(areas) >= 8
    assert len(areas) < len(list(rasterio.features.shapes(noisy.astype(np.uint8), connectivity=4))) / 10


def test_mask_comes_with_shares_and_where_asked_for_with_its_regions(served: Http) -> None:
    url = "/campaigns/demo/samples/1/suggest"
    plain, drawn = (
        served.post(url, json={"annotator": "ann"}, params=parameters).json() for parameters in ({}, {"regions": True})
    )
    (mask,) = (entry for entry in drawn if entry["task"] == "segmentation")
    assert all(entry["regions"] is None for entry in plain)
    assert sum(mask["shares"].values()) == pytest.approx(sum(mask["pixels"].values()) / 64**2)
    areas = dict.fromkeys(mask["pixels"], 0)
    for region in mask["regions"]["features"]:
        assert region["geometry"]["type"] == "Polygon"
        areas[region["properties"]["label"]] += region["properties"]["area_px"]
    assert areas == mask["pixels"]


def test_suggestion_is_accepted_as_it_was_shown(served: Http) -> None:
    lease = served.post("/campaigns/demo/queries", json={"annotator": "ann", "query_size": 1}).json()
    sample_id = lease["samples"][0]["sample_id"]
    assert post(served, sample_id, "accept").status_code == 404
    suggested = post(served, sample_id, "suggest")
    assert suggested.status_code == 200, suggested.text
    by_task = {entry["task"]: entry for entry in suggested.json()}
    assert set(by_task["classification"]["probabilities"]) == set(GROWN)
    assert sum(by_task["segmentation"]["pixels"].values()) <= 64 * 64
    stale = post(served, sample_id, "accept", prediction_ids=[0])
    assert stale.status_code == 409
    accepted = post(served, sample_id, "accept", prediction_ids=[entry["prediction_id"] for entry in by_task.values()])
    assert accepted.status_code == 201, accepted.text
    assert len(accepted.json()["label_ids"]) == 2

    store = workbench_of(served).store
    campaign = store.campaigns.get("demo")
    drawn = next(entry for entry in store.labels.current(campaign.campaign_id) if entry.features is not None)
    header = store.samples.headers(campaign.campaign_id, [sample_id])[sample_id]
    shown = store.predictions.newest(campaign.campaign_id, sample_id, "segmentation")
    assert shown is not None
    assert shown.mask is not None
    assert drawn.features is not None
    polygons = coded_polygons(drawn.features, drawn.crs or "", header, GROWN)
    assert (polygons_to_codes(polygons, header.height, header.width) == shown.mask).all()
    assert store.queries.leases(campaign.campaign_id, workbench_of(served).clock()) == []

    found = report(served, 2)["answered"]
    assert {(entry["task"], entry["accepted"], entry["agreement_shown"]) for entry in found} == {
        ("classification", 1, 1.0),
        ("segmentation", 1, 1.0),
    }


def test_one_task_may_be_accepted_and_an_unknown_one_may_not(served: Http) -> None:
    assert post(served, 1, "suggest").status_code == 200
    assert len(post(served, 1, "accept", task="classification").json()["label_ids"]) == 1
    wrong = post(served, 1, "accept", task="counting")
    assert wrong.status_code == 400
    assert wrong.json()["path"] == "$.task"
    assert post(served, 999, "suggest").status_code == 404
    assert post(served, 999, "accept").status_code == 404


def test_report_tells_kept_corrected_and_ignored_suggestions(
    served: Http, start_service: Callable[[], Http], imagery: Path
) -> None:
    samples = served.get("/campaigns/demo/samples").json()["samples"][:5]
    proposed = {}
    for sample in samples:
        answer = predict(served, "classification", encoded(imagery / sample["path"])).json()
        proposed[sample["sample_id"]] = GROWN[int(np.argmax(answer))]
    wait_for_hashes(served, len(samples))
    first, second, third, *_ = proposed
    label(served, first, [proposed[first]])
    label(served, second, ["later"])
    label(served, third, [proposed[third]], "bob")
    found = report(served, 3)
    by_annotator = {entry["annotator"]: entry for entry in found["answered"]}
    assert (by_annotator["ann"]["accepted"], by_annotator["ann"]["rejected"]) == (1, 1)
    assert by_annotator["ann"]["agreement_shown"] == 0.5
    assert by_annotator["bob"]["accepted"] == 1
    assert all(entry["anchoring"] is None for entry in found["answered"])
    assert found["unanswered"] == [{"version": "v1", "task": "classification", "suggested": 5, "unanswered": 2}]

    label(served, first, ["later"])  # a second thought, without a new suggestion
    served.__exit__(None, None, None)
    again = start_service()
    time.sleep(3)
    assert again.get("/campaigns/demo/assists").json() == found


def wait_for_hashes(http: Http, count: int) -> None:
    """Until pool scoring has seen the pixels of every sample."""
    store = workbench_of(http).store
    campaign_id = store.campaigns.get("demo").campaign_id
    newest = partial(store.predictions.newest, campaign_id, task="classification")
    wait_for(lambda: all(newest(sample_id) is not None for sample_id in range(1, count + 1)))


def link_to_scaneo(http: Http) -> None:
    """As if the campaign had been linked: predictions are shown to annotators there."""
    store = workbench_of(http).store
    link = Link(
        campaign_id=store.campaigns.get("demo").campaign_id, url="http://localhost:1", scaneo_campaign="main",
        scaneo_name="Main", options=LinkOptions(service_url="http://localhost:8090"), models={}, prefix="",
        zone_offset_s=0, linked_at=workbench_of(http).clock(), signal=None, swept_at=None,
    )  # fmt: skip
    store.scaneo.save(link, [])


def wait_for_pixels(http: Http, count: int) -> None:
    """Until pool scoring has read the pixels of every sample."""
    store = workbench_of(http).store
    campaign_id = store.campaigns.get("demo").campaign_id
    wait_for(
        lambda: all(store.samples.pixel_hash(campaign_id, sample_id) is not None for sample_id in range(1, count + 1))
    )


def test_withheld_images_stay_withheld_and_say_nothing(served: Http, imagery: Path) -> None:
    set_blind_share(served, 0.5)
    wait_for_pixels(served, 12)
    link_to_scaneo(served)
    images = {path.name: encoded(path) for path in sorted(imagery.glob("*.tif"))}
    status = {name: predict(served, "classification", image).status_code for name, image in images.items()}
    assert set(status.values()) == {200, 409}
    assert status == {name: predict(served, "segmentation", image).status_code for name, image in images.items()}
    withheld = next(name for name, code in status.items() if code == 409)
    for accept in ("*/*", "application/json"):
        answer = predict(served, "classification", images[withheld], Accept=accept)
        assert "No suggestion for this image on purpose" in answer.text
        assert not any(name in answer.text for name in GROWN)
    samples = served.get("/campaigns/demo/samples").json()["samples"]
    sample_id = next(sample["sample_id"] for sample in samples if sample["path"] == withheld)
    assert post(served, sample_id, "suggest").status_code == 409
    assert post(served, sample_id, "accept").status_code == 409
    label(served, sample_id, ["later"])
    found = report(served, 1)
    assert found["answered"][0]["blind"] == 1
    assert found["answered"][0]["agreement_blind"] == 0.0
    shown = sum(code == 200 for code in status.values())
    assert {(entry["task"], entry["suggested"]) for entry in found["unanswered"]} == {
        ("classification", shown),
        ("segmentation", shown),
    }
    set_blind_share(served, 0.0)
    assert predict(served, "classification", images[withheld]).status_code == 200


def test_settings_of_the_reserve_cannot_change_once_it_is_drawn(served: Http) -> None:
    settings = served.get("/campaigns/demo").json()["settings"]
    assert served.put("/campaigns/demo/settings", json=settings | {"lease_s": 99}).json()["lease_s"] == 99
    assert served.post("/campaigns/demo/queries", json={"annotator": "ann", "query_size": 1}).status_code == 201
    refused = served.put("/campaigns/demo/settings", json=settings | {"reserve": {"share": 0.1}})
    assert refused.status_code == 400
    assert refused.json()["path"] == "$.reserve"
    assert served.put("/campaigns/demo/settings", json=settings | {"lease_s": 120}).status_code == 200
    unknown = served.put("/campaigns/demo/settings", json=settings | {"lease": 1})
    assert unknown.status_code == 400
    assert served.get("/campaigns/demo").json()["settings"]["lease_s"] == 120


def test_task_that_the_model_was_not_trained_for_is_409(
    start_service: Callable[[], Http], settings: Settings, imagery: Path
) -> None:
    write_pool(imagery, 2)
    trained: tuple[TaskName, ...] = ("classification",)
    http = serve_tiny(start_service, settings, imagery, classes=CLASSES, known=CLASSES, trained=trained)
    register(http)
    answer = predict(http, "segmentation", encoded(imagery / "scene_000.tif"))
    assert answer.status_code == 409
    assert "not trained for segmentation" in answer.text
    assert [entry["task"] for entry in post(http, 1, "suggest").json()] == ["classification"]


def test_command_prints_the_report(
    start_service: Callable[[], Http], served: Http, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert post(served, 1, "suggest").status_code == 200
    assert post(served, 1, "accept").status_code == 201
    report(served, 2)
    served.__exit__(None, None, None)
    with running_server(create_app(settings)) as url:
        assert main(["assists", "demo", "--service", url]) == 0
    printed = capsys.readouterr().out
    assert "accepted" in printed
    assert "not answered" in printed
