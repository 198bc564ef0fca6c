"""The client against the real SCANEO: each write looks first, nothing locks, nothing of others is lost."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from al_loop.errors import NotFoundError, ScaneoAnswerError, ScaneoLockedError, ScaneoUnreachableError
from service.scaneo.transport import Transport
from tests.data.make_scene import make_scene
from tests.service.scaneo.fixtures import AnnotatingClient, RunningScaneo
from tests.waiting import PATIENCE_S

WATER_URBAN = [("water", "#0048f0"), ("urban", "#fd0d0d")]


@pytest.fixture
def client(scaneo: RunningScaneo) -> Iterator[AnnotatingClient]:
    with AnnotatingClient(Transport(scaneo.url, answer_s=10)) as client:
        yield client


@pytest.fixture
def own_client(own_scaneo: RunningScaneo) -> Iterator[AnnotatingClient]:
    with AnnotatingClient(Transport(own_scaneo.url, answer_s=10)) as client:
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three scenes side by side."""
    for number in range(3):
        make_scene(tmp_path / "camp" / f"{number}.tif", origin=(500_000.0 + 2000 * number, 4_600_000.0))
    return tmp_path / "camp"


def test_campaign_is_made_found_and_deleted(client: AnnotatingClient, folder: Path) -> None:
    frames: list[dict[str, object]] = []
    made = client.create_campaign("demo", str(folder), WATER_URBAN, on_frame=frames.append)
    assert client.campaign(made.id) == made
    assert (made.path, made.image_count) == (str(folder), 3)
    assert {image.path for image in client.images(made.id)} == {"0.tif", "1.tif", "2.tif"}
    assert {(label.name, label.color) for label in client.labels(made.id)} == set(WATER_URBAN)
    assert frames
    client.delete_campaign(made.id)
    with pytest.raises(NotFoundError):
        client.campaign(made.id)


def test_taken_name_is_refused_before_it_can_lock_anything(client: AnnotatingClient, folder: Path) -> None:
    made = client.create_campaign("demo", str(folder), WATER_URBAN)
    with pytest.raises(ScaneoAnswerError, match="already"):
        client.create_campaign("demo", str(folder), WATER_URBAN)
    assert client.ensure_label(made.id, "forest", "#00ff00").name == "forest"


def test_failed_creation_leaves_nothing_behind(client: AnnotatingClient, folder: Path) -> None:
    make_scene(folder / "no-crs.tif", crs=None)
    with pytest.raises(ScaneoAnswerError, match="CRS"):
        client.create_campaign("demo", str(folder), WATER_URBAN)
    assert client.campaigns() == []
    (folder / "no-crs.tif").unlink()
    assert client.create_campaign("demo", str(folder), WATER_URBAN).image_count == 3


def test_model_is_registered_once_and_replaced_when_its_url_changes(client: AnnotatingClient) -> None:
    first = client.ensure_model("al-loop demo", "http://127.0.0.1:1/a", "classification", "ours")
    assert client.ensure_model("al-loop demo", "http://127.0.0.1:1/a", "classification", "ours") == first
    second = client.ensure_model("al-loop demo", "http://127.0.0.1:1/b", "classification", "ours")
    assert second.id != first.id
    assert [model.url for model in client.models()] == ["http://127.0.0.1:1/b"]
    client.delete_model(second.id)
    client.delete_model(second.id)
    assert client.models() == []


