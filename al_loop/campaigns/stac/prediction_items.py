"""A predicted scene as an item of STAC, derived from the scene and from the model that answered."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from al_loop.campaigns.stac.documents import GEOJSON, LABEL_SCHEMA, Document, item, link, moment
from al_loop.campaigns.stac.model_items import model_path

PREDICTION_ASSET = "prediction"
_GEOTIFF = "image/tiff; application=geotiff; profile=cloud-optimized"


def prediction_item(
    item_id: str,
    task: str,
    colours: Mapping[str, str],
    file: str,
    scene: str,
    campaign: str,
    version: str,
    geometry: dict[str, Any] | None,
    at: datetime,
    *,
    bounds: Sequence[float] | None = None,
    per_pixel: bool = True,
) -> Document:
    """The item, with the Label extension: labels that a program made.

    Args:
        item_id: Its id.
        task: That the model answered.
        colours: `#rrggbb` of each class, in the order of their codes, from 1.
        file: Name of the prediction beside the item, `.tif` or `.geojson`.
        scene: Address of the scene that was predicted.
        campaign: Whose model answered.
        version: Of the model. The link is resolved once the item of the version is exported into the same folder.
        geometry: Footprint of the scene; None: it has no place.
        at: When it was predicted.
        bounds: Of the footprint.
        per_pixel: Whether a GeoTIFF holds codes; else it holds a probability in each band.
    """
    model, vector = f"{campaign}-{version}", file.endswith(".geojson")
    asset: dict[str, Any] = {
        "href": f"./{file}", "type": GEOJSON if vector else _GEOTIFF, "title": f"{task} of {scene}",
        "roles": ["labels", "labels-vector" if vector else "labels-raster"],
    }  # fmt: skip
    if not vector and per_pixel:
        asset["classification:classes"] = [
            {"value": 0, "name": "background", "description": "no class"},
            *(
                {"value": code, "description": name, "color_hint": colour.removeprefix("#").upper()}
                for code, (name, colour) in enumerate(colours.items(), start=1)
            ),
        ]
    name = "class" if vector else None
    properties = {
        "datetime": moment(at),
        "label:properties": [name] if name else None,
        "label:classes": [{"name": name, "classes": list(colours)}],
        "label:description": f"Answers of the model {model} to {task}; nobody looked at them.",
        "label:type": "vector" if vector else "raster",
        "label:tasks": [task],
        "label:methods": ["automated"],
    }
    links = [
        link("derived_from", scene, _GEOTIFF, title="the scene"),
        link("derived_from", f"./{model_path(version)}", GEOJSON, **{"title": "the model", "mlm:name": model}),
    ]
    return item(
        item_id, geometry, properties, {PREDICTION_ASSET: asset}, links, extensions=[LABEL_SCHEMA], bounds=bounds
    )
