"""What laying a data set over a campaign would record, before anything is."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.campaigns.overlaying.matching import Overlaid, lay_over, thin_notices
from al_loop.campaigns.overlaying.offset import Offset, find_offset
from al_loop.campaigns.overlaying.vectors import read_overlays
from al_loop.domain.geojson import coded_polygons
from al_loop.domain.labels import LabelInput
from al_loop.domain.line_widths import LineSettings
from al_loop.domain.samples import SampleHeader, SkippedPath
from al_loop.errors import InvalidValueError
from models.card import IGNORE, BandPolicy, TaskSpec
from models.errors import RasterError, UnusableRasterError
from models.geo.placement import WGS84
from models.rasters.files import resolve_inside
from models.rasters.masks import polygons_to_codes
from models.rasters.reading import read_header, read_raster

CHECKED_IMAGES = 40
"""Images that the offset is looked for in, those with most of the data."""
CHECKED_PX = 2**22
"""Larger images are not looked at for it."""


class OverlayPlan(NamedTuple):
    """Labels of a data set for the images that it lies in."""

    task: str
    found: Overlaid
    offset: Offset
    unread: list[SkippedPath]
    """Images whose header cannot be read."""
    left_out: dict[str, int]
    """Features that were left out, by reason."""
    empty: bool
    """Whether images inside the data's extent without any of it are answered with "none here"."""

    def labels(self, annotator: str) -> Iterator[LabelInput]:
        """A complete answer for each image."""
        answers = [(entry.header.path, entry.features) for entry in self.found.laid]
        if self.empty:
            nothing: dict[str, object] = {"type": "FeatureCollection", "features": []}
            answers += [(header.path, nothing) for header in self.found.without]
        for path, features in answers:
            yield LabelInput(
                path=path, task=self.task, annotator=annotator, features=features, crs=WGS84, source="import"
            )

    def sentences(self) -> list[str]:
        """What a person should know before, and after."""
        found = self.found
        pieces = sum(len(entry.features["features"]) for entry in found.laid)
        said = [f"{pieces} lines and areas in {len(found.laid)} images"]
        if found.without:
            what = "are labelled as empty" if self.empty else "stay unlabelled (--empty labels them as empty)"
            said.append(f"{len(found.without)} images inside the data's extent show nothing of it and {what}")
        if found.outside:
            said.append(f"{found.outside} images lie outside of the data's extent, or across its border")
        if found.nowhere:
            said.append(f"{found.nowhere} images have no place on Earth, so that nothing can be laid over them")
        said += [f"left out {count} features: {reason}" for reason, count in self.left_out.items()]
        return [*said, *thin_notices(found), self.offset.sentence]


def plan_overlay(
    file: Path,
    root: Path,
    paths: Sequence[str],
    spec: TaskSpec,
    settings: LineSettings,
    *,
    bands: Sequence[int] | None = None,
    named: str | None = None,
    width_m: float | None = None,
    crs: str | None = None,
    empty: bool = False,
    layer: str | None = None,
    class_column: str | None = None,
    policy: BandPolicy = BandPolicy(),  # noqa: B008  # immutable
) -> OverlayPlan:
    """Read a data set and match it with images; nothing is written.

    Args:
        file: GeoJSON, GeoPackage or Shapefile of lines and polygons.
        root: Of the campaign's images.
        paths: Of its samples, relative to `root`.
        spec: A task that is answered for each pixel.
        settings: How wide lines are that do not say it.
        bands: That the offset is looked for in; None: all.
        named: The class of all features; None: their own.
        width_m: Width of lines that say none, in metres; None: as `settings` has it.
        crs: Of the coordinates; None: as the file says.
        empty: Whether images inside the extent without any of the data are labelled as empty.
        layer: Of a GeoPackage with several.
        class_column: Property or column that names the class.
        policy: How the images are read.

    Raises:
        InvalidValueError: The file cannot be used, or the images cannot be read here.
    """
    if named is not None and named not in spec.classes:
        raise InvalidValueError("$.class", f"no class {named!r} of {spec.task}; it is one of {spec.classes}")
    if named is None and class_column is None and len(spec.classes) == 1:
        named = spec.classes[0]
    if not root.is_dir():
        raise InvalidValueError("$.over", f"the images of the campaign lie in {root}, which cannot be read from here")
    read = read_overlays(
        file, spec.classes, named=named, width_m=width_m, crs=crs, layer=layer, class_column=class_column
    )
    headers: list[SampleHeader] = []
    unread: list[SkippedPath] = []
    for path in paths:
        try:
            header = read_header(resolve_inside(root, path), name=path, policy=policy)
        except (RasterError, UnusableRasterError, OSError) as error:
            unread.append(SkippedPath(path=path, reason=f"not read: {error}"))
            continue
        headers.append(SampleHeader(path=path, **msgspec.structs.asdict(header)))
    found = lay_over(read.features, headers, settings)
    offset = find_offset(_pairs(found, root, spec, bands, policy))
    return OverlayPlan(spec.task, found, offset, unread, dict(read.left_out), empty)


def _pairs(
    found: Overlaid, root: Path, spec: TaskSpec, bands: Sequence[int] | None, policy: BandPolicy
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """Images with most of the data, and where it lies in them."""
    small = [entry for entry in found.laid if entry.header.width * entry.header.height <= CHECKED_PX]
    for entry in sorted(small, key=lambda entry: -entry.length_px)[:CHECKED_IMAGES]:
        header = entry.header
        chosen = list(bands) if bands is not None else [*range(1, header.band_count + 1)]
        try:
            image = read_raster(resolve_inside(root, header.path), chosen, name=header.path, policy=policy)
        except (RasterError, UnusableRasterError, OSError):
            continue
        polygons = coded_polygons(entry.features, WGS84, header, spec.classes)
        codes = polygons_to_codes(polygons, header.height, header.width)
        yield image, (codes > 0) & (codes != IGNORE)
