"""Bring stored polygons to longitude and latitude, where the sample has a place at all."""

from typing import Any

import numpy as np
import shapely
from rasterio.errors import CRSError
from shapely.geometry import mapping, shape

from al_loop.domain.geojson import PIXEL, drawn_of, placed, placed_point, to_pixels
from al_loop.domain.labels import Label
from al_loop.domain.line_places import line_pixels, placed_line
from al_loop.domain.samples import SampleHeader
from models.errors import NoPlaceError
from models.geo.lines import Line, cut_line_at_date_line
from models.geo.placement import WGS84

UNPLACEABLE = (NoPlaceError, CRSError, shapely.errors.GEOSException)
"""What one sample's areas may raise; the export of the others goes on."""


def geographic_geometry(geometry: dict[str, Any], crs: str | None, sample: SampleHeader) -> dict[str, Any] | None:
    """A GeoJSON geometry of a label in EPSG:4326, longitude first, cut at the date line (RFC 7946, 3.1.9).

    Args:
        geometry: As stored with the label.
        crs: CRS of its coordinates: "pixel", or EPSG:4326, which is returned untouched if it keeps to that.
        sample: The sample that it was drawn on.

    Returns:
        The geometry, or None if it is in pixels of a sample without a place, or runs beyond what its CRS covers.
    """
    area = shape(geometry)
    if isinstance(area, Line):
        if crs != PIXEL:
            return geometry if _keeps_to_rfc_7946(area) else dict(mapping(cut_line_at_date_line(area)))
        line = placed_line(area, sample)
        return None if line is None else dict(mapping(line))
    if crs != PIXEL:
        if _keeps_to_rfc_7946(area):
            return geometry
        if geometry["type"] == "Point":  # beyond a turn of the Earth
            return {**geometry, "coordinates": [(area.x + 180.0) % 360.0 - 180.0, area.y]}
        try:
            area = to_pixels(area, WGS84, sample)
        except UNPLACEABLE:
            return None
        if area.is_empty:
            return None
    if geometry["type"] == "Point":
        point = placed_point(area, sample)
        return None if point is None else dict(mapping(point))
    found = placed(area, sample)
    if found is None:
        return None
    return dict(mapping(found.geoms[0] if len(found.geoms) == 1 and geometry["type"] == "Polygon" else found))


def pixel_geometry(geometry: dict[str, Any], crs: str | None, sample: SampleHeader) -> dict[str, Any] | None:
    """A GeoJSON geometry of a label in pixels of its sample: column, row from the upper left corner.

    Args:
        geometry: As stored with the label.
        crs: CRS of its coordinates: "pixel", which is returned untouched, or EPSG:4326.
        sample: The sample that it was drawn on.

    Returns:
        The geometry, or None if it cannot be told where in the image it lies.
    """
    if crs == PIXEL:
        return geometry
    try:
        drawn = shape(geometry)
        if isinstance(drawn, Line):
            return dict(mapping(line_pixels(drawn, WGS84, sample)))
        area = to_pixels(drawn, WGS84, sample)
    except UNPLACEABLE:
        return None
    if geometry["type"] == "Point" and not area.is_empty and sample.transform is not None:
        return dict(mapping(area.centroid))
    return None if area.is_empty or sample.transform is None else dict(mapping(area))


def as_area(feature: dict[str, Any], crs: str | None, sample: SampleHeader) -> dict[str, Any] | None:
    """A feature's geometry in EPSG:4326 for formats without lines: a line is the outline of the pixels it covers.

    Args:
        feature: As stored.
        crs: As for `geographic_geometry`.
        sample: The sample that it was drawn on.

    Returns:
        As `geographic_geometry`.
    """
    if feature["geometry"]["type"] not in ("LineString", "MultiLineString"):
        return geographic_geometry(feature["geometry"], crs, sample)
    try:
        area = placed(to_pixels(drawn_of(feature), crs or PIXEL, sample), sample)
    except UNPLACEABLE:
        return None
    return None if area is None else dict(mapping(area))


def footprint(sample: SampleHeader) -> dict[str, Any] | None:
    """The sample's bounds as a GeoJSON geometry in EPSG:4326, cut at the date line; None without a place."""
    if sample.bounds is None:
        return None
    left, bottom, right, top = sample.bounds
    if left <= right:
        return dict(mapping(shapely.box(left, bottom, right, top)))
    halves = [shapely.box(left, bottom, 180.0, top), shapely.box(-180.0, bottom, right, top)]
    return dict(mapping(shapely.MultiPolygon([half for half in halves if half.area > 0])))


def features_of(label: Label) -> list[dict[str, Any]]:
    """The GeoJSON features of a label; none for a classification."""
    return list(label.features["features"]) if label.features is not None else []


def _keeps_to_rfc_7946(area: shapely.Geometry) -> bool:
    """Whether no longitude is beyond 180 degrees and no edge jumps across the date line."""
    coordinates = shapely.get_coordinates(area)
    within = bool(len(coordinates) and (np.abs(coordinates) <= [180.0, 90.0]).all())
    return within and bool(np.ptp(coordinates[:, 0]) <= 180.0)
