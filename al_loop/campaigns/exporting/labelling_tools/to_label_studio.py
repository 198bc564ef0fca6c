"""Label Studio: a zip of `label-studio.json`, tasks with one annotation each, to be imported there or unpacked here.

Format: https://labelstud.io/guide/task_format
"""

from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

import msgspec

from al_loop.campaigns.exporting.labelling_tools.shapes import ImageShapes, shapes_of_images, write_archive
from al_loop.campaigns.exporting.summary import ExportSummary
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import Label
from al_loop.domain.samples import SampleHeader, SkippedPath

FILE = "label-studio.json"
BESIDE = "somebody looked and found none, which Label Studio cannot say beside another answer"
LOCAL_FILES = "/data/local-files/?d="
"""How Label Studio addresses files of a folder that it reads (`LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT`)."""


def write_label_studio(
    target: BinaryIO, campaign: Campaign, labels: Iterable[Label], samples: Mapping[int, SampleHeader]
) -> ExportSummary:
    """Write the answers that count, for controls named `choice`, `box`, `area` and `point` on an image `image`.

    Coordinates are percent of the image's sides. An answer of "none here" is an annotation without a result. A line
    becomes the area that it covers. Left out, with the reason in `left-out.txt`: "none here" beside another answer, and
    the second of two drawn tasks. Regions to ignore are labelled `ignore`.
    """
    skipped: list[SkippedPath] = []
    tasks: list[dict[str, Any]] = []
    for shapes in shapes_of_images(campaign, labels, samples, skipped):
        none_drawn = shapes.is_drawn and not shapes.boxes and not shapes.outlines
        if not shapes.is_blank and (none_drawn or shapes.names == []):
            skipped.append(SkippedPath(path=shapes.sample.path, reason=BESIDE))
        tasks.append(
            {
                "id": len(tasks) + 1,
                "data": {"image": LOCAL_FILES + shapes.sample.path},
                "annotations": [{"id": len(tasks) + 1, "was_cancelled": False, "result": _results(shapes)}],
                "predictions": [],
            }
        )
    write_archive(target, FILE, msgspec.json.encode(tasks), skipped)
    return ExportSummary(labels=len(tasks), skipped=skipped)


def _results(shapes: ImageShapes) -> list[dict[str, Any]]:
    width, height = float(shapes.sample.width), float(shapes.sample.height)
    results: list[dict[str, Any]] = []

    def add(control: str, kind: str, value: dict[str, Any], **more: Any) -> None:  # noqa: ANN401  # members of JSON
        numbered = {"id": f"r{len(results) + 1}", "from_name": control, "to_name": "image", "type": kind}
        results.append({**numbered, **more, "value": value})

    def region(control: str, kind: str, name: str, value: dict[str, Any]) -> None:
        sides = {"original_width": shapes.sample.width, "original_height": shapes.sample.height, "image_rotation": 0}
        add(control, kind, {**value, kind: [name]}, **sides)

    if shapes.names:
        add("choice", "choices", {"choices": shapes.names})
    for name, (left, top, right, bottom) in shapes.boxes:
        at = {"x": 100 * left / width, "y": 100 * top / height}
        sides = {"width": 100 * (right - left) / width, "height": 100 * (bottom - top) / height, "rotation": 0}
        region("box", "rectanglelabels", name, at | sides)
    for name, corners in shapes.outlines:
        points = [[100 * x / width, 100 * y / height] for x, y in corners]
        if len(points) == 1:
            at = {"x": points[0][0], "y": points[0][1], "width": 1}
            region("point", "keypointlabels", name, at)
        else:
            region("area", "polygonlabels", name, {"points": points, "closed": True})
    return results
