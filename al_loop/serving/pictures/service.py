"""Answers requests for pictures of samples: thumbnails with overlays, uncertainty as a raster and as regions."""

import hashlib
import tempfile
from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.painting import class_colours, rgb
from al_loop.domain.predictions import RememberedPrediction
from al_loop.domain.samples import Sample
from al_loop.errors import NotFoundError
from al_loop.serving.model_server import ModelServer
from al_loop.serving.pictures.cache import PictureCache
from al_loop.serving.pictures.drawing import Picture, enlarged, with_caption, with_codes, with_heat
from al_loop.serving.pictures.hot_regions import hot_regions, region_collection
from al_loop.serving.pictures.painter import Painter, ViewChoice, ViewList
from al_loop.serving.pictures.uncertainty import coarse_uncertainty, mapped_task, uncertainty
from al_loop.store import LabelStore
from models.errors import UnreadableRasterError
from models.inference.image_model import ImageModel, ReadWindow, select_bands
from models.pictures.colours import encode_png
from models.rasters.cogs import open_cog
from models.rasters.reading import read_raster, resolve_inside
from models.rasters.tiling import Window
from models.tasks import kind_of, task_of

OverlayName = Literal["uncertainty", "suggestion"]

MAX_MODEL_PX = 2000
"""For a picture, the model sees images with a longer side than this reduced to it."""
REGION_GRID = 256
"""Regions are found on a grid of at most this many cells a side."""
CACHE_BYTES = 64_000_000
CHUNK_BYTES = 1 << 20


AS_SET = ViewChoice()
"""The default view, as the campaign's settings say."""


class Drawn(NamedTuple):
    """A picture that is drawn when it is asked for."""

    body: Callable[[], bytes]
    """PNG."""
    etag: str
    """Equal for an equal picture."""


def _etag(key: Hashable) -> str:
    return f'"{hashlib.sha256(repr(key).encode()).hexdigest()[:20]}"'


