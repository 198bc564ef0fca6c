"""Answers requests for the uncertainty of a model about a sample: as a raster for a GIS, and as ranked regions."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.domain.campaigns import Campaign
from al_loop.domain.samples import Sample
from al_loop.serving.model_server import ModelServer
from al_loop.serving.sample_files import file_of
from al_loop.serving.uncertainty.hot_regions import hot_regions, region_collection
from al_loop.serving.uncertainty.maps import coarse_uncertainty, mapped_task, uncertainty
from al_loop.store import LabelStore
from models.inference.image_model import ImageModel, ReadWindow
from models.rasters.cogs import open_cog
from models.rasters.reading import read_raster
from models.rasters.tiling import Window

REGION_GRID = 256
"""Regions are found on a grid of at most this many cells a side."""
CHUNK_BYTES = 1 << 20


class UncertaintyService:
    """Uncertainty about the samples of all campaigns."""

    def __init__(self, store: LabelStore, server: ModelServer, temporary: Path) -> None:
        """Answer with what `server` serves.

        Args:
            store: The samples.
            server: The models.
            temporary: Directory that rasters are made in; made if missing.
        """
        self._store, self._server, self._temporary = store, server, temporary

    def raster(self, campaign: Campaign, sample_id: int, max_side_px: int | None = None) -> Iterator[bytes]:
        """Where the serving model is unsure, as a float32 cloud-optimised GeoTIFF in the image's CRS and size, in nats.

        Segmentation: predictive entropy of each pixel. Classification only: see `occlusion`. NaN = nodata. The raster
        is complete when this returns, and is read from disk piece by piece. About half a second a megapixel and core.

        Args:
            campaign: The campaign.
            sample_id: The sample.
            max_side_px: The model sees an image with a longer side than this reduced by the least whole factor that
                makes it fit, by means of pixels; the raster has that size, and its tags `REDUCTION` and
                `TIFFTAG_IMAGEDESCRIPTION` say so. None: every pixel.

        Raises:
            NotFoundError: No such sample, or its file is gone.
            NoModelError: Nothing serves yet.
            RasterError, UnusableRasterError: The file is damaged, or the model cannot use it.
        """
        sample, path, _ = file_of(self._store, campaign, sample_id)
        model = self._server.batcher(campaign).pin()
        factor, height, width = _reduction(sample, max_side_px)
        read = _reader(model, campaign, sample, path, factor)
        description = mapped_task(model).uncertainty_unit
        tags = {
            "TIFFTAG_IMAGEDESCRIPTION": f"Uncertainty of model {model.card.version} of campaign {campaign.name} about "
            f"{sample.path}: {description}{_reduced(factor)}",
            "TIFFTAG_SOFTWARE": "al-loop",
            "MODEL_VERSION": model.card.version,
            "CAMPAIGN": campaign.name,
            "SAMPLE": sample.path,
            "REDUCTION": str(factor),
        }
        self._temporary.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._temporary) as folder:
            file = Path(folder) / "uncertainty.tif"
            with open_cog(
                file,
                height,
                width,
                crs=sample.crs,
                transform=_coarser(sample.transform, factor),
                description=description,
                unit="nats",
                tags=tags,
            ) as target:
                for window, values in uncertainty(model, height, width, read):
                    target.write(window, values)
            content = file.open("rb")  # stays readable when its directory is gone

        def pieces() -> Iterator[bytes]:
            with content:
                while piece := content.read(CHUNK_BYTES):
                    yield piece

        return pieces()

    def regions(self, campaign: Campaign, sample_id: int, max_side_px: int | None = None) -> bytes:
        """The most uncertain tenth of the image as ranked polygons: a GeoJSON FeatureCollection.

        `properties.rank` begins at 1 with the region of the highest mean uncertainty. `max_side_px` as above.

        Raises:
            As `raster`.
        """
        sample, path, _ = file_of(self._store, campaign, sample_id)
        model = self._server.batcher(campaign).pin()
        factor, height, width = _reduction(sample, max_side_px)
        coarse = coarse_uncertainty(model, height, width, _reader(model, campaign, sample, path, factor), REGION_GRID)
        coarse = replace(coarse, row_edges=factor * coarse.row_edges, column_edges=factor * coarse.column_edges)
        return msgspec.json.encode(region_collection(sample, model.card.version, hot_regions(coarse)))


def _reader(model: ImageModel, campaign: Campaign, sample: Sample, path: Path, factor: int = 1) -> ReadWindow:
    """Reads windows of the image reduced by a whole factor; up to `factor` - 1 pixels at its end belong to none."""
    bands, policy = model.card.bands, campaign.reading(model.card)

    def read(window: Window) -> NDArray[np.float32]:
        if factor == 1:
            return read_raster(path, bands, window=window, name=sample.path, policy=policy)
        column, row = factor * window.column, factor * window.row
        width, height = factor * window.width, factor * window.height
        source = Window(column, row, min(width, sample.width - column), min(height, sample.height - row))
        shape = window.height, window.width
        return read_raster(path, bands, window=source, out_shape=shape, name=sample.path, policy=policy)

    return read


def _reduction(sample: Sample, max_side_px: int | None) -> tuple[int, int, int]:
    """The least whole factor that makes an image fit, and its height and width then."""
    factor = 1 if max_side_px is None else -(-max(sample.height, sample.width) // max_side_px)
    return factor, max(1, sample.height // factor), max(1, sample.width // factor)


def _coarser(transform: list[float] | None, factor: int) -> list[float] | None:
    """Transform (a, b, c, d, e, f) of the same image with pixels `factor` times as large."""
    if transform is None:
        return None
    a, b, c, d, e, f = transform
    return [factor * a, factor * b, c, factor * d, factor * e, f]


def _reduced(factor: int) -> str:
    """What a description adds where the model did not see every pixel."""
    return "" if factor == 1 else f"; of the image reduced {factor} times, not of its pixels"
