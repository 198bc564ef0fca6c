"""An export has one answer a scene again, without seams."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from shapely.geometry import mapping, shape

from al_loop.campaigns.exporting.campaign import export_campaign
from al_loop.campaigns.labelling import record_labels
from al_loop.campaigns.register import register_scan
from al_loop.domain.campaigns import Campaign, CampaignSettings, WindowSettings
from al_loop.domain.geojson import to_pixels
from al_loop.domain.labels import LabelInput
from al_loop.store import LabelStore
from models.rasters.masks import codes_to_polygons, polygons_to_codes
from tests.al_loop.store.fixtures import NOW
from tests.data.make_scene import make_scene

CLASSES = ["field", "road"]
SIZE = (200, 300)


@pytest.fixture
def campaign(label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path) -> Campaign:
    """One scene in windows that overlap, and one file that is a sample."""
    made = make_campaign(settings=CampaignSettings(windows=WindowSettings(size_px=64, overlap_px=16)))
    make_scene(tmp_path / "big.tif", height=SIZE[0], width=SIZE[1])
    make_scene(tmp_path / "small.tif", width=40, height=40)
    register_scan(label_store, made, NOW)
    return made


def blobs(seed: int = 0) -> NDArray[np.uint8]:
    """Codes 0 to 2 in blobs that cross windows."""
    coarse = np.random.default_rng(seed).integers(0, 3, (SIZE[0] // 20, SIZE[1] // 20))
    return np.kron(coarse, np.ones((20, 20))).astype(np.uint8)


def drawn(codes: NDArray[np.uint8]) -> dict[str, Any]:
    features = [
        {"type": "Feature", "geometry": mapping(area), "properties": {"label": CLASSES[code - 1]}}
        for code, area in codes_to_polygons(codes)
    ]
    return {"type": "FeatureCollection", "features": features}


def answer(path: str = "big.tif", **changes: Any) -> LabelInput:
    fields = {"path": path, "task": "segmentation", "annotator": "anna", "features": drawn(blobs()), "crs": "pixel"}
    return LabelInput(**{**fields, **changes})


def exported(store: LabelStore, campaign: Campaign) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(io.BytesIO(b"".join(export_campaign(store, campaign, "geojson"))).read())
    return found


def test_export_gives_the_scene_again_without_seams(label_store: LabelStore, campaign: Campaign) -> None:
    small = answer("small.tif", features=drawn(blobs()[:40, :40]))
    labels = record_labels(label_store, campaign, [answer(), small], NOW)
    features = exported(label_store, campaign)["features"]
    big = [feature for feature in features if feature["properties"]["path"] == "big.tif"]
    assert {feature["properties"]["path"] for feature in features} == {"big.tif", "small.tif"}
    assert sorted(feature["properties"]["label"] for feature in big) == ["field", "road"]
    header = label_store.samples.headers(campaign.campaign_id, [labels[0].sample_id])[labels[0].sample_id]
    scene = msgspec.structs.replace(
        header, width=SIZE[1], height=SIZE[0], transform=[10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_000.0]
    )
    codes = [CLASSES.index(feature["properties"]["label"]) + 1 for feature in big]
    shapes = [to_pixels(shape(feature["geometry"]), "EPSG:4326", scene).wkb for feature in big]
    areas = list(zip(codes, shapes, strict=True))
    np.testing.assert_array_equal(polygons_to_codes(areas, *SIZE), blobs())


def test_export_keeps_annotators_apart(label_store: LabelStore, campaign: Campaign) -> None:
    record_labels(label_store, campaign, [answer(), answer(annotator="ben", features=drawn(blobs(1)))], NOW)
    by = [f["properties"]["annotator"] for f in exported(label_store, campaign)["features"]]
    assert sorted(by) == ["anna", "anna", "ben", "ben"]
