"""Answers requests for pictures of samples: tiles and thumbnails in views, overlays, and where a sample lies."""

import hashlib
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.box_outcomes import proposed_boxes
from al_loop.domain.campaigns import Campaign, CampaignRequest, CampaignSettings
from al_loop.domain.class_colours import class_colours, rgb
from al_loop.domain.predictions import RememberedPrediction
from al_loop.domain.samples import Sample
from al_loop.errors import InvalidValueError, NotFoundError
from al_loop.serving.model_server import ModelServer
from al_loop.serving.pictures.cache import PictureCache
from al_loop.serving.pictures.drawing import (
    Picture,
    codes_layer,
    enlarged,
    heat_layer,
    with_boxes,
    with_caption,
    with_codes,
    with_heat,
)
from al_loop.serving.pictures.painter import Painter, ViewChoice, ViewList
from al_loop.serving.pictures.super_resolved import VIEW, LoadResolver, SyntheticView
from al_loop.serving.pictures.surroundings import Surroundings, search_box, surroundings
from al_loop.serving.sample_files import file_of, named_if_gone
from al_loop.serving.uncertainty.maps import coarse_uncertainty, mapped_task
from al_loop.store import LabelStore
from models.inference.image_model import ImageModel
from models.pictures.colours import encode_png
from models.rasters.reading import read_raster, read_tag
from models.rasters.tiling import Window
from models.super_resolution.resolver import SuperResolver
from models.tasks import kind_of, task_of

OverlayName = Literal["uncertainty", "suggestion"]

MAX_MODEL_PX = 2000
"""For a picture, the model sees images with a longer side than this reduced to it."""
CACHE_BYTES = 64_000_000
AS_SET = ViewChoice()
"""The default view, as the campaign's settings say."""


class Drawn(NamedTuple):
    """A picture that is drawn when it is asked for."""

    body: Callable[[], bytes]
    """PNG."""
    etag: str
    """Equal for an equal picture."""
    waits_for: Future[Path | None] | None = None
    """`body` would wait for this first: reduced copies that are being made."""
    version: str | None = None
    """The model version whose answer it shows, if any."""
    synthetic: str | None = None
    """What to say of a picture whose pixels a model made up; None: it shows the image."""


