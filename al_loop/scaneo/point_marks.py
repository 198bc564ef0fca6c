"""Boxes around the points that a batch asks about: SCANEO can draw nothing else that no label is read from.

SCANEO has no markers, and its tool for points is there only beside a SAM model. A thin polygon would be an annotation
of the kind that answers are; a copy of the image with rings in it would be trained on. A box is an annotation of
another kind, and its label is one that the campaign's classes do not have: detection passes over it.
"""

from collections.abc import Iterable, Sequence

from al_loop.domain.campaigns import Campaign
from al_loop.domain.names import as_spelled
from al_loop.domain.queries import AskedPoint
from al_loop.domain.samples import SampleHeader
from al_loop.domain.scaneo_links import OfferedBox
from al_loop.errors import InvalidValueError
from al_loop.scaneo.boxes import box_corners
from al_loop.scaneo.port import ScaneoPort
from al_loop.scaneo.records import MARK

COLOUR = "#ff00ff"

SHARE = 100
"""Of the image's shorter side is half a box, at least `LEAST_PX`: the pixel stays visible in its middle."""
LEAST_PX = 4.5


def refuse_mark_as_class(campaign: Campaign) -> None:
    """Raise InvalidValueError where a class is named as the marks are."""
    classes = [name for spec in campaign.tasks for name in spec.classes]
    if as_spelled(MARK, classes) in classes:
        raise InvalidValueError("$.unit", f"batches mark points with the label {MARK!r}, which is one of the classes")


def mark_points(port: ScaneoPort, image_id: int, header: SampleHeader, points: Sequence[AskedPoint]) -> None:
    """Draw a box around each point of an image.

    Raises:
        InvalidValueError: The image has no place on Earth, which SCANEO draws by.
        ScaneoUnreachableError, ScaneoAnswerError: SCANEO is down, or refused.
    """
    half = max(LEAST_PX, min(header.width, header.height) / SHARE)
    for point in points:
        left, top = max(0.0, point.column - half), max(0.0, point.row - half)
        right, bottom = min(header.width, point.column + half), min(header.height, point.row + half)
        parts = box_corners(OfferedBox(path=header.path, label=MARK, box=(left, top, right, bottom)), header)
        if not parts:
            raise InvalidValueError("$.unit", f"{header.path} has no longitude and latitude, by which SCANEO draws")
        for south, west, north, east in parts:
            port.add_box(image_id, MARK, [(south, east), (north, west)])


def remove_marks(port: ScaneoPort, image_ids: Iterable[int]) -> None:
    """Delete the boxes of images: SCANEO keeps annotations of a campaign that is deleted.

    Raises:
        ScaneoUnreachableError, ScaneoAnswerError: SCANEO is down, or refused.
    """
    for image_id in image_ids:
        for row in port.annotations(image_id):
            if row.type == "detection" and row.value == MARK:
                port.delete_annotation(row.id)
