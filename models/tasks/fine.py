"""Maps that are finer than the image: a further output of a model, by `ModelConfig.output_scale` S along each side.

The output under the name of the task stays on the image's own grid, so that all that takes a model can take this one:
each of its pixels is the mean over the S x S parts of the finer map. Scenes are predicted, and versions are measured,
by the finer one.
"""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.card import ModelCard, TaskName
from models.rasters.tiling import Window
from models.tasks import Task, tasks_of

T = TypeVar("T", bound=np.generic)


def fine_name(task: TaskName) -> str:
    """Name of the output that holds a task's finer map, (N, K, S H, S W)."""
    return f"{task}_fine"


def fine_outputs(card: ModelCard) -> list[str]:
    """Names of the finer maps that a version answers."""
    if card.model.output_scale == 1:
        return []
    return [fine_name(name) for name, task in tasks_of(card.tasks).items() if task.per_pixel]


def finest_output(card: ModelCard, task: Task) -> tuple[str, int]:
    """Name of the finest map that a version answers for a task, and its pixels for each of the image along a side."""
    name = fine_name(task.name)
    return (name, card.model.output_scale) if name in fine_outputs(card) else (task.name, 1)


def on_grid(answers: Mapping[str, Floats], task: TaskName, height: int) -> Floats:
    """A task's map with so many rows: the finer one where it fits, else that of the image, its pixels repeated.

    Args:
        answers: By output, maps (..., H, W).
        task: Its name.
        height: Rows wanted, a multiple of those of the image.
    """
    fine = answers.get(fine_name(task))
    if fine is not None and fine.shape[-2] == height:
        return fine
    own = answers[task]
    return repeated(own, height // own.shape[-2])


def repeated(values: NDArray[T], scale: int) -> NDArray[T]:
    """Each pixel of (..., H, W) as `scale` x `scale` of them."""
    return values if scale == 1 else values.repeat(scale, axis=-2).repeat(scale, axis=-1)


def scaled(window: Window, scale: int) -> Window:
    """A window of an image in pixels of a map that is finer."""
    return Window(*(scale * side for side in window))
