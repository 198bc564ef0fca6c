"""`python -m models.pretrain SPEC_DIR --out DIR`: an encoder from images without labels, ready to publish.

Leaves `encoder.safetensors`, `model.onnx` with the single output `embedding`, `summary.json`, and `card.json` without
tasks.
Known failures leave one sentence in `DIR/error.txt` and exit code 2; anything else is a traceback.
"""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from models.card import BandStatistics, Evaluation, ModelCard, ModelConfig, ParityReport, TrainConfig
from models.encoders.pool_look import look_at_pool
from models.errors import RasterError, TrainingDataError, UnusableRasterError
from models.pretrain_config import (
    ENCODER_FILE,
    SUMMARY_FILE,
    PretrainConfig,
    PretrainSummary,
    check_config,
)
from models.pretraining.barlow_twins import Fitted, Partner, StepReport, fit_barlow_twins
from models.pretraining.chip_pool import ChipPool, Look, read_looks
from models.pretraining.encoder_network import EncoderNetwork, effective_rank, embed_chips, save_encoder
from models.pretraining.frozen_encoder import make_frozen_encoder
from models.pretraining.partner_encoder import look_of_partners, partner_encoder
from models.pretraining.spec import SPEC_FILE, PretrainSpec, read_spec
from models.programs import carry_out, read_options
from models.progress import Progress
from models.rasters.reading import read_header, read_raster
from models.registry import CARD_FILE, ONNX_FILE
from models.scoring.spec import FROZEN
from models.train import pick_device
from models.training.data.statistics import estimate_statistics
from models.training.data.stride import STRIDE_PX
from models.training.export import check_parity, export_onnx
from models.training.tallies import TILE_PX

MEASURED_CHIPS = 2048
"""Chips that the effective rank is taken from; all that are read for method `pretrained`."""

PARITY_CHIPS = 3


def pretrain(directory: Path, out: Path, progress: Progress) -> None:
    """Make the encoder version that a spec asks for.

    Args:
        directory: Holds `spec.json`.
        out: Existing folder for the results.
        progress: Called during the phases `training` and `exporting`.

    Raises:
        TrainingDataError: The images cannot be trained on, or the encoder cannot be built.
        ExportParityError: The ONNX file and torch disagree.
    """
    spec = read_spec(directory)
    config = spec.config
    problem = check_config(config)
    if problem is not None or config.encoder is None:
        raise TrainingDataError(problem[1] if problem else "the spec names no encoder")
    what = "pairs of images" if spec.partners else "images"
    progress.enter("training", message=f"reading {len(spec.paths)} {what}")
    device = pick_device(config.device)
    statistics = estimate_statistics(spec.paths, spec.bands, spec.band_policy)
    torch.manual_seed(config.seed)
    start = ModelConfig(encoder=config.encoder, pretrained=config.pretrained, pretrained_file=config.pretrained_file)
    look = look_at_pool(spec.paths, spec.source_bands, spec.bands, spec.sensor, spec.band_policy, spec.band_names)
    network = EncoderNetwork(start, statistics, look.kinds)
    trains = config.method == "barlow_twins"
    looks = [Look(spec.bands, statistics, spec.band_policy)]
    if spec.partners:
        looks.append(look_of_partners(spec.partners) if spec.other_kind else looks[0])
    pool = read_looks(
        list(zip(spec.paths, spec.partners, strict=True)) if spec.partners else [(path,) for path in spec.paths],
        looks,
        chip_px=config.chip_px,
        max_chips=config.max_chips if trains else min(config.max_chips, MEASURED_CHIPS),
        seed=config.seed,
    )
    fitted = None
    if trains:
        second = network.encoder
        if spec.other_kind:
            second = partner_encoder(network.encoder, start, looks[1], spec.partners)
        fitted = fit_barlow_twins(
            network.encoder,
            network.channels[-1],
            pool.chips,
            config,
            device,
            lambda line: _tell(progress, line),
            None if pool.partners is None else Partner(second, pool.partners),
        )

    progress.enter("exporting")
    summary = _summary(network, pool, fitted, device, config)
    save_encoder(network, config.encoder, out / ENCODER_FILE)
    export_onnx(network, len(spec.bands), out / ONNX_FILE)
    parity = check_parity(network, out / ONNX_FILE, _raw_chips(spec))
    card = _card(spec, start, statistics, network.embedding_size, summary, parity, _digest(directory / SPEC_FILE))
    digests = {name: _digest(out / name) for name in (ENCODER_FILE, ONNX_FILE)}
    for name, content in ((SUMMARY_FILE, summary), (CARD_FILE, msgspec.structs.replace(card, digests=digests))):
        (out / name).write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=1))


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of one pretraining; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.pretrain", description="Make an encoder without labels.")
    parser.add_argument("spec", type=Path, help="folder of spec.json, see models.pretrain_config")
    options = read_options(parser, arguments)

    def work() -> None:
        with Progress(options.out, supervised=options.supervised) as progress:
            if read_spec(options.spec).version == FROZEN:
                make_frozen_encoder(options.spec, options.out, progress, TILE_PX)
            else:
                pretrain(options.spec, options.out, progress)

    return carry_out(options.out, work, then="start again", memory_remedy="; use a smaller batch_size or chip_px")


