"""Pairs of images of one place: two dates of a campaign, or a second kind of images in a folder of their own."""

from collections.abc import Hashable, Iterator, Sequence
from itertools import count, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from al_loop.campaigns.register import raster_files
from al_loop.domain.campaigns import Campaign
from al_loop.domain.patterns import first_group, read_pattern
from al_loop.errors import InvalidValueError
from al_loop.store import LabelStore
from models.errors import ModelsError
from models.geo.footprints import Footprints
from models.pretrain_config import BY_PLACE, PretrainConfig
from models.rasters.reading import read_header

BY = "$.pairs_by"


def find_pairs(store: LabelStore, campaign: Campaign, config: PretrainConfig) -> list[tuple[str, str]]:
    """Absolute paths of each image with another one of its place; images without one are left out.

    Within a campaign the images of a place are sorted by path, and each makes a pair with the next: three dates are two
    pairs. With a folder of partners each image has one of the partners of its place, in turn where they are fewer.

    Args:
        store: Lists the campaign's images; only usable ones outside the reserve count.
        campaign: Whose images.
        config: `pairs_by`, which is set, and `pairs_with`.

    Raises:
        InvalidValueError: No pair was found, or `pairs_by` is no pattern with a group.
    """
    check_pairs_by(config)
    ids, listed = store.samples.paths(campaign.campaign_id, reserve=False, usable=True)
    own, root = listed.tolist(), Path(campaign.root)
    folder = None if config.pairs_with is None else Path(config.pairs_with)
    others = [] if folder is None else _inside(folder)
    if folder is not None and not others:
        raise InvalidValueError("$.pairs_with", f"{config.pairs_with!r} has no images (.tif, .tiff, .jpg, .jpeg, .png)")
    if config.pairs_by == BY_PLACE:
        known = store.samples.footprints(campaign.campaign_id)
        bounds = known.bounds[np.searchsorted(known.sample_ids, ids)]
        keys = _places([bounds, *([_bounds(folder, others)] if folder is not None else [])])
    else:
        keys = _groups(config.pairs_by or "", [*own, *others])
    mine, theirs = _by_key(keys[: len(own)], own), _by_key(keys[len(own) :], others)
    pairs = []
    for key, paths in mine.items():
        if folder is None:
            pairs += [(str(root / first), str(root / second)) for first, second in pairwise(paths)]
        elif key in theirs:
            partners = theirs[key]
            pairs += [
                (str(root / path), str(folder / partners[index % len(partners)])) for index, path in enumerate(paths)
            ]
    if not pairs:
        raise InvalidValueError(BY, _none_found(config, len(own), len(others)))
    return pairs


def _inside(folder: Path) -> list[str]:
    """Relative paths of the images below a folder, without links that lead out of it."""
    return [path for path in raster_files(folder) if (folder / path).resolve().is_relative_to(folder)]


def check_pairs_by(config: PretrainConfig) -> None:
    """Refuse what is neither `place` nor a pattern with a group.

    Raises:
        InvalidValueError: With the JSON path of the field.
    """
    if config.pairs_by in (None, BY_PLACE):
        return
    if not read_pattern(config.pairs_by or "", BY).groups:
        raise InvalidValueError(
            BY, f"the pattern has no group; put what names the place in parentheses, or say {BY_PLACE}"
        )


def _groups(pattern: str, paths: Sequence[str]) -> list[Hashable]:
    """What the first group of a pattern is in each path; one of its own where it does not match."""
    compiled, alone = read_pattern(pattern, BY), count()
    found = (first_group(compiled, path) for path in paths)
    return [next(alone) if group is None else group for group in found]


def _places(bounds: Sequence[NDArray[np.float64]]) -> list[Hashable]:
    """The place of each footprint, see `models.geo.places`; one of its own without bounds."""
    joined = np.concatenate(bounds)
    nameless = pa.chunked_array([pa.nulls(len(joined), pa.string())])
    places: list[Hashable] = Footprints(np.arange(len(joined)), joined, nameless).places.tolist()
    return places


def _bounds(folder: Path, paths: Sequence[str]) -> NDArray[np.float64]:
    """Of files (N, 4) in degrees; NaN for those without a place and those that cannot be read."""

    def each() -> Iterator[list[float]]:
        for path in paths:
            try:
                found = read_header(folder / path).bounds
            except ModelsError:
                found = None
            yield [np.nan] * 4 if found is None else found

    return np.array(list(each()), np.float64).reshape(-1, 4)


def _by_key(keys: Sequence[Hashable], paths: Sequence[str]) -> dict[Hashable, list[str]]:
    """Paths of each place, sorted."""
    found: dict[Hashable, list[str]] = {}
    for path, key in sorted(zip(paths, keys, strict=True)):
        found.setdefault(key, []).append(path)
    return found


def _none_found(config: PretrainConfig, own: int, others: int) -> str:
    how = "footprint" if config.pairs_by == BY_PLACE else f"first group of {config.pairs_by!r}"
    if config.pairs_with is None:
        return f"no two of the {own} images outside the test reserve have the same {how}, so there are no pairs"
    return (
        f"none of the {own} images outside the test reserve has the same {how} as one of the {others} in "
        f"{config.pairs_with!r}, so there are no pairs"
    )
