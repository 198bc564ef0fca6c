"""What a sample's picture lies in: its size and zooms, its place and date on Earth, its neighbours, links to maps."""

import datetime as dt
import math
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import msgspec
import shapely
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError

from al_loop.domain.samples import Sample
from models.errors import NoPlaceError
from models.geo.placement import area_m2, pixels_to_crs
from models.pictures.levels import TILE_PX, Levels
from models.rasters.crs import crs_of

MOST_NEIGHBOURS = 24
_OVERLAP = 0.5
"""Two images that share more than this of the smaller one show one place, at two dates most often."""
_PARALLEL = 1e-3
"""Largest shear between two images, as a share of a pixel, that are drawn beside each other."""
_EARTH_M = 40_075_016.7
_NUMBER = r"(?<![0-9])"
_DATES = (
    re.compile(_NUMBER + r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)"),  # Sentinel products
    re.compile(_NUMBER + r"(\d{4})[-_](\d\d)[-_](\d\d)(?:[T_ ](\d\d)[-:]?(\d\d)[-:]?(\d\d))?(?![0-9])"),
    re.compile(_NUMBER + r"(\d{4})(\d\d)(\d\d)(?![0-9])"),
)
_TAG = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)")


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    """Another sample of the campaign that lies beside this one, in pixels of this one."""

    sample_id: int
    path: str
    dx: float
    """Column of its upper left corner; negative to the left."""
    dy: float
    """Row of its upper left corner; negative above."""
    width: float
    """Its width in pixels of this sample."""
    height: float
    """Its height in pixels of this sample."""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a page needs to show a sample as a map does."""

    sample_id: int
    path: str
    width: int
    height: int
    tile_size: int
    """Side of a tile in px."""
    max_zoom: int
    """Zoom at which tiles show the image 1:1; at 0 one tile holds all of it."""
    pixel_size_m: float | None
    """Side of a square of a pixel's area at the image's centre, in m; null: the place is unknown."""
    crs: str | None
    """`EPSG:n` or WKT."""
    bounds: list[float] | None
    """Left, bottom, right, top in EPSG:4326; left > right across the date line."""
    centre: list[float] | None
    """Longitude, latitude."""
    datetime: str | None
    """When it was taken, ISO 8601 (a day, or a second in UTC), from its file name or its TIFF tag; null: not known."""
    links: dict[str, str]
    """`openstreetmap` and `copernicus`: the place in the OpenStreetMap and the Copernicus Browser; empty: no place."""
    neighbours: list[Neighbour]
    """At most 24, nearest first: of the same CRS, within one image's size, one of each place."""


def surroundings(sample: Sample, levels: Levels, tag: str | None, near: Sequence[Sample]) -> Surroundings:
    """Put together what is known about a sample's place.

    Args:
        sample: The sample.
        levels: Its size and overviews.
        tag: `TIFFTAG_DATETIME` of its file.
        near: Samples of its CRS that may be its neighbours.
    """
    centre, pixel_m = _place(sample)
    taken = taken_at(sample.path, tag)
    return Surroundings(
        sample_id=sample.sample_id,
        path=sample.path,
        width=levels.width,
        height=levels.height,
        tile_size=TILE_PX,
        max_zoom=levels.max_zoom,
        pixel_size_m=pixel_m,
        crs=sample.crs,
        bounds=sample.bounds,
        centre=centre,
        datetime=taken,
        links={} if centre is None else _links(centre, (pixel_m or 10.0) * max(levels.height, levels.width), taken),
        neighbours=neighbours(sample, near),
    )


def taken_at(path: str, tag: str | None) -> str | None:
    """When an image was taken, ISO 8601.

    The name of the file tells first, then its folders: the tag often says when the file was written.
    """
    for part in reversed(PurePosixPath(path).parts):
        for pattern in _DATES:
            for found in pattern.finditer(part):
                if (text := _iso(found.groups())) is not None:
                    return text
    found_tag = _TAG.match(tag or "")
    return None if found_tag is None else _iso(found_tag.groups())


