"""Predictions in the store: masks come back whole, and a sample is found by the pixels that it has now."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from al_loop.domain.campaigns import Campaign
from al_loop.domain.predictions import ShownPrediction
from al_loop.store import LabelStore
from al_loop.store.mask_codec import pack, unpack
from tests.al_loop.store.fixtures import NOW

CODES = np.arange(12, dtype=np.uint8).reshape(3, 4)


def shown(campaign: Campaign, pixel_hash: str = "aa", **changes: Any) -> ShownPrediction:
    fields: dict[str, Any] = {
        "campaign_id": campaign.campaign_id,
        "pixel_hash": pixel_hash,
        "task": "segmentation",
        "version": "v1",
        "answer": {"pixels": {}, "height": 3, "width": 4},
        "shown_at": NOW,
        "mask": pack(CODES),
    }
    return ShownPrediction(**fields | changes)


@given(arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20))))
def test_packed_mask_comes_back(codes: np.ndarray) -> None:
    packed = pack(codes)
    assert packed is not None
    assert (unpack(packed, *codes.shape) == codes).all()


def test_mask_above_the_bound_is_not_kept() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (50, 50), np.uint8)
    assert pack(noise, max_bytes=1000) is None
    assert pack(np.zeros((5000, 5000), np.uint8)) is not None


def test_newest_prediction_comes_with_its_mask(label_store: LabelStore, make_campaign: Callable[..., Campaign]) -> None:
    campaign = make_campaign(samples=2)
    label_store.samples.set_pixel_hashes(campaign.campaign_id, [(1, "aa", 1), (2, "bb", 1)])
    later = CODES[::-1].copy()
    label_store.predictions.record([shown(campaign), shown(campaign, "bb", version="v7")])
    label_store.predictions.record([shown(campaign, version="v2", mask=pack(later), shown_at=NOW + timedelta(hours=1))])
    find = label_store.predictions.newest
    newest = find(campaign.campaign_id, 1, "segmentation")
    assert newest is not None
    assert newest.version == "v2"
    assert newest.mask is not None
    assert (newest.mask == later).all()
    assert find(campaign.campaign_id, 1, "classification") is None
    versions = [entry.version for entry in label_store.predictions.of_sample(campaign.campaign_id, 1, "segmentation")]
    assert versions == ["v2", "v1"]


def test_prediction_is_found_by_pixels_that_became_known_later(
    label_store: LabelStore, make_campaign: Callable[..., Campaign]
) -> None:
    campaign = make_campaign(samples=3)
    label_store.predictions.record([shown(campaign)])
    assert label_store.predictions.newest(campaign.campaign_id, 1, "segmentation") is None
    label_store.samples.set_pixel_hashes(campaign.campaign_id, [(1, "aa", 1), (2, "aa", 1), (3, "cc", 1)])
    found = [label_store.predictions.newest(campaign.campaign_id, sample, "segmentation") for sample in (1, 2, 3)]
    assert [entry is not None for entry in found] == [True, True, False]  # one file under two names


def test_prediction_of_pixels_that_were_replaced_is_not_found(
    label_store: LabelStore, make_campaign: Callable[..., Campaign]
) -> None:
    campaign = make_campaign(samples=1)
    label_store.samples.set_pixel_hashes(campaign.campaign_id, [(1, "aa", 1)])
    label_store.predictions.record([shown(campaign)])
    label_store.samples.set_pixel_hashes(campaign.campaign_id, [(1, "new", 2)])
    assert label_store.predictions.newest(campaign.campaign_id, 1, "segmentation") is None


def test_blind_predictions_are_asked_for_by_name(
    label_store: LabelStore, make_campaign: Callable[..., Campaign]
) -> None:
    campaign = make_campaign(samples=1)
    label_store.samples.set_pixel_hashes(campaign.campaign_id, [(1, "aa", 1)])
    label_store.predictions.record([shown(campaign, blind=True, mask=None, answer={"mask": False})])
    assert label_store.predictions.newest(campaign.campaign_id, 1, "segmentation") is None
    for blind in (True, None):
        found = label_store.predictions.newest(campaign.campaign_id, 1, "segmentation", blind=blind)
        assert found is not None
        assert found.blind
        assert found.mask is None


def test_what_is_kept_of_campaigns_outlasts_shown_predictions(
    label_store: LabelStore, make_campaign: Callable[..., Campaign]
) -> None:
    campaign = make_campaign(samples=1)
    assert label_store.campaigns.get(campaign.name) == campaign
    label_store.predictions.record([shown(campaign)])
    assert label_store.campaigns.known(campaign.name) == campaign
