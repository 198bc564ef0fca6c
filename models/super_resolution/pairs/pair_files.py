"""Makes a folder of pairs from a plan: `low/NAME.tif`, `high/NAME.tif` on one grid, and `pairs.json`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import rasterio.warp
from rasterio.enums import Resampling
from rasterio.transform import Affine

from models.arrays import Floats
from models.errors import RasterError, SuperResolutionError, UnusableRasterError
from models.files import write_atomically
from models.rasters.cogs import open_cog
from models.rasters.crs import crs_of
from models.rasters.reading import RasterHeader, read_header, read_raster
from models.rasters.tiling import Window
from models.super_resolution.card import PAIRS_FILE, PairEntry, PairSet, Split
from models.super_resolution.degrading import FACTORS, check_mtf, degraded
from models.super_resolution.pairs.finding import PairPlan, PlannedPair
from models.super_resolution.pairs.pairing import LEAST_SIDE_PX, Histogram, factor_of, pair_up

LEAST_PAIRS = 4
_RATIO_TOLERANCE = 0.03
"""Share by which sizes of pixels may differ from a whole ratio; the fine image is brought to the coarse grid then."""
_GRID_TOLERANCE = 1e-3
"""Of a coarse pixel, by which an edge may miss a grid line."""


class PairOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How pairs are made."""

    factor: int | None = None
    """None: by the sizes of pixels; of pairs that are made 2."""
    mtf: float = 0.3
    histogram: Histogram = "linear"
    register: bool = True
    bands: list[int] | None = None
    """1-based bands of the coarse images, or of the fine ones that they are made from; None: all."""
    high_bands: list[int] | None = None
    """Of the fine images; None: as `bands`."""
    held_out: float = 0.25
    """Share of the places that are held out."""
    seed: int = 0


class _Cut(NamedTuple):
    low: Floats
    high: Floats
    crs: str | None
    transform: list[float] | None
    """Of the coarse image."""
    source_bands: int


def make_pairs(
    plan: PairPlan, out: Path, options: PairOptions, report: Callable[[int, int, str], object] = lambda *_: None
) -> PairSet:
    """Write the pairs of a plan.

    Args:
        plan: Of `models.super_resolution.pairs.finding.plan_pairs`.
        out: Folder to make; `pairs.json` appears once all pairs are there.
        options: How.
        report: Called with pairs done, all pairs, and a remark.

    Raises:
        SuperResolutionError: Fewer than `LEAST_PAIRS` pairs or than two places are left, or pairs do not go together.
        OSError: They cannot be written.
    """
    if options.factor is not None:
        check_mtf(options.mtf, options.factor)
    for side in ("low", "high"):
        (out / side).mkdir(parents=True, exist_ok=True)
    entries: list[PairEntry] = []
    refused, facts = list(plan.refused), set[tuple[int, int, int]]()
    for done, pair in enumerate(plan.pairs, start=1):
        try:
            entry, fact = _make(pair, out, options)
        except (SuperResolutionError, RasterError, UnusableRasterError) as error:
            refused.append(str(error))
            report(done, len(plan.pairs), f"left out: {error}")
            continue
        entries.append(entry)
        facts.add(fact)
        report(done, len(plan.pairs), "")
    if len({fact[:2] for fact in facts}) > 1:
        shown = "; ".join(f"factor {factor}, {bands} bands" for factor, bands, _ in sorted(facts))
        raise SuperResolutionError(f"the pairs do not go together: {shown}; choose --bands, or one kind of pairs")
    places = sorted({entry.place for entry in entries})
    if len(entries) < LEAST_PAIRS or len(places) < 2:
        why = f" ({refused[0]})" if refused else ""
        raise SuperResolutionError(
            f"{len(entries)} pairs of {len(places)} places are too few: at least {LEAST_PAIRS} pairs of 2 places are "
            f"needed, one of which is held out{why}"
        )
    factor, _, source_bands = min(facts)
    made = PairSet(
        factor=factor,
        bands=options.bands or list(range(1, source_bands + 1)),
        source_bands=source_bands,
        mtf=options.mtf,
        made=plan.matched_by == "made",
        histogram="none" if plan.matched_by == "made" else options.histogram,
        pairs=_split(entries, places, options),
        refused=refused,
    )
    with write_atomically(out / PAIRS_FILE) as file:
        file.write(msgspec.json.format(msgspec.json.encode(made), indent=1))
    return made


