"""The test reserve: whole blocks of samples, drawn at random before the first query and never trained on.

Pure functions on arrays. A block (a place, a folder, a scene) lies on one side only, or near-duplicates of training
samples would be tested on.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.domain.campaigns import ReserveSettings
from al_loop.domain.patterns import first_group, read_pattern
from al_loop.errors import InvalidValueError
from models.geo.footprints import METRES_PER_DEGREE
from models.rasters.windows.locator import source_of

FOOTPRINTS_PER_BLOCK = 4.0
OVERSHOOT = 1.5
"""A block that would lift the reserve above this multiple of its target is left to the pool."""
MIN_PLACES = 10
"""A derived block side is halved until there are this many blocks, though not below one footprint."""


def default_block_m(bounds: NDArray[np.float64], settings: ReserveSettings) -> float | None:
    """Side of a spatial block in metres.

    Args:
        bounds: Shape (N, 4): left, bottom, right, top in degrees, EPSG:4326; NaN rows for samples without a place.
        settings: `block_m` wins where it is set.

    Returns:
        Four times the median footprint side, halved while that leaves fewer than `MIN_PLACES` blocks; None if no
        sample has a place.
    """
    if settings.block_m is not None:
        return settings.block_m
    placed = bounds[np.isfinite(bounds).all(axis=1)]
    if len(placed) == 0:
        return None
    left, bottom, right, top = placed.T
    width_m = np.mod(right - left, 360.0) * METRES_PER_DEGREE * np.cos(np.radians((bottom + top) / 2))
    footprint_m = max(float(np.median(np.sqrt(np.abs(width_m * (top - bottom)) * METRES_PER_DEGREE))), 1.0)
    block_m = FOOTPRINTS_PER_BLOCK * footprint_m
    while block_m > footprint_m and len(set(place_blocks(placed, block_m))) < MIN_PLACES:
        block_m /= 2
    return block_m


def place_blocks(bounds: NDArray[np.float64], block_m: float) -> list[str]:
    """Grid cell of each footprint's centre, about `block_m` metres on a side.

    Rows are bands of equal latitude; each is cut into a whole number of cells round the globe, so that cells keep
    their size towards the poles and none is split by the date line.

    Args:
        bounds: Shape (N, 4), finite; left > right means across the date line.
        block_m: Side in metres, > 0.

    Returns:
        N names, equal for equal cells.
    """
    left, bottom, right, top = bounds.T
    longitude = np.mod(left + np.mod(right - left, 360.0) / 2 + 180.0, 360.0)  # [0, 360)
    latitude = np.clip((bottom + top) / 2, -90.0, 90.0) + 90.0  # [0, 180]
    rows = max(1, math.ceil(180.0 * METRES_PER_DEGREE / block_m))
    row = np.minimum((latitude / 180.0 * rows).astype(np.int64), rows - 1)
    row_latitude = np.radians((row + 0.5) * 180.0 / rows - 90.0)
    columns = np.maximum(1, np.floor(360.0 * METRES_PER_DEGREE * np.cos(row_latitude) / block_m)).astype(np.int64)
    column = np.minimum((longitude / 360.0 * columns).astype(np.int64), columns - 1)
    return [f"place:{r}:{c}" for r, c in zip(row.tolist(), column.tolist(), strict=True)]


def assign_blocks(
    names: Sequence[str], bounds: NDArray[np.float64], settings: ReserveSettings, block_m: float | None
) -> list[str]:
    """Block of each sample. All windows of one area of a scene have the name and the bounds of the area, and one block.

    `group_pattern` wins: its first group, or its whole match. Otherwise by place, folder or sample; a sample without
    a place (or a match) stands alone.

    Args:
        names: N paths relative to the campaign's root; of windows, those of their areas.
        bounds: Shape (N, 4) as in `default_block_m`.
        settings: The campaign's.
        block_m: From `default_block_m`; None if nothing has a place.

    Raises:
        InvalidValueError: `group_pattern` was set by an older al-loop and cannot be matched in linear time.
    """
    alone = [f"{'sample' if source_of(name).window is None else 'area'}:{name}" for name in names]
    if settings.group_pattern is not None:
        pattern = read_pattern(settings.group_pattern, "$.reserve.group_pattern")
        groups = (first_group(pattern, name) for name in names)
        return [own if group is None else f"group:{group}" for own, group in zip(alone, groups, strict=True)]
    if settings.block_by == "folder":
        return [f"folder:{name.rpartition('/')[0]}" for name in names]
    placed = np.isfinite(bounds).all(axis=1)
    if settings.block_by == "sample" or block_m is None or not placed.any():
        return alone
    for index, block in zip(np.flatnonzero(placed).tolist(), place_blocks(bounds[placed], block_m), strict=True):
        alone[index] = block
    return alone


def draw_blocks(blocks: Sequence[str], settings: ReserveSettings) -> set[str]:
    """Blocks of the reserve: taken in random order until it holds the target number of samples.

    The target is `max(share * N, minimum)`, never more than half of all N samples.

    Args:
        blocks: Block of each of N samples.
        settings: Share, minimum and seed.
    """
    names, sizes = np.unique(np.asarray(blocks, dtype=np.str_), return_counts=True)
    half = len(blocks) // 2
    target = min(math.ceil(max(settings.share * len(blocks), settings.minimum)), half)
    limit = min(half, math.ceil(OVERSHOOT * target))
    size_of = dict(zip(names.tolist(), sizes.tolist(), strict=True))
    order = sorted(size_of, key=lambda block: block_position(block, settings.seed))
    taken, total = set[str](), 0
    for block in order:
        if total < target and total + size_of[block] <= limit:
            taken.add(block)
            total += size_of[block]
    return taken or set(_smallest_fitting(order, size_of, half if target else 0))


def later_side(blocks: Sequence[str], known: Mapping[str, bool], settings: ReserveSettings) -> list[bool]:
    """Whether samples registered after the draw belong to the reserve.

    A known block stays on its side; a new one joins the reserve with probability `share`, by its hash.

    Args:
        blocks: Block of each new sample.
        known: Side of every block registered before.
        settings: Share and seed.
    """
    return [
        known[block] if block in known else block_position(block, settings.seed) < settings.share for block in blocks
    ]


def is_same_draw(old: ReserveSettings, new: ReserveSettings) -> bool:
    """Whether settings draw the reserve as it was drawn; a pattern that cannot be matched any more may be replaced."""
    if old == new:
        return True
    if old.group_pattern is None or old != msgspec.structs.replace(new, group_pattern=old.group_pattern):
        return False
    try:
        read_pattern(old.group_pattern, "$.reserve.group_pattern")
    except InvalidValueError:
        return True
    return False


def block_position(block: str, seed: int) -> float:
    """A number in [0, 1), the same for the same block and seed: the block's place in a random order."""
    digest = hashlib.blake2b(block.encode(), digest_size=8, salt=seed.to_bytes(16, "little", signed=True)).digest()
    return int.from_bytes(digest, "little") / 2**64


def random_keys(sample_ids: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """A random number of each id, the same for the same id and seed; shapes are equal.

    The reserve is offered in the order of these, so that whatever prefix is labelled is a random part of it.
    """
    with np.errstate(over="ignore"):  # splitmix64 wraps around
        mixed = sample_ids.astype(np.uint64) + np.uint64(seed % 2**64) * np.uint64(0x9E3779B97F4A7C15)
        mixed += np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


_OVERLAP_SALT = 0x6F7665726C6170


def in_overlap(sample_ids: NDArray[np.int64], share: float, seed: int) -> NDArray[np.bool_]:
    """Which samples several annotators answer: the same at every call, shape (N,).

    Args:
        sample_ids: Shape (N,).
        share: Share of samples, 0 to 1.
        seed: The campaign's.
    """
    return random_keys(sample_ids, seed ^ _OVERLAP_SALT) / np.float64(2**64) < share


def _smallest_fitting(order: Sequence[str], size_of: Mapping[str, int], half: int) -> list[str]:
    """The first of the smallest blocks, where even that is over the limit but not over half of all samples."""
    smallest = min(order, key=lambda block: size_of[block], default=None)
    return [smallest] if smallest is not None and size_of[smallest] <= half else []
