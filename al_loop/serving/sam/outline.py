"""Answers SCANEO's SAM request: clicked points in, one GeoJSON Feature out."""

from pathlib import Path
from typing import Any

import numpy as np
import shapely.affinity
from numpy.typing import NDArray
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from al_loop.domain.campaigns import Campaign
from al_loop.domain.samples import Sample
from al_loop.errors import InvalidValueError, NoModelError
from al_loop.serving.model_server import ModelServer
from al_loop.serving.sam.pixel_features import pixel_features
from al_loop.serving.sam.prompt import Prompt, SamplePrompt, check_inside
from al_loop.serving.sam.region_growing import grow
from al_loop.serving.sam.smoothing import smoothed
from al_loop.serving.sample_files import file_of
from al_loop.store import LabelStore
from models.errors import UnusableRasterError
from models.geo.placement import place
from models.inference.promptable import PromptableModel, natural_picture
from models.rasters.bands import filled, invalid_pixels
from models.rasters.crs import crs_of
from models.rasters.georeference import location
from models.rasters.masks import codes_to_polygons
from models.rasters.reading import Upload, open_upload, read_raster, resolve_inside
from models.rasters.tiling import Window

MAX_SIDE_PX = 1024
"""A thing is sought in a window of this side around its points."""
MOST_COMPARED = 8
"""Samples at the same place (dates of one tile) that are compared with the picture that was sent."""
PICTURE_BANDS, PICTURE_DIVISOR = (4, 3, 2), 257
"""What SCANEO makes the picture of."""


