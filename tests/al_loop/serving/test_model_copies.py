"""Copies of serving versions: whole, named by what is in them, and made once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.loop import utc_now
from al_loop.runtime.cluster.artefacts import Artefacts
from al_loop.serving.model_copies import ModelCopies, fetched
from al_loop.serving.model_server import ModelServer
from al_loop.store import LabelStore
from models.errors import CorruptVersionError
from models.inference.predictor import Predictor
from tests.data.tiny_model import make_tiny_onnx

MakeCampaign = Callable[..., Campaign]


def test_serving_version_is_copied_once_and_fetched_whole(
    label_store: LabelStore, make_campaign: MakeCampaign, tmp_path: Path
) -> None:
    campaign, layout, url = make_campaign(), DataLayout(tmp_path / "data"), str(tmp_path / "place")
    server = ModelServer(label_store, layout)
    copies = ModelCopies(label_store, server, url)
    copies.copy()
    [entry] = copies.state().campaigns
    assert (entry.version, entry.copy_key) == (None, None)
    make_tiny_onnx(layout.models(campaign.folder))
    label_store.versions.add(campaign.campaign_id, "v1", 1, utc_now())
    server.promote(campaign, "v1", "test", utc_now)
    copies.copy()
    [entry] = copies.state().campaigns
    assert (entry.version, entry.campaign.name) == ("v1", campaign.name)
    assert Predictor(fetched(url, tmp_path / "cache", entry)).version == "v1"
    model = next((tmp_path / "place").rglob("model.onnx"))
    written = model.stat().st_mtime_ns
    copies.copy()
    assert model.stat().st_mtime_ns == written
    server.close()


def test_same_version_of_a_campaign_that_was_made_again_has_another_key(
    label_store: LabelStore, make_campaign: MakeCampaign, tmp_path: Path
) -> None:
    campaign = make_campaign()
    keys = []
    for bias in (0.0, 1.0):
        layout = DataLayout(tmp_path / f"data-{bias}")
        server = ModelServer(label_store, layout)
        make_tiny_onnx(layout.models(campaign.folder), bias=bias)
        if not label_store.versions.list(campaign.campaign_id):
            label_store.versions.add(campaign.campaign_id, "v1", 1, utc_now())
        server.promote(campaign, "v1", "test", utc_now)
        keys.append(ModelCopies(label_store, server).state().campaigns[0].copy_key)
        server.close()
    assert keys[0] != keys[1]


def test_nothing_is_copied_without_a_place(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    make_campaign()
    ModelCopies(label_store, ModelServer(label_store, DataLayout(Path("/nowhere")))).copy()


def test_copy_that_was_changed_does_not_serve(tmp_path: Path) -> None:
    directory = make_tiny_onnx(tmp_path / "models")
    store = Artefacts(str(tmp_path / "place"))
    store.put("serving/v1", {"card.json": directory / "card.json", "model.onnx": b"another model"})
    store.get("serving/v1", tmp_path / "cache" / "v1")
    with pytest.raises(CorruptVersionError, match="does not match its digest"):
        Predictor(tmp_path / "cache" / "v1")
