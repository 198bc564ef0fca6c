"""Catalogs, collections and items of STAC 1.1.0 as JSON values. Knows neither labels nor files.

Written here and not by pystac, which would be one more import and adds little to a dozen dictionaries; tests read every
document with it and validate it by the published schemas.
"""

import posixpath
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from shapely.geometry import shape

STAC_VERSION = "1.1.0"
LABEL_SCHEMA = "https://stac-extensions.github.io/label/v1.0.1/schema.json"
MLM_SCHEMA = "https://stac-extensions.github.io/mlm/v1.5.2/schema.json"
VERSION_SCHEMA = "https://stac-extensions.github.io/version/v1.2.0/schema.json"
JSON, GEOJSON = "application/json", "application/geo+json"
CATALOG_FILE, COLLECTION_FILE = "catalog.json", "collection.json"
WORLD = [-180.0, -90.0, 180.0, 90.0]

Document = dict[str, Any]
Link = dict[str, Any]


def link(rel: str, href: str, media_type: str = JSON, **members: Any) -> Link:  # noqa: ANN401  # JSON
    """A link of a document."""
    return {"rel": rel, "href": href, "type": media_type, **members}


def relative(target: str, document: str) -> str:
    """How a document names another file of the same catalogue: as `../labels/a.json`.

    Args:
        target: Path of the other, from the folder of the catalogue.
        document: Path of the one that names it.
    """
    found = posixpath.relpath(target, posixpath.dirname(document) or ".")
    return found if found.startswith("../") else f"./{found}"


def moment(at: datetime) -> str:
    """A time as STAC has it: RFC 3339 in UTC, without fractions of a second."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def item(
    item_id: str,
    geometry: dict[str, Any] | None,
    properties: dict[str, Any],
    assets: dict[str, Any],
    links: Iterable[Link] = (),
    *,
    extensions: Sequence[str] = (),
    collection: str | None = None,
    bounds: Sequence[float] | None = None,
) -> Document:
    """An item.

    Args:
        item_id: Its id.
        geometry: GeoJSON in EPSG:4326; None: it lies nowhere that is known, and has no `bbox`.
        properties: With `datetime`, null only beside `start_datetime` and `end_datetime`.
        assets: By key.
        links: Relative ones as its own file has them.
        extensions: Addresses of the schemas that it follows besides.
        collection: Id of its collection, which `links` have to name, too.
        bounds: left, bottom, right, top (left > right across the date line); None: those of the geometry.
    """
    found: Document = {
        "type": "Feature", "stac_version": STAC_VERSION, "stac_extensions": list(extensions), "id": item_id,
        "geometry": geometry,
    }  # fmt: skip
    if geometry is not None:
        found["bbox"] = list(bounds if bounds is not None else shape(geometry).bounds)
    found |= {"properties": properties, "links": list(links), "assets": assets}
    if collection is not None:
        found["collection"] = collection
    return found


def collection(
    collection_id: str,
    description: str,
    bounds: Iterable[Sequence[float]],
    moments: Iterable[datetime],
    links: Iterable[Link],
    *,
    licence: str,
    extensions: Sequence[str] = (),
    **members: Any,  # noqa: ANN401  # JSON
) -> Document:
    """A collection.

    Args:
        collection_id: Its id.
        description: In Markdown, not empty.
        bounds: Of its items that have a place; without any the extent is the world.
        moments: Of its items; without any the interval is open.
        links: To its root, parent and items.
        licence: SPDX identifier, or `other`.
        extensions: As for items.
        members: Further ones.
    """
    times = sorted(moments)
    interval = [moment(times[0]), moment(times[-1])] if times else [None, None]
    return {
        "type": "Collection", "stac_version": STAC_VERSION, "stac_extensions": list(extensions), "id": collection_id,
        "description": description, "license": licence,
        "extent": {"spatial": {"bbox": [_around(list(bounds))]}, "temporal": {"interval": [interval]}},
        "links": list(links), **members,
    }  # fmt: skip


def catalog(catalog_id: str, description: str, children: Iterable[str]) -> Document:
    """The catalogue at the root of a folder, with the paths of its collections."""
    links = [link("root", f"./{CATALOG_FILE}"), *(link("child", f"./{child}") for child in children)]
    return {
        "type": "Catalog", "stac_version": STAC_VERSION, "stac_extensions": [], "id": catalog_id,
        "description": description, "links": links,
    }  # fmt: skip


def places_of(document: str, collection_file: str) -> list[Link]:
    """Links of an item to its root, parent and collection."""
    above = relative(collection_file, document)
    root = link("root", relative(CATALOG_FILE, document))
    return [root, link("parent", above), link("collection", above)]


def _around(bounds: list[Sequence[float]]) -> list[float]:
    if not bounds:
        return WORLD
    across = any(left > right for left, _, right, _ in bounds)
    west, east = (-180.0, 180.0) if across else (min(b[0] for b in bounds), max(b[2] for b in bounds))
    return [west, min(b[1] for b in bounds), east, max(b[3] for b in bounds)]