def read_pair(folder: Path, entry: PairEntry, bands: int) -> tuple[Floats, Floats]:
    """Coarse (C, H, W) and fine image (C, f H, f W) of a pair, NaN where invalid.

    Raises:
        RasterError: A file is gone or damaged.
    """
    numbers = range(1, bands + 1)
    low, high = (read_raster(folder / side / f"{entry.name}.tif", numbers) for side in ("low", "high"))
    return low, high


def _make(pair: PlannedPair, out: Path, options: PairOptions) -> tuple[PairEntry, tuple[int, int, int]]:
    cut = _made(pair, options) if pair.low is None else _cut(pair, Path(pair.low), options)
    shift, correlation, margin = (0.0, 0.0), None, 0
    low, high = cut.low, cut.high
    if pair.low is not None:
        paired = pair_up(low, high, pair.name, mtf=options.mtf, histogram=options.histogram, register=options.register)
        low, high, shift, correlation, margin = paired
    factor = high.shape[1] // low.shape[1]
    transform = None if cut.transform is None else Affine(*cut.transform) @ Affine.translation(margin, margin)
    for side, image, size in (("low", low, 1), ("high", high, factor)):
        placed = None if transform is None else list(transform @ Affine.scale(1 / size))[:6]
        _write(out / side / f"{pair.name}.tif", image, cut.crs, placed)
    entry = PairEntry(name=pair.name, place=pair.place, split="train", shift=shift, correlation=correlation, cut=margin)
    return entry, (factor, len(low), cut.source_bands)