class OutlineService:
    """Outlines what was clicked, with an operator's promptable model or by growing a region."""

    def __init__(
        self, store: LabelStore, server: ModelServer, *, max_bytes: int, model: PromptableModel | None = None
    ) -> None:
        self._store = store
        self._server = server
        self._max_bytes = max_bytes
        self._model = model

    def outline(self, campaign: Campaign, prompt: Prompt, picture: bytes) -> dict[str, Any]:
        """One GeoJSON Feature, a MultiPolygon in EPSG:4326 with `properties` `label` and `task`.

        The picture is 8 bit and nearly black, so its sample is looked up by size, CRS and transform, and the real
        pixels are used. A region is grown from the bands and, where the campaign's model segments, from what it says;
        with a promptable model, that decides. Without a sample the picture itself has to do. Nothing is remembered:
        SCANEO keeps the answer as an annotation at once.

        Args:
            campaign: The campaign.
            prompt: Points and place.
            picture: PNG of the same size as the image.

        Raises:
            InvalidValueError: Points outside of the image, on nodata, or more than 1,024 px apart.
            RasterError: The picture, or the sample's file, is no raster that we take.
            UnusableRasterError: The location has no longitude and latitude, or nothing was found.
            PromptableModelError: The operator's model fails.
        """
        upload = open_upload(picture, max_bytes=self._max_bytes, policy=campaign.band_policy)
        height, width = upload.header.height, upload.header.width
        check_inside(prompt.points, height, width)
        window = _window(prompt.points, height, width)
        sample = self._sample(campaign, prompt, upload)
        area = self._grown(campaign, _values(campaign, sample, upload, window), prompt.points, window)
        where = location(crs_of(prompt.crs), prompt.transform, width, height)
        frame = (0.0, 0.0, float(width), float(height))
        placed = None if where.bounds is None else place(area, prompt.crs, prompt.transform, frame)
        if placed is None:
            problem = where.problem or "what was found reaches beyond what its CRS covers"
            raise UnusableRasterError("image", f"it cannot be brought to longitude and latitude: {problem}")
        properties = {"label": prompt.label, "task": "sam"}
        return {"type": "Feature", "properties": properties, "geometry": mapping(placed)}

    def outline_sample(self, campaign: Campaign, prompt: SamplePrompt) -> dict[str, Any]:
        """One GeoJSON Feature in pixels of a sample, with `properties` `label`, `task` and `crs` "pixel".

        Raises:
            NotFoundError: The campaign has no such sample.
            InvalidValueError: Points outside of the image, on nodata, or more than 1,024 px apart.
            RasterError: The sample's file is no raster that we take.
            UnusableRasterError: Nothing was found.
            PromptableModelError: The operator's model fails.
        """
        sample = file_of(self._store, campaign, prompt.sample_id).sample
        check_inside(prompt.points, sample.height, sample.width)
        window = _window(prompt.points, sample.height, sample.width)
        area = self._grown(campaign, _read(campaign, sample, window), prompt.points, window)
        properties = {"label": prompt.label, "task": "sam", "crs": "pixel"}
        return {"type": "Feature", "properties": properties, "geometry": mapping(area)}

    def _grown(
        self, campaign: Campaign, values: NDArray[np.float32], clicked: list[tuple[float, float]], window: Window
    ) -> BaseGeometry:
        """The area around the points in pixels of the image; `values` (C, H, W) are those of the window."""
        valid = ~invalid_pixels(values)
        values = filled(values)
        points = np.array(clicked) - [window.column, window.row]
        for index, (column, row) in enumerate(np.floor(points).astype(np.int64)):
            if not valid[row, column]:
                raise InvalidValueError(f"points[{index}]", "there is no data at this point; click beside it")
        if self._model is not None:
            mask = self._model.segment(np.nan_to_num(natural_picture(values)), points) & valid
        else:
            features = pixel_features(values, valid, self._probabilities(campaign, values))
            mask = grow(features, valid, points, min_area_px=campaign.settings.assist.min_area_px)
        if not mask.any():
            raise UnusableRasterError("image", "nothing was found at these points; move them or draw by hand")
        ((_, area),) = codes_to_polygons(mask.astype(np.uint8))
        if self._model is None:
            area = smoothed(area, points)
            if not valid.all():
                ((_, data),) = codes_to_polygons(valid.astype(np.uint8))
                area = area.intersection(data)
        return shapely.affinity.translate(area, window.column, window.row)

    def _sample(self, campaign: Campaign, prompt: Prompt, upload: Upload) -> Sample | None:
        """The sample at this place; of several, the one whose pixels are most like the picture."""
        header = upload.header
        found = self._store.samples.at_place(
            campaign.campaign_id, header.width, header.height, prompt.crs, prompt.transform
        )
        comparable = [sample for sample in found[:MOST_COMPARED] if sample.band_count >= max(PICTURE_BANDS)]
        if len(comparable) < 2 or header.band_count < 3 or header.width * header.height > MAX_SIDE_PX**2:
            return found[0] if found else None
        shown = upload.read([1, 2, 3])

        def difference(sample: Sample) -> float:
            values = (
                read_raster(_path(campaign, sample), PICTURE_BANDS, name=sample.path, policy=campaign.band_policy)
                / PICTURE_DIVISOR
            )
            return float(np.nanmean(np.abs(np.nan_to_num(values) - shown)))

        return min(comparable, key=difference)

    def _probabilities(self, campaign: Campaign, values: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """What the serving model says about each pixel (K+1, H, W), where there is one that segments these bands."""
        try:
            model = self._server.batcher(campaign).pin()
        except NoModelError:
            return None
        mapped = next((name for name, task in model.tasks.items() if task.per_pixel), None)
        if mapped is None or model.card.source_bands != len(values):
            return None
        return model.predict(values[[band - 1 for band in model.card.bands]])[mapped]


def _path(campaign: Campaign, sample: Sample) -> Path:
    return resolve_inside(Path(campaign.root), sample.path)


def _window(points: list[tuple[float, float]], height: int, width: int) -> Window:
    """The part of the image that is looked at: all of it, or as much as is allowed around the points."""
    columns, rows = (sorted(axis) for axis in zip(*points, strict=True))
    if max(columns[-1] - columns[0], rows[-1] - rows[0]) > MAX_SIDE_PX - 2:
        raise InvalidValueError("points", f"they are more than {MAX_SIDE_PX} px apart; mark one thing at a time")
    (column, across), (row, down) = _span(columns, width), _span(rows, height)
    return Window(column, row, across, down)


def _span(positions: list[float], length: int) -> tuple[int, int]:
    """Start and length along one axis."""
    size = min(length, MAX_SIDE_PX)
    middle = int((positions[0] + positions[-1]) / 2)
    return min(max(0, middle - size // 2), length - size), size


def _values(campaign: Campaign, sample: Sample | None, upload: Upload, window: Window) -> NDArray[np.float32]:
    """All bands of the window (C, H, W): the sample's, or those of the picture."""
    if sample is not None:
        return _read(campaign, sample, window)
    whole = upload.read(range(1, upload.header.band_count + 1))
    return whole[:, window.row : window.row + window.height, window.column : window.column + window.width]


def _read(campaign: Campaign, sample: Sample, window: Window) -> NDArray[np.float32]:
    bands = range(1, sample.band_count + 1)
    return read_raster(_path(campaign, sample), bands, window=window, name=sample.path, policy=campaign.band_policy)
