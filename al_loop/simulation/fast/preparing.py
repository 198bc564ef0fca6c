"""From a labelled folder to the arrays of a fast simulation: test reserve, embeddings, right answers.

Done once for all runs and kept in `OUT/pool`: the same call later goes on with what is there.
"""

import dataclasses
import hashlib
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from al_loop.campaigns.importing import ImportPlan
from al_loop.errors import InvalidValueError, UnsupportedError
from al_loop.querying.strategies import Random
from al_loop.simulation.fast.pixels import point_pool
from al_loop.simulation.fast.points import PointPool
from al_loop.simulation.fast.pool import SimulatedPool
from al_loop.simulation.fast.thinning import thin
from al_loop.simulation.one_run import SimulatedRun
from al_loop.simulation.oracle import Oracle
from al_loop.simulation.records import SimulationConfig
from al_loop.training.installed import embedding_problem
from models.progress import ProgressLine
from models.scoring.embedding_space import fit_space
from models.scoring.joined_embeddings import leading_of
from models.scoring.spec import FEATURES, FROZEN
from models.tasks import task_of

TELL_EVERY_S = 60.0
POOL = "pool"
FINGERPRINT = "fingerprint"
POOL_FORMAT = 2
"""Of pools and runs that are kept in `OUT`; until 1 the shipped encoder had no part in them."""

RESERVE_SEED = 0
"""Every run has the same test reserve: a fixed random part, which the encoder never sees either."""


def prepare(
    config: SimulationConfig, plan: ImportPlan, tell: Callable[[str], None], cancelled: threading.Event
) -> Path:
    """Directory of the `SimulatedPool` of a folder, or of its `PointPool`, made if it is missing.

    Args:
        config: What to simulate.
        plan: The folder as it is imported.
        tell: Receives messages about the progress.
        cancelled: Set by another thread to stop.

    Raises:
        UnsupportedError: The folder's task is not one that fast mode can simulate.
        InvalidValueError: `OUT` holds the pool of another folder or recipe.
        ProcessFailedError: Scoring or pretraining died.
    """
    spec = plan.tasks[0]
    if spec.multi_label:
        raise UnsupportedError("fast mode simulates campaigns of one class a sample; use --mode full")
    if config.unit == "image" and task_of(spec).answered_with != "classes":
        raise UnsupportedError(
            f"fast mode asks about whole images for their classes, and the labels of this folder are {spec.task}; "
            "use --unit point to ask about pixels of masks, or --mode full"
        )
    if config.unit == "point" and not task_of(spec).per_pixel:
        raise UnsupportedError(f"points are asked about for segmentation; the labels of this folder are {spec.task}")
    if config.unit == "point" and (config.thin or config.pretrain_minutes):
        raise UnsupportedError("points are simulated with all samples and the shipped encoder")
    directory = config.out / POOL
    fingerprint = _fingerprint(config)
    if (directory / FINGERPRINT).is_file():
        if (directory / FINGERPRINT).read_text() != fingerprint:
            raise InvalidValueError("$.out", f"{directory} was made with other settings; use another folder")
        return directory
    shutil.rmtree(directory, ignore_errors=True)
    (directory / "work").mkdir(parents=True)
    tell("reading the labels")
    oracle = Oracle.read(plan)
    if config.thin:
        config, oracle = thin(config, plan, oracle, _reserve(config, plan, oracle, directory / "before", cancelled))
    run = SimulatedRun(config, plan, oracle, Random(), RESERVE_SEED, (directory / "work").resolve(), cancelled)
    try:
        run.draw_reserve()
        pool: SimulatedPool | PointPool
        if config.unit == "point":
            pool = point_pool(run, oracle, plan, directory / "work", tell, cancelled)
        else:
            tell("describing the images")
            versions = [FEATURES, *_encoder(config, run, tell)]
            pool = dataclasses.replace(
                _whole_samples(run, oracle, plan, versions), features_only=versions == [FEATURES]
            )
    finally:
        run.store.close()
    pool.write(directory)
    shutil.rmtree(directory / "work")
    (directory / FINGERPRINT).write_text(fingerprint)
    return directory


def _reserve(
    config: SimulationConfig, plan: ImportPlan, oracle: Oracle, directory: Path, cancelled: threading.Event
) -> set[str]:
    """Paths of the test reserve of the whole folder."""
    directory.mkdir()
    run = SimulatedRun(config, plan, oracle, Random(), RESERVE_SEED, directory.resolve(), cancelled)
    try:
        run.draw_reserve()
        return set(run.store.samples.paths(run.campaign.campaign_id, reserve=True)[1].tolist())
    finally:
        run.store.close()
        shutil.rmtree(directory)


def _whole_samples(run: SimulatedRun, oracle: Oracle, plan: ImportPlan, versions: Sequence[str]) -> SimulatedPool:
    """Every image of one class is a sample."""
    classes = plan.tasks[0].classes
    sample_ids, sources = run.embeddings(versions)
    samples = run.store.samples.get_many(run.campaign.campaign_id, sample_ids.tolist())
    targets = np.zeros((len(sample_ids), len(classes)), np.float32)
    for row, sample_id in enumerate(sample_ids.tolist()):
        for label in oracle.answer(samples[sample_id].path):
            for name in label.classes or []:
                targets[row, classes.index(name)] = 1
    known = targets.sum(axis=1) == 1
    reserve = np.array([samples[sample_id].reserve for sample_id in sample_ids.tolist()])
    return SimulatedPool(
        embeddings=fit_space([part[~reserve] for part in sources], leading_of(versions)).apply(sources)[known],
        targets=targets[known],
        reserve=reserve[known],
    )


def _encoder(config: SimulationConfig, run: SimulatedRun, tell: Callable[[str], None]) -> list[str]:
    """What joins the image features, as in a service: an encoder that is trained now, else the shipped one."""
    if config.pretrain_minutes == 0:
        problem = embedding_problem()
        if problem is not None:
            tell(f"without the shipped encoder, on image features alone: {problem}")
            return []
        tell("describing the images with the shipped encoder")
        return [FROZEN]
    tell(f"self-supervised training on the images outside of the test reserve: {config.pretrain_minutes:g} minutes")
    reported_at = time.monotonic()

    def report(line: ProgressLine) -> None:
        nonlocal reported_at
        if line.loss is not None and time.monotonic() - reported_at >= TELL_EVERY_S:
            reported_at = time.monotonic()
            tell(f"{line.message}: loss {line.loss:.1f}, {(line.seconds_left or 0) / 60:.1f} minutes left")

    return [run.pretrain(config.pretrain_minutes, report)]


def _fingerprint(config: SimulationConfig) -> str:
    parts = (
        POOL_FORMAT,
        str(config.directory.resolve()),
        config.reserve_share,
        config.pretrain_minutes,
        *([config.thin] if config.thin else []),
        *(["point"] if config.unit == "point" else []),
    )
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]
