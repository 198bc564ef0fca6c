"""Labels of a whole scene become labels of its windows."""

import numpy as np
import pytest
from shapely.geometry import box, mapping

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign
from al_loop.domain.painting import painted
from al_loop.errors import InvalidValueError
from al_loop.store import LabelStore
from models.rasters.windows.locator import source_of
from tests.al_loop.campaigns.scenes.fixtures import CLASSES, SIZE, answer, blobs
from tests.al_loop.store.fixtures import NOW


def test_mask_of_a_scene_is_painted_in_every_window(label_store: LabelStore, scene_campaign: Campaign) -> None:
    labels = record_labels(label_store, scene_campaign, [answer()], NOW)
    assert len(labels) == 24
    codes = blobs()
    headers = label_store.samples.headers(scene_campaign.campaign_id, [label.sample_id for label in labels])
    for label in labels:
        column, row, width, height = source_of(label.path).window or (0, 0, 0, 0)
        expected = codes[row : row + height, column : column + width]
        np.testing.assert_array_equal(painted(CLASSES, label, headers[label.sample_id]), expected)


def test_world_coordinates_are_cut_the_same_way(label_store: LabelStore, scene_campaign: Campaign) -> None:
    square = mapping(box(500_600, 4_598_900, 501_900, 4_599_500))
    feature = {"type": "Feature", "geometry": square, "properties": {"label": "road"}}
    given = {"type": "FeatureCollection", "features": [feature]}
    labels = record_labels(label_store, scene_campaign, [answer(features=given, crs="EPSG:32631")], NOW)
    headers = label_store.samples.headers(scene_campaign.campaign_id, [label.sample_id for label in labels])
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


def test_points_label_only_the_windows_that_they_lie_in(label_store: LabelStore, scene_campaign: Campaign) -> None:
    place = {"type": "Point", "coordinates": [10.5, 20.5]}
    point = {"type": "Feature", "geometry": place, "properties": {"label": "road"}}
    given = {"type": "FeatureCollection", "features": [point]}
    labels = record_labels(label_store, scene_campaign, [answer(features=given)], NOW)
    assert [label.path for label in labels] == ["big.tif#xywh=0,0,64,64"]


def test_classes_of_a_scene_are_refused_and_files_are_labelled_as_before(
    label_store: LabelStore, scene_campaign: Campaign
) -> None:
    label = answer(task="classification", features=None, crs=None, classes=["forest"])
    with pytest.raises(InvalidValueError, match="is a scene of 24 windows, and classification is answered for each"):
        record_labels(label_store, scene_campaign, [label], NOW)
    small = answer("small.tif", features={"type": "FeatureCollection", "features": []})
    assert [label.path for label in record_labels(label_store, scene_campaign, [small], NOW)] == ["small.tif"]
    bad = answer(features={"type": "FeatureCollection", "features": [{"type": "Feature"}]})
    with pytest.raises(InvalidValueError, match=r"\$\.labels\[0\]\.features"):
        record_labels(label_store, scene_campaign, [bad], NOW)
    assert len(label_store.labels.current(scene_campaign.campaign_id, as_of=None, limit=100)) == 1
