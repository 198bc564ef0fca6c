"""CVAT for images 1.1: a zip of `annotations.xml`, to be unpacked beside the images or uploaded to a task of CVAT.

Format: https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/
"""

from collections.abc import Iterable, Mapping
from typing import BinaryIO
from xml.etree.ElementTree import Element, SubElement, tostring

from al_loop.campaigns.exporting.labelling_tools.shapes import ImageShapes, drawn_task, shapes_of_images, write_archive
from al_loop.campaigns.exporting.summary import ExportSummary
from al_loop.campaigns.importing.labelling_tools.shapes import IGNORED
from al_loop.domain.campaigns import Campaign
from al_loop.domain.class_colours import class_colours
from al_loop.domain.labels import Label
from al_loop.domain.samples import SampleHeader, SkippedPath

FILE = "annotations.xml"
GREY = "#808080"
LOOKED = "somebody looked and found none, which CVAT cannot say"
_MANUAL = {"source": "manual"}


def write_cvat(
    target: BinaryIO, campaign: Campaign, labels: Iterable[Label], samples: Mapping[int, SampleHeader]
) -> ExportSummary:
    """Write the answers that count: tags, boxes, polygons with their order, points; `name` is the path of the image.

    A line becomes the area that it covers. Left out, with the reason in `left-out.txt`: answers of "none here", and the
    second of two drawn tasks. Regions to ignore are labelled `ignore`.
    """
    skipped: list[SkippedPath] = []
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    listed = SubElement(SubElement(SubElement(root, "meta"), "task"), "labels")
    wanted = [spec for spec in campaign.tasks if spec == drawn_task(campaign) or spec.task == "classification"]
    colours = class_colours(wanted, campaign.chosen_colours)
    for name, colour in (*colours.items(), (IGNORED, GREY)):
        entry = SubElement(listed, "label")
        SubElement(entry, "name").text = name
        SubElement(entry, "color").text = colour
    written = 0
    for shapes in shapes_of_images(campaign, labels, samples, skipped):
        if shapes.names == [] or (shapes.is_drawn and not shapes.boxes and not shapes.outlines):
            skipped.append(SkippedPath(path=shapes.sample.path, reason=LOOKED))
        if not shapes.is_blank:
            _image(root, written, shapes)
            written += 1
    write_archive(target, FILE, b'<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, "utf-8"), skipped)
    return ExportSummary(labels=written, skipped=skipped)


def _image(root: Element, number: int, shapes: ImageShapes) -> None:
    sample = shapes.sample
    size = {"width": str(sample.width), "height": str(sample.height)}
    image = SubElement(root, "image", {"id": str(number), "name": sample.path, **size})
    for name in shapes.names or ():
        SubElement(image, "tag", {"label": name, **_MANUAL})
    for order, (name, sides) in enumerate(shapes.boxes):
        corners = dict(zip(("xtl", "ytl", "xbr", "ybr"), map(repr, map(float, sides)), strict=True))
        SubElement(image, "box", {"label": name, **_MANUAL, "occluded": "0", **corners, "z_order": str(order)})
    for order, (name, corners_of) in enumerate(shapes.outlines):
        points = ";".join(f"{float(x)!r},{float(y)!r}" for x, y in corners_of)
        kind = "points" if len(corners_of) == 1 else "polygon"
        SubElement(image, kind, {"label": name, **_MANUAL, "occluded": "0", "points": points, "z_order": str(order)})
