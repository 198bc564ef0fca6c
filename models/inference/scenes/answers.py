"""How the answers of a task over a whole scene are laid out: a code for each pixel, values for each cell, or objects.

Which of the three it is, the task's own flags say; no task is named here.
"""

import io
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.files import write_atomically
from models.inference.image_model import ImageModel, ReadWindow
from models.inference.scenes.blending import Blender
from models.inference.scenes.draft import Draft
from models.inference.scenes.plan import ScenePlan
from models.rasters.tiling import Tile, Window
from models.tasks import Task
from models.tasks.fine import finest_output, repeated, scaled

CELL_PX = 256
"""Largest side of a cell that is chosen here."""


class Part(NamedTuple):
    """A row of tiles that is done."""

    number: int
    """From 0."""
    tiles: int
    """That the model answered for it."""
    complete: bool
    """False for tiles that are answered again only to go on."""
    answered: bool
    """Whether any of it is valid."""


class SceneAnswers(ABC):
    """What a model answers about a scene, row of tiles by row of tiles."""

    dtype: str = "uint8"

    def __init__(self, model: ImageModel, task: Task, height: int, width: int) -> None:
        self._model, self._task = model, task
        self.height, self.width = height, width

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of the draft's values."""

    @property
    @abstractmethod
    def parts(self) -> int:
        """Rows of tiles in all."""

    @abstractmethod
    def tiles_from(self, first: int) -> list[Tile]:
        """Tiles that are read for the parts from a number on, in order."""

    @abstractmethod
    def run(self, first: int, read: ReadWindow, draft: Draft) -> Iterator[Part]:
        """Answer the parts from a number on and write them to the draft.

        Args:
            first: Number of the first part that is not done.
            read: Called once a tile, in the order of `tiles_from`.
            draft: Of this prediction.
        """


class PixelAnswers(SceneAnswers):
    """Class codes of probabilities that are blended where tiles overlap; 0 = background or invalid.

    Shape (S H, S W) for `scale` S: the finest map that the model answers.
    """

    def __init__(self, model: ImageModel, task: Task, height: int, width: int) -> None:
        super().__init__(model, task, height, width)
        self._output, self.scale = finest_output(model.card, task)
        self._read = {scaled(tile.read, self.scale): tile for tile in model.plan(height, width)}
        finer = [Tile(read, scaled(tile.write, self.scale)) for read, tile in self._read.items()]
        self._plan = ScenePlan(finer, self.scale * height, self.scale * width, task.outputs)

    @property
    def shape(self) -> tuple[int, ...]:
        """See `SceneAnswers.shape`."""
        return self.scale * self.height, self.scale * self.width

    @property
    def parts(self) -> int:
        """See `SceneAnswers.parts`."""
        return self._plan.parts

    def tiles_from(self, first: int) -> list[Tile]:
        """See `SceneAnswers.tiles_from`."""
        return [self._read[tile.read] for _, part in self._plan.parts_from(first) for tile in part.tiles]

    def run(self, first: int, read: ReadWindow, draft: Draft) -> Iterator[Part]:
        """See `SceneAnswers.run`."""
        for number, part, valid, probabilities in self.probabilities(first, read):
            if valid is not None and probabilities is not None:
                window = part.finished
                gathered = self._task.gather(window.height, window.width)
                gathered.add(Window(0, 0, window.width, window.height), valid, probabilities)
                draft.write(window, gathered.result())
            yield Part(number, len(part.tiles), not part.lead, valid is not None and bool(valid.any()))

    def probabilities(self, first: int, read: ReadWindow) -> Iterator[Any]:
        """Parts with their number, valid pixels (h, w) and blended probabilities (K, h, w); None of a lead."""
        blender = Blender(self._task.outputs, self.scale * self._model.overlap_px)
        for number, part in self._plan.parts_from(first):
            blender.begin(part)
            for tile in self._model.run_tiles((self._read[tile.read] for tile in part.tiles), read):
                valid = repeated(tile.valid, self.scale)
                blender.add(scaled(tile.read, self.scale), valid, tile.outputs[self._output])
            yield (number, part, None, None) if part.lead else (number, part, *blender.finished(part.finished))


