"""One encoder from start to end, in the calling thread: spec, subprocess, registry. Knows nothing of states."""

import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.runtime.executor import Executor, check_digests, read_output, run_program
from al_loop.runtime.processes import run_supervised
from al_loop.scoring.embedding_versions import encoder_version
from al_loop.store import LabelStore
from al_loop.training.installed import usable_model
from al_loop.training.pairs import find_pairs
from al_loop.training.running.round_files import slim
from models.card import ModelCard, ModelConfig
from models.pretrain_config import PretrainConfig
from models.pretraining.spec import PretrainSpec, write_spec
from models.progress import ProgressLine
from models.registry import CARD_FILE, ModelRegistry


def train_encoder(
    store: LabelStore,
    layout: DataLayout,
    campaign: Campaign,
    number: int,
    config: PretrainConfig,
    *,
    on_phase: Callable[[str], None],
    on_progress: Callable[[ProgressLine], None],
    cancelled: threading.Event,
    executor: Executor = run_supervised,
) -> ModelCard:
    """Run `models.pretrain` on the campaign's images outside the test reserve and publish the encoder.

    Args:
        store: Where the images are listed; the reserve should be drawn.
        layout: Where spec and encoder lie.
        campaign: Whose images.
        number: Of the pretraining; the encoder is called `ssl-<number>`.
        config: The recipe; its `encoder` None means that of the campaign's models.
        on_phase: Called with "training" and "exporting" before each begins.
        on_progress: Called with each line of progress.
        cancelled: Set by another thread to end the whole process tree.
        executor: Runs the training.

    Returns:
        Its card; `PoolScorer.score` embeds the pool with `card.version`.

    Raises:
        ProcessCancelledError: `cancelled` was set.
        ProcessFailedError: The subprocess ended badly, in its own sentence if it left one, or left files that cannot be
            used.
        RegistryError: The encoder exists already.
        InvalidValueError: Pairs are asked for and there are none.
        OSError: The disk is full or not writable.
    """
    directory, version = layout.pretraining(campaign.folder, number), encoder_version(number)
    start = ModelConfig(
        encoder=config.encoder or campaign.settings.model.encoder, pretrained_file=config.pretrained_file
    )
    config = msgspec.structs.replace(config, encoder=usable_model(start).model.encoder)
    source_bands = campaign.source_bands or 1
    paths, partners = _paths(store, campaign, config)
    spec = PretrainSpec(
        version=version,
        campaign=campaign.name,
        config=config,
        source_bands=source_bands,
        bands=campaign.bands or list(range(1, source_bands + 1)),
        paths=paths,
        partners=partners,
        other_kind=config.pairs_with is not None,
        band_policy=campaign.band_policy,
        sensor=campaign.settings.sensor,
        band_names=campaign.settings.listed_band_names,
    )
    write_spec(directory, spec)
    staged = directory / "training"
    run_program(
        executor,
        "models.pretrain",
        [str(directory.resolve())],
        staged,
        on_phase=on_phase,
        on_progress=on_progress,
        cancelled=cancelled,
    )
    card = read_output(staged / CARD_FILE, ModelCard)
    check_digests(staged, card.digests)
    sealed = ModelRegistry(layout.encoders(campaign.folder)).publish(version, staged, card)
    slim(staged)
    return sealed


def _paths(store: LabelStore, campaign: Campaign, config: PretrainConfig) -> tuple[list[str], list[str]]:
    """Absolute paths of usable files outside the reserve in random order, and of their partners where pairs are asked.

    Of very many a random part.
    """
    if config.pairs_by is None:
        _, paths = store.samples.paths(campaign.campaign_id, reserve=False, usable=True)
        found: list[tuple[str, ...]] = [(str(Path(campaign.root) / path),) for path in paths]
    else:
        found = [*find_pairs(store, campaign, config)]
    order = np.random.default_rng(config.seed).permutation(len(found))[: config.max_chips]
    chosen = [found[index] for index in order]
    return [first for first, *_ in chosen], [partner for _, *rest in chosen for partner in rest]
