"""What Deepness and GeoDeep read in an ONNX file: its `metadata_props`, each a value as JSON.

Names and meanings as Deepness 0.7 (github.com/PUTvision/qgis-plugin-deepness, creators_add_metadata_to_model.rst) and
GeoDeep 0.9.13 read them.
"""

import json

from models.card import ModelCard, TaskName
from models.errors import UnknownTaskError
from models.rasters.tiling import grid_and_overlap
from models.tasks import Task, tasks_of

BACKGROUND_NAME = "background"
LEAST_BOX_SCORE = 0.25
"""Boxes below are not shown, as in al-loop itself."""
SAME_BOX_IOU = 0.5
"""Boxes that overlap more are one object: only tiles that overlap give any."""


def takes(task: Task) -> bool:
    """Whether Deepness has a kind of model for a task: for pixels and for boxes, and for classes of images none."""
    return task.per_pixel or task.finds_objects


def task_for_gis(card: ModelCard, wanted: TaskName | None) -> Task:
    """The task that a graph for Deepness answers.

    Args:
        card: Of the version.
        wanted: Its name; None: the only one, or the first, that Deepness takes.

    Raises:
        UnknownTaskError: The model has no such task, or none that Deepness takes.
    """
    known = tasks_of(card.tasks)
    fitting = {name: task for name, task in known.items() if takes(task)}
    name = wanted or next(iter(fitting), None)
    if name is None or name not in fitting:
        raise UnknownTaskError(
            wanted or "for Deepness, which takes pixels or boxes and no classes of whole images", list(fitting or known)
        )
    return fitting[name]


def channel_names(task: Task) -> list[str]:
    """What each output channel of a map, or each class of boxes, is called, in order."""
    return ([BACKGROUND_NAME] if task.first_code else []) + list(task.classes)


def metadata_props(card: ModelCard, task: Task) -> dict[str, str]:
    """Key -> JSON text.

    `resolution` is in centimetres a pixel, and missing where no training image has a place. Standardisation does
    nothing, as it is inside the graph, and thresholds and small areas are left to the likeliest class.

    Args:
        card: Of the version.
        task: Answered by the graph.
    """
    overlap = round(100 * grid_and_overlap(card.tile_px, card.stride_px)[1] / card.tile_px)
    count = len(card.bands)
    props: dict[str, object] = {
        "class_names": {str(place): name for place, name in enumerate(channel_names(task))},
        "tiles_size": card.tile_px,
        "tile_size": card.tile_px,  # the name that the plugin asks for, beside the one that it documents
        "tiles_overlap": overlap,
        "standardization_mean": [0.0] * count,
        "standardization_std": [1.0] * count,
        "al_loop": {"campaign": card.campaign, "version": card.version, "task": task.name, "bands": card.bands},
    }
    if task.per_pixel:
        props |= {"model_type": "Segmentor", "seg_thresh": 0.0, "seg_small_segment": 0}
    elif task.finds_objects:
        props |= {
            "model_type": "Detector", "det_type": "YOLO_v9", "det_conf": LEAST_BOX_SCORE,
            "det_iou_thresh": SAME_BOX_IOU,
        }  # fmt: skip
    if card.data is not None and card.data.ground_sampling_m is not None:
        props["resolution"] = round(100 * card.data.ground_sampling_m.median, 2)
    return {key: json.dumps(value) for key, value in props.items()}