class CellAnswers(SceneAnswers):
    """One answer (K,) for each cell of a grid over the scene, shape (rows, columns, K); NaN where all is nodata."""

    dtype = "float32"

    def __init__(self, model: ImageModel, task: Task, height: int, width: int, cell_px: int | None) -> None:
        super().__init__(model, task, height, width)
        self.cell_px = min(cell_px or CELL_PX, model.card.tile_px)

    @property
    def shape(self) -> tuple[int, ...]:
        """See `SceneAnswers.shape`."""
        return self.parts, -(-self.width // self.cell_px), self._task.outputs

    @property
    def parts(self) -> int:
        """See `SceneAnswers.parts`."""
        return -(-self.height // self.cell_px)

    def tiles_from(self, first: int) -> list[Tile]:
        """See `SceneAnswers.tiles_from`."""
        return [tile for number in range(first, self.parts) for tile in self._row(number)]

    def run(self, first: int, read: ReadWindow, draft: Draft) -> Iterator[Part]:
        """See `SceneAnswers.run`."""
        for number in range(first, self.parts):
            row = self._row(number)
            values: Floats = np.full((1, len(row), self._task.outputs), np.nan, np.float32)
            for tile in self._model.run_tiles(iter(row), read):
                values[0, tile.read.column // self.cell_px] = tile.outputs[self._task.name]
            draft.write(Window(0, number, len(row), 1), values)
            yield Part(number, len(row), complete=True, answered=not np.isnan(values).all())

    def _row(self, number: int) -> list[Tile]:
        side, top = self.cell_px, number * self.cell_px
        windows = (
            Window(left, top, min(side, self.width - left), min(side, self.height - top))
            for left in range(0, self.width, side)
        )
        return [Tile(window, window) for window in windows]


class ObjectAnswers(SceneAnswers):
    """What the model answers for each tile, kept in files, from which the task gathers the objects of the scene."""

    def __init__(self, model: ImageModel, task: Task, height: int, width: int) -> None:
        super().__init__(model, task, height, width)
        rows: dict[int, list[Tile]] = {}
        for tile in model.plan(height, width):
            rows.setdefault(tile.read.row, []).append(tile)
        self._rows = list(rows.values())

    @property
    def shape(self) -> tuple[int, ...]:
        """See `SceneAnswers.shape`; the values are not used."""
        return 1, 1

    @property
    def parts(self) -> int:
        """See `SceneAnswers.parts`."""
        return len(self._rows)

    def tiles_from(self, first: int) -> list[Tile]:
        """See `SceneAnswers.tiles_from`."""
        return [tile for row in self._rows[first:] for tile in row]

    def run(self, first: int, read: ReadWindow, draft: Draft) -> Iterator[Part]:
        """See `SceneAnswers.run`."""
        for number, row in enumerate(self._rows[first:], start=first):
            kept: dict[str, NDArray[Any]] = {}
            for index, tile in enumerate(self._model.run_tiles(iter(row), read)):
                inner = Window(
                    tile.write.column - tile.read.column, tile.write.row - tile.read.row,
                    tile.write.width, tile.write.height,
                )  # fmt: skip
                valid = tile.valid[inner.row : inner.row + inner.height, inner.column : inner.column + inner.width]
                kept[f"window{index}"] = np.array(tile.write)
                kept[f"valid{index}"] = np.packbits(valid)
                kept[f"output{index}"] = self._task.cut(tile.outputs[self._task.name], inner)
            packed = io.BytesIO()
            np.savez_compressed(packed, **kept)  # type: ignore[arg-type]
            with write_atomically(_part_file(draft.folder, number)) as file:
                file.write(packed.getbuffer())
            yield Part(number, len(row), complete=True, answered=bool(kept))

    def gathered(self, folder: Path) -> NDArray[Any]:
        """The answer for the whole scene from what the draft's folder holds of at least one tile."""
        whole = self._task.gather(self.height, self.width)
        for number in range(self.parts):
            with np.load(_part_file(folder, number), allow_pickle=False) as kept:
                for index in range(len(kept.files) // 3):
                    window = Window(*kept[f"window{index}"].tolist())
                    size = window.width * window.height
                    valid = np.unpackbits(kept[f"valid{index}"], count=size).astype(np.bool_)
                    whole.add(window, valid.reshape(window.height, window.width), kept[f"output{index}"])
        return whole.result()


def answers_of(model: ImageModel, task: Task, height: int, width: int, cell_px: int | None) -> SceneAnswers:
    """How a task answers about a scene of this size."""
    if task.per_pixel:
        return PixelAnswers(model, task, height, width)
    if task.finds_objects:
        return ObjectAnswers(model, task, height, width)
    return CellAnswers(model, task, height, width, cell_px)


def _part_file(folder: Path, number: int) -> Path:
    return folder / f"part-{number:06d}.npz"
