"""Encoders made without labels, as the rest of the loop uses them: embeddings of the pool and a start for training."""

from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from al_loop.layout import DataLayout
from al_loop.records import Campaign
from al_loop.score_parts import FEATURES, EmbeddingStore
from al_loop.store import LabelStore
from models.pretrain_spec import ENCODER_FILE

ENCODER_PREFIX = "ssl-"


class EmbeddingVersion(msgspec.Struct, frozen=True, kw_only=True):
    """Embeddings of a campaign's samples that can be loaded now."""

    version: str
    """As `EmbeddingStore.load` takes it."""
    kind: Literal["features", "encoder", "model"]
    """Simple image features, the newest encoder made without labels, or the serving model."""
    samples: int
    """Samples that have one."""


class StartingWeights(NamedTuple):
    """An encoder that a training run may start from."""

    version: str
    file: Path


def encoder_version(number: int) -> str:
    """Name of the encoder of a pretraining."""
    return f"{ENCODER_PREFIX}{number}"


def is_encoder(version: str) -> bool:
    """Whether a version is an encoder without tasks rather than a model."""
    return version.startswith(ENCODER_PREFIX)


def newest_encoder(store: LabelStore, campaign: Campaign) -> str | None:
    """The encoder of the newest finished pretraining, or None."""
    finished = store.pretrainings.finished(campaign.campaign_id)
    return finished[0].version if finished else None


def available_embeddings(store: LabelStore, layout: DataLayout, campaign: Campaign) -> list[EmbeddingVersion]:
    """Which embeddings of a campaign there are: features, the newest encoder's, the serving model's, in this order.

    Versions without a finished part are left out. New samples may be missing in any of them for a while; `samples`
    tells how many are there.
    """
    wanted: list[tuple[str | None, Literal["features", "encoder", "model"]]] = [
        (FEATURES, "features"),
        (newest_encoder(store, campaign), "encoder"),
        (campaign.current_version, "model"),
    ]
    embeddings = EmbeddingStore(layout.scores(campaign.name))
    counts = store.scores.counts(campaign.campaign_id)
    return [
        EmbeddingVersion(version=version, kind=kind, samples=counts.get(version, 0))
        for version, kind in wanted
        if version is not None and embeddings.parts(version)
    ]


def starting_weights(store: LabelStore, layout: DataLayout, campaign: Campaign) -> StartingWeights | None:
    """The newest encoder that a training run starts from, or None: as the campaign's `model` says.

    That is when `settings.train_from` is "auto", the settings name no weights themselves, and a finished pretraining
    made an encoder of the same name.
    """
    settings = campaign.settings
    if settings.train_from != "auto" or settings.model.pretrained or settings.model.pretrained_file is not None:
        return None
    for entry in store.pretrainings.finished(campaign.campaign_id):
        if entry.config.encoder == settings.model.encoder and entry.version is not None:
            file = layout.encoders(campaign.name) / entry.version / ENCODER_FILE
            return StartingWeights(entry.version, file.absolute()) if file.is_file() else None
    return None
