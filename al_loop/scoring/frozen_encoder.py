"""The shipped encoder of a campaign: made once from its images, without labels and without training."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.runtime.executor import Executor, check_digests, ignore, read_output, run_program
from al_loop.store import LabelStore
from models.card import ModelCard
from models.encoders.multispectral import waited_for_package
from models.encoders.wheel import SHIPPED_ENCODER
from models.pretrain_config import PretrainConfig
from models.pretraining.spec import PretrainSpec, write_spec
from models.progress import ProgressLine
from models.registry import CARD_FILE, ModelRegistry
from models.scoring.spec import FROZEN

LOOKED_AT = 1_000
"""Images that its band statistics may be taken from; a few hundred of them are read."""


def make_frozen_encoder(
    store: LabelStore,
    layout: DataLayout,
    campaign: Campaign,
    *,
    executor: Executor,
    on_progress: Callable[[ProgressLine], None],
    cancelled: threading.Event,
) -> bool:
    """Publish the encoder `FROZEN` of a campaign, unless that was done; returns whether it is there.

    Raises:
        ProcessFailedError: It cannot be made, in one sentence: weights that are missing or changed, a sensor that
            contradicts the number of bands.
        ProcessCancelledError: `cancelled` was set.
    """
    registry = ModelRegistry(layout.encoders(campaign.folder))
    if FROZEN in registry.versions():
        return True
    _, paths = store.samples.paths(campaign.campaign_id, reserve=False, usable=True)
    if not len(paths):
        return False
    source_bands = campaign.source_bands or 1
    step = max(1, len(paths) // LOOKED_AT)
    spec = PretrainSpec(
        version=FROZEN,
        campaign=campaign.name,
        config=PretrainConfig(method="pretrained", encoder=SHIPPED_ENCODER),
        source_bands=source_bands,
        bands=campaign.bands or list(range(1, source_bands + 1)),
        paths=[str(Path(campaign.root) / path) for path in paths[::step][:LOOKED_AT]],
        band_policy=campaign.band_policy,
        sensor=campaign.settings.sensor,
        band_names=campaign.settings.listed_band_names,
        model=campaign.settings.model,
    )
    directory = layout.frozen_encoder(campaign.folder)
    write_spec(directory, spec)
    staged = directory / "training"
    run_program(
        executor, "models.pretrain", [str(directory.resolve())], staged,
        on_phase=ignore, on_progress=on_progress, cancelled=cancelled,
    )  # fmt: skip
    card = read_output(staged / CARD_FILE, ModelCard)
    check_digests(staged, card.digests)
    registry.publish(FROZEN, staged, card)
    shutil.rmtree(staged)
    return True


def renew_frozen_encoder(store: LabelStore, layout: DataLayout, campaign: Campaign) -> bool:
    """Forget it, so that the pool is embedded again, where it was made before a package was there that it needs.

    Returns:
        Whether it was forgotten: `settings.model.multispectral` asks for the package, which can be used now.
    """
    registry = ModelRegistry(layout.encoders(campaign.folder))
    if campaign.settings.model.multispectral == "off" or FROZEN not in registry.versions():
        return False
    if not waited_for_package(registry.card(FROZEN).features):
        return False
    store.scores.forget_version(campaign.campaign_id, FROZEN)  # first: a stop in between is made up for
    forget_frozen_encoder(layout, campaign)
    return True


def forget_frozen_encoder(layout: DataLayout, campaign: Campaign) -> None:
    """Remove it with its embeddings: the campaign's bands are read otherwise now."""
    for folder in (
        layout.scores(campaign.folder) / FROZEN,
        layout.encoders(campaign.folder) / FROZEN,
        layout.frozen_encoder(campaign.folder),
    ):
        shutil.rmtree(folder, ignore_errors=True)
