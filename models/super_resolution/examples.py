"""A picture of held-out images side by side: coarse, bicubic, super-resolved, truth."""

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from models.arrays import Floats

CELL_PX = 320
_HEAD_PX = 22
_SHOWN_PX = 160
"""Side of the fine part that a cell shows, enlarged by whole pixels."""


class Example(NamedTuple):
    """One held-out image, all of (C, H, W); the coarse one is smaller."""

    name: str
    low: Floats
    bicubic: Floats
    made: Floats
    truth: Floats
    psnr: float
    bicubic_psnr: float


def examples_png(examples: Sequence[Example], bands: Sequence[int]) -> bytes:
    """A row for each example: its middle as coarse pixels, bicubic, super-resolved and truth, in true colour or grey.

    Args:
        examples: At least one.
        bands: 1-based bands of the source that the images have. The first three are shown as red, green and blue; of
            more than three in ascending order, as files of sensors have them, they are blue, green and red.
    """
    width = 4 * CELL_PX
    sheet = Image.new("RGB", (width, len(examples) * (CELL_PX + _HEAD_PX)), "white")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(12)
    for row, example in enumerate(examples):
        top = row * (CELL_PX + _HEAD_PX)
        titles = (
            f"{example.name}: input",
            f"bicubic, {example.bicubic_psnr:.2f} dB",
            f"super-resolved (synthetic), {example.psnr:.2f} dB",
            "truth",
        )
        for column, (title, picture) in enumerate(zip(titles, _pictures(example, bands), strict=True)):
            pen.text((column * CELL_PX + 4, top + 4), title, fill="black", font=font)
            cell = Image.fromarray(picture).resize((CELL_PX - 4, CELL_PX - 4), Image.Resampling.NEAREST)
            sheet.paste(cell, (column * CELL_PX + 2, top + _HEAD_PX))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _pictures(example: Example, bands: Sequence[int]) -> list[NDArray[np.uint8]]:
    factor = example.truth.shape[1] // example.low.shape[1]
    side = min(_SHOWN_PX // factor, *example.low.shape[1:])
    row, column = ((size - side) // 2 for size in example.low.shape[1:])
    order = [0, 0, 0] if len(bands) < 3 else [2, 1, 0] if len(bands) > 3 and list(bands) == sorted(bands) else [0, 1, 2]
    cuts = []
    for image, scale in ((example.low, 1), (example.bicubic, factor), (example.made, factor), (example.truth, factor)):
        rows = slice(row * scale, (row + side) * scale)
        cuts.append(image[order][:, rows, column * scale : (column + side) * scale])
    seen = cuts[-1][np.isfinite(cuts[-1])]
    low, high = np.percentile(seen, (1, 99)) if seen.size else (0.0, 1.0)
    scaled = [np.clip((cut - low) / max(high - low, 1e-9), 0, 1) for cut in cuts]
    return [np.rint(255 * np.nan_to_num(cut)).astype(np.uint8).transpose(1, 2, 0) for cut in scaled]
