"""One image's annotations in SCANEO -> label events in the store. Only real changes; the same again changes nothing."""

import hashlib
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import shapely
from shapely.geometry import mapping

from al_loop.campaigns.imagery.checking import check_images
from al_loop.campaigns.labelling import check_label, record_labels
from al_loop.domain.campaigns import Campaign
from al_loop.domain.geojson import PIXEL, placed
from al_loop.domain.labels import Label, LabelInput
from al_loop.domain.points import DrawnFeatures, classes_at
from al_loop.domain.samples import Sample
from al_loop.domain.scaneo_links import Link, LinkedImage
from al_loop.errors import ConflictError, InvalidValueError
from al_loop.scaneo.annotations import Answer, OfferedHere, Reading, ShownClass, read_annotations
from al_loop.scaneo.campaign_plan import LABELLED_TASKS
from al_loop.scaneo.records import ScaneoAnnotation
from al_loop.store import LabelStore
from models.card import TaskName, TaskSpec
from models.rasters.opening.sidecars import stamp
from models.rasters.reading import pixel_hash, resolve_inside
from models.tasks import kind_of

MOST_PROBLEM = 500
"""Characters of a problem that are kept."""


class Stamp(NamedTuple):
    """One annotation, as far as a change of it shows."""

    annotation_id: str
    updated_at: datetime


def digest_of(stamps: Sequence[Stamp]) -> str:
    """Changes with every change of an image's annotations: their number and a hash of ids and times."""
    text = "|".join(f"{stamp.annotation_id}@{stamp.updated_at.isoformat()}" for stamp in sorted(stamps))
    return f"{len(stamps)}:{hashlib.blake2b(text.encode(), digest_size=12).hexdigest()}"


def stamps_of(rows: Sequence[ScaneoAnnotation]) -> list[Stamp]:
    """Stamps of an image's annotations."""
    return [Stamp(row.id, row.updated_at) for row in rows]


def count_in(digest: str | None) -> int:
    """Number of annotations that a digest was taken of; None: of an image that was never read."""
    return 0 if digest is None else int(digest.partition(":")[0])


