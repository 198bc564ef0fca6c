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
import shapely

from al_loop.campaigns.classes import former_names, without_retired
from al_loop.campaigns.readiness import readiness
from al_loop.domain.campaigns import Campaign
from al_loop.domain.geojson import to_pixels
from al_loop.domain.labels import Label, counting
from al_loop.domain.painting import label_polygons
from al_loop.domain.reserve import block_position
from al_loop.domain.samples import Sample, SkippedPath
from al_loop.errors import NotEnoughLabelsError
from al_loop.store import LabelStore
from al_loop.store.tables.images import FormerImage
from al_loop.training.installed import usable_model
from al_loop.training.starting_weights import StartingWeights, started_from
from models.card import IGNORE, TaskName, TaskSpec
from models.geo.placement import WGS84, place, polygons_only
from models.manifest import SAMPLES_FILE, Manifest, Split, write_manifest
from models.tasks import task_kinds, task_of

CALIBRATION_SHARE = 0.15
CALIBRATION_MOST = 0.3
CALIBRATION_FROM = 10
"""Labels from which calibration is never empty."""
STATISTICS_SAMPLES = 200
LEAST_UNSEEN_PX = 1.0
"""Slivers that are smaller come from rounding."""

COLUMNS = [
    ("sample_id", pa.int64()), ("path", pa.string()), ("split", pa.string()), ("block", pa.string()),
    ("file_bytes", pa.int64()), ("modified_ns", pa.int64()),
]  # fmt: skip

LabelsByTask = dict[TaskName, Label]


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
) -> Snapshot:
    """Write `manifest.json` and `samples.parquet` for a training run.

    Of several annotators of one (sample, task) the newest answer counts, a person's before an import's. Reserve samples
    become the test split; the others are train, but for about 15 % calibration, chosen by block and the same from round
    to round. Gold-standard samples are left out, and so are labels in doubt and samples whose file is damaged or gone.
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

    Raises:
        NotEnoughLabelsError: Too few labels, or one class only; says what to label.
        OSError: The disk is full or the directory cannot be written.
    """
    missing = readiness(store, campaign, now)
    if missing is not None:
        raise missing
    label_event_id = store.labels.newest_event(campaign.campaign_id)
    doubted = store.images.doubted(campaign.campaign_id)
    current = store.labels.current(campaign.campaign_id, up_to=label_event_id)
    answers = _trained(campaign, counting(label for label in current if label.label_id not in doubted))
    known = _used(store, campaign, answers)
    left_out = [
        SkippedPath(path=found.path, reason=found.file_problem) for found in known.values() if found.file_problem
    ]
    samples = {sample_id: found for sample_id, found in known.items() if found.file_problem is None}
    answers = {sample_id: answers[sample_id] for sample_id in samples}
    tasks = _usable_tasks(campaign, answers, samples)
    before = store.images.before(campaign.campaign_id, list(samples))
    rows = _rows(campaign, tasks, answers, samples, before)
    directory.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema()), directory / SAMPLES_FILE)
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
        samples_sha256=hashlib.sha256((directory / SAMPLES_FILE).read_bytes()).hexdigest(),
        trained_from=None if start is None else start.version,
        former_names=former_names(campaign),
        band_policy=campaign.band_policy,
        sensor=campaign.settings.sensor,
        encoder_problem=usable.encoder_problem,
        band_names=campaign.settings.listed_band_names,
        background=background,
    )
    return Snapshot(manifest, write_manifest(directory, manifest), counts, left_out)


def schema() -> pa.Schema:
    """Columns of `samples.parquet`: one for each task, whether or not the campaign asks it."""
    return pa.schema([*COLUMNS, *((name, kind.column()) for name, kind in task_kinds().items())])


def _trained(campaign: Campaign, answers: dict[int, LabelsByTask]) -> dict[int, LabelsByTask]:
    """The answers without retired classes; samples that have no other answer are left out."""
    kept: dict[int, LabelsByTask] = {}
    for sample_id, tasks in answers.items():
        for task, label in tasks.items():
            trained = without_retired(campaign, label)
            if trained is not None:
                kept.setdefault(sample_id, {})[task] = trained
    return kept


