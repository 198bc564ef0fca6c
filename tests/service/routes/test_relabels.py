"""The re-label queue over HTTP: doubts about classes and masks, who is asked, what settles them, who learns what."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from al_loop.client.http import Client
from al_loop.domain.queries import WHY
from al_loop.loop import Loop
from service.app import create_app
from service.settings import Settings
from tests.e2e.campaigns import CLASSES, Http, create, field_of, label_all, register, serve_tiny, truth, write_pool
from tests.waiting import wait_for

PLAIN = {"reserve": {"share": 0.0, "minimum": 0}, "lease_s": 600}
WRONG = 7


@pytest.fixture
def served(start_service: Callable[[], Http], settings: Settings, imagery: Path) -> Http:
    """Forty scenes, embedded as the means of their bands, all labelled right by anna but for one."""
    http = serve(start_service, settings, imagery, settings=PLAIN)
    label_all(http, annotator="anna")
    answer(http, WRONG, right_and_wrong()[1], "anna")
    return http


@pytest.fixture
def labelled(served: Http) -> Client:
    """A client of that service."""
    return Client("http://testserver", http=served)


def serve(start_service: Callable[[], Http], service: Settings, imagery: Path, **changes: Any) -> Http:
    """A campaign of 40 scenes that the tiny model has scored."""
    write_pool(imagery, 40)
    tasks = [{"task": "classification", "classes": CLASSES}]
    http = serve_tiny(
        start_service, service, imagery, classes=CLASSES, known=CLASSES, trained=("classification",), tasks=tasks,
        **changes,
    )  # fmt: skip
    register(http)
    loop: Loop = http.app.state.loop
    campaign_id = loop.store.campaigns.get("demo").campaign_id
    wait_for(lambda: not loop.store.scores.unscored(campaign_id, "v1"))
    return http


def answer(http: Http, sample_id: int, name: str, annotator: str) -> int:
    body = {"sample_id": sample_id, "task": "classification", "annotator": annotator, "classes": [name]}
    response = http.post("/campaigns/demo/labels", json=body)
    assert response.status_code == 201, response.text
    number: int = response.json()["label_ids"][0]
    return number


def right_and_wrong() -> tuple[str, str]:
    right = truth(f"scene_{WRONG - 1:03d}.tif")
    return right, "dark" if right == "bright" else "bright"


def test_wrong_label_is_found_asked_of_somebody_else_and_corrected(served: Http, labelled: Client) -> None:
    right, wrong = right_and_wrong()
    (doubt,) = labelled.relabels("demo").relabels
    assert (doubt.sample_id, doubt.given, doubt.suggested) == (WRONG, [wrong], [right])
    assert (doubt.annotator, doubt.task, doubt.regions, doubt.reserve) == ("anna", "classification", None, False)
    assert 0.3 < doubt.suspicion <= 1

    assert labelled.query("demo", "bert", 5).samples == []  # a second look is no new sample
    opened = labelled.query_relabels("demo", "bert", 5)
    assert [(sample.sample_id, sample.reason) for sample in opened.samples] == [(WRONG, WHY)]
    assert (opened.strategy, opened.version) == ("relabel", "v1")
    (held,) = labelled.leases("demo", "bert")
    assert (held.state, held.answers) == ("open", [])
    again = labelled.query_relabels("demo", "cleo", 5)
    assert again.samples == []
    assert again.reason is not None
    assert "are being checked already" in again.reason

    answer(served, WRONG, right, "bert")
    (agreement,) = labelled.agreement("demo").tasks
    assert agreement.pairs == []  # samples of second looks were chosen because something is wrong with them
    assert labelled.relabels("demo").relabels == []
    assert labelled.leases("demo", "bert") == []


def test_same_answer_again_settles_the_doubt(served: Http, labelled: Client) -> None:
    _, wrong = right_and_wrong()
    assert labelled.query_relabels("demo", "bert", 5).samples
    answer(served, WRONG, wrong, "bert")
    assert labelled.relabels("demo").relabels == []
    nothing = labelled.query_relabels("demo", "cleo", 5)
    assert (nothing.samples, nothing.query_id) == ([], None)
    assert nothing.reason == "no label is confidently contradicted by v1"


def test_own_label_is_asked_again_only_where_nobody_else_works(served: Http, labelled: Client) -> None:
    alone = labelled.query_relabels("demo", "anna", 5)
    assert [sample.sample_id for sample in alone.samples] == [WRONG]
    assert [lease.state for lease in labelled.leases("demo", "anna")] == ["open"]
    labelled.release("demo", "anna")
    assert labelled.query_relabels("demo", "bert", 5).samples
    labelled.release("demo", "bert")
    refused = labelled.query_relabels("demo", "anna", 5)
    assert refused.samples == []
    assert refused.reason is not None
    assert "wait for others" in refused.reason


def test_who_skipped_a_doubt_is_not_asked_again(labelled: Client) -> None:
    labelled.skip("demo", "bert", [WRONG])
    assert labelled.query_relabels("demo", "bert", 5).samples == []
    assert labelled.query_relabels("demo", "cleo", 5).samples


def test_golden_samples_are_not_in_doubt(served: Http, labelled: Client) -> None:
    settings = served.get("/campaigns/demo").json()["settings"]
    settings["query"]["golden"] = [f"scene_{WRONG - 1:03d}.tif"]
    assert served.put("/campaigns/demo/settings", json=settings).status_code == 200
    assert labelled.relabels("demo").relabels == []


def test_masks_are_doubted_by_region(start_service: Callable[[], Http], settings: Settings, imagery: Path) -> None:
    """The tiny model calls each pixel by its brightest band: band 2 on the right half, where the field is."""
    write_pool(imagery, 6)
    http = serve_tiny(
        start_service, settings, imagery, classes=["one", "field", "three"], known=["one", "field", "three"],
        trained=("segmentation",), tasks=[{"task": "segmentation", "classes": ["one", "field", "three"]}],
        settings=PLAIN | {"unlabelled": "ignore"},
    )  # fmt: skip
    register(http)
    for number in range(1, 7):
        features = field_of()
        if number == 4:
            features["features"].append(
                {
                    "type": "Feature",
                    "properties": {"label": "three"},
                    "geometry": {"type": "Polygon", "coordinates": [[[40, 8], [60, 8], [60, 30], [40, 30], [40, 8]]]},
                }
            )
        body = {"sample_id": number, "task": "segmentation", "annotator": "anna", "features": features, "crs": "pixel"}
        assert http.post("/campaigns/demo/labels", json=body).status_code == 201
    client = Client("http://testserver", http=http)
    found = client.relabels("demo", task="segmentation")
    assert (found.version, found.waiting) == ("v1", 0)
    (doubt,) = found.relabels
    assert (doubt.sample_id, doubt.given, doubt.suggested) == (4, ["three"], ["field"])
    assert doubt.regions is not None
    region = doubt.regions[0]
    window = region.window
    assert (window.column, window.row, window.width, window.height) == (40, 8, 20, 22)
    assert region.area_px == 20 * 22
    assert region.geometry is not None
    assert region.geometry["type"] in ("Polygon", "MultiPolygon")

    assert [sample.sample_id for sample in client.query_relabels("demo", "bert", 5).samples] == [4]
    body = {"sample_id": 4, "task": "segmentation", "annotator": "bert", "features": features, "crs": "pixel"}
    assert http.post("/campaigns/demo/labels", json=body).status_code == 201
    assert client.relabels("demo").relabels == []


def test_only_operators_learn_what_is_doubted_and_which_doubts_are_test_samples(
    start_service: Callable[[], Http], settings: Settings, imagery: Path
) -> None:
    open_to_all = serve(start_service, settings, imagery)
    open_to_all.post("/campaigns/demo/queries", json={"annotator": "anna", "query_size": 1})  # draws the reserve
    label_all(open_to_all, annotator="anna")
    chosen = open_to_all.get("/campaigns/demo/samples", params={"state": "reserve"}).json()["samples"][0]
    wrong = "dark" if truth(chosen["path"]) == "bright" else "bright"
    answer(open_to_all, chosen["sample_id"], wrong, "anna")
    open_to_all.__exit__(None, None, None)
    guarded = Settings(data=settings.data, imagery=str(imagery), tokens="annotate=annotate-secret,ops=ops-secret")
    with TestClient(create_app(guarded), base_url="http://127.0.0.1", raise_server_exceptions=False) as http:
        shown = {}
        for role in ("ops", "annotate"):
            http.headers["authorization"] = f"Bearer {role}-secret"
            (doubt,) = http.get("/campaigns/demo/relabels").json()["relabels"]
            assert doubt["sample_id"] == chosen["sample_id"]
            assert doubt["labelled_at"]
            shown[role] = [doubt[name] for name in ("given", "suggested", "annotator", "reserve")]
        right = truth(chosen["path"])
        assert shown == {"ops": [[wrong], [right], "anna", True], "annotate": [None, None, None, None]}
        opened = http.post("/campaigns/demo/relabels/queries", json={"annotator": "bert", "query_size": 5})
        assert opened.status_code == 201
        assert [sample["reason"] for sample in opened.json()["samples"]] == [WHY]


@pytest.fixture(scope="module")
def still_demo(still_http: Http, still_imagery: Path) -> Http:
    create(still_http, still_imagery)
    return still_http


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "word"),
    [
        ("GET", "nobody/relabels", None, 404, "no campaign 'nobody'"),
        ("GET", "demo/relabels?task=painting", None, 400, "task"),
        ("GET", "demo/relabels?task=segmentation", None, 404, "segmentation"),
        ("GET", "demo/relabels?limit=0", None, 400, "limit"),
        ("POST", "demo/relabels/queries", {"annotator": "a", "query_size": 0}, 400, "$.query_size"),
        ("POST", "demo/relabels/queries", {"annotator": "x" * 10_000, "query_size": 1}, 400, "annotator"),
        ("POST", "demo/relabels/queries", {"annotator": "a", "query_size": 1, "shared": True}, 400, "shared"),
        ("POST", "demo/relabels/queries", {}, 400, "annotator"),
    ],
)
def test_bad_request_names_the_field(
    still_demo: Http, method: str, path: str, body: Any, status: int, word: str
) -> None:
    response = still_demo.request(method, f"/campaigns/{path}", json=body)
    assert (response.status_code, word in response.text) == (status, True), response.text


def test_nothing_is_in_doubt_without_labels(http: Http, imagery: Path) -> None:
    create(http, imagery)
    assert http.get("/campaigns/demo/relabels").json() == {"relabels": [], "version": "features", "waiting": 0}
    empty = http.post("/campaigns/demo/relabels/queries", json={"annotator": "a", "query_size": 3})
    assert (empty.status_code, empty.json()["samples"]) == (200, [])
