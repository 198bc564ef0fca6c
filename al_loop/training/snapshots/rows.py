"""The rows of a snapshot: labelled samples as they were after a label event, each on its side, with its targets.

They are made again from the same event for `al_loop.training.lineage.reproducing`, whatever was labelled since.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import shapely

from al_loop.campaigns.classes import without_retired
from al_loop.domain.campaigns import Campaign
from al_loop.domain.geojson import to_pixels
from al_loop.domain.labels import Label, counting
from al_loop.domain.painting import label_boxes, label_polygons
from al_loop.domain.reserve import block_position
from al_loop.domain.samples import Sample, SkippedPath
from al_loop.errors import NotEnoughLabelsError
from al_loop.store import LabelStore
from al_loop.store.tables.images import FormerImage
from al_loop.training.evaluation.leakage import Leakage, find_leaks, leaks_of
from al_loop.training.snapshots.training_data import training_data
from models.card import IGNORE, TaskName, TaskSpec, TrainingData
from models.geo.placement import WGS84, place, polygons_only
from models.manifest import Leaks, Split
from models.tasks import task_kinds, task_of

CALIBRATION_SHARE = 0.15
CALIBRATION_MOST = 0.3
CALIBRATION_FROM = 10
"""Labels from which calibration is never empty."""
LEAST_UNSEEN_PX = 1.0
"""Slivers that are smaller come from rounding."""

COLUMNS = [
    ("sample_id", pa.int64()), ("path", pa.string()), ("split", pa.string()), ("block", pa.string()),
    ("nearest_m", pa.float64()), ("file_bytes", pa.int64()), ("modified_ns", pa.int64()),
]  # fmt: skip

LabelsByTask = dict[TaskName, Label]


class LabelledRows(NamedTuple):
    """What a training run sees of the labels."""

    rows: list[dict[str, Any]]
    """Of `schema()`, by sample."""
    tasks: list[TaskSpec]
    """That they are labelled for."""
    left_out: list[SkippedPath]
    """Labelled samples whose file cannot be used."""
    leaks: Leaks
    """Reserve samples that show what a training sample shows."""
    data: TrainingData
    """What the images and labels are, for people."""


def labelled_rows(
    store: LabelStore, campaign: Campaign, *, up_to: int, tasks: Sequence[TaskName] | None = None
) -> LabelledRows:
    """The rows of a snapshot.

    Args:
        store: Where the labels are.
        campaign: Whose labels.
        up_to: The newest label event that counts.
        tasks: Names of those that are taken; None: all that are labelled on both sides.

    Raises:
        NotEnoughLabelsError: No task is labelled on both sides.
    """
    doubted = store.images.doubted(campaign.campaign_id)
    current = store.labels.current(campaign.campaign_id, up_to=up_to)
    answers = _trained(campaign, counting(label for label in current if label.label_id not in doubted))
    known = _used(store, campaign, answers)
    left_out = [
        SkippedPath(path=found.path, reason=found.file_problem) for found in known.values() if found.file_problem
    ]
    samples = {sample_id: found for sample_id, found in known.items() if found.file_problem is None}
    answers = {sample_id: answers[sample_id] for sample_id in samples}
    usable = (
        _usable_tasks(campaign, answers, samples)
        if tasks is None
        else [spec for spec in campaign.tasks if spec.task in tasks]
    )
    leakage = find_leaks(*(_side(samples, answers, usable, reserve=reserve) for reserve in (True, False)))
    answers, leaks = without_leaks(answers, samples, usable, leakage)
    before = store.images.before(campaign.campaign_id, list(samples))
    rows = _rows(campaign, usable, answers, samples, before, leakage.nearest_m)
    data = training_data(usable, rows, samples, answers, campaign.settings.sensor)
    return LabelledRows(rows, usable, left_out, leaks, data)


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


def _side(
    samples: dict[int, Sample], answers: dict[int, LabelsByTask], tasks: Sequence[TaskSpec], *, reserve: bool
) -> list[Sample]:
    """Samples with a label for any of the tasks, of the test reserve or outside of it, by id."""
    names = {spec.task for spec in tasks}
    used = sorted(sample_id for sample_id, found in answers.items() if not names.isdisjoint(found))
    return [samples[sample_id] for sample_id in used if samples[sample_id].reserve == reserve]


def without_leaks(
    answers: dict[int, LabelsByTask], samples: dict[int, Sample], tasks: Sequence[TaskSpec], found: Leakage
) -> tuple[dict[int, LabelsByTask], Leaks]:
    """The answers without those of reserve samples that leak, unless a task would have none left to measure on."""
    leaking = found.overlapping | found.equal
    clean = {sample_id: given for sample_id, given in answers.items() if sample_id not in leaking}
    left = {task for sample_id, given in clean.items() if samples[sample_id].reserve for task in given}
    enough = all(spec.task in left for spec in tasks)
    return clean if enough else answers, leaks_of(found, excluded=enough)


def _rows(
    campaign: Campaign,
    tasks: Sequence[TaskSpec],
    answers: dict[int, LabelsByTask],
    samples: dict[int, Sample],
    before: dict[int, list[FormerImage]],
    nearest_m: dict[int, float],
) -> list[dict[str, Any]]:
    """Rows of `schema()`, by sample; `before` says what replaced images were like, `nearest_m` how far training is."""
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
            "nearest_m": nearest_m.get(sample_id),
            "file_bytes": samples[sample_id].file_bytes,
            "modified_ns": samples[sample_id].modified_ns,
            **{
                spec.task: _answer(
                    spec,
                    answers[sample_id].get(spec.task),
                    samples[sample_id],
                    before.get(sample_id, []),
                    campaign.settings.model.output_scale,
                )
                for spec in tasks
            },
        }
        for sample_id in used
    ]


def _answer(
    spec: TaskSpec, label: Label | None, sample: Sample, before: Sequence[FormerImage] = (), scale: int = 1
) -> list[Any] | None:
    """The target of a label; None where the task is not labelled.

    Of a label that was drawn before the image was replaced, what lies beyond the old image is ignored: nobody looked
    at it.
    """
    if label is None:
        return None
    polygons: list[tuple[int, bytes]] = []
    if label.features is not None:
        objects = task_of(spec).finds_objects
        polygons = (
            label_boxes(spec.classes, label, sample) if objects else label_polygons(spec.classes, label, sample, scale)
        )
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