class PictureService:
    """Pictures of the samples of all campaigns."""

    def __init__(self, store: LabelStore, server: ModelServer, layout: DataLayout) -> None:
        self._store = store
        self._server = server
        self._cache = PictureCache(CACHE_BYTES)
        self._painter = Painter(store, layout)

    def close(self) -> None:
        """Stop making reduced copies in the background."""
        self._painter.copies.close()

    def views(self, campaign: Campaign) -> ViewList:
        """How the campaign's samples can be looked at."""
        return self._painter.views(campaign)

    def tile(self, campaign: Campaign, sample_id: int, z: int, x: int, y: int, choice: ViewChoice) -> Drawn:
        """PNG of 256 px of a sample at a zoom, in its own pixel space; transparent beyond it and where it has no data.

        Raises:
            NotFoundError: No such sample, view or tile, or its file is gone.
            RasterError, UnusableRasterError: The file is damaged, or lacks a band of the view.
        """
        sample, path, modified_ns = self._sample(campaign, sample_id)
        shown = self._painter.shown(campaign, choice)
        key = ("tile", campaign.campaign_id, sample_id, modified_ns, shown.key, z, x, y)
        return Drawn(
            lambda: self._cache.get(
                key, lambda: encode_png(self._painter.tile(campaign, sample, path, shown, z, x, y))
            ),
            _etag(key),
        )

    def thumbnail(
        self,
        campaign: Campaign,
        sample_id: int,
        size_px: int,
        overlay: OverlayName | None = None,
        choice: ViewChoice = AS_SET,
    ) -> bytes:
        """PNG of a sample in a view, its longer side at most `size_px`; nodata is transparent.

        `uncertainty` draws where the serving model is unsure; an image larger than 2,000 px is shown to the model
        reduced to that, so small uncertain areas of a scene are missing. `suggestion` draws the newest prediction that
        was shown to an annotator: outlines for segmentation, a caption for classification. Small samples are enlarged
        by a whole factor for either.

        Raises:
            NotFoundError: No such sample; or no suggestion was shown, or the newest was kept back to measure anchoring.
            NoModelError: Nothing serves yet.
            RasterError, UnusableRasterError: The file is gone, damaged, or the model cannot use it.
        """
        sample, path, modified_ns = self._sample(campaign, sample_id)
        shown = self._painter.shown(campaign, choice)
        key: list[Hashable] = [campaign.campaign_id, sample_id, modified_ns, size_px, overlay, shown.key]

        def natural() -> Picture:
            return self._painter.whole(campaign, sample, path, shown, size_px)

        if overlay is None:
            return self._cache.get((*key,), lambda: encode_png(natural()))
        if overlay == "uncertainty":
            model = self._server.batcher(campaign).pin()
            key.append(model.card.version)
            return self._cache.get((*key,), lambda: encode_png(_heat(model, natural(), sample, path, size_px)))
        newest = self._suggestions(campaign, sample)
        key += [entry.prediction_id for entry in newest]
        return self._cache.get((*key,), lambda: encode_png(_suggested(newest, campaign, natural(), size_px)))

    def uncertainty_tif(self, campaign: Campaign, sample_id: int, max_side_px: int | None = None) -> Iterator[bytes]:
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
            As `thumbnail`.
        """
        sample, path, _ = self._sample(campaign, sample_id)
        model = self._server.batcher(campaign).pin()
        factor, height, width = _reduction(sample, max_side_px)
        read = _reader(model, sample, path, factor)
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
        with tempfile.TemporaryDirectory(prefix="al-loop-") as folder:
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

    def uncertainty_geojson(self, campaign: Campaign, sample_id: int, max_side_px: int | None = None) -> bytes:
        """The most uncertain tenth of the image as ranked polygons: a GeoJSON FeatureCollection.

        `properties.rank` begins at 1 with the region of the highest mean uncertainty. `max_side_px` as above.

        Raises:
            As `thumbnail`.
        """
        sample, path, _ = self._sample(campaign, sample_id)
        model = self._server.batcher(campaign).pin()
        factor, height, width = _reduction(sample, max_side_px)
        coarse = coarse_uncertainty(model, height, width, _reader(model, sample, path, factor), REGION_GRID)
        coarse = replace(coarse, row_edges=factor * coarse.row_edges, column_edges=factor * coarse.column_edges)
        return msgspec.json.encode(region_collection(sample, model.card.version, hot_regions(coarse)))

    def _sample(self, campaign: Campaign, sample_id: int) -> tuple[Sample, Path, int]:
        """A sample, its file, and when that was modified (ns)."""
        sample = self._store.samples.get(campaign.campaign_id, sample_id)
        path = resolve_inside(Path(campaign.root), sample.path)
        try:
            return sample, path, path.stat().st_mtime_ns
        except OSError as error:
            raise UnreadableRasterError(sample.path, error.strerror or str(error)) from error

    def _suggestions(self, campaign: Campaign, sample: Sample) -> list[RememberedPrediction]:
        """The newest shown prediction of each task; a task whose newest was kept back has none."""
        newest = [
            self._store.predictions.newest(campaign.campaign_id, sample.sample_id, spec.task, blind=None)
            for spec in campaign.tasks
        ]
        shown = [
            entry
            for entry in newest
            if entry is not None and not entry.blind and (entry.mask is not None or not kind_of(entry.task).per_pixel)
        ]
        if not shown:
            hint = "run the model on it in SCANEO or by a prediction route"
            raise NotFoundError("suggestion for sample", sample.sample_id, hint)
        return shown


def _reader(model: ImageModel, sample: Sample, path: Path, factor: int = 1) -> ReadWindow:
    """Reads windows of the image reduced by a whole factor; up to `factor` - 1 pixels at its end belong to none."""
    bands = select_bands(sample.band_count, model.card, sample.path)

    def read(window: Window) -> NDArray[np.float32]:
        if factor == 1:
            return read_raster(path, bands, window=window, name=sample.path)
        column, row = factor * window.column, factor * window.row
        width, height = factor * window.width, factor * window.height
        source = Window(column, row, min(width, sample.width - column), min(height, sample.height - row))
        return read_raster(path, bands, window=source, out_shape=(window.height, window.width), name=sample.path)

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


def _heat(model: ImageModel, natural: Picture, sample: Sample, path: Path, size_px: int) -> Picture:
    bands = select_bands(sample.band_count, model.card, sample.path)
    reduction = max(1.0, max(sample.height, sample.width) / MAX_MODEL_PX)
    shape = (max(1, round(sample.height / reduction)), max(1, round(sample.width / reduction)))
    image = read_raster(path, bands, out_shape=None if reduction == 1.0 else shape, name=sample.path)

    def read(window: Window) -> NDArray[np.float32]:
        return image[:, window.row : window.row + window.height, window.column : window.column + window.width]

    coarse = coarse_uncertainty(model, *shape, read, size_px)
    return with_heat(enlarged(natural, size_px), coarse.values, mapped_task(model).full_uncertainty)


def _suggested(shown: list[RememberedPrediction], campaign: Campaign, natural: Picture, size_px: int) -> Picture:
    picture = enlarged(natural, size_px)
    colours = class_colours(campaign.tasks, campaign.chosen_colours)
    for entry in shown:
        spec = campaign.task(entry.task)
        if spec is not None and entry.mask is not None:
            picture = with_codes(picture, entry.mask, [rgb(colours[name]) for name in spec.classes])
    for entry in shown:
        spec = campaign.task(entry.task)
        if spec is not None and entry.mask is None:
            picture = with_caption(picture, task_of(spec).caption(entry.answer))
    return picture
