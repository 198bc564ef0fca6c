"""In which order the tiles of a scene are predicted, and which part of it each row of them completes."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from models.rasters.tiling import Tile, Window

BUFFER_BYTES = 2**28
"""Most memory that the sums of one row of tiles take; a scene that needs more is predicted in bands of columns."""


class RowPart(NamedTuple):
    """One row of tiles in one band of columns."""

    tiles: list[Tile]
    """In order of columns; the band's own, and those to its left that reach into it."""
    lead: bool
    """Whether it only reaches into the first row that is completed, after a resumption."""
    finished: Window
    """What is complete once the row is added. Those of all parts cover the scene once."""
    left: int
    """First column that any of the tiles reads."""
    right: int
    """Column behind the last one."""


class ScenePlan:
    """Rows of tiles in bands of columns. A scene is one band unless its probabilities need too much memory."""

    def __init__(self, tiles: Sequence[Tile], height: int, width: int, outputs: int) -> None:
        """Arrange tiles.

        Args:
            tiles: Of the whole scene, row by row, as `ImageModel.plan` cuts it.
            height: Rows of the scene.
            width: Columns.
            outputs: Values that the model gives for a pixel.
        """
        rows: dict[int, list[Tile]] = {}
        for tile in tiles:
            rows.setdefault(tile.read.row, []).append(tile)
        self._rows = list(rows.values())
        self._row_starts = [*rows, height]
        self._column_starts = [*(tile.read.column for tile in self._rows[0]), width]
        tallest = max(tile.read.height for tile in tiles)
        most_columns = max(self._widest(self._rows[0]), BUFFER_BYTES // (4 * outputs * tallest))
        self._bands = list(self._cut(width, most_columns))
        self.parts = len(self._bands) * len(self._rows)
        """How many parts `parts_from(0)` gives."""

    def parts_from(self, first: int) -> Iterator[tuple[int, RowPart]]:
        """Parts with their numbers, from one on; those before it that reach into it come first, as leads."""
        per_band = len(self._rows)
        for number in range(first, self.parts):
            band, row = divmod(number, per_band)
            if number == first:
                for before in range(row):
                    if max(tile.read.row + tile.read.height for tile in self._rows[before]) > self._row_starts[row]:
                        yield number, self._part(band, before, lead=True)
            yield number, self._part(band, row, lead=False)

    def tiles_from(self, first: int) -> int:
        """How many tiles `parts_from` gives in all."""
        return sum(len(part.tiles) for _, part in self.parts_from(first))

    def _part(self, band: int, row: int, *, lead: bool) -> RowPart:
        first, stop = self._bands[band]
        left, right = self._column_starts[first], self._column_starts[stop]
        tiles = [
            tile for tile in self._rows[row] if tile.read.column < right and tile.read.column + tile.read.width > left
        ]
        top, bottom = self._row_starts[row], self._row_starts[row + 1]
        return RowPart(
            tiles,
            lead,
            Window(left, top, right - left, bottom - top),
            min(tile.read.column for tile in tiles),
            max(tile.read.column + tile.read.width for tile in tiles),
        )

    def _cut(self, width: int, most: int) -> Iterator[tuple[int, int]]:
        """First tile column of each band and the one behind its last."""
        first, count = 0, len(self._column_starts) - 1
        while first < count:
            stop = first + 1
            while stop < count and self._column_starts[stop + 1] - self._column_starts[first] <= most:
                stop += 1
            yield first, stop
            first = stop

    def _widest(self, row: Sequence[Tile]) -> int:
        return max(tile.read.width for tile in row)
