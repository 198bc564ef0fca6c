"""Boxes as YOLO takes them: a zip with `data.yaml` and a text file an image, to be unpacked beside the images."""

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import BinaryIO

from al_loop.campaigns.exporting.boxes import counting_boxes, task_of_boxes
from al_loop.campaigns.exporting.summary import ExportSummary
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import Label
from al_loop.domain.samples import SampleHeader, SkippedPath

LEFT_OUT_FILE = "left-out.txt"
DECIMALS = 12
"""Of a share: a millionth of a pixel in images of a million."""


def write_yolo(
    target: BinaryIO, campaign: Campaign, labels: Iterable[Label], samples: Mapping[int, SampleHeader]
) -> ExportSummary:
    """Write the boxes of the answers that count (`al_loop.domain.labels.counting`); an empty file says "none here".

    The file of `images/a.tif` is `labels/a.txt`, that of `a.tif` too. Left out, with a reason in `left-out.txt`: images
    with a region to ignore, which YOLO cannot say, and images that share their text file with another.

    Args:
        target: Seekable file.
        campaign: Its task of boxes names the classes.
        labels: Current labels in any order.
        samples: The sample of each label, by id.

    Raises:
        InvalidValueError: The campaign has no task of boxes.
    """
    spec = task_of_boxes(campaign, "yolo")
    skipped: list[SkippedPath] = []
    owners: dict[str, str] = {}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.yaml", _names(spec.classes))
        for sample, boxes in counting_boxes(spec, labels, samples, skipped):
            file = text_file(sample.path)
            if any(name is None for name, _ in boxes):
                skipped.append(SkippedPath(path=sample.path, reason="it has regions to ignore, which YOLO cannot say"))
            elif owners.setdefault(file, sample.path) != sample.path:
                skipped.append(SkippedPath(path=sample.path, reason=f"its text file belongs to {owners[file]}"))
            else:
                lines = [_line(spec.classes.index(name), sides, sample) for name, sides in boxes if name is not None]
                archive.writestr(file, "".join(lines))
        if skipped:
            archive.writestr(LEFT_OUT_FILE, "".join(f"{entry.path}: {entry.reason}\n" for entry in skipped))
    return ExportSummary(labels=len(owners), skipped=skipped)


def text_file(path: str) -> str:
    """Path of an image's text file: `labels/` in place of the last `images/`, or before the whole path."""
    *folders, name = PurePosixPath(path).with_suffix(".txt").parts
    places = [place for place, folder in enumerate(folders) if folder == "images"]
    if places:
        folders[places[-1]] = "labels"
    else:
        folders = ["labels", *folders]
    return "/".join([*folders, name])


def _line(index: int, sides: tuple[float, float, float, float], sample: SampleHeader) -> str:
    left, top, right, bottom = sides
    shares = (
        (left + right) / 2 / sample.width, (top + bottom) / 2 / sample.height,
        (right - left) / sample.width, (bottom - top) / sample.height,
    )  # fmt: skip
    return " ".join([str(index), *(f"{share:.{DECIMALS}f}" for share in shares)]) + "\n"


def _names(classes: Iterable[str]) -> str:
    quoted = ("'" + name.replace("'", "''") + "'" for name in classes)
    return "names:\n" + "".join(f"  {index}: {name}\n" for index, name in enumerate(quoted))
