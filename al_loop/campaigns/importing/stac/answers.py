"""What the item of a label says: its task, its classes and its features. Label extension 1.x."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from al_loop.campaigns.importing.mask_pairs import features_of
from al_loop.campaigns.importing.stac.items import Asset, StacItem, Unresolved, told
from al_loop.domain.geojson import PIXEL
from al_loop_records.json_texts import read_json
from models.card import IGNORE, TaskName
from models.errors import RasterError
from models.geo.placement import WGS84
from models.rasters.mask_pixels import read_mask
from models.tasks import kind_of

_TASKS: dict[str, TaskName] = {
    "classification": "classification", "tile_classification": "classification",
    "scene-classification": "classification", "segmentation": "segmentation",
    "semantic-segmentation": "segmentation", "detection": "detection", "object_detection": "detection",
    "object-detection": "detection",
}  # fmt: skip
"""Names in `label:tasks`; those with a hyphen are of the MLM extension."""


class _Classes(msgspec.Struct):
    """An entry of `label:classes`."""

    name: str | None = None
    classes: list[str | int | float | bool] | None = None


class _Code(msgspec.Struct):
    """An entry of `classification:classes`."""

    value: int
    name: str | None = None


_CODE = re.compile(r"[0-9]{1,3}")


class _Feature(msgspec.Struct):
    geometry: dict[str, Any] | None = None
    properties: dict[str, Any] | None = None


class _Features(msgspec.Struct):
    """A GeoJSON FeatureCollection of labels."""

    type: str
    features: list[_Feature]
    crs: Any = None
    """As GeoJSON had it before RFC 7946."""


class StacAnswer(NamedTuple):
    """The complete answer of one item."""

    classes: list[str] | None
    features: dict[str, Any] | None
    crs: str | None
    names: list[str]
    """Classes that occur in it."""


def task_of(item: StacItem, wanted: TaskName | None) -> TaskName:
    """The task that an item answers.

    Raises:
        Unresolved: It names none that is known, or several and none of them is wanted.
    """
    said = told(item.properties, "label:tasks", list[str]) or []
    known = list(dict.fromkeys(_TASKS[name] for name in said if name in _TASKS))
    if wanted in known:
        return wanted
    if len(known) == 1:
        return known[0]
    if known:
        raise Unresolved(f"it is for {' and '.join(known)}; say which is wanted with --task")
    raise Unresolved(f"`label:tasks` names {', '.join(said) or 'nothing'}, and none of {', '.join(_TASKS)}")


def classes_of(item: StacItem) -> tuple[str | None, list[str]]:
    """The property that holds the class, None of a raster, and the classes in their order.

    Raises:
        Unresolved: It has none, or several properties.
    """
    found = told(item.properties, "label:classes", list[_Classes]) or []
    if len(found) != 1:
        how_many = "no classes" if not found else f"classes of {len(found)} properties"
        raise Unresolved(f"`label:classes` names {how_many}; one is read")
    return found[0].name, [str(entry) for entry in found[0].classes or ()]


def read_answer(item: StacItem, task: TaskName, asset: Asset, file: Path) -> StacAnswer:
    """The answer of an item.

    Raises:
        Unresolved: The file cannot be read, or is not what the item says.
    """
    prop, classes = classes_of(item)
    if item.properties.get("label:type") == "raster":
        if not kind_of(task).per_pixel:
            raise Unresolved(f"a raster of labels answers no {task}")
        return _raster(asset, classes, file)
    if prop is None:
        raise Unresolved("`label:classes` names no property of the features")
    return _vector(task, prop, file)


def _vector(task: TaskName, prop: str, file: Path) -> StacAnswer:
    try:
        content = read_json(file.read_bytes(), _Features)
    except (msgspec.DecodeError, OSError) as error:
        raise Unresolved(f"{file.name} is no FeatureCollection of GeoJSON: {error}") from error
    if content.type != "FeatureCollection":
        raise Unresolved(f"{file.name} is a {content.type or 'file without a type'}, no FeatureCollection")
    found: list[dict[str, Any]] = []
    names: list[str] = []
    systems = {_crs(feature, content.crs) for feature in content.features}
    for place, feature in enumerate(content.features):
        said = feature.properties or {}
        value = said.get(prop)
        if value is None and said.get("ignore") is not True:
            raise Unresolved(f"{file.name}: feature {place} has no {prop!r}")
        if value is not None:
            names.append(str(value))
        label = {"label": None, "ignore": True} if value is None else {"label": str(value)}
        found.append({"type": "Feature", "properties": label, "geometry": feature.geometry})
    if kind_of(task).answered_with == "classes":
        return StacAnswer(list(dict.fromkeys(names)), None, None, names)
    if any(feature["geometry"] is None for feature in found):
        raise Unresolved(f"{file.name}: a feature without a geometry says nothing of where it is")
    if len(systems) > 1:
        raise Unresolved(f"{file.name}: its features are in {' and '.join(sorted(systems))}")
    return StacAnswer(None, {"type": "FeatureCollection", "features": found}, next(iter(systems), WGS84), names)


def _crs(feature: _Feature, of_all: Any) -> str:  # noqa: ANN401  # as GeoJSON had it
    if (feature.properties or {}).get("crs") == PIXEL:
        return PIXEL
    name = (of_all.get("properties") or {}).get("name") if isinstance(of_all, dict) else None
    return WGS84 if name is None or "CRS84" in str(name) else str(name)


def _raster(asset: Asset, classes: Sequence[str], file: Path) -> StacAnswer:
    """Codes of a raster, named by `classification:classes`, or by their numbers in `label:classes`."""
    said = told(asset, "classification:classes", list[_Code]) or []
    codes = {entry.value: entry.name or str(entry.value) for entry in said}
    if not codes and all(_CODE.fullmatch(name) for name in classes):
        codes = {int(name): name for name in classes if int(name)}
    if beyond := [code for code in codes if not 0 <= code <= IGNORE]:
        raise Unresolved(f"{beyond[0]} is no code of a class; they go from 0 to {IGNORE}")
    if not codes:
        raise Unresolved(
            "nothing says which code is which class; a raster of labels needs `classification:classes` in its asset, "
            "or the codes themselves as `label:classes`"
        )
    named = {code: name for code, name in codes.items() if code and name.casefold() != "background"}
    try:
        pixels, coloured, _ = read_mask(file)
    except (RasterError, OSError) as error:
        raise Unresolved(str(error)) from error
    if coloured:
        raise Unresolved(f"{file.name} holds colours, no codes")
    unknown = sorted({int(code) for code in np.unique(pixels)} - codes.keys() - {0, IGNORE})
    if unknown:
        raise Unresolved(f"{file.name} holds {unknown[0]}, which is no class")
    order = [code for code in sorted(named) if code != IGNORE]
    places = np.zeros(256, np.uint8)
    places[IGNORE] = IGNORE
    for place, code in enumerate(order, start=1):
        places[code] = place
    features = features_of(places[pixels.astype(np.uint8)], [named[code] for code in order])
    present = [entry["properties"]["label"] for entry in features["features"] if entry["properties"]["label"]]
    return StacAnswer(None, features, PIXEL, present)
