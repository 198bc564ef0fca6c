"""Puts the labels of a scene's windows together again, so that an export has one answer a scene, without seams.

Of each annotator and task, areas of one class that meet or overlap in neighbouring windows become one area in pixels of
the scene. Where windows that overlap disagree, both areas stay. Points are moved. What is said about the whole of each
window (classes) is not joined.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
import shapely
from shapely.affinity import translate
from shapely.geometry import mapping, shape

from al_loop.domain.campaigns import Campaign
from al_loop.domain.geojson import PIXEL, to_pixels
from al_loop.domain.labels import Label
from al_loop.domain.samples import SampleHeader
from al_loop.store import LabelStore
from models.errors import NoPlaceError
from models.geo.placement import polygons_only
from models.rasters.crs import crs_of
from models.rasters.georeference import location
from models.rasters.windows.locator import source_of


class JoinedLabels(NamedTuple):
    """Labels to be exported."""

    labels: list[Label]
    samples: dict[int, SampleHeader]
    """Of the labels, by sample; a scene has the id of its first window that is labelled."""


def join_windows(
    labels: Iterable[Label], samples: Mapping[int, SampleHeader], scenes: Mapping[str, SampleHeader]
) -> JoinedLabels:
    """Labels of windows joined to labels of their scenes; others as they are.

    Args:
        labels: Current ones, in any order.
        samples: The sample of each, by id.
        scenes: Headers of the files that windows lie in, by path. Windows of files that are not there stay as they are.
    """
    kept: list[Label] = []
    groups: dict[tuple[str, str, str], list[Label]] = {}
    for label in labels:
        source = source_of(samples[label.sample_id].path)
        if source.window is None or label.features is None or source.file not in scenes:
            kept.append(label)
        else:
            groups.setdefault((source.file, label.task, label.annotator), []).append(label)
    found = JoinedLabels(kept, {label.sample_id: samples[label.sample_id] for label in kept})
    first_of: dict[str, int] = {}
    for (file, _, _), members in groups.items():
        sample_id = first_of.setdefault(file, min(label.sample_id for label in members))
        found.labels.append(_joined(members, samples, scenes[file], sample_id))
        found.samples[sample_id] = scenes[file]
    return found


def scene_headers(
    store: LabelStore, campaign: Campaign, samples: Mapping[int, SampleHeader]
) -> dict[str, SampleHeader]:
    """Headers of the files that windows among some samples lie in, by path: as the windows tell, no file is read.

    A scene is as large as the windows that were registered of it reach.
    """
    windows = [header for header in samples.values() if source_of(header.path).window is not None]
    one_of = {source_of(header.path).file: header for header in windows}
    found: dict[str, SampleHeader] = {}
    for file, known in store.samples.of_files(campaign.campaign_id, list(one_of)).items():
        frames = [frame for path in known if (frame := source_of(path).window) is not None]
        header, own = one_of[file], source_of(one_of[file].path).window
        if own is None or not frames:
            continue
        width = max(frame.column + frame.width for frame in frames)
        height = max(frame.row + frame.height for frame in frames)
        transform = header.transform
        if transform is not None:
            a, b, c, d, e, f = transform
            transform = [a, b, c - a * own.column - b * own.row, d, e, f - d * own.column - e * own.row]
        crs = None if header.crs is None else crs_of(header.crs)
        place = location(crs, transform, width, height)
        found[file] = msgspec.structs.replace(
            header, path=file, width=width, height=height, transform=transform, bounds=place.bounds,
            place_problem=place.problem, area=None, area_bounds=None, digest=None,
        )  # fmt: skip
    return found


def _joined(labels: list[Label], samples: Mapping[int, SampleHeader], scene: SampleHeader, sample_id: int) -> Label:
    """One label of what several say about windows of a scene."""
    areas: dict[str | None, list[shapely.Geometry]] = {}
    points: list[dict[str, Any]] = []
    for label in labels:
        header = samples[label.sample_id]
        window = source_of(header.path).window
        if window is None:  # they are grouped by it
            continue
        on_top: shapely.Geometry = shapely.Polygon()
        for feature in reversed((label.features or {}).get("features", [])):  # the last one is painted on top
            drawn = _in_pixels(feature["geometry"], label.crs, header)
            if drawn is None:
                continue
            if drawn.geom_type == "Point":
                points.append({**feature, "geometry": mapping(translate(drawn, window.column, window.row))})
                continue
            frame = shapely.box(0, 0, header.width, header.height)
            visible = drawn.intersection(frame).difference(on_top)
            on_top = on_top.union(drawn)
            areas.setdefault(feature["properties"]["label"], []).append(translate(visible, window.column, window.row))
    newest = max(labels, key=lambda label: label.label_id)
    joined = ((name, polygons_only(shapely.union_all(parts))) for name, parts in areas.items())
    features = [_feature(name, area) for name, area in joined if not area.is_empty]
    collection = {"type": "FeatureCollection", "features": [*features, *points]}
    return msgspec.structs.replace(newest, sample_id=sample_id, path=scene.path, features=collection, crs=PIXEL)


def _in_pixels(geometry: dict[str, Any], crs: str | None, header: SampleHeader) -> shapely.Geometry | None:
    drawn = shape(geometry)
    if crs == PIXEL:
        return drawn
    try:
        area = to_pixels(drawn, crs or "", header)
    except NoPlaceError:
        return None
    return area.centroid if drawn.geom_type == "Point" else area


def _feature(name: str | None, area: shapely.Geometry) -> dict[str, Any]:
    properties = {"label": name} if name is not None else {"label": None, "ignore": True}
    return {"type": "Feature", "geometry": mapping(area), "properties": properties}
