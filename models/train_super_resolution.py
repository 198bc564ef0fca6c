"""`python -m models.train_super_resolution PAIRS_DIR --out DIR`: a model of super-resolution from a folder of pairs.

Trains, measures on the held-out places beside bicubic, exports and checks; leaves `model.onnx`, `card.json` and
`examples.png`. With `--checkpoint DIR` a run that was cut off goes on where its checkpoint is. Known failures leave one
sentence in `DIR/error.txt` and exit code 2; anything else is a traceback.
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

from models.arrays import Floats
from models.errors import RasterError, SuperResolutionError
from models.files import write_atomically
from models.programs import carry_out, read_options
from models.progress import Progress
from models.super_resolution.card import (
    CARD_FILE,
    EXAMPLES_FILE,
    ONNX_FILE,
    PAIRS_FILE,
    PairEntry,
    PairSet,
    SuperResolutionCard,
    SuperResolutionConfig,
    SuperResolutionReport,
    read_pair_set,
    version_of,
)
from models.super_resolution.evaluation import report_of
from models.super_resolution.examples import Example, examples_png
from models.super_resolution.exporting import check_super_parity, export_super_resolution
from models.super_resolution.fit import Patches, fit_network, held_part, run_key
from models.super_resolution.measures import Measured, Scale, measure
from models.super_resolution.network import SuperResolutionNetwork, parameter_count, reach_px
from models.super_resolution.pairs.pair_files import read_pair
from models.train import pick_device
from models.training.data.statistics import estimate_statistics

PARITY_IMAGES = 3
MEASURED_PX = 256
"""Side of the coarse part of a held-out image that is measured, from its upper left corner."""
_EXAMPLES = 6


def train_super_resolution(
    folder: Path, out: Path, config: SuperResolutionConfig, progress: Progress, checkpoint: Path | None = None
) -> SuperResolutionCard:
    """Train, measure and export.

    Args:
        folder: Of pairs, as `models.super_resolution.pairs.pair_files.make_pairs` leaves it.
        out: Existing folder for the results.
        config: The recipe.
        progress: Called during the phases `training`, `evaluating` and `exporting`.
        checkpoint: Folder of what a training that was cut off goes on from; None: none is made.

    Raises:
        SuperResolutionError: The folder holds no pairs, or none to train on or to measure by.
        TrainingDataError: The loss is not finite, or no image has a valid pixel.
        ExportParityError: The ONNX file and torch disagree.
    """
    pairs = read_pair_set(folder)
    digest = hashlib.sha256((folder / PAIRS_FILE).read_bytes()).hexdigest()
    progress.enter("training", message=f"reading {len(pairs.pairs)} pairs")
    device = pick_device(config.device)
    training = [entry for entry in pairs.pairs if entry.split == "train"]
    if not training or len(training) == len(pairs.pairs):
        raise SuperResolutionError(
            f"{folder / PAIRS_FILE} needs pairs to train on and pairs that are held out; it has {len(training)} of "
            f"{len(pairs.pairs)} to train on"
        )
    statistics = estimate_statistics(
        [str(folder / "low" / f"{entry.name}.tif") for entry in training], range(1, len(pairs.bands) + 1)
    )
    scale = Scale(np.array(statistics.low), np.array(statistics.high))
    torch.manual_seed(config.seed)
    network = SuperResolutionNetwork(
        statistics, pairs.factor, pairs.mtf, channels=config.channels, blocks=config.blocks
    )
    rng = np.random.default_rng(config.seed)
    held: list[tuple[Floats, Floats]] = []
    for entry in training:
        low, high = _read(folder, pairs, entry)
        low, high = held_part(low, high, pairs.factor, len(training), rng)
        held.append((scale(low).astype(np.float32), scale(high).astype(np.float32)))
    fitting = fit_network(
        network,
        network.restored,
        Patches(held, pairs.factor, config),
        config,
        device,
        lambda done, total, loss: progress.step(done, total, loss=loss),
        None if checkpoint is None else (checkpoint, run_key(config, digest)),
    )
    del held

    network.cpu()
    report = _measured(folder, pairs, network, scale, progress, out)
    progress.enter("exporting")
    export_super_resolution(network, len(pairs.bands), out / ONNX_FILE)
    images = [_read(folder, pairs, entry)[0] for entry in training[:PARITY_IMAGES]]
    parity = check_super_parity(network, out / ONNX_FILE, images)
    sha256 = hashlib.sha256((out / ONNX_FILE).read_bytes()).hexdigest()
    card = SuperResolutionCard(
        version=version_of(sha256),
        created_at=datetime.now(UTC).isoformat(),
        factor=pairs.factor,
        bands=pairs.bands,
        source_bands=pairs.source_bands,
        statistics=statistics,
        mtf=pairs.mtf,
        pairs=len(training),
        pairs_sha256=digest,
        config=config,
        parameters=parameter_count(network),
        steps=fitting.steps,
        seconds=round(fitting.seconds, 1),
        device=device.type,
        overlap_px=reach_px(config.blocks),
        parity=parity,
        report=report,
        onnx_sha256=sha256,
    )
    with write_atomically(out / CARD_FILE) as file:
        file.write(msgspec.json.format(msgspec.json.encode(card), indent=1))
    return card


def _read(folder: Path, pairs: PairSet, entry: PairEntry) -> tuple[Floats, Floats]:
    try:
        return read_pair(folder, entry, len(pairs.bands))
    except RasterError as error:
        raise SuperResolutionError(
            f"pair {entry.name} of {folder} cannot be read: {error}; make the pairs again"
        ) from error


def _measured(
    folder: Path, pairs: PairSet, network: SuperResolutionNetwork, scale: Scale, progress: Progress, out: Path
) -> SuperResolutionReport:
    held_out = [entry for entry in pairs.pairs if entry.split == "test"]
    progress.enter("evaluating", total=len(held_out), message="on the held-out places, beside bicubic")
    models: list[Measured] = []
    bicubic: list[Measured] = []
    examples: list[Example] = []
    for done, entry in enumerate(held_out, start=1):
        low, high = _read(folder, pairs, entry)
        low = low[:, :MEASURED_PX, :MEASURED_PX]
        high = high[:, : low.shape[1] * pairs.factor, : low.shape[2] * pairs.factor]
        made, wide = enlarge_both(network, low)
        models.append(measure(made, high, low, scale, pairs.factor, pairs.mtf))
        bicubic.append(measure(wide, high, low, scale, pairs.factor, pairs.mtf))
        if len(examples) < _EXAMPLES:
            examples.append(Example(entry.name, low, wide, made, high, models[-1].psnr, bicubic[-1].psnr))
        progress.step(done, len(held_out))
    (out / EXAMPLES_FILE).write_bytes(examples_png(examples, pairs.bands))
    return report_of(models, bicubic, [entry.place for entry in held_out])


def enlarge_both(network: SuperResolutionNetwork, low: Floats) -> tuple[Floats, Floats]:
    """An image (C, H, W) enlarged by the network, and bicubically; NaN where it is invalid."""
    image = torch.from_numpy(np.ascontiguousarray(low))[None]
    with torch.no_grad():
        made = network(image)["image_hr"][0].numpy()
        wide = network.bicubic(image)[0].numpy()
    return made, wide


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of one training; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m models.train_super_resolution", description="Train a model of super-resolution."
    )
    parser.add_argument("pairs", type=Path, help="folder of pairs.json, low/ and high/")
    parser.add_argument("--config", default="{}", help="JSON of models.super_resolution.card.SuperResolutionConfig")
    parser.add_argument("--checkpoint", type=Path, help="folder of what a run that is cut off goes on from")
    options = read_options(parser, arguments)
    if options.limits.threads is not None:
        torch.set_num_threads(options.limits.threads)
    config = msgspec.json.decode(options.config, type=SuperResolutionConfig)

    def work() -> None:
        with Progress(options.out, supervised=options.supervised) as progress:
            train_super_resolution(options.pairs, options.out, config, progress, options.checkpoint)

    return carry_out(
        options.out, work, then="give the same command", memory_remedy="; choose a smaller --batch-size or --patch"
    )


if __name__ == "__main__":
    sys.exit(main())