def test_many_that_register_at_once_make_one_model(client: AnnotatingClient) -> None:
    made = []

    def register() -> None:
        made.append(client.ensure_model("al-loop demo", "http://127.0.0.1:1/a", "segmentation", "ours").id)

    threads = [threading.Thread(target=register) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 6
    assert len(set(made)) == 1


def test_mappings_of_other_models_survive_ours(client: AnnotatingClient, folder: Path) -> None:
    made = client.create_campaign("demo", str(folder), WATER_URBAN)
    theirs = client.ensure_model("theirs", "http://127.0.0.1:1/t", "classification", "").id
    ours = client.ensure_model("ours", "http://127.0.0.1:1/o", "segmentation", "").id
    assert client.ensure_mappings(made.id, {theirs: {"water": 1, "urban": 0}})
    assert client.ensure_mappings(made.id, {ours: {"water": 1, "urban": 2}})
    assert not client.ensure_mappings(made.id, {ours: {"water": 1, "urban": 2}})
    assert indices(client, made.id) == {
        (theirs, "water"): 1, (theirs, "urban"): 0, (ours, "water"): 1, (ours, "urban"): 2,
    }  # fmt: skip


def test_mapping_to_a_deleted_label_is_removed(client: AnnotatingClient, folder: Path, scaneo: RunningScaneo) -> None:
    made = client.create_campaign("demo", str(folder), WATER_URBAN)
    ours = client.ensure_model("ours", "http://127.0.0.1:1/o", "segmentation", "").id
    client.ensure_mappings(made.id, {ours: {"water": 1, "urban": 2}})
    water = next(label for label in client.labels(made.id) if label.name == "water")
    httpx.delete(f"{scaneo.url}/labels/{water.id}", timeout=PATIENCE_S)  # answers 500 and deletes it
    assert client.ensure_mappings(made.id, {ours: {"urban": 1}})
    assert indices(client, made.id) == {(ours, "urban"): 1}
    assert len(client.mappings(made.id)) == 1


def test_annotations_are_written_read_and_deleted(client: AnnotatingClient, folder: Path) -> None:
    made = client.create_campaign("demo", str(folder), WATER_URBAN)
    image = client.images(made.id)[0]
    west, south, east, north = image.bbox
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    mask = {"type": "Feature", "properties": {}, "geometry": {"type": "MultiPolygon", "coordinates": [[ring]]}}
    client.add_class(image.id, "water")
    client.add_box(image.id, "urban", [(south, east), (north, west)])
    client.add_mask(image.id, "water", mask)
    found = {annotation.type: annotation for annotation in client.annotations(image.id)}
    assert set(found) == {"classification", "detection", "segmentation"}
    assert not found["segmentation"].is_untouched_mask
    for annotation in found.values():
        client.delete_annotation(annotation.id)
    assert client.annotations(image.id) == []


def test_error_inside_a_200_is_an_error(client: AnnotatingClient) -> None:
    with pytest.raises(ScaneoAnswerError, match=r"(?i)not found"):
        client.transport.send("PUT", "/annotations/detection/nobody", dict, {"bb": [[0, 0], [1, 1]]})


def test_web_page_is_no_answer(client: AnnotatingClient) -> None:
    with pytest.raises(ScaneoAnswerError, match="no such route"):
        client.transport.read("/_nobody", list)


def test_locked_database_is_freed(own_scaneo: RunningScaneo, own_client: AnnotatingClient) -> None:
    own_client.ensure_model("ours", "http://127.0.0.1:1/a", "classification", "")
    body = {"name": "ours", "description": "", "url": "http://127.0.0.1:1/a", "task": "classification"}
    assert httpx.post(f"{own_scaneo.url}/_models", json=body, timeout=PATIENCE_S).status_code == 500  # what we never do
    with pytest.raises(ScaneoLockedError):
        own_client.transport.send("POST", "/_models", dict, body | {"name": "other"})
    assert own_client.ensure_model("third", "http://127.0.0.1:1/c", "classification", "").name == "third"


def test_scaneo_that_is_down_or_hangs_is_named(own_scaneo: RunningScaneo, own_client: AnnotatingClient) -> None:
    scaneo, client = own_scaneo, own_client
    impatient = AnnotatingClient(Transport(scaneo.url, answer_s=0.3))
    scaneo.pause()
    with impatient, pytest.raises(ScaneoUnreachableError, match=scaneo.url):
        impatient.campaigns()
    scaneo.go_on()
    assert client.campaigns() == []
    scaneo.stop()
    with pytest.raises(ScaneoUnreachableError, match="is it running"):
        client.campaigns()
    scaneo.start()
    assert client.campaigns() == []


def test_export_is_written_where_asked(client: AnnotatingClient, folder: Path, tmp_path: Path) -> None:
    made = client.create_campaign("demo", str(folder), WATER_URBAN)
    client.add_class(client.images(made.id)[0].id, "water")
    out = tmp_path / "out"
    out.mkdir()
    client.export(made.id, str(out))
    assert len(list(out.glob("*.geojson"))) == 1
    shutil.rmtree(out)


def indices(client: AnnotatingClient, campaign_id: str) -> dict[tuple[str, str], int]:
    names = {label.id: label.name for label in client.labels(campaign_id)}
    return {(entry.model_id, names[entry.label_id]): entry.output_index for entry in client.mappings(campaign_id)}
