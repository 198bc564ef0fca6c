"""From a labelled folder to the pixels of a fast simulation that asks about points."""

import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from al_loop.campaigns.importing import ImportPlan
from al_loop.domain.painting import painted
from al_loop.domain.samples import Sample
from al_loop.errors import UnsupportedError
from al_loop.runtime.processes import run_supervised
from al_loop.simulation.fast.points import PointPool
from al_loop.simulation.one_run import SimulatedRun
from al_loop.simulation.oracle import Oracle
from al_loop.training.installed import embedding_problem
from models.arrays import Rows
from models.card import BACKGROUND, IGNORE
from models.training.pixels.spec import FEATURES_FILE, PIXELS_FILE, PixelSpec

PIXELS = 3_000
"""Of each image, at random."""

MOST_PIXELS = 200_000
"""Of all images together, 180 MB of features; fewer of each where there are many images."""

LEAST_PIXELS = 100


def point_pool(
    run: SimulatedRun,
    oracle: Oracle,
    plan: ImportPlan,
    directory: Path,
    tell: Callable[[str], None],
    cancelled: threading.Event,
) -> PointPool:
    """Random pixels of all images: features by the frozen shipped encoder, and right answers.

    Args:
        run: With a drawn test reserve.
        oracle: Knows the masks.
        plan: The folder.
        directory: Existing, for the files of the subprocess.
        tell: Receives a message.
        cancelled: Set by another thread to stop.

    Raises:
        UnsupportedError: The shipped encoder cannot be used here.
        ProcessFailedError: The images could not be described.
    """
    problem = embedding_problem()
    if problem is not None:
        raise UnsupportedError(f"points are simulated by the shipped encoder: {problem}")
    ids, _ = run.store.samples.paths(run.campaign.campaign_id)
    samples = list(run.store.samples.get_many(run.campaign.campaign_id, sorted(ids.tolist())).values())
    tell("describing pixels of the images with the shipped encoder")
    features, places = _described(run, samples, directory, cancelled)
    codes = np.full(len(places), IGNORE, np.uint8)
    weights = np.ones(len(places))
    classes = plan.tasks[0].classes
    fill = BACKGROUND if run.campaign.settings.unlabelled == "background" else IGNORE
    for number, sample in enumerate(samples):
        rows = np.flatnonzero(places[:, 0] == number)
        if not len(rows):
            continue
        weights[rows] = sample.height * sample.width / len(rows)
        for label in oracle.answer(sample.path):
            codes[rows] = painted(classes, label, sample, fill)[places[rows, 1], places[rows, 2]]
    reserve = np.array([sample.reserve for sample in samples])
    return PointPool(
        features=features, codes=codes, images=places[:, 0], places=places[:, 1:], weights=weights,
        reserve=reserve[places[:, 0]], outputs=len(classes) + 1,
    )  # fmt: skip


def _described(
    run: SimulatedRun, samples: list[Sample], directory: Path, cancelled: threading.Event
) -> tuple[np.ndarray, Rows]:
    """Features, and image, row and column of each pixel."""
    campaign, settings = run.campaign, run.campaign.settings
    source_bands = campaign.source_bands or 1
    spec = PixelSpec(
        paths=[str(Path(campaign.root).resolve() / sample.path) for sample in samples],
        scaled_by=[number for number, sample in enumerate(samples) if not sample.reserve],
        per_image=int(np.clip(MOST_PIXELS // len(samples), LEAST_PIXELS, PIXELS)),
        source_bands=source_bands,
        bands=campaign.bands or list(range(1, source_bands + 1)),
        band_policy=campaign.band_policy,
        sensor=settings.sensor,
        band_names=settings.listed_band_names,
    )
    file, out = directory / "pixels.json", directory / "pixels"
    file.write_bytes(msgspec.json.encode(spec))
    run_supervised(
        "models.training.pixels.describe", [str(file.resolve())], out, on_phase=_ignore, on_progress=_ignore,
        cancelled=cancelled,
    )  # fmt: skip
    return np.load(out / FEATURES_FILE), np.load(out / PIXELS_FILE)


def _ignore(_: object) -> None:
    """Nobody watches."""
