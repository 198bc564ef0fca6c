"""Boxes that a detector found, offered through SCANEO's annotations, since SCANEO calls no detection models itself."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import shapely

from al_loop.domain.campaigns import Campaign
from al_loop.domain.geojson import placed
from al_loop.domain.samples import SampleHeader
from al_loop.domain.scaneo_links import BoxReport, Link, OfferedBox, PushedBox, SkippedBox
from al_loop.scaneo.port import ScaneoPort
from al_loop.store import LabelStore
from models.metrics import box_iou

SAME_IOU = 0.5
"""A box of the same label that overlaps an earlier one by this much was offered before, whatever became of it."""


def push_boxes(
    store: LabelStore, port: ScaneoPort, campaign: Campaign, link: Link, boxes: Sequence[OfferedBox], now: datetime
) -> BoxReport:
    """Draw boxes in SCANEO, each at most once, and remember that they are a machine's.

    Unknown labels are refused, as SCANEO cannot draw any annotation of an image that has one.

    Raises:
        ScaneoUnreachableError, ScaneoAnswerError: SCANEO is down, or refused; those before it are drawn and remembered.
    """
    names = {label.name for label in port.labels(link.scaneo_campaign)}
    images = {
        image.path: image
        for image in store.scaneo.images(campaign.campaign_id, link.scaneo_campaign)
        if image.sample_id is not None
    }
    offered: dict[tuple[int, str], list[list[float]]] = {}
    for known in store.scaneo.boxes(campaign.campaign_id):
        offered.setdefault((known.image_id, known.label), []).append(known.corners)
    pushed, skipped = 0, []
    for index, box in enumerate(boxes):
        image = images.get(box.path.removeprefix(link.prefix))
        header = None if image is None else store.samples.get(campaign.campaign_id, image.sample_id or 0)
        reason = _refusal(box, header, names)
        if image is None or header is None or reason is not None:
            skipped.append(SkippedBox(index=index, reason=reason or f"no image {box.path!r} in the link"))
            continue
        parts = box_corners(box, header)
        before = offered.setdefault((image.image_id, box.label), [])
        if not parts:
            skipped.append(SkippedBox(index=index, reason=f"{box.path} has no longitude and latitude there"))
            continue
        if before and box_iou(np.array(parts), np.array(before)).max() >= SAME_IOU:
            skipped.append(SkippedBox(index=index, reason="offered before"))
            continue
        for corners in parts:
            south, west, north, east = corners
            drawn = port.add_box(image.image_id, box.label, [(south, east), (north, west)])
            store.scaneo.save_box(
                PushedBox(
                    campaign_id=campaign.campaign_id,
                    image_id=image.image_id,
                    annotation_id=drawn.id,
                    label=box.label,
                    corners=corners,
                    score=box.score,
                    version=box.version,
                    pushed_at=now,
                )
            )
            before.append(corners)
        pushed += 1
    return BoxReport(pushed=pushed, skipped=skipped)


def _refusal(box: OfferedBox, header: SampleHeader | None, names: set[str]) -> str | None:
    if header is None:
        return f"no image {box.path!r} in the link"
    if box.label not in names:
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