class PictureService:
    """Pictures of the samples of all campaigns."""

    def __init__(
        self, store: LabelStore, server: ModelServer, layout: DataLayout, load: LoadResolver = SuperResolver
    ) -> None:
        self._store = store
        self._server = server
        self._cache = PictureCache(CACHE_BYTES)
        self._painter = Painter(store, layout, load)

    def close(self) -> None:
        """Stop making reduced copies in the background."""
        self._painter.copies.close()

    def views(self, campaign: Campaign) -> ViewList:
        """How the campaign's samples can be looked at."""
        return self._painter.views(campaign)

    def check_settings(self, campaign: Campaign, settings: CampaignSettings, source_bands: int | None) -> None:
        """Refuse a model of super-resolution that cannot be used; one that was named before may stay.

        Args:
            campaign: As it is.
            settings: As they shall be.
            source_bands: Bands of the images then; None: not known yet.

        Raises:
            InvalidValueError: The model is missing, changed, not better than bicubic, or of other bands.
        """
        if settings.view.super_resolution == campaign.settings.view.super_resolution:
            return
        changed = msgspec.structs.replace(campaign, settings=settings, source_bands=source_bands)
        problem = self._painter.synthetic_problem(changed)
        if problem is not None:
            raise InvalidValueError("$.view.super_resolution", problem)

    def check_model(self, request: CampaignRequest) -> None:
        """Refuse a new campaign whose settings name a model of super-resolution that cannot be used.

        Raises:
            InvalidValueError: As `check_settings`.
        """
        problem = self._painter.model_problem(request.settings.view.super_resolution)
        if problem is not None:
            raise InvalidValueError("$.settings.view.super_resolution", problem)

    def notices(self, campaign: Campaign) -> list[str]:
        """What an operator should know of a campaign's views."""
        problem = None if campaign.archived_at is not None else self._painter.synthetic_problem(campaign)
        return [] if problem is None else [f"the view {VIEW!r} is not shown: {problem}"]

    def tile(self, campaign: Campaign, sample_id: int, z: int, x: int, y: int, choice: ViewChoice) -> Drawn:
        """PNG of 256 px of a sample at a zoom, in its own pixel space; transparent beyond it and where it has no data.

        Raises:
            NotFoundError: No such sample, view or tile, or its file is gone.
            RasterError, UnusableRasterError: The file is damaged, or lacks a band of the view.
        """
        sample, path, now = file_of(self._store, campaign, sample_id)
        shown = self._painter.shown(campaign, choice)
        key = ("tile", campaign.campaign_id, sample_id, now, shown.key, z, x, y)
        drawn = self._drawn(key, sample, path, lambda: self._painter.tile(campaign, sample, path, shown, z, x, y))
        with named_if_gone(sample, path):
            return drawn._replace(
                waits_for=self._painter.begun(campaign, sample, path, z), synthetic=_words_of(shown.synthetic)
            )

    def surroundings(self, campaign: Campaign, sample_id: int) -> Surroundings:
        """A sample's zooms, place, date and neighbours; begins to make what its tiles need.

        Raises:
            NotFoundError: No such sample, or its file is gone.
            RasterError: The file is damaged.
        """
        sample, path, _ = file_of(self._store, campaign, sample_id)
        with named_if_gone(sample, path):
            levels = self._painter.levels(campaign, sample, path)
            self._painter.begun(campaign, sample, path)
            tag = read_tag(path, sample.path, "TIFFTAG_DATETIME")
        place = search_box(sample)
        near = [] if place is None else self._store.samples.near(campaign.campaign_id, *place)
        return surroundings(sample, levels, tag, near)

    def overlay(self, campaign: Campaign, sample_id: int, size_px: int, overlay: OverlayName) -> Drawn:
        """PNG of what a model says about a sample, to be laid over its picture: on a transparent ground.

        `suggestion`: the classes of the newest mask that was shown to an annotator, opaque. `uncertainty`: from clear
        over yellow to magenta; large images as in `thumbnail`.

        Raises:
            NotFoundError: No such sample, or no mask was shown.
            NoModelError: Nothing serves yet.
            RasterError, UnusableRasterError: The file is damaged, or the model cannot use it.
        """
        sample, path, now = file_of(self._store, campaign, sample_id)
        reduction = max(sample.height, sample.width) / size_px
        shape = (max(1, round(sample.height / reduction)), max(1, round(sample.width / reduction)))
        base = ("overlay", overlay, campaign.campaign_id, sample_id, now, size_px)
        if overlay == "uncertainty":
            model = self._server.batcher(campaign).pin()
            key: Hashable = (*base, model.card.version)

            version = model.card.version

            def draw() -> Picture:
                values = _uncertainty_of(model, campaign, sample, path, size_px)
                return heat_layer(values, shape, mapped_task(model).full_uncertainty)
        else:
            newest = self._suggestions(campaign, sample)
            masked = next((entry for entry in newest if entry.mask is not None), None)
            spec = None if masked is None else campaign.task(masked.task)
            if masked is None or masked.mask is None or spec is None:
                raise NotFoundError("suggested mask for sample", sample_id, "its suggestion is a class: show its name")
            version = masked.version
            colours = class_colours(campaign.tasks, campaign.chosen_colours)
            palette, mask = [rgb(colours[name]) for name in spec.classes], masked.mask
            key = (*base, masked.prediction_id, *palette)

            def draw() -> Picture:
                return codes_layer(mask, shape, palette)

        return self._drawn(key, sample, path, draw)._replace(version=version)

    def forget_sample(self, campaign: Campaign, sample_id: int) -> None:
        """Remove what is kept of a sample that is removed itself."""
        self._painter.copies.remove(campaign.folder, sample_id)

    def forget_bands(self, campaign: Campaign) -> None:
        """Drop what was drawn and kept of a campaign: its images are read by other bands now."""
        self._painter.forget(campaign.campaign_id)
        self._painter.forget_files(campaign)

    def forget_campaign(self, campaign: Campaign) -> None:
        """Drop what is held in memory of a campaign that is removed or renamed; its folder is the caller's."""
        self._painter.forget(campaign.campaign_id)

    def thumbnail(
        self,
        campaign: Campaign,
        sample_id: int,
        size_px: int,
        overlay: OverlayName | None = None,
        choice: ViewChoice = AS_SET,
    ) -> Drawn:
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
        sample, path, now = file_of(self._store, campaign, sample_id)
        shown = self._painter.shown(campaign, choice)
        key: list[Hashable] = [campaign.campaign_id, sample_id, now, size_px, overlay, shown.key]

        def natural() -> Picture:
            return self._painter.whole(campaign, sample, path, shown, size_px)

        draw, version = natural, None
        if overlay == "uncertainty":
            model = self._server.batcher(campaign).pin()
            version = model.card.version
            key.append(version)

            def draw() -> Picture:
                values = _uncertainty_of(model, campaign, sample, path, size_px)
                return with_heat(enlarged(natural(), size_px), values, mapped_task(model).full_uncertainty)

        if overlay == "suggestion":
            newest = self._suggestions(campaign, sample)
            version = ", ".join(dict.fromkeys(entry.version for entry in newest))
            key += [entry.prediction_id for entry in newest]

            def draw() -> Picture:
                return _suggested(newest, campaign, natural(), size_px, (sample.height, sample.width))

        drawn = self._drawn((*key,), sample, path, draw)
        with named_if_gone(sample, path):
            return drawn._replace(
                waits_for=self._painter.begun(campaign, sample, path),
                version=version,
                synthetic=_words_of(shown.synthetic),
            )

    def _drawn(self, key: Hashable, sample: Sample, path: Path, draw: Callable[[], Picture]) -> Drawn:
        def body() -> bytes:
            with named_if_gone(sample, path):
                return self._cache.get(key, lambda: encode_png(draw()))

        return Drawn(body, f'"{hashlib.sha256(repr(key).encode()).hexdigest()[:20]}"')

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


