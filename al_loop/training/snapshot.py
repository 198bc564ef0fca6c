"""Labels -> the immutable directory that one training run sees (`models.manifest`).

A snapshot is reproducible: it holds the labels that were current after the event `label_event_id`.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from al_loop.campaigns.classes import former_names
from al_loop.campaigns.readiness import readiness
from al_loop.domain.campaigns import Campaign
from al_loop.domain.samples import SkippedPath
from al_loop.store import LabelStore
from al_loop.training.installed import usable_model
from al_loop.training.snapshots.rows import labelled_rows, schema
from al_loop.training.starting_weights import StartingWeights, started_from
from models.manifest import SAMPLES_FILE, Manifest, write_manifest

STATISTICS_SAMPLES = 200


class Snapshot(NamedTuple):
    """What was written."""

    manifest: Manifest
    sha256: str
    """Of `manifest.json`."""
    counts: dict[str, int]
    """Labelled samples of each split."""
    left_out: Sequence[SkippedPath] = ()
    """Labelled samples whose file cannot be used."""


def write_snapshot(
    store: LabelStore,
    campaign: Campaign,
    number: int,
    directory: Path,
    *,
    version: str,
    incumbent: Path | None,
    incumbent_version: str | None,
    now: datetime,
    start: StartingWeights | None = None,
    background: bool = False,
    trains: bool = True,
) -> Snapshot:
    """Write `manifest.json` and `samples.parquet` for a training run.

    Of several annotators of one (sample, task) the newest answer counts, a person's before an import's. Reserve samples
    become the test split; the others are train, but for about 15 % calibration, chosen by block and the same from round
    to round. Reserve samples that show what a training sample shows are left out, see `find_leaks`, and so are
    gold-standard samples, and so are labels in doubt and samples whose file is damaged or gone.
    Files are not opened: `look_at_images` comes before.

    Args:
        store: Where the labels are.
        campaign: Whose labels.
        number: The round's.
        directory: Made if missing.
        version: Name of the model version that the run produces.
        incumbent: `model.onnx` of the serving version, if any.
        incumbent_version: Its name.
        now: When the snapshot is taken.
        start: Encoder weights that the run starts from; None: as the campaign's settings say.
        background: Whether the run tries a deep candidate while other rounds go on.
        trains: False of a run that only measures a model from elsewhere, see `readiness`.

    Raises:
        NotEnoughLabelsError: Too few labels, or one class only; says what to label.
        OSError: The disk is full or the directory cannot be written.
    """
    missing = readiness(store, campaign, now, trains=trains)
    if missing is not None:
        raise missing
    label_event_id = store.labels.newest_event(campaign.campaign_id)
    rows, tasks, left_out, leaks, data = labelled_rows(store, campaign, up_to=label_event_id)
    directory.mkdir(parents=True, exist_ok=True)
    digest = write_rows(directory, rows)
    counts = {"train": 0, "calibration": 0, "test": 0}
    for row in rows:
        counts[row["split"]] += 1
    source_bands = campaign.source_bands or 0
    usable = usable_model(started_from(campaign.settings.model, start))
    manifest = Manifest(
        version=version,
        campaign=campaign.name,
        round_number=number,
        created_at=now.isoformat(),
        label_event_id=label_event_id,
        tasks=tasks,
        source_bands=source_bands,
        bands=campaign.bands or list(range(1, source_bands + 1)),
        unlabelled=campaign.settings.unlabelled,
        model=usable.model,
        train=campaign.settings.train,
        statistics_paths=_statistics_paths(store, campaign),
        incumbent_onnx=None if incumbent is None else str(incumbent.absolute()),
        incumbent_version=incumbent_version,
        counts=counts,
        samples_sha256=digest,
        trained_from=None if start is None else start.version,
        former_names=former_names(campaign),
        band_policy=campaign.band_policy,
        sensor=campaign.settings.sensor,
        encoder_problem=usable.encoder_problem,
        band_names=campaign.settings.listed_band_names,
        background=background,
        leaks=leaks,
        data=data,
    )
    return Snapshot(manifest, write_manifest(directory, manifest), counts, left_out)


def write_rows(directory: Path, rows: Sequence[dict[str, Any]]) -> str:
    """Write `samples.parquet` and return its sha256."""
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema()), directory / SAMPLES_FILE)
    return hashlib.sha256((directory / SAMPLES_FILE).read_bytes()).hexdigest()


def _statistics_paths(store: LabelStore, campaign: Campaign) -> list[str]:
    """Absolute paths of random rasters outside the reserve, labelled or not, whose files can be used."""
    _, paths = store.samples.paths(campaign.campaign_id, reserve=False, usable=True)
    rng = np.random.default_rng(campaign.settings.train.seed)
    chosen = rng.choice(len(paths), size=min(STATISTICS_SAMPLES, len(paths)), replace=False)
    return [str(Path(campaign.root) / path) for path in paths[np.sort(chosen)]]
