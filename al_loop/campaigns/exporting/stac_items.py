"""Labels and their images as items of STAC: the Label extension 1.0.1, one item an image and task.

Each item has one asset, `asset`, and the path of that file as its id, as `eotdl` makes them of plain files: what it
uploads and downloads again then lies where it lay.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from al_loop.campaigns.exporting.coordinates import as_area, features_of, footprint, pixel_geometry
from al_loop.campaigns.stac.documents import (
    COLLECTION_FILE,
    GEOJSON,
    LABEL_SCHEMA,
    Document,
    item,
    link,
    moment,
    places_of,
    relative,
)
from al_loop.domain.geojson import PIXEL
from al_loop.domain.labels import Label
from al_loop.domain.samples import SampleHeader
from models.card import TaskSpec
from models.geo.placement import WGS84

ASSET = "asset"
"""The only key of assets, on all items: eotdl's catalogue is a table, with a column for each."""
IMAGERY, LABELS = "imagery", "labels"
LABEL_PROPERTY = "label"
NOWHERE_IN_EOTDL: dict[str, Any] = {"type": "Polygon", "coordinates": []}
"""Geometry of images without a place, as eotdl writes it itself; it cannot ingest the null of STAC."""
_MEDIA_TYPES = {
    ".tif": "image/tiff; application=geotiff", ".tiff": "image/tiff; application=geotiff", ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg", ".png": "image/png",
}  # fmt: skip


def image_path(path: str) -> str:
    """Where an image lies in the data set, and the id of its item."""
    return f"{IMAGERY}/{path}"


def label_path(task: str, path: str) -> str:
    """Where the answer to a task about an image lies in the data set, and the id of its item."""
    return f"{LABELS}/{task}/{path}.geojson"


def item_file(item_id: str) -> str:
    """The file of an item."""
    return f"{item_id}.json"


def image_item(sample: SampleHeader, href: str | None, *, eotdl: bool = False) -> Document:
    """The item of an image.

    Its `datetime` is the time of the file, as nothing says when the image was taken.

    Args:
        sample: A whole file.
        href: Absolute path of the file; None: a copy lies in the data set.
        eotdl: Whether eotdl has to ingest it, see `NOWHERE_IN_EOTDL`.
    """
    item_id = image_path(sample.path)
    file = item_file(item_id)
    suffix = "." + sample.path.rpartition(".")[2].lower()
    asset: dict[str, Any] = {
        "href": href or relative(item_id, file), "title": sample.path, "roles": ["data"],
        "bands": [{"name": f"band-{number}", "data_type": sample.dtype} for number in range(1, sample.band_count + 1)],
    }  # fmt: skip
    if suffix in _MEDIA_TYPES:
        asset["type"] = _MEDIA_TYPES[suffix]
    geometry, bounds = _place(sample, eotdl=eotdl)
    return item(
        item_id, geometry, {"datetime": moment(file_time(sample))}, {ASSET: asset},
        places_of(file, f"{IMAGERY}/{COLLECTION_FILE}"), collection=IMAGERY, bounds=bounds,
    )  # fmt: skip


def label_item(
    spec: TaskSpec,
    label: Label,
    sample: SampleHeader,
    features: Sequence[Mapping[str, Any]],
    *,
    eotdl: bool = False,
) -> Document:
    """The item of an answer.

    Args:
        spec: The task; its classes are `label:classes`.
        label: The answer.
        sample: Its image.
        features: As `label_features` gives them.
        eotdl: As for `image_item`.
    """
    item_id = label_path(spec.task, sample.path)
    file, source = item_file(item_id), item_file(image_path(sample.path))
    counts = Counter(name for feature in features if (name := feature["properties"][LABEL_PROPERTY]) is not None)
    properties = {
        "datetime": moment(label.labelled_at.astimezone(UTC)),
        "label:properties": [LABEL_PROPERTY],
        "label:classes": [{"name": LABEL_PROPERTY, "classes": list(spec.classes)}],
        "label:description": f"The complete answer to {spec.task} of {sample.path}; without a feature: none is there.",
        "label:type": "vector",
        "label:tasks": [spec.task],
        "label:methods": ["manual"],
        "label:overviews": [
            {
                "property_key": LABEL_PROPERTY,
                "counts": [{"name": name, "count": count} for name, count in sorted(counts.items())],
            }
        ],
    }
    asset = {"href": relative(item_id, file), "title": sample.path, "type": GEOJSON, "roles": [LABELS, "labels-vector"]}
    links = [
        *places_of(file, f"{LABELS}/{COLLECTION_FILE}"),
        link("source", relative(source, file), GEOJSON, **{"title": image_path(sample.path), "label:assets": [ASSET]}),
    ]
    geometry, bounds = _place(sample, eotdl=eotdl)
    return item(
        item_id, geometry, properties, {ASSET: asset}, links, extensions=[LABEL_SCHEMA], collection=LABELS,
        bounds=bounds,
    )  # fmt: skip


def label_features(label: Label, sample: SampleHeader) -> list[dict[str, Any]] | None:
    """The GeoJSON features of an answer, each with `label`; None where their place cannot be told.

    A class of the whole image is its footprint, and has no geometry where the image has no place. Areas are in
    EPSG:4326, and those of images without a place in pixels (column, row from the upper left corner), as `crs` of each
    says. A region to ignore has no label, and `ignore` true.
    """
    if label.classes is not None:
        place = footprint(sample)
        return [_feature(place, {LABEL_PROPERTY: name}) for name in label.classes]
    found = []
    for feature in features_of(label):
        geometry, crs = as_area(feature, label.crs, sample), WGS84
        if geometry is None:
            geometry, crs = pixel_geometry(feature["geometry"], label.crs, sample), PIXEL
        if geometry is None:
            return None
        said = {key: feature["properties"][key] for key in ("label", "ignore") if key in feature["properties"]}
        found.append(_feature(geometry, {**said, **({"crs": PIXEL} if crs == PIXEL else {})}))
    return found


def file_time(sample: SampleHeader) -> datetime:
    """When the file of a sample was last written."""
    return datetime.fromtimestamp(sample.modified_ns / 1e9, UTC)


def _place(sample: SampleHeader, *, eotdl: bool) -> tuple[dict[str, Any] | None, list[float] | None]:
    """Geometry and `bbox` of an item."""
    place = footprint(sample)
    if place is None and eotdl:
        return NOWHERE_IN_EOTDL, [0.0, 0.0, 0.0, 0.0]
    return place, sample.bounds


def _feature(geometry: dict[str, Any] | None, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}
