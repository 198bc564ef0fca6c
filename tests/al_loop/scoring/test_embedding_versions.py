"""Which encoder a training run starts from, and which embeddings there are."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign, CampaignSettings
from al_loop.domain.rounds import PretrainingState
from al_loop.scoring.embedding_versions import available_embeddings, encoder_version, newest_encoder
from al_loop.scoring.pool_scorer import PoolScorer
from al_loop.store import LabelStore
from al_loop.training.starting_weights import starting_weights
from models.card import ModelConfig
from models.pretrain_config import ENCODER_FILE, PretrainConfig
from models.scoring.embeddings import EmbeddingStore
from models.scoring.spec import FEATURES, IDS_FILE
from tests.al_loop.store.fixtures import NOW

MakeCampaign = Callable[..., Campaign]


@pytest.fixture
def layout(tmp_path: Path) -> DataLayout:
    return DataLayout(tmp_path / "data")


@pytest.fixture
def add_encoder(label_store: LabelStore, layout: DataLayout) -> Callable[..., str]:
    """Store a pretraining that ended, with its weights."""

    def add(campaign: Campaign, state: PretrainingState = PretrainingState.FINISHED, encoder: str = "net") -> str:
        entry = label_store.pretrainings.create(campaign.campaign_id, PretrainConfig(encoder=encoder), NOW)
        version = encoder_version(entry.number)
        label_store.pretrainings.set_state(campaign.campaign_id, entry.number, state, NOW, version=version)
        file = layout.encoders(campaign.name) / version / ENCODER_FILE
        file.parent.mkdir(parents=True)
        file.write_bytes(b"weights")
        return version

    return add


def test_training_starts_from_the_newest_finished_encoder_of_its_name(
    label_store: LabelStore, layout: DataLayout, make_campaign: MakeCampaign, add_encoder: Callable[..., str]
) -> None:
    campaign = make_campaign(settings=CampaignSettings(model=ModelConfig(encoder="net")))
    assert starting_weights(label_store, layout, campaign) is None
    add_encoder(campaign)
    second = add_encoder(campaign)
    add_encoder(campaign, PretrainingState.CANCELLED)
    add_encoder(campaign, encoder="other-net")
    start = starting_weights(label_store, layout, campaign)
    assert start is not None
    assert (start.version, start.file) == (second, layout.encoders("demo") / second / ENCODER_FILE)
    assert newest_encoder(label_store, campaign) == "ssl-4"  # embeddings need no equal name
    start.file.unlink()
    assert starting_weights(label_store, layout, campaign) is None


def test_own_encoder_is_used_whether_or_not_the_shipped_weights_were_there_when_it_was_trained(
    label_store: LabelStore, layout: DataLayout, make_campaign: MakeCampaign, add_encoder: Callable[..., str]
) -> None:
    """They are not there in tests, see `tests.conftest`."""
    campaign = make_campaign(settings=CampaignSettings())
    for encoder in ("resnet10_narrow", "shipped"):
        version = add_encoder(campaign, encoder=encoder)
        start = starting_weights(label_store, layout, campaign)
        assert start is not None
        assert start.version == version


@pytest.mark.parametrize(
    "settings",
    [
        CampaignSettings(model=ModelConfig(encoder="net"), train_from="scratch"),
        CampaignSettings(model=ModelConfig(encoder="net", pretrained=True)),
        CampaignSettings(model=ModelConfig(encoder="net", pretrained_file="own.safetensors")),
        CampaignSettings(model=ModelConfig(encoder="another")),
    ],
)
def test_training_starts_as_the_settings_say_otherwise(
    label_store: LabelStore,
    layout: DataLayout,
    make_campaign: MakeCampaign,
    add_encoder: Callable[..., str],
    settings: CampaignSettings,
) -> None:
    campaign = make_campaign(settings=settings)
    add_encoder(campaign)
    assert starting_weights(label_store, layout, campaign) is None


def test_embeddings_are_listed_once_a_part_is_finished(
    label_store: LabelStore, layout: DataLayout, make_campaign: MakeCampaign, add_encoder: Callable[..., str]
) -> None:
    campaign = make_campaign(samples=3)
    scorer = PoolScorer(label_store, layout, lambda: NOW)
    embeddings = EmbeddingStore(layout.scores("demo"))
    assert available_embeddings(label_store, layout, campaign) == []
    assert scorer.wanted_versions(campaign) == [FEATURES]
    add_encoder(campaign)
    newest = add_encoder(campaign)
    assert scorer.wanted_versions(campaign) == [FEATURES, newest]
    for version in (newest, "ssl-1", FEATURES):
        assert version not in {entry.version for entry in available_embeddings(label_store, layout, campaign)}
        np.save(embeddings.new_part(version) / IDS_FILE, np.arange(3))
    found = available_embeddings(label_store, layout, campaign)
    assert [(entry.version, entry.kind, entry.samples) for entry in found] == [
        (FEATURES, "features", 0),
        (newest, "encoder", 0),
    ]
