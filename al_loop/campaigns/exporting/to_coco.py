"""Boxes as one COCO file, which lies beside the images: `file_name` is the path from there."""

from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any, BinaryIO

import msgspec

from al_loop.campaigns.exporting.boxes import DECIMALS, counting_boxes, task_of_boxes
from al_loop.campaigns.exporting.summary import ExportSummary
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import Label
from al_loop.domain.samples import SampleHeader, SkippedPath

ANSWERED = "al_loop_answered"
"""Member of an image that somebody has looked at; without an object it shows none. Other programs pass over it."""


def write_coco(
    target: BinaryIO, campaign: Campaign, labels: Iterable[Label], samples: Mapping[int, SampleHeader]
) -> ExportSummary:
    """Write the boxes of the answers that count (`al_loop.domain.labels.counting`), `bbox` in pixels.

    Categories are numbered from 1, in the order of the classes. Regions to ignore have `iscrowd` 1; their category says
    nothing. `segmentation` is empty, as the outline of an object is not known.

    Raises:
        InvalidValueError: The campaign has no task of boxes.
    """
    spec = task_of_boxes(campaign, "coco")
    skipped: list[SkippedPath] = []
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    number = count(1)
    for image_id, (sample, boxes) in enumerate(counting_boxes(spec, labels, samples, skipped), start=1):
        images.append(
            {"id": image_id, "file_name": sample.path, "width": sample.width, "height": sample.height, ANSWERED: True}
        )
        for name, (left, top, right, bottom) in boxes:
            bbox = [round(value, DECIMALS) for value in (left, top, right - left, bottom - top)]
            annotations.append(
                {
                    "id": next(number),
                    "image_id": image_id,
                    "category_id": 1 if name is None else spec.classes.index(name) + 1,
                    "bbox": bbox,
                    "area": round(bbox[2] * bbox[3], DECIMALS),
                    "iscrowd": int(name is None),
                    "segmentation": [],
                }
            )
    categories = [{"id": number, "name": name} for number, name in enumerate(spec.classes, start=1)]
    content = {
        "info": {"description": campaign.name},
        "images": images,
        "annotations": annotations,
        "categories": categories,
    }
    target.write(msgspec.json.encode(content))
    return ExportSummary(labels=len(images), skipped=skipped)
