"""Which embeddings of a campaign's samples there are: image features, encoders, models."""

from typing import Literal

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import EmbeddingVersion
from al_loop.store import LabelStore
from models.scoring.embeddings import EmbeddingStore
from models.scoring.spec import FEATURES, FROZEN

ENCODER_PREFIX = "ssl-"


def encoder_version(number: int) -> str:
    """Name of the encoder of a pretraining."""
    return f"{ENCODER_PREFIX}{number}"


def is_encoder(version: str) -> bool:
    """Whether a version is an encoder without tasks rather than a model."""
    return version == FROZEN or version.startswith(ENCODER_PREFIX)


def newest_encoder(store: LabelStore, campaign: Campaign) -> str | None:
    """The encoder of the newest finished pretraining, or None."""
    finished = store.pretrainings.finished(campaign.campaign_id)
    return finished[0].version if finished else None


def available_embeddings(store: LabelStore, layout: DataLayout, campaign: Campaign) -> list[EmbeddingVersion]:
    """Which embeddings of a campaign there are: features, encoders' (the shipped one first), the model's.

    Versions without a finished part are left out. New samples may be missing in any of them for a while; `samples`
    tells how many are there.
    """
    wanted: list[tuple[str | None, Literal["features", "encoder", "model"]]] = [
        (FEATURES, "features"),
        (FROZEN, "encoder"),
        (newest_encoder(store, campaign), "encoder"),
        (campaign.current_version, "model"),
    ]
    embeddings = EmbeddingStore(layout.scores(campaign.folder))
    counts = store.scores.counts(campaign.campaign_id)
    return [
        EmbeddingVersion(version=version, kind=kind, samples=counts.get(version, 0))
        for version, kind in wanted
        if version is not None and embeddings.parts(version)
    ]
