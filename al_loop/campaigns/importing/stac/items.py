"""An item of STAC as it is read, and where what it names lies in the folder."""

import os
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec

from al_loop.campaigns.importing.listing import Listing, is_image

NEWEST_MAJOR = 1
"""Of STAC and of the Label extension: the next may mean other things by the same words."""
LABEL_EXTENSION = re.compile(r"/label/v(\d+)\.(\d+)\.(\d+)[^/]*/schema\.json")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_STAGED = "/stage/"
"""What EOTDL's addresses of files have before the path under which its client stores them."""

Asset = Mapping[str, Any]


@dataclass(frozen=True)
class StacItem:
    """One item."""

    item_id: str
    document: str
    """What messages call it: its file, or its catalogue."""
    folder: str
    """Of its document, from the root of the data set; what relative addresses start from."""
    own: str | None
    """Its own address, if it is told; those of links may be relative to it."""
    stac_version: str
    extensions: Sequence[str]
    placed: bool
    """Whether it has a geometry."""
    properties: Mapping[str, Any]
    links: Sequence[Mapping[str, Any]]
    assets: Mapping[str, Asset] = field(default_factory=dict)

    @property
    def is_label(self) -> bool:
        """Whether it holds labels."""
        return "label:type" in self.properties or any(LABEL_EXTENSION.search(entry) for entry in self.extensions)

    @property
    def too_new(self) -> str | None:
        """Why it cannot be read; None: it can."""
        told = {"STAC": self.stac_version}
        for entry in self.extensions:
            if (found := LABEL_EXTENSION.search(entry)) is not None:
                told["the Label extension"] = ".".join(found.groups())
        for what, version in told.items():
            major = re.match(r"\d+", version)
            if major is None or int(major.group()) > NEWEST_MAJOR:
                return f"version {version} of {what}, and versions up to {NEWEST_MAJOR} are read; update al-loop"
        return None

    def sources(self) -> list[str]:
        """Addresses of the items that it was drawn on."""
        return [str(link.get("href", "")) for link in self.links if link.get("rel") == "source"]


T = TypeVar("T")


class Unresolved(Exception):  # noqa: N818  # no error of the program: a reason that is reported
    """A file that an item names cannot be used; the message says why."""


def told(of: Mapping[str, Any], name: str, kind: type[T]) -> T | None:
    """A member of an item or of an asset; None: it has none.

    Raises:
        Unresolved: It is not of the type that its specification says.
    """
    if (value := of.get(name)) is None:
        return None
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Unresolved(f"`{name}` is not as STAC has it: {error}") from error


@dataclass(frozen=True)
class Files:
    """Finds the files that items name: in the folder of the data set, or in that of its images."""

    listing: Listing
    images: Listing

    def resolve(self, item: StacItem, asset: Asset) -> tuple[Listing, str]:
        """The listing and the path in it of an asset.

        Raises:
            Unresolved: It is an address, leads out of the folders, or is not there.
        """
        href = str(asset.get("href") or "")
        if not href:
            raise Unresolved("an asset without href")
        if href.startswith("file://"):
            href = href.removeprefix("file://")
        if _ADDRESS.match(href) and not re.match(r"[A-Za-z]:[\\/]", href):
            return self._staged(item, href)
        if href.startswith("/"):
            return self._absolute(item, href)
        path = posixpath.normpath(posixpath.join(item.folder, href))
        for name in dict.fromkeys((path, unquote(path))):
            if name.startswith("../") or name == "..":
                raise Unresolved(f"{href} leads out of the folder")
            if (found := self._known(name)) is not None:
                return found
        raise Unresolved(f"{href} is not there")

    def _known(self, path: str) -> tuple[Listing, str] | None:
        return next(((listing, path) for listing in (self.images, self.listing) if path in listing.known), None)

    def _staged(self, item: StacItem, address: str) -> tuple[Listing, str]:
        """A file of EOTDL's, where its client has put it."""
        stored = address.split(_STAGED)[-1] if _STAGED in address else address.split("//")[-1]
        name = posixpath.normpath(unquote(stored))
        for path in (name, item.item_id):
            if not path.startswith(("../", "/")) and (found := self._known(path)) is not None:
                return found
        raise Unresolved(f"{address} is an address, and none is fetched; let eotdl stage its files, or download them")

    def _absolute(self, item: StacItem, path: str) -> tuple[Listing, str]:
        for listing in (self.images, self.listing):
            if PurePosixPath(path).is_relative_to(listing.root):
                name = os.path.relpath(posixpath.normpath(path), listing.root)
                if name in listing.known:
                    return listing, name
        if (found := self._known(item.item_id)) is not None:  # of another machine: EOTDL's ids are paths
            return found
        raise Unresolved(f"{path} lies outside of the folder; name the folder of its images (--images)")


def image_asset(item: StacItem, wanted: Sequence[str]) -> Asset:
    """The image of an item, whatever its key.

    Args:
        item: Of an image.
        wanted: Keys that a label names; empty: the one that has the role `data`, or that is a raster.

    Raises:
        Unresolved: There is none, or several.
    """
    if missing := [key for key in wanted if key not in item.assets]:
        keys = ", ".join(sorted(item.assets)) or "none"
        raise Unresolved(f"{item.document} has no asset {missing[0]!r} (it has {keys})")
    if len(wanted) == 1:
        return item.assets[wanted[0]]
    chosen = {key: item.assets[key] for key in wanted} if wanted else item.assets
    rasters = {key: asset for key, asset in chosen.items() if _is_raster(asset) and not is_labels(asset)}
    with_role = {key: asset for key, asset in rasters.items() if "data" in _roles(asset)}
    for found in (with_role, rasters):
        if len(found) == 1:
            return next(iter(found.values()))
    keys = ", ".join(sorted(item.assets)) or "none"
    raise Unresolved(
        f"{item.document} has {len(rasters) or 'no'} raster{'s' if len(rasters) > 1 else ''} to choose from (assets "
        f"{keys}); its labels have to name one in `label:assets`"
    )


def label_asset(item: StacItem) -> Asset:
    """The labels of an item.

    Raises:
        Unresolved: There are none, or several.
    """
    for found in (
        [asset for asset in item.assets.values() if is_labels(asset) and "labels-extent" not in _roles(asset)],
        [asset for key, asset in item.assets.items() if key in ("labels", "vector_labels", "raster_labels")],
        [asset for asset in item.assets.values() if str(asset.get("type") or "").startswith("application/geo+json")],
        list(item.assets.values()),
    ):
        if len(found) == 1:
            return found[0]
        if found:
            keys = ", ".join(sorted(item.assets))
            raise Unresolved(f"several assets may be the labels ({keys}); give one of them the role `labels`")
    raise Unresolved("it has no asset")


def is_labels(asset: Asset) -> bool:
    """Whether an asset has a role of labels."""
    return any(role.startswith("labels") for role in _roles(asset))


def _roles(asset: Asset) -> list[str]:
    return told(asset, "roles", list[str]) or []


def _is_raster(asset: Asset) -> bool:
    kind, href = str(asset.get("type") or ""), str(asset.get("href") or "").split("?")[0]
    return kind.startswith("image/") or (not kind and is_image(href))