def _made(pair: PlannedPair, options: PairOptions) -> _Cut:
    header = read_header(Path(pair.high), pair.name)
    factor = options.factor or 2
    bands = options.bands or range(1, header.band_count + 1)
    height, width = (size // factor * factor for size in (header.height, header.width))
    if min(height, width) < factor * LEAST_SIDE_PX:
        raise SuperResolutionError(
            f"{pair.name}: {header.width} x {header.height} px; at least {factor * LEAST_SIDE_PX} are needed"
        )
    high = read_raster(Path(pair.high), bands, window=(0, 0, width, height), name=pair.name)
    _check_known(high, pair.name)
    transform = None if header.transform is None else list(Affine(*header.transform) @ Affine.scale(factor))[:6]
    return _Cut(degraded(high, factor, options.mtf), high, header.crs, transform, header.band_count)


def _check_known(high: Floats, name: str) -> None:
    if not np.isfinite(high).all(axis=0).any():
        raise SuperResolutionError(f"{name}: every pixel is nodata")
    if np.nanmax(np.nanstd(high, axis=(1, 2))) == 0:
        raise SuperResolutionError(f"{name}: the image is constant: nothing can be learned from it")


def _cut(pair: PlannedPair, low_path: Path, options: PairOptions) -> _Cut:
    """Both images on the ground that they share, on grids that fit."""
    high_path = Path(pair.high)
    coarse, fine = read_header(low_path), read_header(high_path)
    bands = options.bands or range(1, coarse.band_count + 1)
    high_bands = options.high_bands or options.bands or range(1, fine.band_count + 1)
    if len(bands) != len(high_bands):
        raise SuperResolutionError(
            f"{pair.name}: {len(bands)} bands of the coarse image and {len(high_bands)} of the fine one; choose the "
            "same with --bands and --high-bands"
        )
    if coarse.crs is None or fine.crs is None or coarse.transform is None or fine.transform is None:
        factor = factor_of((coarse.height, coarse.width), (fine.height, fine.width), pair.name)
        _check_wanted(factor, options, pair.name)
        low, high = read_raster(low_path, bands), read_raster(high_path, high_bands)
        return _Cut(low, high, coarse.crs, coarse.transform, coarse.band_count)
    if coarse.crs != fine.crs:
        raise SuperResolutionError(
            f"{pair.name}: the coarse image has {coarse.crs} and the fine one {fine.crs}; bring them to one CRS "
            "(gdalwarp -t_srs)"
        )
    factor = _factor(coarse.transform, fine.transform, options, pair.name)
    window = _shared(coarse, fine, coarse.transform, fine.transform, pair.name)
    transform = Affine(*coarse.transform) @ Affine.translation(window.column, window.row)
    low = read_raster(low_path, bands, window=window, name=pair.name)
    high = np.full((len(high_bands), window.height * factor, window.width * factor), np.nan, np.float32)
    finer = abs(coarse.transform[0]) / abs(fine.transform[0]) / factor
    rasterio.warp.reproject(
        read_raster(high_path, high_bands, name=pair.name),
        high,
        src_transform=Affine(*fine.transform),
        src_crs=crs_of(fine.crs),
        dst_transform=transform @ Affine.scale(1 / factor),
        dst_crs=crs_of(coarse.crs),
        src_nodata=np.nan,
        dst_nodata=np.nan,
        resampling=Resampling.average if finer > 1.5 else Resampling.cubic,  # of much finer pixels
    )
    return _Cut(low, high, coarse.crs, list(transform)[:6], coarse.band_count)


def _factor(coarse: Sequence[float], fine: Sequence[float], options: PairOptions, name: str) -> int:
    if coarse[1] or coarse[3] or fine[1] or fine[3]:
        raise SuperResolutionError(f"{name}: an image is turned; warp it to a grid with north up (gdalwarp)")
    ratios = [abs(coarse[axis]) / abs(fine[axis]) for axis in (0, 4)]
    near = next((f for f in FACTORS if all(abs(ratio / f - 1) <= _RATIO_TOLERANCE for ratio in ratios)), None)
    if options.factor is None and near is None:
        raise SuperResolutionError(
            f"{name}: pixels of the fine image are {ratios[0]:.3g} x {ratios[1]:.3g} times as fine, which is neither 2 "
            "nor 4; with --factor a finer image is brought to that grid"
        )
    factor = options.factor or near or 2
    if min(ratios) < factor * (1 - _RATIO_TOLERANCE):
        raise SuperResolutionError(
            f"{name}: pixels of the fine image are {min(ratios):.3g} times as fine, less than the {factor} asked for"
        )
    return factor


def _check_wanted(factor: int, options: PairOptions, name: str) -> None:
    if options.factor not in (None, factor):
        raise SuperResolutionError(f"{name}: the fine image has {factor} times the pixels, not {options.factor}")


def _shared(coarse: RasterHeader, fine: RasterHeader, low: Sequence[float], high: Sequence[float], name: str) -> Window:
    """Whole coarse pixels that both images show."""
    to_low = ~Affine(*low) @ Affine(*high)
    corners = [to_low @ corner for corner in ((0, 0), (fine.width, fine.height))]
    columns, rows = (sorted(corner[axis] for corner in corners) for axis in (0, 1))
    left, top = (max(0, int(np.ceil(edge - _GRID_TOLERANCE))) for edge in (columns[0], rows[0]))
    right = min(coarse.width, int(np.floor(columns[1] + _GRID_TOLERANCE)))
    bottom = min(coarse.height, int(np.floor(rows[1] + _GRID_TOLERANCE)))
    if right <= left or bottom <= top:
        raise SuperResolutionError(f"{name}: the two images do not overlap")
    return Window(left, top, right - left, bottom - top)


def _write(path: Path, image: Floats, crs: str | None, transform: Sequence[float] | None) -> None:
    path.unlink(missing_ok=True)
    names = [f"band {number}" for number in range(1, len(image) + 1)]
    with open_cog(path, *image.shape[1:], crs=crs, transform=transform, description=names, unit="", tags={}) as writer:
        writer.write(Window(0, 0, image.shape[2], image.shape[1]), image)


def _split(entries: Sequence[PairEntry], places: Sequence[str], options: PairOptions) -> list[PairEntry]:
    """Whole places are held out: neighbours would tell of one another."""
    order = np.random.default_rng(options.seed).permutation(len(places))
    count = min(len(places) - 1, max(1, round(options.held_out * len(places))))
    held = {places[index] for index in order[:count]}
    splits: dict[bool, Split] = {True: "test", False: "train"}
    return [msgspec.structs.replace(entry, split=splits[entry.place in held]) for entry in entries]
