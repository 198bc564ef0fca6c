"""What a person or a GIS looks at: thumbnails, uncertainty rasters, the most uncertain regions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import shapely
import shapely.affinity
import shapely.geometry
from numpy.typing import NDArray
from rasterio.features import rasterize, shapes, sieve
from rasterio.warp import transform_geom

from al_loop.records import Campaign, Sample
from al_loop.serving import ModelServer
from al_loop.store import LabelStore
from models.image_model import ImageModel, select_bands
from models.rasters import encode_values, read_raster, resolve_inside
from models.thumbnails import thumbnail_png
from models.tiling import Window

CELLS = 8
"""Occlusion and regions divide an image into at most this many cells a side."""
REGION_SHARE = 0.1
"""Share of an image's valid pixels that counts as its most uncertain regions."""
MIN_REGION_CELLS = 4
MAX_REGIONS = 50
MAX_GRID = 512
"""Regions are found on a grid of at most this many cells a side."""


def thumbnail(store: LabelStore, campaign: Campaign, sample_id: int, size_px: int) -> bytes:
    """PNG of a sample, its longer side `size_px`; nodata is transparent.

    Raises:
        NotFoundError: No such sample.
        RasterError: The file is gone or damaged.
    """
    _, path = _sample(store, campaign, sample_id)
    bands = campaign.bands[:3] if campaign.bands is not None and len(campaign.bands) >= 3 else None
    return thumbnail_png(path, bands=bands, size_px=size_px)


def uncertainty_tif(store: LabelStore, server: ModelServer, campaign: Campaign, sample_id: int) -> bytes:
    """Where the serving model is unsure, as a float32 GeoTIFF (COG) in the image's CRS and size.

    Segmentation: predictive entropy of each pixel, in nats. Classification only: occlusion (Zeiler and Fergus 2014,
    arXiv 1311.2901): how far the probability of the predicted class moves when a cell of the image is taken away.
    NaN = nodata.

    Raises:
        NotFoundError: No such sample.
        NoModelError: Nothing serves yet.
        RasterError, UnusableRasterError: The file is gone, damaged, or the model cannot use it.
    """
    sample, values = _uncertainty(store, server, campaign, sample_id)
    return encode_values(values, sample.crs, sample.transform)


def uncertainty_geojson(store: LabelStore, server: ModelServer, campaign: Campaign, sample_id: int) -> bytes:
    """The most uncertain tenth of the image as ranked polygons: a GeoJSON FeatureCollection.

    Coordinates are EPSG:4326, or pixels (column, row) for an image without a CRS, which `properties.crs` says.
    `properties.rank` begins at 1 with the region of the highest mean uncertainty.

    Raises:
        As `uncertainty_tif`.
    """
    sample, values = _uncertainty(store, server, campaign, sample_id)
    return msgspec.json.encode({"type": "FeatureCollection", "features": _regions(sample, values)})


def _sample(store: LabelStore, campaign: Campaign, sample_id: int) -> tuple[Sample, Path]:
    sample = store.samples.get(campaign.campaign_id, sample_id)
    return sample, resolve_inside(Path(campaign.root), sample.path)


def _uncertainty(
    store: LabelStore, server: ModelServer, campaign: Campaign, sample_id: int
) -> tuple[Sample, NDArray[np.float32]]:
    model = server.batcher(campaign).pin()
    sample, path = _sample(store, campaign, sample_id)
    bands = select_bands(sample.band_count, model.card)

    def read(window: Window) -> NDArray[np.float32]:
        return read_raster(path, bands, window=window, name=sample.path)

    if campaign.task("segmentation") is not None:
        return sample, _pixel_entropy(model, sample, read)
    return sample, _occlusion(model, read_raster(path, bands, name=sample.path))


