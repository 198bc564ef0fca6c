"""What the formats of boxes share: the objects of each image, in pixels of it, of the answer that counts."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from al_loop.campaigns.exporting.coordinates import UNPLACEABLE
from al_loop.campaigns.exporting.summary import NOWHERE
from al_loop.domain.campaigns import Campaign
from al_loop.domain.geojson import Sides
from al_loop.domain.labels import Label, counting
from al_loop.domain.painting import named_boxes
from al_loop.domain.samples import SampleHeader, SkippedPath
from al_loop.errors import InvalidValueError
from models.card import TaskSpec
from models.tasks import kind_of

DECIMALS = 6
"""Of a pixel: what is read again is what was written."""


class ImageBoxes(NamedTuple):
    """The objects of one image."""

    sample: SampleHeader
    boxes: list[tuple[str | None, Sides]]
    """Class (None: a region to ignore) and sides; empty: looked, none here."""


def task_of_boxes(campaign: Campaign, export_format: str) -> TaskSpec:
    """The task whose labels are boxes.

    Raises:
        InvalidValueError: The campaign asks for none.
    """
    spec = next((spec for spec in campaign.tasks if kind_of(spec.task).finds_objects), None)
    if spec is None:
        asked = ", ".join(spec.task for spec in campaign.tasks)
        raise InvalidValueError(
            "format", f"{export_format} holds boxes, and {campaign.name} asks {asked}; use geojson, scaneo or parquet"
        )
    return spec


def counting_boxes(
    spec: TaskSpec, labels: Iterable[Label], samples: Mapping[int, SampleHeader], skipped: list[SkippedPath]
) -> list[ImageBoxes]:
    """The objects of each labelled image, by path; images whose objects have no place in them go to `skipped`."""
    found = []
    for sample_id, answers in counting(labels).items():
        label, sample = answers.get(spec.task), samples[sample_id]
        if label is None:
            continue
        try:
            boxes = named_boxes(spec.classes, label, sample)
        except UNPLACEABLE:
            boxes = []
        if not boxes and label.features and label.features["features"]:
            skipped.append(SkippedPath(path=sample.path, reason=NOWHERE))
        else:
            found.append(ImageBoxes(sample, boxes))
    return sorted(found, key=lambda entry: entry.sample.path)
