"""List the files of a folder, leaving out what no importer should look at."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from al_loop.domain.samples import SkippedPath
from models.rasters.opening.sidecars import SIDECAR_ENDINGS

IMAGE_SUFFIXES = frozenset({".tif", ".tiff", ".jpg", ".jpeg", ".png"})
SHOWN_PROBLEMS = 5
_SYSTEM_NAMES = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


@dataclass(frozen=True)
class Listing:
    """Files of a folder, relative to it and sorted, and what was left out."""

    root: Path
    files: list[str] = field(default_factory=list)
    skipped: list[SkippedPath] = field(default_factory=list)
    problems: list[SkippedPath] = field(default_factory=list)
    """Those of `skipped` that hold images or labels that cannot be used."""

    @cached_property
    def known(self) -> frozenset[str]:
        """`files` as a set; to be asked once they are all listed."""
        return frozenset(self.files)

    def skip(self, path: str, reason: str) -> None:
        """Remember that a file is left out because it is no part of the data."""
        self.skipped.append(SkippedPath(path=path, reason=reason))

    def fail(self, path: str, reason: str) -> None:
        """Remember that an image or labels cannot be used."""
        entry = SkippedPath(path=path, reason=reason)
        self.skipped.append(entry)
        self.problems.append(entry)

    def why(self) -> str:
        """The problems with an example of each, as one sentence; empty without any."""
        examples: dict[str, str] = {}
        for entry in self.problems:
            examples.setdefault(entry.reason, entry.path)
        told = [f"{path}: {reason}" for reason, path in list(examples.items())[:SHOWN_PROBLEMS]]
        more = len(examples) - len(told)
        return "; ".join(told) + (f"; and {more} other reasons" if more else "")


def list_folder(root: Path) -> Listing:
    """List a folder and its sub-folders, sorted, without opening a file.

    Hidden and system files, sidecars, world files, links that leave the folder, and special files are left out.

    Args:
        root: Absolute, resolved folder.
    """
    listing = Listing(root)
    listing.files.extend(_walk(listing, root, ""))
    return listing


def _walk(listing: Listing, folder: Path, prefix: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError as error:
        listing.fail(prefix or ".", f"folder cannot be opened: {(error.strerror or str(error)).lower()}")
        return
    for entry in entries:
        path = prefix + entry.name
        reason = _reason_to_skip(entry, listing.root)
        if reason is not None:
            listing.skip(path.encode("utf-8", "replace").decode(), reason)
        elif entry.is_dir():
            yield from _walk(listing, folder / entry.name, path + "/")
        else:
            yield path


def _reason_to_skip(entry: os.DirEntry[str], root: Path) -> str | None:
    name = entry.name.lower()
    if not entry.name.isprintable() or any("\ud800" <= character <= "\udfff" for character in entry.name):
        return "name is not printable UTF-8 text; rename it"
    if name.startswith(".") or name in _SYSTEM_NAMES:
        return "hidden or system file"
    if entry.is_symlink():
        target = Path(entry.path).resolve()
        if not target.exists():
            return "broken link"
        if not target.is_relative_to(root):
            return "link that leaves the folder"
        if target.is_dir():
            return "link to a folder; its files are taken where they lie"
    if entry.is_dir():
        return None
    if not entry.is_file():
        return "not a regular file"
    if name.endswith(SIDECAR_ENDINGS):
        return "sidecar of an image"
    return None


class ImageNames:
    """Finds the image that a label file names: by its path, or by its name where only one has it.

    An absolute path is one of another machine: its last folders count, as far as they fit.
    """

    def __init__(self, listing: Listing) -> None:
        self._paths = {path for path in listing.files if is_image(path)}
        self._by_name: dict[str, list[str]] = {}
        for path in sorted(self._paths):
            name = path.rpartition("/")[2]
            self._by_name.setdefault(name, []).append(path)
            self._by_name.setdefault(stem(name), []).append(path)

    def find(self, name: str, near: str) -> str | None:
        """Path of the image, or None where there is none or more than one.

        Args:
            name: As the label file has it: a path or a name, with or without extension.
            near: Folder of the label file, as `train/`, or empty; looked at first.
        """
        named = name.strip().replace("\\", "/").removeprefix("./")
        if named.startswith("/") or re.match("[A-Za-z]:/", named):
            return self._by_tail(named)
        folder = near.rstrip("/")
        for place in (folder, folder.rpartition("/")[0], ""):
            for part in ("", "images/"):
                path = "/".join(piece for piece in (place, f"{part}{named}") if piece)
                if path in self._paths:
                    return path
        found = self._by_name.get(named.rpartition("/")[2], [])
        same_end = [
            path for path in found if f"/{stem(path)}".endswith(f"/{stem(named) if is_image(named) else named}")
        ]
        near_it = [path for path in same_end if folder and path.startswith(f"{folder}/")]
        for paths in (near_it, same_end):
            if len(paths) == 1:
                return paths[0]
        return None

    def _by_tail(self, named: str) -> str | None:
        """The image of an absolute path from another machine: the one that has the longest end of it."""
        parts = [part for part in named.split("/") if part]
        same_name = self._by_name.get(parts[-1], []) if parts else []
        for start in range(len(parts)):
            tail = "/".join(parts[start:])
            found = [path for path in same_name if f"/{path}".endswith(f"/{tail}")]
            if found:
                return found[0] if len(found) == 1 else None
        return None


def suffix(path: str) -> str:
    """The last extension in lower case: `a/b.TIF` -> `.tif`; empty if there is none."""
    name = path.rpartition("/")[2]
    return name[dot:].lower() if (dot := name.rfind(".")) > 0 else ""


def stem(path: str) -> str:
    """The path without its last extension: `a/b.tif` -> `a/b`."""
    return path[: len(path) - len(suffix(path))]


def is_image(path: str) -> bool:
    """Whether the name ends like a raster that we take (GeoTIFF, JPEG, PNG)."""
    return suffix(path) in IMAGE_SUFFIXES