def _words_of(made: SyntheticView | None) -> str | None:
    return None if made is None else made.words


def _uncertainty_of(
    model: ImageModel, campaign: Campaign, sample: Sample, path: Path, size_px: int
) -> NDArray[np.float32]:
    """Mean uncertainty on a grid of at most `size_px` cells a side, in nats."""
    reduction = max(1.0, max(sample.height, sample.width) / MAX_MODEL_PX)
    shape = (max(1, round(sample.height / reduction)), max(1, round(sample.width / reduction)))
    reduced = None if reduction == 1.0 else shape
    policy = campaign.reading(model.card)
    image = read_raster(path, model.card.bands, out_shape=reduced, name=sample.path, policy=policy)

    def read(window: Window) -> NDArray[np.float32]:
        return image[:, window.row : window.row + window.height, window.column : window.column + window.width]

    return coarse_uncertainty(model, *shape, read, size_px).values


def _suggested(
    shown: list[RememberedPrediction], campaign: Campaign, natural: Picture, size_px: int, size: tuple[int, int]
) -> Picture:
    picture = enlarged(natural, size_px)
    colours = class_colours(campaign.tasks, campaign.chosen_colours)
    for entry in shown:
        spec = campaign.task(entry.task)
        if spec is not None and entry.mask is not None:
            picture = with_codes(picture, entry.mask, [rgb(colours[name]) for name in spec.classes])
        elif spec is not None and task_of(spec).finds_objects:
            boxes = [(sides, rgb(colours[name])) for name, sides in proposed_boxes(entry.answer) if name in colours]
            picture = with_boxes(picture, boxes, size)
    for entry in shown:
        spec = campaign.task(entry.task)
        if spec is not None and entry.mask is None:
            picture = with_caption(picture, task_of(spec).caption(entry.answer))
    return picture
