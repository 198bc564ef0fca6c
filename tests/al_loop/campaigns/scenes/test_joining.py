"""An export has one answer a scene again, without seams."""

import io
import json
from typing import Any

import msgspec
import numpy as np
from shapely.geometry import shape

from al_loop.campaigns.exporting.campaign import export_campaign
from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign
from al_loop.domain.geojson import to_pixels
from al_loop.store import LabelStore
from models.rasters.masks import polygons_to_codes
from tests.al_loop.campaigns.scenes.fixtures import CLASSES, SIZE, answer, blobs, drawn
from tests.al_loop.store.fixtures import NOW


def exported(store: LabelStore, campaign: Campaign) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(io.BytesIO(b"".join(export_campaign(store, campaign, "geojson"))).read())
    return found


def test_export_gives_the_scene_again_without_seams(label_store: LabelStore, scene_campaign: Campaign) -> None:
    small = answer("small.tif", features=drawn(blobs()[:40, :40]))
    labels = record_labels(label_store, scene_campaign, [answer(), small], NOW)
    features = exported(label_store, scene_campaign)["features"]
    big = [feature for feature in features if feature["properties"]["path"] == "big.tif"]
    assert {feature["properties"]["path"] for feature in features} == {"big.tif", "small.tif"}
    assert sorted(feature["properties"]["label"] for feature in big) == ["field", "road"]
    header = label_store.samples.headers(scene_campaign.campaign_id, [labels[0].sample_id])[labels[0].sample_id]
    scene = msgspec.structs.replace(
        header, width=SIZE[1], height=SIZE[0], transform=[10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_000.0]
    )
    codes = [CLASSES.index(feature["properties"]["label"]) + 1 for feature in big]
    shapes = [to_pixels(shape(feature["geometry"]), "EPSG:4326", scene).wkb for feature in big]
    areas = list(zip(codes, shapes, strict=True))
    np.testing.assert_array_equal(polygons_to_codes(areas, *SIZE), blobs())


def test_export_keeps_annotators_apart(label_store: LabelStore, scene_campaign: Campaign) -> None:
    record_labels(label_store, scene_campaign, [answer(), answer(annotator="ben", features=drawn(blobs(1)))], NOW)
    by = [f["properties"]["annotator"] for f in exported(label_store, scene_campaign)["features"]]
    assert sorted(by) == ["anna", "anna", "ben", "ben"]
