"""Labels of a whole scene become labels of its windows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from shapely.geometry import box, mapping

from al_loop.campaigns.labelling import record_labels
from al_loop.campaigns.register import register_scan
from al_loop.domain.campaigns import Campaign, CampaignSettings, WindowSettings
from al_loop.domain.labels import LabelInput
from al_loop.domain.painting import painted
from al_loop.errors import InvalidValueError
from al_loop.store import LabelStore
from models.rasters.masks import codes_to_polygons
from models.rasters.windows.locator import source_of
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


def test_mask_of_a_scene_is_painted_in_every_window(label_store: LabelStore, campaign: Campaign) -> None:
    labels = record_labels(label_store, campaign, [answer()], NOW)
    assert len(labels) == 24
    codes = blobs()
    headers = label_store.samples.headers(campaign.campaign_id, [label.sample_id for label in labels])
    for label in labels:
        column, row, width, height = source_of(label.path).window or (0, 0, 0, 0)
        expected = codes[row : row + height, column : column + width]
        np.testing.assert_array_equal(painted(CLASSES, label, headers[label.sample_id]), expected)


def test_world_coordinates_are_cut_the_same_way(label_store: LabelStore, campaign: Campaign) -> None:
    square = mapping(box(500_600, 4_598_900, 501_900, 4_599_500))
    feature = {"type": "Feature", "geometry": square, "properties": {"label": "road"}}
    given = {"type": "FeatureCollection", "features": [feature]}
    labels = record_labels(label_store, campaign, [answer(features=given, crs="EPSG:32631")], NOW)
    headers = label_store.samples.headers(campaign.campaign_id, [label.sample_id for label in labels])
    whole = np.zeros(SIZE, np.uint8)
    for label in labels:
        column, row, width, height = source_of(label.path).window or (0, 0, 0, 0)
        codes = painted(CLASSES, label, headers[label.sample_id])
        whole[row : row + height, column : column + width] = np.maximum(
            whole[row : row + height, column : column + width], codes
        )
    expected = np.zeros(SIZE, np.uint8)
    expected[50:110, 60:190] = 2
    np.testing.assert_array_equal(whole, expected)
    assert sum(not label.features["features"] for label in labels if label.features) > 0  # looked, none here


def test_points_label_only_the_windows_that_they_lie_in(label_store: LabelStore, campaign: Campaign) -> None:
    place = {"type": "Point", "coordinates": [10.5, 20.5]}
    point = {"type": "Feature", "geometry": place, "properties": {"label": "road"}}
    given = {"type": "FeatureCollection", "features": [point]}
    labels = record_labels(label_store, campaign, [answer(features=given)], NOW)
    assert [label.path for label in labels] == ["big.tif#xywh=0,0,64,64"]


def test_classes_of_a_scene_are_refused_and_files_are_labelled_as_before(
    label_store: LabelStore, campaign: Campaign
) -> None:
    label = answer(task="classification", features=None, crs=None, classes=["forest"])
    with pytest.raises(InvalidValueError, match="is a scene of 24 windows, and classification is answered for each"):
        record_labels(label_store, campaign, [label], NOW)
    small = answer("small.tif", features={"type": "FeatureCollection", "features": []})
    assert [label.path for label in record_labels(label_store, campaign, [small], NOW)] == ["small.tif"]
    bad = answer(features={"type": "FeatureCollection", "features": [{"type": "Feature"}]})
    with pytest.raises(InvalidValueError, match=r"\$\.labels\[0\]\.features"):
        record_labels(label_store, campaign, [bad], NOW)
    assert len(label_store.labels.current(campaign.campaign_id, as_of=None, limit=100)) == 1
