"""Read the items of a folder: every JSON document of STAC in it, or the rows of EOTDL's `catalog.parquet`."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from al_loop.campaigns.importing.listing import Listing, suffix
from al_loop.campaigns.importing.stac.items import StacItem
from al_loop_records.json_texts import read_json

LOOKED_FOR = "a STAC catalogue or EOTDL's catalog.parquet with items of labels (Label extension)"
CATALOG = re.compile(r"catalog(\.v(\d+))?\.parquet")
_COLUMNS_OF_AN_ITEM = frozenset(
    {"type", "stac_version", "stac_extensions", "id", "geometry", "bbox", "links", "assets", "collection"}
)
MOST_ROWS = 2**20
MOST_TABLE_BYTES = 2**30
"""Of a table of items in memory."""
_BATCH_ROWS = 100
_EMPTY_WKB_BYTES = 9
"""A geometry without a coordinate: byte order, type, count 0."""


class _Document(msgspec.Struct):
    """What is read of a JSON document; anything may be missing."""

    type: str = ""
    stac_version: str | None = None
    stac_extensions: list[str] | None = None
    id: str | int | None = None
    geometry: dict[str, Any] | None = None
    properties: dict[str, Any] | None = None
    links: list[dict[str, Any]] | None = None
    assets: dict[str, dict[str, Any]] | None = None
    features: list["_Document"] | None = None


def read_items(listing: Listing) -> list[StacItem]:
    """All items of a folder, in the order of its files; what cannot be read is named in the listing.

    Links are not followed: documents that lie in the folder are its items, and none outside is looked at. Where there
    are documents and a table, the documents are read, as they have all that the table has.
    """
    found = [item for path in _documents(listing) for item in _of_document(listing, path)]
    if found:
        return found
    catalogs = {path: int(match.group(2) or 0) for path in listing.files if (match := CATALOG.fullmatch(path))}
    if not catalogs:
        return []
    newest = max(catalogs, key=lambda path: catalogs[path])
    return list(_of_table(listing, newest))


def is_catalogue(path: str) -> bool:
    """Whether a file is one of the catalogue, which no other importer needs to be told of."""
    return CATALOG.fullmatch(path) is not None or path == "README.md"


def _documents(listing: Listing) -> Iterator[str]:
    """Files that may be documents of STAC: a folder without a catalogue or a collection has them at its top only."""
    marks = {"catalog.json", "collection.json"}
    whole = any(path.rpartition("/")[2] in marks for path in listing.files)
    for path in listing.files:
        if (suffix(path) == ".json" and whole) or (
            suffix(path) in (".json", ".geojson") and not whole and "/" not in path
        ):
            yield path


def _of_document(listing: Listing, path: str) -> Iterator[StacItem]:
    try:
        content = (listing.root / path).read_bytes()
        if b"stac_version" not in content:
            return
        document = read_json(content, _Document)
    except (msgspec.DecodeError, OSError) as error:
        listing.fail(path, f"not a document of STAC: {error}")
        return
    entries = document.features if document.type == "FeatureCollection" else [document]
    for entry in entries or []:
        if entry.type == "Feature" and (entry.stac_version or document.stac_version):
            yield _item(path, entry, entry.stac_version or document.stac_version or "")


def _item(path: str, entry: _Document, version: str) -> StacItem:
    links = entry.links or []
    return StacItem(
        item_id=str(entry.id), document=path, folder=posixpath.dirname(path), own=path, stac_version=version,
        extensions=entry.stac_extensions or [], placed=_has_coordinates(entry.geometry),
        properties=entry.properties or {}, links=links, assets=entry.assets or {},
    )  # fmt: skip


def _has_coordinates(geometry: Mapping[str, Any] | None) -> bool:
    return geometry is not None and bool(geometry.get("coordinates") or geometry.get("geometries"))


def _of_table(listing: Listing, path: str) -> Iterator[StacItem]:
    """Rows of a table as stac-geoparquet writes it, one an item, its properties as columns."""
    try:
        rows = list(_rows(listing.root / path))
    except (pa.ArrowException, OSError, ValueError) as error:
        listing.fail(path, f"damaged, or no table of items: {(str(error) or type(error).__name__).splitlines()[0]}")
        return
    for number, row in enumerate(rows):
        try:
            yield _item_of_row(path, row)
        except msgspec.ValidationError as error:
            listing.fail(f"{path}: row {number}", f"not an item of STAC: {error}")


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    """Rows of a table that is read piece by piece, as a few bytes can claim any number of them.

    Raises:
        ValueError: It has no id or no assets, or is larger than items are.
    """
    with pq.ParquetFile(file) as table:
        if missing := sorted({"id", "assets"} - set(table.schema_arrow.names)):
            raise ValueError(f"it has no column {missing[0]!r}")
        if table.metadata.num_rows > MOST_ROWS:
            raise ValueError(f"it has {table.metadata.num_rows:,} rows, and {MOST_ROWS:,} are read; split it")
        size = 0
        for batch in table.iter_batches(batch_size=_BATCH_ROWS):
            size += sum(map(_bytes_of, batch.columns))
            if size > MOST_TABLE_BYTES:
                raise ValueError(f"its rows hold more than {MOST_TABLE_BYTES >> 20} MiB; split it")
            yield from batch.to_pylist()


def _bytes_of(column: pa.Array) -> int:
    """Bytes of a column as its rows will have them: of a dictionary each value as often as it occurs."""
    kind = column.type
    if not pa.types.is_dictionary(kind) or not (
        pa.types.is_string(kind.value_type) or pa.types.is_large_string(kind.value_type)
    ):
        return int(column.nbytes)
    return int(pc.sum(pc.binary_length(column.dictionary).take(column.indices)).as_py() or 0)


def _item_of_row(path: str, row: Mapping[str, Any]) -> StacItem:
    links = [_without_nulls(entry) for entry in msgspec.convert(row.get("links") or [], list[dict[str, Any]])]
    own = next((entry.get("href") for entry in links if entry.get("rel") == "self"), None)
    geometry = row.get("geometry")
    return StacItem(
        item_id=str(row["id"]), document=f"{path}: {row['id']}", folder="", own=None if own is None else str(own),
        stac_version=str(row.get("stac_version") or ""),
        extensions=msgspec.convert(row.get("stac_extensions") or [], list[str]),
        placed=isinstance(geometry, bytes) and len(geometry) > _EMPTY_WKB_BYTES,
        properties={key: row[key] for key in row.keys() - _COLUMNS_OF_AN_ITEM if row[key] is not None},
        links=links, assets=_assets(row["assets"]),
    )  # fmt: skip


def _assets(found: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401  # as the table has them
    """Assets that the item has: the table has a column for the keys of all."""
    pairs = dict(msgspec.convert(found, list[tuple[str, Any]])) if isinstance(found, list) else found or {}
    assets = msgspec.convert(pairs, dict[str, dict[str, Any] | None])
    return {key: _without_nulls(asset) for key, asset in assets.items() if asset}


def _without_nulls(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value is not None}