def _tell(progress: Progress, line: StepReport) -> None:
    progress.step(line.step, line.steps, loss=line.loss, seconds_left=line.seconds_left, message=f"epoch {line.epoch}")


def _summary(
    network: EncoderNetwork, pool: ChipPool, fitted: Fitted | None, device: torch.device, config: PretrainConfig
) -> PretrainSummary:
    chosen = np.random.default_rng(config.seed).permutation(len(pool.chips))[:MEASURED_CHIPS]
    embeddings = embed_chips(network, pool.chips[np.sort(chosen)], device)
    if not np.isfinite(embeddings).all():
        raise TrainingDataError("the encoder's features are not finite; its weights do not suit these images")
    return PretrainSummary(
        chips=len(pool.chips),
        images=pool.images,
        embedding_size=network.embedding_size,
        effective_rank=round(effective_rank(embeddings), 2),
        device=device.type,
        pairs=0 if pool.partners is None else pool.images,
        **({"seconds": 0.0} if fitted is None else msgspec.structs.asdict(fitted)),
    )


def _raw_chips(spec: PretrainSpec) -> list[NDArray[np.float32]]:
    """Windows (C, H, W) of the first images that can be read."""
    chips: list[NDArray[np.float32]] = []
    for path in spec.paths:
        try:
            header = read_header(Path(path), policy=spec.band_policy)
            window = 0, 0, min(header.width, 4 * STRIDE_PX), min(header.height, 4 * STRIDE_PX)
            chips.append(read_raster(Path(path), spec.bands, window=window, policy=spec.band_policy))
        except (RasterError, UnusableRasterError):
            continue
        if len(chips) == PARITY_CHIPS:
            break
    return chips


def _card(
    spec: PretrainSpec,
    start: ModelConfig,
    statistics: BandStatistics,
    embedding_size: int,
    summary: PretrainSummary,
    parity: ParityReport,
    spec_sha256: str,
) -> ModelCard:
    """A card without tasks; `evaluation` is empty and `train` says the seed only."""
    return ModelCard(
        version=spec.version,
        campaign=spec.campaign,
        round_number=0,
        created_at=datetime.now(UTC).isoformat(),
        tasks=[],
        source_bands=spec.source_bands,
        bands=spec.bands,
        model=msgspec.structs.replace(start, embedding_size=embedding_size),
        train=TrainConfig(seed=spec.config.seed),
        statistics=statistics,
        temperature={},
        stride_px=STRIDE_PX,
        tile_px=TILE_PX,
        embedding_size=embedding_size,
        evaluation=Evaluation(candidate=[]),
        parity=parity,
        manifest_sha256=spec_sha256,
        labels=0,
        seconds=summary.seconds,
        digests={},
        pretraining=spec.config,
        pretraining_summary=summary,
        band_policy=spec.band_policy,
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