class Collector:
    """Makes labels from annotations."""

    def __init__(self, store: LabelStore, flush: Callable[[], None]) -> None:
        """Write into a store.

        Args:
            store: Where labels and shown predictions are.
            flush: Brings shown predictions that wait to be written into the store.
        """
        self._store, self._flush = store, flush
        self._lock = threading.Lock()
        """Held while one image is compared and stored: two threads must not both find that its label is missing."""

    def collect(
        self, link: Link, campaign: Campaign, image: LinkedImage, rows: Sequence[ScaneoAnnotation], now: datetime
    ) -> LinkedImage:
        """Bring the labels of one image's sample up to its annotations, and remember that.

        Labels are stored before the reading is: after a stop between the two, the image is read again and compares
        equal. Annotations that cannot become a label stay in SCANEO, and `problem` says what to do about them.

        Args:
            link: The link.
            campaign: Ours.
            image: The image as stored.
            rows: All of its annotations.
            now: The present.

        Returns:
            The image as it is stored now.
        """
        with self._lock:
            stored = self._store.scaneo.image(image.campaign_id, image.image_id) or image
            read = msgspec.structs.replace(stored, digest=digest_of(stamps_of(rows)), read_at=now)
            if read.sample_id is not None:
                self._flush()  # what was shown a moment ago must be known before it is taken for a person's answer
                read = self._label(link, campaign, read, rows, now)
            self._store.scaneo.save_readings([read])
        return read

    def _label(
        self, link: Link, campaign: Campaign, image: LinkedImage, rows: Sequence[ScaneoAnnotation], now: datetime
    ) -> LinkedImage:
        sample = _as_on_disk(self._store, campaign, image.sample_id or 0, now)
        specs = [spec for spec in campaign.tasks if spec.task in LABELLED_TASKS]
        if sample.file_problem is not None:
            problem = f"the file cannot be read any more ({sample.file_problem}); put it back"
            return msgspec.structs.replace(image, problem=problem)
        offered = self._offered(campaign, sample, image)
        reading = read_annotations(rows, specs, self._shown(campaign, sample, specs), offered)
        problems = list(reading.problems)
        annotator = self._annotator(link, campaign, image, now)
        times = {spec.task: _labelled_at(link, rows, spec, now) for spec in specs}
        recorded = self._record(campaign, sample, reading, annotator, image, times, now, problems)
        return msgspec.structs.replace(
            image,
            annotator=annotator if recorded else None,
            recorded=recorded,
            problem="; ".join(problems)[:MOST_PROBLEM] or None,
        )

    def _record(
        self,
        campaign: Campaign,
        sample: Sample,
        reading: Reading,
        annotator: str,
        image: LinkedImage,
        times: dict[TaskName, datetime],
        now: datetime,
        problems: list[str],
    ) -> dict[TaskName, int]:
        """Record what changed, retract what is gone; returns the labels that stand, by task."""
        current = self._current(campaign, sample.sample_id, annotator)
        recorded: dict[TaskName, int] = {}
        changed: list[LabelInput] = []
        for task, labelled_at in times.items():
            answer = next((entry for entry in reading.answers if entry.task == task), None)
            stands = current.get(task)
            label = None if answer is None else _usable(campaign, sample, answer, annotator, labelled_at, problems, now)
            if label is not None and label.features is not None:
                label = self._at_points(campaign, sample, label, problems, now)
            if label is None:
                if stands is not None and stands.label_id == image.recorded.get(task):
                    self._retract(campaign, stands, now)
            elif stands is not None and _says_the_same(campaign, sample, label, stands, now):
                recorded[task] = stands.label_id
            else:
                changed.append(label)
        for stored in record_labels(self._store, campaign, changed, now):
            recorded[stored.task] = stored.label_id
        return recorded

    def _at_points(
        self, campaign: Campaign, sample: Sample, label: LabelInput, problems: list[str], now: datetime
    ) -> LabelInput | None:
        """What was drawn as answers to the points that the annotator was asked about last; else the label itself.

        A brush stroke or a small polygon answers the points under it, and says nothing of the rest.
        """
        asked = self._store.leases.points_of(campaign.campaign_id, label.annotator, [sample.sample_id])
        if not asked:
            return label
        checked = check_label(campaign, sample.sample_id, sample, label, now, "$")
        pixels = [(int(point.column), int(point.row)) for point in asked[sample.sample_id]]
        found = classes_at(pixels, DrawnFeatures.of(checked), sample)
        if not found:
            problems.append("no point that was asked about lies under what is drawn; draw over the points")
            return None
        features = [
            {
                "type": "Feature",
                "properties": {"label": name} if name is not None else {"label": None, "ignore": True},
                "geometry": {"type": "Point", "coordinates": [column + 0.5, row + 0.5]},
            }
            for (column, row), name in found.items()
        ]
        collection = {"type": "FeatureCollection", "features": features}
        return msgspec.structs.replace(label, features=collection, crs=PIXEL, add=True)

    def _retract(self, campaign: Campaign, label: Label, now: datetime) -> None:
        try:
            self._store.labels.retract(campaign.campaign_id, label.label_id, annotator=None, now=now)
        except ConflictError:  # it was replaced just now, so it is no longer ours to withdraw
            return

    def _current(self, campaign: Campaign, sample_id: int, annotator: str) -> dict[TaskName, Label]:
        """The annotator's current labels of a sample, by task."""
        newest: dict[TaskName, Label] = {}
        for event in self._store.labels.history(campaign.campaign_id, sample_id):
            if event.annotator == annotator:
                newest[event.task] = event
        return {task: event for task, event in newest.items() if event.retracts is None}

    def _annotator(self, link: Link, campaign: Campaign, image: LinkedImage, now: datetime) -> str:
        """Who drew: whom earlier labels of the image are from, else the batch's or the lease's annotator."""
        if image.annotator is not None:
            return image.annotator
        for batch in self._store.scaneo.batches(campaign.campaign_id):
            if batch.scaneo_campaign == image.scaneo_campaign:
                return batch.annotator
        leases = self._store.queries.leases(campaign.campaign_id, now)
        holder = next((lease.annotator for lease in leases if lease.sample_id == image.sample_id), None)
        return holder or link.options.annotator

    def _shown(self, campaign: Campaign, sample: Sample, specs: Sequence[TaskSpec]) -> list[ShownClass]:
        """Classes that our models have suggested for these pixels."""
        spec = next((spec for spec in specs if spec.task == "classification"), None)
        if spec is None:
            return []
        shown = self._store.scaneo.shown_probabilities(campaign.campaign_id, self._pixel_hash(campaign, sample))
        return [
            ShownClass(spec.classes[max(range(len(values)), key=values.__getitem__)], shown_at)
            for values, shown_at in shown
        ]

    def _offered(self, campaign: Campaign, sample: Sample, image: LinkedImage) -> list[OfferedHere]:
        """Boxes that we offered on an image in SCANEO."""
        found = []
        for box in self._store.scaneo.boxes(campaign.campaign_id, image.image_id):
            there = None if box.box is None else placed(shapely.box(*box.box), sample)
            whole = there is not None and len(there.geoms) == 1
            found.append(
                OfferedHere(box.annotation_id, mapping(there.geoms[0]) if there is not None and whole else None)
            )
        return found

    def _pixel_hash(self, campaign: Campaign, sample: Sample) -> str:
        """Hash of the file's pixels as they are now."""
        path = resolve_inside(Path(campaign.root), sample.path)
        modified_ns = stamp(path).modified_ns
        known = self._store.samples.pixel_hash(campaign.campaign_id, sample.sample_id)
        if known is not None and known[1] == modified_ns:
            return known[0]
        fresh = pixel_hash(path, sample.path)
        self._store.samples.set_pixel_hashes(campaign.campaign_id, [(sample.sample_id, fresh, modified_ns)])
        return fresh


