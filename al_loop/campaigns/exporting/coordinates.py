"""Bring stored polygons to longitude and latitude, where the sample has a place at all."""

from typing import Any

import shapely
from rasterio.crs import CRS
from shapely.geometry import mapping, shape

from al_loop.domain.geojson import PIXEL
from al_loop.domain.labels import Label
from al_loop.domain.samples import SampleHeader
from models.geo.placement import pixels_to_crs
from models.rasters.crs import crs_of


def geographic_geometry(geometry: dict[str, Any], crs: str | None, sample: SampleHeader) -> dict[str, Any] | None:
    """A GeoJSON geometry of a label in EPSG:4326, longitude first.

    Args:
        geometry: As stored with the label.
        crs: CRS of its coordinates: "pixel", or EPSG:4326, which is returned untouched.
        sample: The sample that it was drawn on.

    Returns:
        The geometry, or None if it is in pixels of a sample without a place.
    """
    if crs != PIXEL:
        return geometry
    if sample.crs is None or sample.transform is None:
        return None
    placed = pixels_to_crs(shape(geometry), crs_of(sample.crs), sample.transform, CRS.from_epsg(4326))
    return dict(mapping(placed))


def footprint(sample: SampleHeader) -> dict[str, Any] | None:
    """The sample's bounds as a GeoJSON geometry in EPSG:4326, cut at the date line; None without a place."""
    if sample.bounds is None:
        return None
    left, bottom, right, top = sample.bounds
    if left <= right:
        return dict(mapping(shapely.box(left, bottom, right, top)))
    halves = [shapely.box(left, bottom, 180.0, top), shapely.box(-180.0, bottom, right, top)]
    return dict(mapping(shapely.MultiPolygon(halves)))


def features_of(label: Label) -> list[dict[str, Any]]:
    """The GeoJSON features of a label; none for a classification."""
    return list(label.features["features"]) if label.features is not None else []
