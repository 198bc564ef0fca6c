"""Models that need no file, and scenes for them."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.card import ModelCard, TaskSpec
from models.inference.image_model import ImageModel, Outputs


class BoxModel(ImageModel):
    """Finds each pixel of value 1,000 as a box of 5 px around it, as far as it lies in what it is shown."""

    def __init__(self, card: ModelCard, classes: Sequence[str] = ("ship", "buoy")) -> None:
        specs = [TaskSpec(task="detection", classes=list(classes))]
        self.card = msgspec.structs.replace(card, tasks=specs)
        self.shown = 0

    def run(self, images: NDArray[np.float32]) -> Outputs:
        """Boxes (N, 20, 6): left, top, right, bottom, score, class."""
        self.shown += len(images)
        found = np.zeros((len(images), 20, 6), np.float32)
        for index, image in enumerate(images):
            for place, (row, column) in enumerate(np.argwhere(image[0] == 1000)[:20].tolist()):
                found[index, place] = [column - 2, row - 2, column + 3, row + 3, 0.9, 0]
        return {"detection": found, "embedding": np.zeros((len(images), 1), np.float32)}


class DiskModel(ImageModel):
    """Answers a disk around column 150.25 and row 99.75 of a scene whose bands are column + 1 and row + 1.

    It answers for quarters of pixels, as a version of `output_scale` 2.
    """

    RADIUS = 60.0

    def __init__(self, card: ModelCard) -> None:
        model = msgspec.structs.replace(card.model, output_scale=2)
        specs = [spec for spec in card.tasks if spec.task == "segmentation"]
        self.card = msgspec.structs.replace(card, model=model, tasks=specs)

    def run(self, images: NDArray[np.float32]) -> Outputs:
        """Class 1 in the disk, background elsewhere; nothing of the embedding."""
        parts = np.array([[0.25, 0.75]] * 2)
        columns, rows = (
            np.kron(images[0, band] - 1, np.ones((2, 2))) + np.tile(offsets, images.shape[2:])
            for band, offsets in ((0, parts), (1, parts.T))
        )
        inside = np.hypot(columns - 150.25, rows - 99.75) < self.RADIUS
        task = self.tasks["segmentation"]
        fine = np.zeros((1, task.outputs, *inside.shape), np.float32)
        fine[0, 0], fine[0, 1] = ~inside, inside
        height, width = images.shape[2:]
        own = fine.reshape(1, -1, height, 2, width, 2).mean(axis=(3, 5))
        return {"segmentation": own, "segmentation_fine": fine, "embedding": np.zeros((1, 1), np.float32)}
