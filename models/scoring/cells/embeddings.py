"""Describe the cells of many samples: by simple features, or by an encoder that sees a cell amid its surroundings.

A file of up to `WHOLE_VALUES` values is decoded once; of a larger one each cell is read as a window, reduced while it
is read, so that memory stays bounded whatever the size of a scene.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.card import BandPolicy
from models.errors import RasterTooLargeError
from models.inference.image_model import ImageModel
from models.rasters.bands import AS_DECLARED, invalid_pixels
from models.rasters.reading import read_file, read_raster
from models.scoring.cells.files import CellWriter
from models.scoring.cells.grid import CROP_PX, CellGrid, Cells, crop_around, crop_reach, cut_cells
from models.scoring.features import MAX_SIDE_PX, image_features
from models.scoring.pool import BATCH_IMAGES, Reporter, Skipped, skippable
from models.scoring.reader import prefetch
from models.tasks.region_means import RegionMeans

Image = NDArray[np.float32]
"""Shape (C, H, W), NaN where invalid."""

Read = Callable[[tuple[int, int, int, int], tuple[int, int]], Image]
"""Reads a window (column, row, width, height), reduced to a shape (height, width)."""

Opened = tuple[int, int, Read]
"""Height, width, and what reads windows."""

WHOLE_VALUES = 2**24
"""Width x height x bands of a file that is decoded whole: 64 MB as float32."""

AHEAD = 2
"""Files read ahead of the encoder."""


def describe_cells(
    samples: Sequence[tuple[int, Path]],
    bands: Sequence[int],
    grid: CellGrid,
    model: ImageModel | None,
    cells: CellWriter,
    report: Reporter,
    policy: BandPolicy = AS_DECLARED,
    whole_values: int = WHOLE_VALUES,
) -> None:
    """Write an embedding of every cell that has a valid pixel; samples that cannot be read are left out.

    Args:
        samples: Id and file of each, by ascending id.
        bands: 1-based bands, in the model's order.
        grid: How to cut samples.
        model: The encoder; None: image features.
        cells: Receives the embeddings.
        report: Called with how many samples are finished.
        policy: How bands are read.
        whole_values: Width x height x bands of a file that is decoded whole.
    """
    paths = [path for _, path in samples]
    opener = partial(_open, bands=bands, policy=policy, whole_values=whole_values)
    if model is None:
        found = prefetch(skippable(partial(_cell_features, grid=grid, open_image=opener)), paths)
    else:
        opened = prefetch(skippable(opener), paths, AHEAD)
        encode = skippable(partial(_cell_embeddings, grid=grid, model=model))
        found = (image if isinstance(image, Skipped) else encode(image) for image in opened)
    for done, ((sample_id, _), described) in enumerate(zip(samples, found, strict=True), start=1):
        if not isinstance(described, Skipped):
            cells.add(sample_id, *described)
        report.done(done)


def _cell_features(path: Path, grid: CellGrid, open_image: Callable[[Path], Opened]) -> tuple[Cells, Image]:
    height, width, read = open_image(path)
    cells = cut_cells(height, width, grid)
    kept, values = [], []
    for index, (row, column, rows, columns) in enumerate(cells.tolist()):
        scale = min(1.0, MAX_SIDE_PX / max(rows, columns))
        image = read((column, row, columns, rows), (max(1, round(rows * scale)), max(1, round(columns * scale))))
        if not invalid_pixels(image).all():
            kept.append(index)
            values.append(image_features(image))
    return cells[kept], np.array(values, np.float32)


def _cell_embeddings(image: Opened, grid: CellGrid, model: ImageModel) -> tuple[Cells, Image]:
    height, width, read = image
    cells = cut_cells(height, width, grid)
    reach = crop_reach(cells)
    side = min(reach, CROP_PX, model.card.tile_px)
    kept: list[int] = []
    values: list[Image] = []
    batch: list[Image] = []
    for index, cell in enumerate(cells):
        crop = crop_around(cell, height, width, reach=reach, side=side)
        pixels = read(crop.window, crop.shape)
        if not invalid_pixels(pixels).all():
            kept.append(index)
            batch.append(np.pad(pixels, ((0, 0), *crop.padding), mode="symmetric"))
        if batch and (len(batch) == BATCH_IMAGES or index == len(cells) - 1):
            values.append(model.predict_batch(np.stack(batch))["embedding"])
            batch.clear()
    return cells[kept], np.concatenate(values) if values else np.empty((0, 0), np.float32)


def _open(path: Path, bands: Sequence[int], policy: BandPolicy, whole_values: int) -> Opened:
    """Height, width, and what reads windows of a file.

    Raises:
        RasterError: Not readable.
        UnusableRasterError: It has no such band.
    """
    try:
        values = read_file(path, max_values=whole_values, policy=policy).read(bands)
    except RasterTooLargeError as error:

        def read_window(window: tuple[int, int, int, int], shape: tuple[int, int]) -> Image:
            return read_raster(path, bands, window=window, out_shape=shape, policy=policy)

        return error.height, error.width, read_window

    def cut_window(window: tuple[int, int, int, int], shape: tuple[int, int]) -> Image:
        column, row, width, height = window
        return _reduced(values[:, row : row + height, column : column + width], shape)

    return values.shape[1], values.shape[2], cut_window


def _reduced(image: Image, shape: tuple[int, int]) -> Image:
    """Means of valid pixels on a coarser grid, as reading at a lower resolution gives them."""
    if image.shape[1:] == shape:
        return image
    means = RegionMeans(len(image), image.shape[1], image.shape[2], shape)
    means.add(image)
    return means.means()
