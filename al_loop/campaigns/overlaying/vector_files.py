"""GeoPackage and Shapefile as features of GeoJSON, read by GDAL through pyogrio.

GDAL would take any of its formats by a file's content, among them such that name other files and addresses. So the
first bytes must be those of what the name says, and the path is absolute, so that it has none of GDAL's prefixes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import shapely

from al_loop.errors import InvalidValueError
from al_loop_records.json_texts import read_json

FIRST_BYTES = {".gpkg": b"SQLite format 3\x00", ".shp": b"\x00\x00\x27\x0a"}
"""Extension -> how a file of it begins."""
_SHOWN = 20
_DBF_HEADER = 32


class VectorLayer(NamedTuple):
    """One layer of a file."""

    columns: list[str]
    features: Iterator[dict[str, Any]]
    """GeoJSON, with 2D coordinates in the layer's CRS; curves are made of short straight lines."""
    crs: str | None
    """`EPSG:n` or WKT; None: the file does not say it."""


def is_vector_file(path: Path) -> bool:
    """Whether the name is one of a GeoPackage or Shapefile."""
    return path.suffix.lower() in FIRST_BYTES


def read_layer(path: Path, layer: str | None = None) -> VectorLayer:
    """Read one layer whole.

    Args:
        path: A GeoPackage (.gpkg), or the .shp of a Shapefile with .shx and .dbf beside it.
        layer: Its name; None: the only one.

    Raises:
        InvalidValueError: The file is none, cannot be read, or has several layers and none is named.
    """
    import pyogrio  # here: it loads a GDAL of its own, which only these files need
    from pyogrio.errors import DataLayerError, DataSourceError, FieldError, GeometryError

    file = path.resolve()
    with file.open("rb") as opened:
        if opened.read(16)[: len(FIRST_BYTES[file.suffix.lower()])] != FIRST_BYTES[file.suffix.lower()]:
            raise InvalidValueError("$.file", f"{path.name} is no {_kind(path)}: its first bytes are of something else")
    pyogrio.set_gdal_config_options({"PROJ_NETWORK": "OFF"})
    try:
        name = _layer(path, [str(entry) for entry, _ in pyogrio.list_layers(file)], layer)
        meta, _, wkb, values = pyogrio.raw.read(
            file,
            layer=name,
            encoding=_encoding(file),
            force_2d=True,
            where="1=1",  # counts them anew: other programs do not always correct what a GeoPackage says of it
            datetime_as_string=True,
        )
    except (DataSourceError, DataLayerError, FieldError, GeometryError, UnicodeError, ValueError, OSError) as error:
        hint = "; a Shapefile is a .shp with its .shx and .dbf beside it" if file.suffix.lower() == ".shp" else ""
        raise InvalidValueError("$.file", f"{path.name} cannot be read: {error}{hint}") from error
    if wkb is None:
        raise InvalidValueError("$.file", f"the layer {name!r} of {path.name} has no geometries")
    columns = [str(column) for column in meta["fields"]]
    return VectorLayer(columns, _features(columns, wkb, values), meta["crs"])


def _layer(path: Path, there: list[str], wanted: str | None) -> str:
    shown = ", ".join(there[:_SHOWN]) + (f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else "")
    if wanted is not None and wanted not in there:
        raise InvalidValueError("$.layer", f"{path.name} has no layer {wanted!r}; it has {shown or 'none'}")
    if wanted is None and len(there) > 1:
        raise InvalidValueError("$.layer", f"{path.name} has {len(there)} layers ({shown}); say --layer")
    if not there:
        raise InvalidValueError("$.file", f"{path.name} has no layer")
    return wanted if wanted is not None else there[0]


def _features(columns: list[str], wkb: Any, values: list[Any]) -> Iterator[dict[str, Any]]:  # noqa: ANN401  # an array
    for row, geometry in enumerate(wkb):
        properties = {name: _plain(values[column][row]) for column, name in enumerate(columns)}
        yield {"type": "Feature", "properties": properties, "geometry": _geometry(geometry)}


def _geometry(wkb: bytes | None) -> dict[str, Any] | None:
    """A GeoJSON geometry; None: there is none, or it has corners that are no numbers."""
    if wkb is None:
        return None
    try:
        found: dict[str, Any] = read_json(shapely.to_geojson(shapely.from_wkb(wkb)))
    except (shapely.errors.GEOSException, msgspec.DecodeError, NotImplementedError, ValueError):
        return None
    return found


def _plain(value: object) -> object:
    """A cell as JSON has it; nothing where there is nothing."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and value != value else value


def _kind(path: Path) -> str:
    return "GeoPackage" if path.suffix.lower() == ".gpkg" else "Shapefile"


def _encoding(file: Path) -> str | None:
    """UTF-8 where the texts of a Shapefile that names no encoding are that; None: GDAL's choice, at last Latin-1."""
    dbf = next((entry for entry in (file.with_suffix(".dbf"), file.with_suffix(".DBF")) if entry.is_file()), None)
    named = any(file.with_suffix(ending).is_file() for ending in (".cpg", ".CPG"))
    if file.suffix.lower() != ".shp" or dbf is None or named:
        return None
    data = dbf.read_bytes()
    if len(data) <= _DBF_HEADER:
        return None
    records = data[int.from_bytes(data[8:10], "little") :]
    try:
        return "UTF-8" if not records.isascii() and records.decode("utf-8") else None
    except UnicodeDecodeError:
        return None
