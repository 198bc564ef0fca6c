"""Boxes of YOLO text files: `class x y width height` a line, x and y of the centre, in shares of the image's size."""

from al_loop.campaigns.importing.boxes import Box, Boxes, boxes_plan
from al_loop.campaigns.importing.listing import Listing, is_image
from al_loop.campaigns.importing.plan import ImportPlan
from al_loop.campaigns.importing.yolo import Line, YoloFolder, is_box, named
from al_loop.errors import InvalidValueError


def plan(listing: Listing, folder: YoloFolder) -> ImportPlan:
    """Plan a detection campaign; images without a text file join the pool unlabelled, empty files say "none here".

    The box of an outline is its bounds.

    Args:
        listing: The folder.
        folder: As it was read.

    Raises:
        InvalidValueError: Classes have no names, or no file can be used.
    """
    if not any(folder.lines.values()):
        raise InvalidValueError("$.directory", f"no box in the text files of {listing.root}: {listing.why()}")
    names = named(folder)
    labelled = {
        path: Boxes([_box(line, names[line[0]]) for line in lines], shares=True) for path, lines in folder.lines.items()
    }
    outlines, _ = folder.counts()
    notes = [f"{outlines} outlines became boxes: their bounds"] if outlines else []
    return boxes_plan("yolo", listing, [path for path in listing.files if is_image(path)], names, labelled, notes)


def _box(line: Line, name: str) -> Box:
    """The corners of a line in shares of the image's size."""
    _, shares = line
    if is_box(line):
        x, y, width, height = shares
        return Box(name, x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return Box(name, min(shares[::2]), min(shares[1::2]), max(shares[::2]), max(shares[1::2]))