def split_samples(blocks: Sequence[str], seed: int) -> list[bool]:
    """Whether each labelled sample outside the reserve is for calibration rather than training.

    Whole blocks, chosen by their hash: a block keeps its split while labels are added. With `CALIBRATION_FROM`
    samples or more in two blocks or more, neither split is empty.

    Args:
        blocks: Block of each sample.
        seed: The campaign's.
    """
    sizes: dict[str, int] = {}
    for block in blocks:
        sizes[block] = sizes.get(block, 0) + 1
    place = {block: block_position(f"calibration:{block}", seed) for block in sizes}
    order = sorted(sizes, key=lambda block: place[block])
    taken, total = set[str](), 0
    for block in order:
        if place[block] < CALIBRATION_SHARE and total + sizes[block] <= CALIBRATION_MOST * len(blocks):
            taken.add(block)
            total += sizes[block]
    if not taken and len(blocks) >= CALIBRATION_FROM:
        taken = {next((block for block in order if sizes[block] <= len(blocks) // 2), "")}
    return [block in taken for block in blocks]


def _used(store: LabelStore, campaign: Campaign, answers: dict[int, LabelsByTask]) -> dict[int, Sample]:
    """The answered samples without those of the gold standard."""
    found = store.samples.get_many(campaign.campaign_id, answers)
    return {sample_id: sample for sample_id, sample in found.items() if not sample.golden}


def _usable_tasks(campaign: Campaign, answers: dict[int, LabelsByTask], samples: dict[int, Sample]) -> list[TaskSpec]:
    """Tasks with labels on both sides; a head that was never trained, or cannot be tested, is not built."""
    sides = {(task, samples[sample_id].reserve) for sample_id, tasks in answers.items() for task in tasks}
    usable = [spec for spec in campaign.tasks if (spec.task, False) in sides and (spec.task, True) in sides]
    if not usable:
        raise NotEnoughLabelsError("no task is labelled both in the test reserve and outside of it", 1)
    return usable


def _rows(
    campaign: Campaign,
    tasks: Sequence[TaskSpec],
    answers: dict[int, LabelsByTask],
    samples: dict[int, Sample],
    before: dict[int, list[FormerImage]],
) -> list[dict[str, Any]]:
    """Rows of `schema()`, by sample; `before` says what replaced images were like."""
    names = [spec.task for spec in tasks]
    used = [sample_id for sample_id in sorted(answers) if not answers[sample_id].keys().isdisjoint(names)]
    blocks = {sample_id: samples[sample_id].block for sample_id in used}
    trainable = [sample_id for sample_id in used if not samples[sample_id].reserve]
    if len({blocks[sample_id] for sample_id in trainable}) == 1:  # one place only: its samples stand alone
        blocks |= {sample_id: f"sample:{samples[sample_id].path}" for sample_id in trainable}
    held_out = split_samples([blocks[sample_id] for sample_id in trainable], campaign.settings.reserve.seed)
    split: dict[int, Split] = {
        sample_id: "calibration" if held else "train" for sample_id, held in zip(trainable, held_out, strict=True)
    }
    return [
        {
            "sample_id": sample_id,
            "path": str(Path(campaign.root) / samples[sample_id].path),
            "split": split.get(sample_id, "test"),
            "block": blocks[sample_id],
            "file_bytes": samples[sample_id].file_bytes,
            "modified_ns": samples[sample_id].modified_ns,
            **{
                spec.task: _answer(
                    spec, answers[sample_id].get(spec.task), samples[sample_id], before.get(sample_id, [])
                )
                for spec in tasks
            },
        }
        for sample_id in used
    ]


def _answer(
    spec: TaskSpec, label: Label | None, sample: Sample, before: Sequence[FormerImage] = ()
) -> list[Any] | None:
    """The target of a label; None where the task is not labelled.

    Of a label that was drawn before the image was replaced, what lies beyond the old image is ignored: nobody looked
    at it.
    """
    if label is None:
        return None
    polygons = [] if label.features is None else label_polygons(spec.classes, label, sample)
    drawn_on = next((former for former in before if former.replaced_at > label.recorded_at), None)
    if drawn_on is not None and label.features is not None:
        polygons = [*unseen_polygons(drawn_on, sample), *polygons]
    return task_of(spec).encode(label.classes or [], polygons)


def unseen_polygons(former: FormerImage, sample: Sample) -> list[tuple[int, bytes]]:
    """Code "ignore" and WKB in pixels of what lies in a sample's image, and did not in the one that it replaced."""
    if former.crs is None or former.transform is None:
        return []
    frame = shapely.box(0, 0, former.width, former.height)
    old = place(frame, former.crs, former.transform)
    if old is None:
        return []
    seen = to_pixels(old, WGS84, sample)
    unseen = polygons_only(shapely.box(0, 0, sample.width, sample.height) - seen)
    return [(IGNORE, shapely.to_wkb(part)) for part in unseen.geoms if part.area > LEAST_UNSEEN_PX]


def _statistics_paths(store: LabelStore, campaign: Campaign) -> list[str]:
    """Absolute paths of random rasters outside the reserve, labelled or not, whose files can be used."""
    _, paths = store.samples.paths(campaign.campaign_id, reserve=False, usable=True)
    rng = np.random.default_rng(campaign.settings.train.seed)
    chosen = rng.choice(len(paths), size=min(STATISTICS_SAMPLES, len(paths)), replace=False)
    return [str(Path(campaign.root) / path) for path in paths[np.sort(chosen)]]
