"""Which pixels of an image are asked about."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import LabelInput
from al_loop.querying.points import NO_PIXELS, SpreadPoints, known_pixels
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW, make_header
from tests.data.make_scene import make_scene

WIDTH, HEIGHT = 96, 64


@pytest.fixture
def campaign(make_campaign: Callable[..., Campaign], tmp_path: Path) -> Campaign:
    """One image; its upper left quarter holds no data."""
    make_scene(tmp_path / "a.tif", width=WIDTH, height=HEIGHT, nodata=0, nodata_as="value")
    return make_campaign(samples=[make_header("a.tif", width=WIDTH, height=HEIGHT, band_count=3)])


def inside(pixels: np.ndarray) -> bool:
    """Whether all pixels lie in the image and on data."""
    in_image = (pixels >= 0).all() and (pixels < [WIDTH, HEIGHT]).all()
    return bool(in_image and not (pixels < [WIDTH // 2, HEIGHT // 2]).all(axis=1).any())


@pytest.mark.parametrize("count", [1, 2, 7, 8, 50])
def test_points_are_as_many_as_wanted_and_lie_on_different_pixels_with_data(
    label_store: LabelStore, campaign: Campaign, count: int
) -> None:
    pixels = SpreadPoints(label_store).points_of(campaign, 1, count, NO_PIXELS)

    assert np.unique(pixels, axis=0).shape == (count, 2)
    assert inside(pixels)


def test_points_lie_in_different_parts_of_the_image_and_anywhere_in_each(
    label_store: LabelStore, campaign: Campaign
) -> None:
    source = SpreadPoints(label_store)
    drawn = [source.points_of(campaign, 1, 6, NO_PIXELS) for _ in range(100)]

    cells = np.array([np.unique(pixels // [32, 32], axis=0).shape[0] for pixels in drawn])
    assert cells.mean() > 4.5  # of 6 parts one holds no data: its point comes from any of the other 5
    assert len(np.unique(np.concatenate(drawn), axis=0)) > 500


def test_pixels_that_were_taken_are_not_asked_about_again_even_when_few_are_left(
    label_store: LabelStore, campaign: Campaign
) -> None:
    rows, columns = np.divmod(np.arange(WIDTH * HEIGHT), WIDTH)
    left = [(95, 63), (95, 0)]
    taken = np.array([pixel for pixel in zip(columns.tolist(), rows.tolist(), strict=True) if pixel not in left])

    pixels = SpreadPoints(label_store).points_of(campaign, 1, 8, taken)

    assert sorted(map(tuple, pixels.tolist())) == sorted(left)


def test_points_of_a_missing_image_are_asked_about_all_the_same(label_store: LabelStore, campaign: Campaign) -> None:
    Path(campaign.root, "a.tif").unlink()

    assert len(SpreadPoints(label_store).points_of(campaign, 1, 4, NO_PIXELS)) == 4


def test_points_of_labels_that_no_query_asked_for_are_known(label_store: LabelStore, campaign: Campaign) -> None:
    feature = {
        "type": "Feature",
        "properties": {"label": "road"},
        "geometry": {"type": "Point", "coordinates": [60.2, 40.9]},
    }
    label = LabelInput(
        path="a.tif", task="segmentation", annotator="ann", crs="pixel",
        features={"type": "FeatureCollection", "features": [feature]},
    )  # fmt: skip
    record_labels(label_store, campaign, [label], NOW)

    assert known_pixels(label_store, campaign, [1])[1].tolist() == [[60, 40]]


def test_an_expected_image_with_data_everywhere_is_not_read_again(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path
) -> None:
    make_scene(tmp_path / "b.tif", width=WIDTH, height=HEIGHT, nodata_as=None)
    campaign = make_campaign(samples=[make_header("b.tif", width=WIDTH, height=HEIGHT, band_count=3)])
    source = SpreadPoints(label_store)

    source.expect(campaign, [1])
    blank = np.zeros((3, HEIGHT, WIDTH))
    make_scene(tmp_path / "b.tif", width=WIDTH, height=HEIGHT, content=blank, nodata=0, nodata_as="value")

    assert len(source.points_of(campaign, 1, 4, NO_PIXELS)) == 4
    assert len(SpreadPoints(label_store).points_of(campaign, 1, 4, NO_PIXELS)) == 0
