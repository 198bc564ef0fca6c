"""Which files of two folders are pairs: by their names, or by the ground that they show. Reads headers only."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
from shapely import STRtree, box

from models.errors import RasterError, SuperResolutionError
from models.rasters.reading import RasterHeader, read_header

MatchBy = Literal["auto", "name", "footprint"]
ENDINGS = {".tif", ".tiff", ".jpg", ".jpeg", ".png"}


class PlannedPair(msgspec.Struct, frozen=True, kw_only=True):
    """Two files that seem to be a pair; or one, whose coarse image is made from it."""

    name: str
    """Of the pair: letters, digits, `.`, `_` and `-`."""
    high: str
    """Path of the fine image."""
    low: str | None
    """Path of the coarse one; null: it is made."""
    place: str
    """What is held out together."""


class PairPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What would be paired, and why the rest would not."""

    matched_by: Literal["name", "footprint", "made"]
    pairs: list[PlannedPair]
    refused: list[str]
    """Files that are in no pair, each with the reason."""
    notes: list[str] = []
    """What to know about the pairs."""


class _File(msgspec.Struct, frozen=True):
    path: Path
    stem: str
    header: RasterHeader


def plan_pairs(
    high: Path,
    low: Path | None,
    *,
    match: MatchBy = "auto",
    place_pattern: str | None = None,
    files: str = "*",
) -> PairPlan:
    """Find pairs.

    Args:
        high: Folder of fine images, looked through with its folders.
        low: Folder of coarse ones; None: they are made from the fine ones.
        match: auto: by footprint where all files lie on Earth, else by name.
        place_pattern: Regular expression; what its first group (or all of it) finds in a pair's name is its place.
            None: overlapping pairs are one place, and pairs without a place on Earth one each.
        files: Pattern of the names of files, such as `*.jpg`.

    Raises:
        SuperResolutionError: No folder, no images, or not a single pair; or no such pattern.
    """
    refused: list[str] = []
    fine = _files(high, files, refused)
    if low is None:
        pairs = [PlannedPair(name=_name(file.stem), high=str(file.path), low=None, place="") for file in fine]
        matched_by: Literal["name", "footprint", "made"] = "made"
    else:
        coarse = _files(low, files, refused)
        located = all(_bounds(file.header) is not None for file in (*fine, *coarse))
        if match == "footprint" or (match == "auto" and located):
            matched_by, pairs = "footprint", _by_footprint(fine, coarse, refused)
        else:
            matched_by, pairs = "name", _by_name(fine, coarse, refused)
    if not pairs:
        shown = "; ".join(refused[:3]) + (f"; and {len(refused) - 3} more" if len(refused) > 3 else "")
        raise SuperResolutionError(f"no pair was found in {high} and {low}: {shown}")
    headers = {str(file.path): file.header for file in fine}
    notes: list[str] = []
    places = _places(pairs, [headers[pair.high] for pair in pairs], place_pattern, notes)
    placed = [msgspec.structs.replace(pair, place=place) for pair, place in zip(pairs, places, strict=True)]
    return PairPlan(matched_by=matched_by, pairs=placed, refused=refused, notes=notes)


def _files(folder: Path, pattern: str, refused: list[str]) -> list[_File]:
    if not folder.is_dir():
        raise SuperResolutionError(f"{folder} is no folder")
    found = []
    paths = sorted(path for path in folder.rglob(pattern) if path.is_file() and path.suffix.lower() in ENDINGS)
    for path in paths:
        try:
            header = read_header(path)
        except RasterError as error:
            refused.append(f"{path}: {error}")
            continue
        found.append(_File(path, path.relative_to(folder).with_suffix("").as_posix(), header))
    if not found:
        raise SuperResolutionError(
            f"{folder} has no readable image ({', '.join(sorted(ENDINGS))}) of a name like {pattern!r}"
        )
    return found


def _by_name(fine: Sequence[_File], coarse: Sequence[_File], refused: list[str]) -> list[PlannedPair]:
    """Pairs of equal names, once what all names of a folder share at their ends is left out."""
    keys = [dict(zip(_keys([file.stem for file in side]), side, strict=True)) for side in (fine, coarse)]
    exact = {file.stem: file for file in fine}, {file.stem: file for file in coarse}
    if len(exact[0].keys() & exact[1].keys()) >= len(keys[0].keys() & keys[1].keys()):
        keys = [*exact]
    refused += [f"{file.path}: no coarse image has its name" for key, file in keys[0].items() if key not in keys[1]]
    refused += [f"{file.path}: no fine image has its name" for key, file in keys[1].items() if key not in keys[0]]
    return [
        PlannedPair(name=_name(file.stem), high=str(file.path), low=str(keys[1][key].path), place="")
        for key, file in keys[0].items()
        if key in keys[1]
    ]


