"""Registers a scene as the windows that it is cut into: by one header, and one pass over pixels that may be nodata."""

from collections.abc import Collection
from pathlib import Path

import msgspec

from al_loop.domain.campaigns import Campaign, WindowSettings
from al_loop.domain.samples import REGISTERED_ALREADY, RemarkedPath, SampleHeader, SkippedPath
from models.errors import RasterError
from models.rasters.crs import crs_of
from models.rasters.georeference import Location, location
from models.rasters.opening.digests import quick_digest
from models.rasters.reading import read_header, resolve_inside
from models.rasters.tiling import Window
from models.rasters.windows.grid import count, cut
from models.rasters.windows.locator import source_of, window_path
from models.rasters.windows.nodata import nodata_shares

MOST_WINDOWS = 50_000
"""Of one scene."""


class Windowed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a scene."""

    headers: list[SampleHeader]
    """Windows that are new."""
    skipped: SkippedPath | None = None
    """Why there are none."""
    remark: RemarkedPath | None = None


def windowed(
    campaign: Campaign,
    image: SampleHeader,
    settings: WindowSettings | None,
    known: Collection[str],
    removed: Collection[str],
) -> Windowed | None:
    """What becomes of an image that is named for registration; None: it is registered as it is.

    Args:
        campaign: Whose root it lies below.
        image: Header of a file, or of a window of one.
        settings: How scenes are cut; None: they are not.
        known: Paths of samples that lie in its file already.
        removed: Paths of windows of its file that were taken out: they come back when they are named.
    """
    source = source_of(image.path)
    if image.path in known:
        if source.window is None and _is_scene(image, settings):
            return _without(image, f"{REGISTERED_ALREADY} as one sample; remove it to register windows of it")
        return None
    if source.window is not None:
        if settings is None:
            return _without(image, "windows are cut by the settings; name the file, and `windows`")
        scene = _scene_of(campaign, image, source.file)
        return (
            _without(image, "it is gone")
            if scene is None
            else _windows_of(campaign, scene, settings, known, (), only=image.path)
        )
    if settings is None or not _is_scene(image, settings):
        return _without(image, f"{REGISTERED_ALREADY} as {len(known):,} windows") if known else None
    return _windows_of(campaign, image, settings, known, removed)


def _is_scene(header: SampleHeader, settings: WindowSettings | None) -> bool:
    """Whether an image is cut: it is larger than a window along either side."""
    return settings is not None and max(header.height, header.width) > settings.size_px


def _scene_of(campaign: Campaign, window: SampleHeader, file: str) -> SampleHeader | None:
    """Header of the file that a window lies in."""
    try:
        header = read_header(resolve_inside(Path(campaign.root), file), name=file, policy=campaign.band_policy)
    except (RasterError, OSError):
        return None
    return msgspec.structs.replace(window, path=file, **msgspec.structs.asdict(header))


def _windows_of(
    campaign: Campaign,
    scene: SampleHeader,
    settings: WindowSettings,
    known: Collection[str],
    removed: Collection[str],
    *,
    only: str | None = None,
) -> Windowed:
    """The windows of a scene that are to be registered; `only`: this one alone."""
    most = count(scene.height, scene.width, settings.size_px, settings.overlap_px)
    if most > MOST_WINDOWS:
        return _without(
            scene,
            f"its {scene.width:,} x {scene.height:,} px make about {most:,} windows of {settings.size_px} px, and at "
            f"most {MOST_WINDOWS:,} are registered of one file; choose larger windows (windows.size_px)",
        )
    grid = cut(scene.height, scene.width, settings.size_px, settings.overlap_px)
    paths = [window_path(scene.path, entry.window) for entry in grid]
    if foreign := sorted(set(known) - set(paths)):
        return _without(
            scene,
            f"{REGISTERED_ALREADY} with windows of another size or overlap, such as {foreign[0]}; remove those samples "
            "first, or register it with the same",
        )
    new = [
        (path, entry)
        for path, entry in zip(paths, grid, strict=True)
        if path not in known and path not in removed and only in (None, path)
    ]
    if not new and only is not None:
        return _without(scene, "it is none of the windows that its scene is cut into", only)
    if not new:
        return _without(scene, REGISTERED_ALREADY)
    try:
        file = resolve_inside(Path(campaign.root), scene.path)
        shares = [0.0] * len(new)
        if settings.max_nodata < 1.0:
            windows = [entry.window for _, entry in new]
            shares = nodata_shares(file, scene.path, windows, campaign.bands, campaign.band_policy).tolist()
        areas: dict[Window, Location] = {}
        headers = []
        for (path, entry), share in zip(new, shares, strict=True):
            if share > settings.max_nodata:
                continue
            if entry.area not in areas:
                areas[entry.area] = _place(scene, entry.area)
            headers.append(_header(scene, file, path, entry.window, entry.area, areas[entry.area]))
    except RasterError as error:
        return _without(scene, str(error).removeprefix(f"{scene.path}: "))
    except OSError as error:
        return _without(scene, error.strerror or "it cannot be read")
    if not headers:
        said = f"its windows are nodata {_mostly(settings)}"
        return _without(scene, f"{REGISTERED_ALREADY}; the rest of {said}" if known else f"all {said}", only)
    sizes = f"{headers[0].width} x {headers[0].height} px"
    said = f"cut into {len(grid):,} windows of {sizes}"
    if len(headers) < len(new):
        said += f"; {len(new) - len(headers):,} that are nodata {_mostly(settings)} were left out"
    return Windowed(headers=headers, remark=RemarkedPath(path=scene.path, remark=said))


def _without(image: SampleHeader, reason: str, path: str | None = None) -> Windowed:
    return Windowed(headers=[], skipped=SkippedPath(path=path or image.path, reason=reason))


def _mostly(settings: WindowSettings) -> str:
    return f"by more than {100 * settings.max_nodata:.4g} %"


def _header(scene: SampleHeader, file: Path, path: str, window: Window, area: Window, around: Location) -> SampleHeader:
    place = _place(scene, window)
    return msgspec.structs.replace(
        scene,
        path=path,
        width=window.width,
        height=window.height,
        transform=_transform(scene, window),
        bounds=place.bounds,
        place_problem=place.problem,
        digest=quick_digest(Path(window_path(str(file), window)), path),
        area=window_path(scene.path, area),
        area_bounds=around.bounds,
        remarks=[],
    )


def _transform(scene: SampleHeader, window: Window) -> list[float] | None:
    if scene.transform is None:
        return None
    a, b, c, d, e, f = scene.transform
    column, row = window.column, window.row
    return [a, b, a * column + b * row + c, d, e, d * column + e * row + f]


def _place(scene: SampleHeader, window: Window) -> Location:
    crs = None if scene.crs is None else crs_of(scene.crs)
    return location(crs, _transform(scene, window), window.width, window.height)
