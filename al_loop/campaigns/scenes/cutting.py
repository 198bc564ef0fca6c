"""Labels of a whole scene, cut to the windows that it is registered as.

What is drawn is read in the scene's own CRS first, as for a file that is one sample, and stored in pixels of each
window: windows that meet have the same edge, and nothing is lost to a projection between them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import shapely
from shapely.affinity import translate
from shapely.geometry import mapping, shape

from al_loop.domain.campaigns import Campaign
from al_loop.domain.geojson import PIXEL, covers_a_centre, read_features, to_pixels
from al_loop.domain.labels import LabelInput
from al_loop.domain.samples import SampleHeader
from al_loop.errors import InvalidValueError
from al_loop.store import LabelStore
from models.errors import RasterError
from models.geo.placement import polygons_only
from models.rasters.reading import read_header, resolve_inside
from models.rasters.tiling import Window
from models.rasters.windows.locator import source_of
from models.tasks import task_of


class CutLabels(NamedTuple):
    """The labels of a request, those of scenes in parts."""

    inputs: list[LabelInput]
    at: list[str]
    """JSON path of the label that each comes from."""


def cut_to_windows(store: LabelStore, campaign: Campaign, inputs: Sequence[LabelInput], at: Sequence[str]) -> CutLabels:
    """Replace labels whose path is a scene by one for each of its windows.

    A window that nothing is drawn in gets an empty answer, "looked, none here", unless only points were drawn: those
    say nothing of windows without one. An area's part that covers no pixel's centre in a window is left out there.

    Args:
        store: Knows the windows.
        campaign: Whose they are.
        inputs: The labels as they came in.
        at: JSON path of each.

    Raises:
        InvalidValueError: A scene is answered with classes, or with features that cannot be read.
    """
    named = list({label.path for label in inputs if label.path is not None and source_of(label.path).window is None})
    known = store.samples.of_files(campaign.campaign_id, named) if named else {}
    scenes = {file: windows for file, windows in known.items() if file not in windows}
    if not scenes:
        return CutLabels(list(inputs), list(at))
    found = CutLabels([], [])
    for label, path in zip(inputs, at, strict=True):
        windows = scenes.get(label.path or "")
        parts = [label] if windows is None else _parts(store, campaign, label, windows, path)
        found.inputs.extend(parts)
        found.at.extend([path] * len(parts))
    return found


def _parts(
    store: LabelStore, campaign: Campaign, label: LabelInput, windows: Mapping[str, int], at: str
) -> list[LabelInput]:
    spec = campaign.task(label.task)
    if spec is None:
        return [msgspec.structs.replace(label, path=next(iter(windows)))]  # refused with the tasks that there are
    task = task_of(spec)
    if task.answered_with == "classes":
        raise InvalidValueError(
            f"{at}.path",
            f"{label.path} is a scene of {len(windows):,} windows, and {spec.task} is answered for each of them; name "
            f"a window, such as {next(iter(windows))}",
        )
    scene = _header(campaign, str(label.path), at)
    given, crs = read_features(
        label.features or {}, scene, spec.classes, crs=label.crs, at=f"{at}.features",
        all_touched=campaign.settings.all_touched, objects=task.finds_objects,
    )  # fmt: skip
    drawn = [(_in_pixels(feature["geometry"], crs, scene), feature) for feature in given["features"]]
    tree = shapely.STRtree([geometry for geometry, _ in drawn])
    only_points = bool(drawn) and all(geometry.geom_type == "Point" for geometry, _ in drawn)
    parts = []
    for path in windows:
        window = source_of(path).window
        if window is None:  # all are: the file itself is no sample
            continue
        frame = shapely.box(window.column, window.row, window.column + window.width, window.row + window.height)
        features = []
        for index in sorted(tree.query(frame, predicate="intersects").tolist()):
            geometry, feature = drawn[index]
            inside = _cut(geometry, frame, window)
            if inside is not None and not (task.finds_objects and _is_sliver(inside)):
                features.append({**feature, "geometry": mapping(inside)})
        if features or not only_points:
            collection = {"type": "FeatureCollection", "features": features}
            parts.append(msgspec.structs.replace(label, path=path, features=collection, crs=PIXEL))
    return parts


def _header(campaign: Campaign, path: str, at: str) -> SampleHeader:
    try:
        file = resolve_inside(Path(campaign.root), path)
        header = read_header(file, name=path, policy=campaign.band_policy)
    except RasterError as error:
        raise InvalidValueError(f"{at}.path", f"the scene cannot be read: {error}") from error
    return SampleHeader(path=path, **msgspec.structs.asdict(header))


def _in_pixels(geometry: dict[str, Any], crs: str, scene: SampleHeader) -> shapely.Geometry:
    drawn = shape(geometry)
    if crs == PIXEL:
        return drawn
    area = to_pixels(drawn, crs, scene)
    return area.centroid if drawn.geom_type == "Point" else area


def _cut(geometry: shapely.Geometry, frame: shapely.Polygon, window: Window) -> shapely.Geometry | None:
    """What lies of a geometry in a window, in the window's pixels; None where it covers the centre of no pixel."""
    if geometry.geom_type == "Point":
        column, row = int(geometry.x // 1) - window.column, int(geometry.y // 1) - window.row
        inside = 0 <= column < window.width and 0 <= row < window.height
        return translate(geometry, -window.column, -window.row) if inside else None
    area = translate(polygons_only(geometry.intersection(frame)), -window.column, -window.row)
    return area if not area.is_empty and covers_a_centre(area) else None


def _is_sliver(part: shapely.Geometry) -> bool:
    """Whether a cut object is less than a pixel wide or high: it is seen in the neighbouring window."""
    left, top, right, bottom = part.bounds
    return bool(part.geom_type != "Point" and min(right - left, bottom - top) < 1)
