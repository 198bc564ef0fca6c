"""Masks as Label Studio's brush stores them: run lengths of bits, over the four bytes (RGBA) of each pixel.

The packing is `rle-pack` of thi.ng/umbrella (Apache-2.0), after which this is written: 32 bits say how many words
follow, 5 bits the size of a word, four times 4 bits the sizes of run lengths; then each run has a bit that says whether
one word is repeated, 2 bits that choose the size of its length, the length, and the word or words. Sizes and lengths
are one less than they mean.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from al_loop.campaigns.importing.labelling_tools.shapes import MOST_PX, BadShapeError, MaskRuns, mask_runs

_CHANNELS = 4
_ALPHA = 3
_WORD = 8


def decode_brush(packed: Sequence[int], width: int, height: int) -> MaskRuns:
    """The mask of a brush; a pixel belongs to it where its alpha is not 0.

    Args:
        packed: Bytes, 0 to 255.
        width: Of the image in pixels.
        height: Of the image in pixels.

    Raises:
        BadShapeError: It is no such packing, or of another size than the image.
    """
    if width <= 0 or height <= 0 or width * height > MOST_PX // _CHANNELS:
        raise BadShapeError(f"a brush mask of {width} x {height} px")
    try:
        data = bytes(packed)
    except (TypeError, ValueError) as error:
        raise BadShapeError("a brush mask that is no list of bytes") from error
    if len(data) > 2 * _CHANNELS * width * height + 64:
        raise BadShapeError("a brush mask longer than its image")
    bits = _Bits(data)
    words, word_size = bits.read(32), bits.read(5) + 1
    if words != _CHANNELS * width * height or word_size != _WORD:
        raise BadShapeError(
            f"a brush mask of {words} words of {word_size} bits, not of {width} x {height} px with four bytes each"
        )
    sizes = [bits.read(4) + 1 for _ in range(4)]
    values = np.empty(words, np.uint8)
    at = 0
    while at < words:
        repeated = bits.read(1)
        end = at + 1 + bits.read(sizes[bits.read(2)])
        if end > words:
            raise BadShapeError("a brush mask with runs beyond its end")
        values[at:end] = bits.read(_WORD) if repeated else bits.read_bytes(end - at)
        at = end
    return runs_of(values[_ALPHA::_CHANNELS] > 0, width, height)


def runs_of(inside: NDArray[np.bool_], width: int, height: int) -> MaskRuns:
    """The runs of a mask of a whole image, given row by row."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).view(np.int8)))
    borders = np.concatenate([[0], edges, [inside.size]]).astype(np.int64)
    return mask_runs(0, 0, width, height, np.diff(borders))


class _Bits:
    """Reads numbers from bytes, the highest bit first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def read(self, count: int) -> int:
        """The number in the next bits."""
        end = self._at + count
        if end > 8 * len(self._data):
            raise BadShapeError("a brush mask that breaks off")
        part = self._data[self._at >> 3 : (end + 7) >> 3]
        self._at = end
        return (int.from_bytes(part) >> (-end % 8)) & ((1 << count) - 1)

    def read_bytes(self, count: int) -> NDArray[np.uint8]:
        """The next bytes, which need not begin where a byte does."""
        start, end = self._at, self._at + 8 * count
        if end > 8 * len(self._data):
            raise BadShapeError("a brush mask that breaks off")
        part = np.frombuffer(self._data[start >> 3 : (end + 7) >> 3], np.uint8)
        self._at = end
        if start % 8 == 0:
            return part
        high, low = part[:-1].astype(np.uint16) << start % 8, part[1:].astype(np.uint16) >> 8 - start % 8
        return (high | low).astype(np.uint8)