def _as_on_disk(store: LabelStore, campaign: Campaign, sample_id: int, now: datetime) -> Sample:
    """The sample after its file was compared with the one that was registered."""
    check_images(store, campaign, now, [sample_id])
    return store.samples.get(campaign.campaign_id, sample_id)


def _labelled_at(link: Link, rows: Sequence[ScaneoAnnotation], spec: TaskSpec, now: datetime) -> datetime:
    """When the newest annotation of a task was made, not later than now."""
    times = [link.aware(row.updated_at) for row in rows if row.type == spec.task]
    return min([now, max(times, default=now)])


def _usable(
    campaign: Campaign,
    sample: Sample,
    answer: Answer,
    annotator: str,
    labelled_at: datetime,
    problems: list[str],
    now: datetime,
) -> LabelInput | None:
    """The answer as a label; areas that the store would refuse are left out, and named."""
    label = LabelInput(
        sample_id=sample.sample_id,
        task=answer.task,
        annotator=annotator,
        classes=answer.classes,
        features=answer.features,
        override_lease=True,  # it is drawn already, regardless of who holds the lease
        labelled_at=labelled_at,
    )
    if _refusal(campaign, sample, label, now) is None:
        return label
    if answer.features is None:
        problems.append(_refusal(campaign, sample, label, now) or "")
        return None
    good: list[dict[str, Any]] = []
    for feature in answer.features["features"]:
        one = msgspec.structs.replace(label, features={"type": "FeatureCollection", "features": [feature]})
        refusal = _refusal(campaign, sample, one, now)
        if refusal is None:
            good.append(feature)
        else:
            name = feature["properties"]["label"] or "machine's"
            problems.append(f"a {name} {_drawn_as(answer.task)} is left out: {refusal}; correct or delete it")
    if not any(feature["properties"]["label"] for feature in good):
        return None
    return msgspec.structs.replace(label, features={"type": "FeatureCollection", "features": good})


def _drawn_as(task: TaskName) -> str:
    return "box" if kind_of(task).finds_objects else "mask"


def _refusal(campaign: Campaign, sample: Sample, label: LabelInput, now: datetime) -> str | None:
    """Why the store would refuse a label; None if it would not."""
    try:
        check_label(campaign, sample.sample_id, sample, label, now, "$")
    except InvalidValueError as error:
        return error.reason
    return None


def _says_the_same(campaign: Campaign, sample: Sample, label: LabelInput, stored: Label, now: datetime) -> bool:
    checked = check_label(campaign, sample.sample_id, sample, label, now, "$")
    return (checked.classes, _plain(checked.features)) == (stored.classes, _plain(stored.features))


def _plain(features: dict[str, Any] | None) -> object:
    """As it comes back from the store: tuples are lists there."""
    return msgspec.json.decode(msgspec.json.encode(features))