def _pixel_entropy(
    model: ImageModel, sample: Sample, read: Callable[[Window], NDArray[np.float32]]
) -> NDArray[np.float32]:
    values = np.full((sample.height, sample.width), np.nan, np.float32)
    for tile in model.predict_tiles(sample.height, sample.width, read):
        probabilities = np.clip(tile.outputs["segmentation"], 1e-12, 1.0)  # Shape: (K+1, h, w)
        entropy = -(probabilities * np.log(probabilities)).sum(axis=0)
        rows = slice(tile.window.row, tile.window.row + tile.window.height)
        columns = slice(tile.window.column, tile.window.column + tile.window.width)
        values[rows, columns] = np.where(tile.valid, entropy, np.nan)
    return values


def _occlusion(model: ImageModel, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Absolute change of the predicted class's probability as each cell is made nodata; shape (H, W)."""
    _, height, width = image.shape
    whole = model.classify(image)
    winner = int(whole.argmax())
    values = np.zeros((height, width), np.float32)
    for rows in np.array_split(np.arange(height), min(CELLS, height)):
        for columns in np.array_split(np.arange(width), min(CELLS, width)):
            cell = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
            occluded = image.copy()
            occluded[(slice(None), *cell)] = np.nan
            if np.isfinite(occluded).any():
                values[cell] = abs(float(model.classify(occluded)[winner] - whole[winner]))
    values[np.isnan(image).any(axis=0)] = np.nan
    return values


def _regions(sample: Sample, values: NDArray[np.float32]) -> list[dict[str, Any]]:
    """Ranked features of the most uncertain regions, found on a grid of at most 512 cells a side."""
    coarse, step = _coarse(values)
    valid = np.isfinite(coarse)
    if not valid.any():
        return []
    hot = np.zeros(coarse.shape, np.uint8)
    hot[valid] = coarse[valid] >= np.quantile(coarse[valid], 1 - REGION_SHARE)
    if hot.sum() > MIN_REGION_CELLS:
        hot = sieve(hot, MIN_REGION_CELLS)
    found = []
    for geometry, _ in shapes(hot, mask=hot > 0):
        polygon = shapely.geometry.shape(geometry)
        inside = rasterize([polygon], coarse.shape, dtype="uint8").astype(bool) & valid
        if inside.any():
            found.append((float(coarse[inside].mean()), polygon))
    found.sort(key=lambda region: region[0], reverse=True)
    return [
        {
            "type": "Feature",
            "geometry": _placed(sample, shapely.affinity.scale(polygon, step, step, origin=(0, 0))),
            "properties": {
                "rank": rank,
                "uncertainty": uncertainty,
                "area_px": polygon.area * step * step,
                "crs": "pixel" if sample.crs is None else "EPSG:4326",
            },
        }
        for rank, (uncertainty, polygon) in enumerate(found[:MAX_REGIONS], start=1)
    ]


def _coarse(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], int]:
    """Means over squares of `step` pixels, and `step`; shape at most (512, 512); NaN where nothing is valid."""
    height, width = values.shape
    step = -(-max(height, width) // MAX_GRID)
    rows, columns = -(-height // step), -(-width // step)
    padded = np.full((rows * step, columns * step), np.nan, np.float32)
    padded[:height, :width] = values
    cells = padded.reshape(rows, step, columns, step)
    valid = np.isfinite(cells).sum(axis=(1, 3))
    sums = np.nansum(cells, axis=(1, 3))
    return np.where(valid > 0, sums / np.maximum(valid, 1), np.nan).astype(np.float32), step


def _placed(sample: Sample, polygon: shapely.Polygon) -> dict[str, Any]:
    """GeoJSON geometry of a polygon in pixel coordinates, clipped to the image, in EPSG:4326 where possible."""
    clipped = polygon.intersection(shapely.box(0, 0, sample.width, sample.height))
    geometry: dict[str, Any] = shapely.geometry.mapping(clipped)
    if sample.crs is None or sample.transform is None:
        return geometry
    a, b, c, d, e, f = sample.transform
    world = shapely.affinity.affine_transform(clipped, [a, b, d, e, c, f])
    placed: dict[str, Any] = transform_geom(sample.crs, "EPSG:4326", shapely.geometry.mapping(world))
    return placed