def _keys(stems: Sequence[str]) -> list[str]:
    """Names without the start and the end that all of them share; a name that would be empty keeps all."""
    if len(stems) < 2:  # what one name shares with itself says nothing
        return list(stems)
    start = _shared(stems)
    end = _shared([stem[::-1] for stem in stems])
    cut = [stem[start : len(stem) - end] for stem in stems]
    return cut if all(cut) and len(set(cut)) == len(cut) else list(stems)


def _shared(names: Sequence[str]) -> int:
    """Length of what all names begin with, up to a digit: 1 of `tile_1` and `tile_12` belongs to the number."""
    least, most = min(names), max(names)
    length = next((i for i, (a, b) in enumerate(zip(least, most, strict=False)) if a != b), len(least))
    while length and least[length - 1].isdigit():
        length -= 1
    return length


def _by_footprint(fine: Sequence[_File], coarse: Sequence[_File], refused: list[str]) -> list[PlannedPair]:
    """For each fine image the coarse one of its CRS that covers most of it."""
    boxes = [_bounds(file.header) for file in coarse]
    located = [(file, bounds) for file, bounds in zip(coarse, boxes, strict=True) if bounds is not None]
    refused += [f"{f.path}: it has no CRS and transform" for f, b in zip(coarse, boxes, strict=True) if b is None]
    tree = STRtree([box(*bounds) for _, bounds in located])
    pairs = []
    for file in fine:
        bounds = _bounds(file.header)
        if bounds is None:
            refused.append(f"{file.path}: it has no CRS and transform, or is turned")
            continue
        near = [located[index] for index in tree.query(box(*bounds))]
        shared = [(_overlap(bounds, other), c) for c, other in near if c.header.crs == file.header.crs]
        best = max(shared, key=lambda entry: entry[0], default=None)
        if best is None or best[0] <= 0:
            others = sorted({str(c.header.crs) for c, _ in located} - {str(file.header.crs)})
            same = any(c.header.crs == file.header.crs for c, _ in located)
            why = (
                "no coarse image overlaps it"
                if same or not others
                else f"it has {file.header.crs}, and the coarse images {', '.join(others)}: bring them to one CRS "
                "(gdalwarp -t_srs)"
            )
            refused.append(f"{file.path}: {why}")
            continue
        pairs.append(PlannedPair(name=_name(file.stem), high=str(file.path), low=str(best[1].path), place=""))
    used = {pair.low for pair in pairs}
    refused += [f"{c.path}: no fine image overlaps it" for c, _ in located if str(c.path) not in used]
    return pairs


def _bounds(header: RasterHeader) -> tuple[float, float, float, float] | None:
    """Left, bottom, right, top in the raster's CRS; None without one, or where it is turned."""
    if header.crs is None or header.transform is None:
        return None
    a, b, c, d, e, f = header.transform
    if b or d:
        return None
    xs, ys = sorted((c, c + a * header.width)), sorted((f, f + e * header.height))
    return xs[0], ys[0], xs[1], ys[1]


def _overlap(one: Sequence[float], other: Sequence[float]) -> float:
    wide, tall = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    return wide * tall if wide > 0 and tall > 0 else 0.0


def _places(
    pairs: Sequence[PlannedPair], headers: Sequence[RasterHeader], pattern: str | None, notes: list[str]
) -> list[str]:
    if pattern is not None:
        return _by_pattern(pairs, pattern)
    boxes = [_bounds(header) for header in headers]
    leaders = list(range(len(pairs)))
    known = [index for index, bounds in enumerate(boxes) if bounds is not None]
    shapes = [box(*bounds) for bounds in boxes if bounds is not None]
    tree = STRtree(shapes)

    def leader(index: int) -> int:
        while leaders[index] != index:
            index = leaders[index]
        return index

    for position, index in enumerate(known):
        for near in tree.query(shapes[position]):
            other = known[near]
            if headers[other].crs == headers[index].crs and _overlap(boxes[index] or (), boxes[other] or ()) > 0:
                first, second = sorted((leader(index), leader(other)))
                leaders[second] = first
    if len(known) < len(pairs):
        notes.append(
            f"{len(pairs) - len(known)} pairs have no place on Earth, and each counts as a place of its own; if some "
            "are neighbours, say which with --place, or the held-out ones are no fair test"
        )
    return [pairs[leader(index)].name for index in range(len(pairs))]


def _by_pattern(pairs: Sequence[PlannedPair], pattern: str) -> list[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise SuperResolutionError(f"{pattern!r} is no regular expression: {error}") from error
    places = []
    for pair in pairs:
        found = compiled.search(pair.name)
        if found is None:
            raise SuperResolutionError(f"{pattern!r} finds no place in the name {pair.name!r}")
        places.append(found[1] if compiled.groups else found[0])
    return places


def _name(stem: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem)
