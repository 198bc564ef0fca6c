"""Queries about points ask about the places that the serving model is least sure about."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.loop import utc_now
from al_loop.querying.points import NO_PIXELS, SpreadPoints
from al_loop.serving.model_server import ModelServer
from al_loop.serving.uncertain_points import KEPT, UncertainPoints
from al_loop.store import LabelStore
from service.settings import Settings
from tests.data.make_scene import make_scene
from tests.data.tiny_model import make_tiny_onnx
from tests.e2e.campaigns import Http

UNSURE = slice(100, 200)
"""Columns of the scene."""


def scene(folder: Path, name: str, width: int, height: int) -> None:
    """Band 1 is brightest but for some columns, where two bands are equally bright; low rows and a corner lack data."""
    image = np.full((3, height, width), 100.0)
    image[0] = 9000
    image[1, :, UNSURE] = 9000
    image[:, -20:] = 0
    make_scene(folder / name, width=width, height=height, content=image, nodata=0, nodata_as="value")


@pytest.fixture
def served(
    serve_scenes: Callable[..., Http],
    imagery: Path,
    settings: Settings,
) -> Iterator[tuple[LabelStore, ModelServer, Campaign]]:
    """Two images, a small one and one of several tiles, and the model that serves."""
    scene(imagery, "large.tif", 300, 280)
    scene(imagery, "small.tif", 150, 60)
    serve_scenes(["segmentation"]).__exit__(None, None, None)
    layout = DataLayout(settings.data)
    store = LabelStore.open(layout.database)
    server = ModelServer(store, layout)
    server.start(utc_now())
    yield store, server, store.campaigns.get("demo")
    server.close()
    store.close()


def sample_ids(store: LabelStore, campaign: Campaign) -> list[int]:
    return store.samples.paths(
        campaign.campaign_id,
    )[0].tolist()


def test_places_are_unsure_hold_data_and_are_apart(served: tuple[LabelStore, ModelServer, Campaign]) -> None:
    store, server, campaign = served
    source = UncertainPoints(store, server, SpreadPoints(store))
    ids = sample_ids(store, campaign)
    source.expect(campaign, ids)
    for sample_id in ids:
        sample = store.samples.get(campaign.campaign_id, sample_id)
        found = source.points_of(campaign, sample_id, 8, NO_PIXELS)
        assert found.shape == (8, 2)
        assert (found[:, 0] >= UNSURE.start).all()
        assert (found[:, 0] < UNSURE.stop).all()
        assert (found[:, 1] < sample.height - 20).all()
        assert len(np.unique(found, axis=0)) == 8


def test_taken_places_do_not_come_again_and_others_follow(served: tuple[LabelStore, ModelServer, Campaign]) -> None:
    store, server, campaign = served
    source = UncertainPoints(store, server, SpreadPoints(store))
    sample_id = sample_ids(store, campaign)[0]
    source.expect(campaign, [sample_id])
    first = source.points_of(campaign, sample_id, KEPT, NO_PIXELS)
    second = source.points_of(campaign, sample_id, 30, first)
    assert len(second) == 30
    assert not set(map(tuple, first.tolist())) & set(map(tuple, second.tolist()))


def test_until_an_image_was_looked_at_its_pixels_are_random(served: tuple[LabelStore, ModelServer, Campaign]) -> None:
    store, server, campaign = served
    source = UncertainPoints(store, server, SpreadPoints(store))
    found = source.points_of(campaign, sample_ids(store, campaign)[0], 40, NO_PIXELS)
    assert len(found) == 40
    assert (found[:, 0] < UNSURE.start).any()


def test_places_of_an_older_model_are_forgotten(
    served: tuple[LabelStore, ModelServer, Campaign], settings: Settings
) -> None:
    store, server, campaign = served
    source = UncertainPoints(store, server, SpreadPoints(store))
    sample_id = sample_ids(store, campaign)[0]
    source.expect(campaign, [sample_id])
    before = source.points_of(campaign, sample_id, 40, NO_PIXELS)
    make_tiny_onnx(
        DataLayout(settings.data).models("demo"), campaign="demo", version="v2", bands=(1, 2, 3), source_bands=3,
        tasks=["segmentation"], bias=9.0,
    )  # fmt: skip
    store.versions.add(campaign.campaign_id, "v2", 2, utc_now())
    server.promote(campaign, "v2", "test", utc_now)
    after = source.points_of(campaign, sample_id, 40, NO_PIXELS)
    assert (before[:, 0] >= UNSURE.start).all()
    assert (after[:, 0] < UNSURE.start).any()


def test_damaged_image_keeps_its_random_pixels(served: tuple[LabelStore, ModelServer, Campaign], imagery: Path) -> None:
    store, server, campaign = served
    source = UncertainPoints(store, server, SpreadPoints(store))
    ids = sample_ids(store, campaign)
    (imagery / store.samples.get(campaign.campaign_id, ids[0]).path).write_bytes(b"not a raster")
    source.expect(campaign, ids)
    assert len(source.points_of(campaign, ids[0], 5, NO_PIXELS)) == 5
    assert (source.points_of(campaign, ids[1], 5, NO_PIXELS)[:, 0] >= UNSURE.start).all()
