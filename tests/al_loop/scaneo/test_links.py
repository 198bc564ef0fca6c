"""A link to the real SCANEO, both ways: what is written there, and how annotations become labels."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.features import rasterize
from rasterio.warp import transform_geom

from tests.al_loop.scaneo.fixtures import CLASSES, LABELS, Team
from tests.data.make_scene import make_scene
from tests.e2e.campaigns import encoded


def written(team: Team) -> dict[str, Any]:
    """All that SCANEO holds, but for annotations."""
    campaigns = team.client.campaigns()
    return {
        "campaigns": [(entry.id, entry.name, entry.updated_at) for entry in campaigns],
        "models": team.client.models(),
        "mappings": [team.client.mappings(entry.id) for entry in campaigns],
        "labels": [team.client.labels(entry.id) for entry in campaigns],
    }


def test_connecting_makes_our_campaign_and_registers_a_model_a_task(team: Team) -> None:
    team.make_campaign()
    status = team.connect()
    assert (status["images"], status["images_unusable"]) == (3, 0)
    campaign = team.api.get("/campaigns/demo").json()
    assert [(spec["task"], spec["classes"]) for spec in campaign["tasks"]] == [
        ("classification", CLASSES),
        ("segmentation", CLASSES),
    ]
    assert campaign["samples"]["total"] == 3
    names = {label.id: label.name for label in team.client.labels(team.theirs.id)}
    mappings = {(m.model_id, names[m.label_id]): m.output_index for m in team.client.mappings(team.theirs.id)}
    for task, first in (("classification", 0), ("segmentation", 1)):
        assert [mappings[team.model(task), name] for name in CLASSES] == [first, first + 1, first + 2]


def test_models_get_the_address_below_the_path_of_the_proxy_that_the_link_was_asked_for_through(team: Team) -> None:
    team.make_campaign()
    team.api.headers["X-Forwarded-Prefix"] = "/al-loop"
    team.connect("segmentation")
    assert team.api.get("/health/ready").json()["links"] == {"demo": "ok"}
    (model,) = team.client.models()
    assert model.url.startswith(f"{team.url}/al-loop/campaigns/demo/predictions/segmentation")


def test_campaign_that_cuts_scenes_is_not_linked(team: Team) -> None:
    team.make_campaign(1)
    body = {"name": "demo", "root": str(team.folder), "settings": {"windows": {"size_px": 64}},
            "tasks": [{"task": "segmentation", "classes": CLASSES}]}  # fmt: skip
    assert team.api.post("/campaigns", json=body).status_code == 201
    link = {"url": team.scaneo.url, "campaign": team.theirs.name, "tasks": ["segmentation"]}
    refused = team.api.put("/campaigns/demo/scaneo", json=link)
    assert refused.status_code == 400, refused.text
    assert "cuts scenes into windows, and SCANEO shows whole files only" in refused.json()["detail"]
    assert team.client.models() == []


def seen_by_us(team: Team) -> dict[str, Any]:
    """The campaign without how far its images are described, which goes on in the background."""
    return {key: value for key, value in team.api.get("/campaigns/demo").json().items() if key != "scoring"}


def test_connecting_twice_changes_nothing(team: Team) -> None:
    team.make_campaign()
    other = team.client.ensure_model("theirs", "http://127.0.0.1:1/t", "segmentation", "").id
    team.client.ensure_mappings(team.theirs.id, {other: {"water": 3}})
    team.connect()
    before, ours = written(team), seen_by_us(team)
    team.connect()
    assert written(team) == before
    assert seen_by_us(team) == ours
    assert any(m.model_id == other and m.output_index == 3 for m in team.client.mappings(team.theirs.id))


def test_disconnecting_leaves_scaneo_as_it_was(team: Team) -> None:
    team.make_campaign()
    before = written(team)
    team.connect()
    team.draw(0, "water")
    team.wait_for_labels(1)
    assert team.api.delete("/campaigns/demo/scaneo").status_code == 204
    after = written(team)
    assert {key: after[key] for key in ("models", "mappings", "labels")} == {
        key: before[key] for key in ("models", "mappings", "labels")
    }
    assert len(team.labels()) == 1
    assert team.api.get("/campaigns/demo/scaneo").status_code == 404


def test_tasks_are_those_that_people_answer(team: Team) -> None:
    team.make_campaign()
    body = {"url": team.scaneo.url, "campaign": "Demo"}
    refused = team.api.put("/campaigns/demo/scaneo", json=body)
    assert refused.status_code == 400
    assert "--tasks" in refused.json()["detail"]
    team.draw(0, "water")
    assert team.api.put("/campaigns/demo/scaneo", json=body).status_code == 200
    assert [spec["task"] for spec in team.api.get("/campaigns/demo").json()["tasks"]] == ["segmentation"]


def test_unknown_campaign_is_named_with_those_there_are(team: Team) -> None:
    team.make_campaign(name="Coast")
    answer = team.api.put("/campaigns/demo/scaneo", json={"url": team.scaneo.url, "campaign": "Cost"})
    assert answer.status_code == 404
    assert "Coast" in answer.json()["detail"]


def test_annotations_become_labels_change_and_go(team: Team) -> None:
    team.make_campaign()
    team.connect()
    first = team.draw(0, "water")
    chosen = team.client.add_class(team.image(1).id, "urban")
    labels = {label["path"]: label for label in team.wait_for_labels(2)}
    assert labels["scene_0.tif"]["features"]["features"][0]["properties"]["label"] == "water"
    assert labels["scene_1.tif"]["classes"] == ["urban"]
    assert {label["annotator"] for label in labels.values()} == {"scaneo"}
    team.client.delete_annotation(first)
    team.draw(0, "forest")
    team.wait(lambda: any("forest" in str(label["features"]) for label in team.labels()))
    team.client.delete_annotation(chosen.id)
    assert team.wait_for_labels(1)[0]["path"] == "scene_0.tif"


def test_brush_strokes_become_one_label(team: Team) -> None:
    """Every stroke is a deletion and a creation; only what it comes to rest at counts."""
    team.make_campaign()
    team.connect(settle_s=1.5)
    team.wait_for_looks()
    stroke = team.draw(0, "water", share=0.1)
    for step in range(2, 9):
        team.client.delete_annotation(stroke)
        stroke = team.draw(0, "water", share=step / 10)
    team.wait_for_labels(1)
    team.wait_for_looks()
    assert team.events() == team.labels()[0]["label_id"] == 1


def test_edited_box_of_several_masks_is_the_complete_answer(team: Team) -> None:
    team.make_campaign()
    team.connect()
    team.draw(0, "water", share=0.3)
    team.draw(0, "urban", share=0.2)
    features = team.wait(
        lambda: (found := team.labels()) and len(found[0]["features"]["features"]) == 2 and found[0]["features"]
    )
    assert {feature["properties"]["label"] for feature in features["features"]} == {"water", "urban"}


def test_machines_answers_are_no_labels_until_a_person_touches_them(team: Team) -> None:
    team.make_campaign(scenes=4)
    team.connect("classification")
    team.serve_model(tasks=("classification",))
    team.wait(lambda: team.status()["images_read"] == 4)
    shown = [team.client.infer(team.model("classification"), team.image(n).id)[0] for n in range(3)]
    team.wait_for_looks(8)
    assert team.labels() == []
    team.client.add_class(team.image(0).id, shown[0].value)  # confirmed
    team.client.delete_annotation(shown[1].id)  # corrected
    team.client.add_class(team.image(1).id, next(name for name in CLASSES if name != shown[1].value))
    labels = team.wait_for_labels(2)
    assert {label["path"] for label in labels} == {"scene_0.tif", "scene_1.tif"}
    team.client.infer(team.model("classification"), team.image(2).id)  # the model again is no person
    team.wait_for_looks(8)
    assert len(team.labels()) == 2


def test_machines_masks_are_no_labels_until_a_person_draws(team: Team) -> None:
    team.make_campaign()
    team.connect("segmentation")
    team.serve_model(tasks=("segmentation",))
    rows = team.client.infer(team.model("segmentation"), team.image(0).id)
    assert rows
    team.wait_for_looks(8)
    assert team.labels() == []
    team.draw(0, "water", share=0.1)
    features = team.wait_for_labels(1)[0]["features"]["features"]
    assert [feature["properties"]["label"] for feature in features if feature["properties"]["label"]] == ["water"]
    assert sum(bool(feature["properties"].get("ignore")) for feature in features) == len(rows)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_masks_of_our_model_lie_exactly_on_the_image(team: Team, dtype: str) -> None:
    """What SCANEO stores of our mask, drawn on the image's grid again, is the mask, whatever the image's CRS."""
    for number, crs in enumerate(["EPSG:32631", "EPSG:4326", "EPSG:3857"]):
        place: dict[str, Any] = {"origin": (2.0, 41.0), "gsd_m": 0.0001} if crs == "EPSG:4326" else {}
        make_scene(team.folder / f"scene_{number}.tif", width=64, height=48, seed=number, dtype=dtype, crs=crs, **place)
    team.make_campaign(scenes=0)
    team.connect("segmentation")
    team.serve_model(tasks=("segmentation",))
    for path, image in team.images().items():
        rows = team.client.infer(team.model("segmentation"), image.id)
        with rasterio.open(team.folder / path) as source:
            drawn = [
                (transform_geom("EPSG:4326", source.crs, row.layer_data["geometry"]), CLASSES.index(row.value) + 1)
                for row in rows
            ]
            codes = rasterize(drawn, source.shape, transform=source.transform)
        with rasterio.MemoryFile(predicted(team, path)) as memory, memory.open() as answer:
            assert codes.any()
            assert (codes == answer.read(1)).all()


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("folder", "bands"),
    [("eurosat_ms/Forest", 13), ("s2_ships", 12), ("scaneo_samples/jaca", 12), ("scaneo_samples/boadella", 12)],
)
def test_real_images_are_linked_and_answered_for(team: Team, shared_data: Path, folder: str, bands: int) -> None:
    for file in sorted((shared_data / folder).glob("*.tif"))[:3]:
        shutil.copy(file, team.folder)
    team.theirs = team.client.create_campaign("Real", str(team.folder), LABELS)
    status = team.connect()
    assert status["images_unusable"] == 0
    team.serve_model(source_bands=bands)
    for path, image in team.images().items():
        assert len(team.client.infer(team.model("classification"), image.id)) == 1
        rows = team.client.infer(team.model("segmentation"), image.id)
        with rasterio.open(team.folder / path) as source:
            drawn = [
                (transform_geom("EPSG:4326", source.crs, row.layer_data["geometry"]), CLASSES.index(row.value) + 1)
                for row in rows
            ]
            codes = rasterize(drawn, source.shape, transform=source.transform) if drawn else np.zeros(source.shape)
        with rasterio.MemoryFile(predicted(team, path)) as memory, memory.open() as answer:
            assert (codes == answer.read(1)).all()
    team.wait_for_looks(6)
    assert team.labels() == []


def predicted(team: Team, path: str = "scene_0.tif") -> bytes:
    """Our own answer about an image."""
    image = {"image": ("image", encoded(team.folder / path))}
    return team.api.post("/campaigns/demo/predictions/segmentation", files=image).content
