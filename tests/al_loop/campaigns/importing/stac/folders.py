"""Small folders of STAC that tests spoil."""

import json
from pathlib import Path
from typing import Any

from tests.al_loop.campaigns.importing.fixtures import collection, square, write_json, write_raster

LABEL = "https://stac-extensions.github.io/label/v1.0.1/schema.json"


def image_item(name: str = "a", **changes: Any) -> dict[str, Any]:
    return {
        "type": "Feature", "stac_version": "1.0.0", "stac_extensions": [], "id": name,
        "geometry": {"type": "Polygon", "coordinates": square(0, 0)}, "bbox": [0, 0, 1, 1],
        "properties": {"datetime": "2026-01-01T00:00:00Z"}, "links": [],
        "assets": {"B": {"href": f"./{name}.tif", "type": "image/tiff; application=geotiff", "roles": ["data"]}},
        **changes,
    }  # fmt: skip


def label_item(name: str = "a", task: str = "segmentation", **changes: Any) -> dict[str, Any]:
    properties = {
        "datetime": "2026-01-01T00:00:00Z", "label:type": "vector", "label:properties": ["kind"],
        "label:classes": [{"name": "kind", "classes": ["water", "road"]}], "label:description": "drawn",
        "label:tasks": [task],
    }  # fmt: skip
    return {
        **image_item(f"{name}-labels"), "stac_extensions": [LABEL], "properties": properties,
        "links": [{"rel": "source", "href": f"./{name}.json"}],
        "assets": {"labels": {"href": f"./{name}.geojson", "type": "application/geo+json", "roles": ["labels"]}},
        **changes,
    }  # fmt: skip


def features(*names: str) -> dict[str, Any]:
    return collection(
        *(
            {
                "type": "Feature", "properties": {"kind": name},
                "geometry": {"type": "Polygon", "coordinates": square(place, 1)},
            }
            for place, name in enumerate(names)
        )
    )  # fmt: skip


def write_folder(
    root: Path, image: dict[str, Any] | None = None, label: dict[str, Any] | None = None, *, content: Any = None
) -> Path:
    """One image and its label, as another program may write them; a good label of a second image besides."""
    write_raster(root / "a.tif")
    write_raster(root / "b.tif")
    write_json(root / "catalog.json", {"type": "Catalog", "stac_version": "1.0.0", "id": "c", "links": []})
    write_json(root / "a.json", image or image_item())
    write_json(root / "a-labels.json", label or label_item())
    write_json(root / "a.geojson", features("water") if content is None else content)
    write_json(root / "b.json", image_item("b"))
    write_json(root / "b-labels.json", label_item("b"))
    write_json(root / "b.geojson", features("road"))
    return root


def text_of(document: Any) -> str:
    return json.dumps(document)