def neighbours(sample: Sample, near: Sequence[Sample]) -> list[Neighbour]:
    """The samples that lie around one, nearest first."""
    if sample.transform is None:
        return []
    to_pixels = ~Affine(*sample.transform)
    around = shapely.box(-sample.width, -sample.height, 2 * sample.width, 2 * sample.height)
    middle = shapely.Point(sample.width / 2, sample.height / 2)
    found = []
    for other in near:
        if other.transform is None or other.crs != sample.crs or other.sample_id == sample.sample_id:
            continue
        moved = to_pixels @ Affine(*other.transform)
        if max(abs(moved.b), abs(moved.d)) > _PARALLEL or min(moved.a, moved.e) <= 0:
            continue
        area = shapely.box(moved.c, moved.f, moved.c + moved.a * other.width, moved.f + moved.e * other.height)
        if shapely.area(shapely.intersection(area, around)) > 0:
            found.append((shapely.distance(shapely.centroid(area), middle), other.sample_id, other.path, area))
    kept: list[Neighbour] = []
    taken = [shapely.box(0, 0, sample.width, sample.height)]
    for _, sample_id, path, area in sorted(found, key=lambda entry: entry[:2]):
        if len(kept) < MOST_NEIGHBOURS and not any(_overlap(area, other) > _OVERLAP for other in taken):
            left, top, right, bottom = (round(value, 3) for value in area.bounds)
            kept.append(
                Neighbour(sample_id=sample_id, path=path, dx=left, dy=top, width=right - left, height=bottom - top)
            )
            taken.append(area)
    return kept


def search_box(sample: Sample) -> tuple[str, tuple[float, float, float, float]] | None:
    """CRS, and left, bottom, right, top in degrees of where neighbours may lie; None without a place.

    None across the date line, too: its neighbours are not looked for.
    """
    if sample.bounds is None or sample.crs is None or sample.bounds[0] > sample.bounds[2]:
        return None
    left, bottom, right, top = sample.bounds
    across, up = right - left, top - bottom
    return sample.crs, (left - across, bottom - up, right + across, top + up)


def _overlap(one: shapely.Geometry, other: shapely.Geometry) -> float:
    smaller = min(shapely.area(one), shapely.area(other))
    return float(shapely.area(shapely.intersection(one, other)) / smaller) if smaller > 0 else 1.0


def _place(sample: Sample) -> tuple[list[float] | None, float | None]:
    """Longitude and latitude of the centre, and the side of a pixel in m."""
    if sample.crs is None or sample.transform is None or not sample.placed:
        return None, None
    column, row = sample.width / 2, sample.height / 2
    try:
        point = pixels_to_crs(shapely.Point(column, row), crs_of(sample.crs), sample.transform, CRS.from_epsg(4326))
    except (NoPlaceError, CRSError):
        return None, None
    ((longitude, latitude),) = shapely.get_coordinates(point).tolist()
    if not (math.isfinite(longitude) and math.isfinite(latitude)):
        return None, None
    pixel = area_m2(shapely.box(column - 0.5, row - 0.5, column + 0.5, row + 0.5), sample.crs, sample.transform)
    longitude = (longitude + 180.0) % 360.0 - 180.0
    return [round(longitude, 6), round(latitude, 6)], None if not pixel else round(math.sqrt(pixel), 4)


def _links(centre: Sequence[float], size_m: float, taken: str | None) -> dict[str, str]:
    longitude, latitude = centre
    around = _EARTH_M * max(math.cos(math.radians(latitude)), 0.01)
    zoom = max(2, min(18, round(math.log2(around / max(size_m, 1.0))) + 1))
    mark = f"mlat={latitude:.5f}&mlon={longitude:.5f}#map={zoom}/{latitude:.5f}/{longitude:.5f}"
    browser = f"zoom={zoom}&lat={latitude:.5f}&lng={longitude:.5f}"
    if taken is not None:
        day = taken[:10]
        browser += f"&fromTime={day}T00%3A00%3A00.000Z&toTime={day}T23%3A59%3A59.999Z"
    return {
        "openstreetmap": f"https://www.openstreetmap.org/?{mark}",
        "copernicus": f"https://browser.dataspace.copernicus.eu/?{browser}",
    }


def _iso(parts: Sequence[str | None]) -> str | None:
    """ISO 8601 of year, month, day and perhaps a time; None for what is no date of an image."""
    numbers = [int(part) for part in parts if part is not None]
    if not 1900 <= numbers[0] <= 2100:
        return None
    try:
        moment = dt.datetime(*numbers, tzinfo=dt.UTC)  # type: ignore[arg-type, misc]
    except ValueError:
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if len(numbers) > 3 else moment.date().isoformat()
