"""Rules of suggestions: what counts as kept, and how anchoring is measured."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from al_loop.domain.geojson import PIXEL, coded_polygons, read_features
from al_loop.quality.suggestion_outcomes import anchoring, compare_classes, compare_masks
from al_loop.serving.suggestions import class_shares, mask_features, mask_regions
from models.card import TaskSpec
from models.rasters.masks import polygons_to_codes
from models.tasks import task_of
from tests.al_loop.store.fixtures import make_header

CLASSES = ["water", "forest", "urban"]


def test_proposal_is_the_likeliest_class_or_those_that_are_likely() -> None:
    single = TaskSpec(task="classification", classes=CLASSES)
    multi = TaskSpec(task="classification", classes=CLASSES, multi_label=True)
    assert task_of(single).proposed({"probabilities": [0.2, 0.5, 0.3]}) == ["forest"]
    assert task_of(multi).proposed({"probabilities": [0.5, 0.49, 0.9]}) == ["water", "urban"]
    assert task_of(single).proposed({"probabilities": [0.2, 0.8]}) == ["forest"]  # a class was added since


@pytest.mark.parametrize(
    ("proposed", "kept", "outcome", "agreement"),
    [
        (["water"], ["water"], "accepted", 1.0),
        (["water"], ["forest"], "rejected", 0.0),
        (["water"], [], "rejected", 0.0),
        ([], [], "accepted", 1.0),
        (["water", "forest"], ["forest"], "edited", 0.5),
    ],
)
def test_classes_are_compared_as_sets(proposed: list[str], kept: list[str], outcome: str, agreement: float) -> None:
    assert compare_classes(proposed, kept) == (outcome, agreement)


def test_masks_are_compared_class_by_class() -> None:
    proposed = np.repeat(np.array([[0, 1, 2, 2]], np.uint8), 4, axis=0)
    assert compare_masks(proposed, proposed) == ("accepted", 1.0)
    kept = proposed.copy()
    kept[:, 3] = 0
    assert compare_masks(proposed, kept) == ("edited", pytest.approx(0.75))  # IoU 1 and 0.5
    kept[:, 3] = 255  # says nothing
    assert compare_masks(proposed, kept) == ("accepted", 1.0)
    assert compare_masks(proposed, np.zeros_like(proposed)) == ("rejected", 0.0)
    assert compare_masks(np.zeros_like(proposed), np.zeros_like(proposed)) == ("accepted", 1.0)


@given(arrays(np.uint8, st.tuples(st.integers(1, 16), st.integers(1, 16)), elements=st.integers(0, 3)))
def test_accepted_mask_comes_back_from_its_label(codes: np.ndarray) -> None:
    height, width = codes.shape
    header = make_header(height=height, width=width)
    stored, crs = read_features(mask_features(codes, CLASSES), header, CLASSES, crs=PIXEL, at="$.features")
    assert crs == PIXEL
    assert all(feature["geometry"]["type"] == "MultiPolygon" for feature in stored["features"])
    assert (polygons_to_codes(coded_polygons(stored, crs, header, CLASSES), height, width) == codes).all()


def test_anchoring_is_the_difference_with_its_interval() -> None:
    assert anchoring([1.0] * 5, [0.0] * 4) is None
    rng = np.random.default_rng(0)
    found = anchoring(rng.uniform(0.8, 1, 40).tolist(), rng.uniform(0.4, 0.8, 40).tolist())
    assert found is not None
    assert found.low < found.difference < found.high
    assert found.difference == pytest.approx(0.3, abs=0.05)
    assert found.low > 0.2


def test_each_connected_region_is_a_polygon_of_its_own() -> None:
    codes = np.zeros((12, 12), np.uint8)
    codes[1:4, 1:4], codes[8:10, 8:10], codes[6, 0:2] = 1, 1, 2
    regions = mask_regions(codes, ["water", "road"])["features"]
    assert {(entry["properties"]["label"], entry["properties"]["area_px"]) for entry in regions} == {
        ("water", 9), ("water", 4), ("road", 2),
    }  # fmt: skip
    assert {entry["geometry"]["type"] for entry in regions} == {"Polygon"}


def test_shares_are_of_the_valid_area() -> None:
    answer = {"pixels": {"0": 50, "1": 25, "2": 25}}
    assert class_shares(answer, ["a", "b"]) == {"a": 0.25, "b": 0.25}
    assert class_shares(answer | {"valid_px": 50}, ["a", "b"]) == {"a": 0.5, "b": 0.5}
    assert class_shares({"probabilities": [1.0]}, ["a"]) is None
