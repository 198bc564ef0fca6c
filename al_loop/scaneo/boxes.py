"""Boxes that a detector found, offered through SCANEO's annotations, since SCANEO calls no detection models itself."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
import shapely

from al_loop.domain.campaigns import Campaign
from al_loop.domain.geojson import placed
from al_loop.domain.names import same_text
from al_loop.domain.samples import SampleHeader
from al_loop.domain.scaneo_links import BoxReport, Link, OfferedBox, PushedBox, SkippedBox
from al_loop.scaneo.port import ScaneoPort
from al_loop.store import LabelStore
from models.metrics import box_iou

SAME_IOU = 0.5
"""A box of the same label that overlaps an earlier one by this much was offered before, whatever became of it."""


def push_boxes(
    store: LabelStore,
    port: ScaneoPort,
    campaign: Campaign,
    link: Link,
    boxes: Sequence[OfferedBox],
    now: datetime,
    *,
    batch: str | None = None,
) -> BoxReport:
    """Draw boxes in SCANEO, each at most once, and remember that they are a machine's.

    A box is left out where one of its label lies already, offered before or drawn by a person. Unknown labels are
    refused, as SCANEO cannot draw any annotation of an image that has one.

    Args:
        store: Where images and offered boxes are.
        port: The SCANEO.
        campaign: Ours.
        link: Its link.
        boxes: By path of their sample.
        now: The present.
        batch: SCANEO's id of a batch whose images are meant; None: the linked campaign.

    Raises:
        ScaneoUnreachableError, ScaneoAnswerError: SCANEO is down, or refused; those before it are drawn and remembered.
    """
    there = batch or link.scaneo_campaign
    names = {same_text(label.name): label.name for label in port.labels(there)}
    linked = [image for image in store.scaneo.images(campaign.campaign_id, there) if image.sample_id is not None]
    headers = store.samples.headers(campaign.campaign_id, [image.sample_id or 0 for image in linked])
    images = {headers[image.sample_id].path: image for image in linked if image.sample_id in headers}
    offered: dict[tuple[int, str], list[list[float]]] = {}
    for known in store.scaneo.boxes(campaign.campaign_id):
        offered.setdefault((known.image_id, known.label), []).append(known.corners)
    drawn_there: dict[int, dict[str, list[list[float]]]] = {}
    pushed, skipped = 0, []
    for index, box in enumerate(boxes):
        image = images.get(box.path) or images.get(link.prefix + box.path)
        header = None if image is None else headers.get(image.sample_id or 0)
        reason = _refusal(box, header, names)
        if image is None or header is None or reason is not None:
            skipped.append(SkippedBox(index=index, reason=reason or f"no image {box.path!r} in the link"))
            continue
        parts, label = box_corners(box, header), names[same_text(box.label)]
        before = offered.setdefault((image.image_id, label), [])
        if not parts:
            skipped.append(SkippedBox(index=index, reason=f"{box.path} has no longitude and latitude there"))
            continue
        if before and box_iou(np.array(parts), np.array(before)).max() >= SAME_IOU:
            skipped.append(SkippedBox(index=index, reason="offered before"))
            continue
        if image.image_id not in drawn_there:
            drawn_there[image.image_id] = _drawn(port, image.image_id)
        beside = drawn_there[image.image_id].get(label, [])
        if beside and box_iou(np.array(parts), np.array(beside)).max() >= SAME_IOU:
            skipped.append(SkippedBox(index=index, reason="an annotator drew one there"))
            continue
        for corners in parts:
            south, west, north, east = corners
            drawn = port.add_box(image.image_id, label, [(south, east), (north, west)])
            store.scaneo.save_box(
                PushedBox(
                    campaign_id=campaign.campaign_id,
                    image_id=image.image_id,
                    annotation_id=drawn.id,
                    label=label,
                    corners=corners,
                    score=box.score,
                    version=box.version,
                    pushed_at=now,
                    box=list(box.box),
                )
            )
            before.append(corners)
        pushed += 1
    return BoxReport(pushed=pushed, skipped=skipped)


def _drawn(port: ScaneoPort, image_id: int) -> dict[str, list[list[float]]]:
    """South, west, north, east of the boxes of an image in SCANEO, by label."""
    found: dict[str, list[list[float]]] = {}
    for row in port.annotations(image_id):
        if row.bb is not None and len(row.bb) == 2:
            (one, first), (other, second) = row.bb
            corners = [min(one, other), min(first, second), max(one, other), max(first, second)]
            found.setdefault(row.value, []).append(corners)
    return found


def _refusal(box: OfferedBox, header: SampleHeader | None, names: Mapping[str, str]) -> str | None:
    if header is None:
        return f"no image {box.path!r} in the link"
    if same_text(box.label) not in names:
        return f"SCANEO has no label {box.label!r}; add it there first"
    left, top, right, bottom = box.box
    if not (0 <= left < right <= header.width and 0 <= top < bottom <= header.height):
        return f"the box does not lie inside the {header.width} x {header.height} px image"
    return None


def box_corners(box: OfferedBox, header: SampleHeader) -> list[list[float]]:
    """South, west, north, east of the box's envelope in EPSG:4326: two across the date line, none without a place."""
    there = placed(shapely.box(*box.box), header)
    if there is None:
        return []
    return [[south, west, north, east] for west, south, east, north in (part.bounds for part in there.geoms)]
