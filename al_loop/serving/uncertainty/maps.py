"""Where a model is unsure about an image, window by window, so that a scene need not fit in memory."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from al_loop.serving.uncertainty.occlusion import occlusion
from models.inference.image_model import ImageModel, ReadWindow
from models.rasters.tiling import Window
from models.tasks import Task
from models.tasks.region_means import RegionMeans
from models.tasks.uncertainty import pixel_entropy


@dataclass(frozen=True)
class CoarseMap:
    """Mean uncertainty of grid cells."""

    values: NDArray[np.float32]
    """(rows, columns) in nats; NaN for a cell without a valid pixel."""
    row_edges: NDArray[np.int64]
    """(rows + 1,): where the cells begin and the last one ends, in pixels of the image."""
    column_edges: NDArray[np.int64]
    """(columns + 1,)"""


def mapped_task(model: ImageModel) -> Task:
    """The task whose uncertainty is mapped: one that answers pixels, else one that finds objects, else the first."""
    tasks = list(model.tasks.values())
    of_objects = next((task for task in tasks if task.finds_objects), tasks[0])
    return next((task for task in tasks if task.per_pixel), of_objects)


def uncertainty(
    model: ImageModel, height: int, width: int, read: ReadWindow
) -> Iterator[tuple[Window, NDArray[np.float32]]]:
    """Uncertainty in nats: the predictive entropy of each pixel, that of objects where they are, else `occlusion`.

    Args:
        model: The model, pinned: one version answers for the whole image.
        height: Rows of the image.
        width: Columns of the image.
        read: Reads the model's bands of a window.

    Yields:
        Windows, each pixel at most once, and their values (height, width), NaN = nodata. What no window covers is
        nodata.

    Raises:
        UnusableRasterError: Values that the model cannot digest.
    """
    task = mapped_task(model)
    if task.finds_objects:
        yield from _of_objects(model, task, height, width, read)
        return
    if not task.per_pixel:
        yield from occlusion(model, task, height, width, read)
        return
    for tile in model.predict_tiles(height, width, read):
        values = pixel_entropy(tile.outputs[task.name][None])[0]
        yield tile.window, np.where(tile.valid, values, np.float32(np.nan))


def _of_objects(
    model: ImageModel, task: Task, height: int, width: int, read: ReadWindow
) -> Iterator[tuple[Window, NDArray[np.float32]]]:
    """The windows of `uncertainty` for objects: all are found first, as one may lie across windows.

    Of each window a bit a pixel is kept meanwhile.
    """
    found = task.gather_outputs(height, width)
    windows: list[tuple[Window, NDArray[np.uint8]]] = []
    for tile in model.predict_tiles(height, width, read):
        found.add(tile.window, tile.valid, tile.outputs[task.name])
        windows.append((tile.window, np.packbits(tile.valid)))
    if not windows:
        return
    objects = found.result()
    for window, bits in windows:
        size = window.height * window.width
        valid = np.unpackbits(bits, count=size).astype(np.bool_).reshape(window.height, window.width)
        values = task.map_uncertainty(objects, window)
        yield window, np.where(valid, values, np.float32(np.nan))


def coarse_uncertainty(model: ImageModel, height: int, width: int, read: ReadWindow, most_cells: int) -> CoarseMap:
    """Mean uncertainty on a grid of square cells (to the pixel), at most `most_cells` a side; see `uncertainty`."""
    step = -(-max(height, width) // most_cells)
    means = RegionMeans(1, height, width, (-(-height // step), -(-width // step)))
    for window, values in uncertainty(model, height, width, read):
        means.add(values[None], window.row, window.column)
    return CoarseMap(means.means()[0], means.row_edges, means.column_edges)
