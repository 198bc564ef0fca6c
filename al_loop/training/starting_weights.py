"""The encoder that a training run starts from, if a pretraining made one that fits."""

from pathlib import Path
from typing import NamedTuple

import msgspec

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.store import LabelStore
from al_loop.training.installed import usable_model
from models.card import ModelConfig
from models.pretrain_config import ENCODER_FILE


class StartingWeights(NamedTuple):
    """An encoder that a training run may start from."""

    version: str
    file: Path


def starting_weights(store: LabelStore, layout: DataLayout, campaign: Campaign) -> StartingWeights | None:
    """The newest encoder that a training run starts from, or None: as the campaign's `model` says.

    That is when `settings.train_from` is "auto", the settings name no weights themselves, and a finished pretraining
    made an encoder of the same name.
    """
    settings = campaign.settings
    if settings.train_from != "auto" or settings.model.pretrained or settings.model.pretrained_file is not None:
        return None
    names = {settings.model.encoder, usable_model(settings.model).model.encoder}
    for entry in store.pretrainings.finished(campaign.campaign_id):
        if entry.config.encoder in names and entry.version is not None:
            file = layout.encoders(campaign.folder) / entry.version / ENCODER_FILE
            return StartingWeights(entry.version, file.absolute()) if file.is_file() else None
    return None


def started_from(model: ModelConfig, start: StartingWeights | None) -> ModelConfig:
    """The architecture of a run that starts from these weights; None: from those that it names itself, if any."""
    weights = model.pretrained_file if start is None else start.file
    if weights is None:
        return model
    return msgspec.structs.replace(model, pretrained_file=str(Path(weights).absolute()))
