"""Draw on pictures, RGBA (H, W, 4): uncertainty as a translucent heat, class codes with outlines, a caption."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from al_loop.domain.geojson import Sides
from models.card import BACKGROUND
from models.pictures.overlays import overlay

Picture = NDArray[np.uint8]
T = TypeVar("T", bound=np.generic)

RAMP = (
    (0.0, (255, 255, 178), 0.0),
    (0.25, (254, 217, 80), 0.35),
    (0.5, (253, 141, 60), 0.55),
    (0.75, (226, 50, 90), 0.7),
    (1.0, (160, 0, 140), 0.8),
)  # fmt: skip
"""Share of the scale, colour and opacity: from clear over yellow to magenta, darker and denser all the way, so that the
order survives in grey and for any colour vision."""
_FILL_OPACITY = 0.3
_HALO_OPACITY = 0.6
_LEAST_FONT_PX = 9


def enlarged(picture: Picture, size_px: int) -> Picture:
    """The picture enlarged by a whole factor as far as its longer side stays within `size_px`; pixels stay squares."""
    factor = max(1, size_px // max(picture.shape[:2]))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def with_heat(picture: Picture, values: NDArray[np.float32], full: float) -> Picture:
    """Draw values over a picture by `RAMP`.

    Args:
        picture: RGBA, shape (H, W, 4).
        values: Values of the same place, of any shape; NaN and what is not above 0 is not drawn.
        full: Value at the end of the ramp; higher ones look the same.
    """
    return _mixed(picture, *_ramp(_fitted(values, picture), full))


def heat_layer(values: NDArray[np.float32], shape: tuple[int, int], full: float) -> Picture:
    """Values by `RAMP` on a transparent ground, RGBA (*shape, 4); the ramp's opacity is the picture's own.

    Args:
        values: Of any shape; NaN and what is not above 0 is transparent.
        shape: Height and width of the picture.
        full: Value at the end of the ramp.
    """
    colours, opacity = _ramp(_fitted(values, np.empty((*shape, 4), np.uint8)), full)
    return np.concatenate([np.rint(colours), np.rint(opacity * 255)], axis=-1).astype(np.uint8)


def codes_layer(codes: NDArray[np.uint8], shape: tuple[int, int], palette: Sequence[tuple[int, int, int]]) -> Picture:
    """Class codes in their colours on a transparent ground, RGBA (*shape, 4), opaque where there is a class.

    Args:
        codes: Of any shape; 0 is transparent.
        shape: Height and width of the picture.
        palette: Colours of class 1, 2, ..
    """
    ground = np.zeros((*shape, 4), np.uint8)
    fitted = _fitted(codes, ground)
    layer = overlay(ground, fitted, palette=palette, opacity=1.0)
    layer[..., 3] = np.where(fitted == BACKGROUND, 0, 255)
    return layer


def with_codes(picture: Picture, codes: NDArray[np.uint8], palette: Sequence[tuple[int, int, int]]) -> Picture:
    """Draw class codes: a thin fill, a line of the class's colour along the inside of each region, a dark one outside.

    Args:
        picture: RGBA, shape (H, W, 4).
        codes: Class codes of the same place, of any shape; 0 is not drawn.
        palette: Colours of class 1, 2, ..
    """
    fitted = _fitted(codes, picture)
    drawn = overlay(picture, fitted, palette=palette, opacity=_FILL_OPACITY)
    line = _borders(fitted) & (fitted != BACKGROUND)
    if max(picture.shape[:2]) >= 384:
        line |= _touched(line) & (fitted != BACKGROUND)
    halo = _touched(line) & (fitted == BACKGROUND)
    drawn = _mixed(drawn, np.zeros(3), np.where(halo, _HALO_OPACITY, 0.0)[..., None])
    coloured = overlay(picture, fitted, palette=palette, opacity=1.0)
    drawn[line, :3] = coloured[line, :3]
    return drawn


def with_boxes(picture: Picture, boxes: Sequence[tuple[Sides, tuple[int, int, int]]], size: tuple[int, int]) -> Picture:
    """Draw boxes: a line in the class's colour around each, a dark one outside of that.

    Args:
        picture: RGBA, shape (H, W, 4).
        boxes: Sides in pixels of the image that the picture shows, and colour of each.
        size: Height and width of that image.
    """
    image = Image.fromarray(picture.copy())
    pen = ImageDraw.Draw(image)
    height, width = picture.shape[:2]
    across, down = width / size[1], height / size[0]
    line = 2 if max(height, width) >= 384 else 1
    for (left, top, right, bottom), colour in boxes:
        sides = (left * across - 1, top * down - 1, right * across, bottom * down)  # around the pixels of the object
        halo = (sides[0] - line, sides[1] - line, sides[2] + line, sides[3] + line)
        pen.rectangle(halo, outline=(0, 0, 0, 255), width=1)
        pen.rectangle((halo[0] + 1, halo[1] + 1, halo[2] - 1, halo[3] - 1), outline=(*colour, 255), width=line)
    return np.asarray(image)


def with_caption(picture: Picture, lines: Sequence[str]) -> Picture:
    """Write lines of text into the lower left corner, on a dark ground; long ones are cut at the picture's edge."""
    image = Image.fromarray(picture.copy())
    height, width = picture.shape[:2]
    text = "\n".join(lines)
    size = max(_LEAST_FONT_PX, min(height // 12, 28))
    ground = Image.new("RGBA", image.size)
    pen = ImageDraw.Draw(ground)
    while True:
        font = ImageFont.load_default(size)
        left, top, right, bottom = pen.multiline_textbbox((0, 0), text, font=font)
        if right - left + size <= width or size == _LEAST_FONT_PX:
            break
        size -= 1
    margin = size // 3
    corner = (0, height - (bottom - top) - 2 * margin)
    pen.rectangle((*corner, right - left + 2 * margin, height), fill=(16, 20, 26, 215))
    pen.multiline_text((margin - left, corner[1] + margin - top), text, font=font, fill=(255, 255, 255, 255))
    return np.asarray(Image.alpha_composite(image, ground))


def _ramp(values: NDArray[np.float32], full: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Colours (H, W, 3) from 0 to 255 and opacity (H, W, 1) from 0 to 1 of values (H, W)."""
    share = np.clip(np.nan_to_num(values) / full, 0.0, 1.0)
    stops = [stop for stop, _, _ in RAMP]
    opacity = np.interp(share, stops, [opacity for _, _, opacity in RAMP])[..., None]
    colours = np.stack([np.interp(share, stops, [rgb[band] for _, rgb, _ in RAMP]) for band in range(3)], axis=-1)
    return colours, opacity


def _fitted(values: NDArray[T], picture: Picture) -> NDArray[T]:
    """Values (h, w) at the size of a picture, not mixed."""
    height, width = picture.shape[:2]
    rows = np.arange(height) * values.shape[0] // height
    columns = np.arange(width) * values.shape[1] // width
    fitted: NDArray[T] = values[rows[:, None], columns]
    return fitted


def _mixed(picture: Picture, colours: NDArray[np.float64], opacity: NDArray[np.float64]) -> Picture:
    mixed = picture.copy()
    mixed[..., :3] = np.rint(picture[..., :3] * (1 - opacity) + colours * opacity)
    return mixed


def _borders(codes: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Pixels whose upper, lower, left or right neighbour has another code."""
    borders = np.zeros(codes.shape, np.bool_)
    rows, columns = codes[1:] != codes[:-1], codes[:, 1:] != codes[:, :-1]
    borders[1:] |= rows
    borders[:-1] |= rows
    borders[:, 1:] |= columns
    borders[:, :-1] |= columns
    return borders


def _touched(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask and its upper, lower, left and right neighbours."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown
