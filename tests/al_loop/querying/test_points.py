"""Which pixels of an image are asked about."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import LabelInput
from al_loop.querying.points import NO_PIXELS, ReadingBudget, SpreadPoints, known_pixels
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


def test_images_beyond_the_budget_are_not_read_and_later_than_expected_ones_need_none(
    label_store: LabelStore, campaign: Campaign
) -> None:
    nothing = ReadingBudget(0)
    blank = np.zeros((3, HEIGHT, WIDTH))
    blank[:, -1, -9:] = 5
    make_scene(Path(campaign.root, "a.tif"), width=WIDTH, height=HEIGHT, content=blank, nodata=0, nodata_as="value")
    source = SpreadPoints(label_store)

    at_once = source.points_of(campaign, 1, 8, NO_PIXELS, nothing)
    source.expect(campaign, [1])
    prepared = source.points_of(campaign, 1, 8, NO_PIXELS, nothing)

    assert len(np.unique(at_once, axis=0)) == 8
    assert (at_once[:, 1] < HEIGHT - 1).any()
    assert len(np.unique(prepared, axis=0)) == 8
    assert (prepared >= [WIDTH - 9, HEIGHT - 1]).all()
    assert source.points_of(campaign, 1, 8, prepared, nothing).tolist() == [
        pixel
        for pixel in ([column, HEIGHT - 1] for column in range(WIDTH - 9, WIDTH))
        if pixel not in prepared.tolist()
    ]


def test_a_budget_is_spent_by_the_images_that_are_read() -> None:
    chip, scene = make_header(width=512, height=512), make_header(width=20_000, height=20_000)
    budget = ReadingBudget(1_000_000)

    assert [budget.take(header, 8) for header in (chip, scene, chip, scene, chip)] == [True, True, False, False, False]


def test_a_large_image_without_any_data_is_found_out_at_once(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path
) -> None:
    blank = np.zeros((3, 600, 600))
    make_scene(tmp_path / "b.tif", width=600, height=600, content=blank, nodata=0, nodata_as="value")
    campaign = make_campaign(samples=[make_header("b.tif", width=600, height=600, band_count=3)])

    assert len(SpreadPoints(label_store).points_of(campaign, 1, 8, NO_PIXELS, ReadingBudget())) == 0
