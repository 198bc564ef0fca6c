"""Draws samples in the views of their campaign: tiles of any zoom in pixel space, and pictures of a whole sample."""

import shutil
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign, Stretch, View
from al_loop.domain.samples import Sample
from al_loop.errors import NotFoundError
from al_loop.serving.pictures.default_views import default_views
from al_loop.serving.pictures.pool_pixels import PoolPixelStore
from al_loop.serving.pictures.scene_copies import SceneCopies
from al_loop.serving.pictures.super_resolved import (
    MOST_WHOLE_PX,
    VIEW,
    LoadResolver,
    SuperResolvers,
    SyntheticView,
    resolved_window,
)
from al_loop.store import LabelStore
from models.card import BandPolicy
from models.pictures.colours import (
    Limits,
    Picture,
    Recipe,
    channels,
    coloured,
    one_span,
    paired,
    percentile_limits,
    widened,
)
from models.pictures.levels import TILE_PX, Levels, fitted, levels_of, read_reduced, reduced_shape
from models.rasters.opening.sidecars import stamp
from models.rasters.tiling import Window
from models.super_resolution.resolver import SuperResolver

T = TypeVar("T")

SCREEN = ((0.0, 255.0),)
"""Limits of 8-bit images of three bands, which are made for screens."""
MOST_REMEMBERED = 512
SCREEN_GAMMA, GAMMA = 1.0, 1.5
"""Of such images, and of all others: reflectances of land lie in the dark half."""
LEAST_SHARE = 0.25
"""The limits of a single image span at least this share of the campaign's."""
_LIMITS_PX = 512
"""The limits of one image are taken from it reduced to about this."""


class ViewChoice(msgspec.Struct, frozen=True, kw_only=True):
    """How a picture is wanted; None: as the campaign's settings say."""

    view: str | None = None
    stretch: Stretch | None = None
    gamma: float | None = None


class ViewList(msgspec.Struct, frozen=True, kw_only=True):
    """The views of a campaign, in the order of the page."""

    default: str | None
    """Name of the view that is shown first; null while the campaign has no sample."""
    views: list[View]
    """With the limits that the campaign's stretch gives each."""
    stretch: Stretch
    """Used unless a request says otherwise."""
    gamma: float
    """Of views without a colour map, unless a request says otherwise."""
    editable: bool
    """Whether they were derived from the bands, or come from the campaign's settings."""
    synthetic: SyntheticView | None = None
    """The view that a model of super-resolution makes, if the settings name one: a picture, never a measurement."""


class Shown(msgspec.Struct, frozen=True):
    """A view, and how its values become colours."""

    recipe: Recipe
    gamma: float
    limits: Limits
    """The campaign's."""
    fixed: bool
    """Whether they hold for each image, too."""
    policy: BandPolicy = BandPolicy()
    """How the bands of the files are read."""
    synthetic: SyntheticView | None = None
    """Of a view that a model makes; None: it shows the image."""

    @property
    def key(self) -> Hashable:
        """Equal for equal pictures of an unchanged image."""
        made = None if self.synthetic is None else self.synthetic.version
        return (self.recipe, self.gamma, self.limits, self.fixed, self.policy, made)


class Painter:
    """Draws samples of all campaigns."""

    def __init__(self, store: LabelStore, layout: DataLayout, load: LoadResolver = SuperResolver) -> None:
        self._layout = layout
        self._pool_pixels = PoolPixelStore(store, lambda campaign: layout.pictures(campaign.folder))
        self.copies = SceneCopies(layout)
        self._resolvers = SuperResolvers(layout, load)
        self._remembered: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = Lock()

    def views(self, campaign: Campaign) -> ViewList:
        """The campaign's views: those of its settings, else what its bands allow."""
        settings = campaign.settings.view
        views = self._views(campaign)
        with_limits = [msgspec.structs.replace(view, limits=self._campaign_limits(campaign, view)) for view in views]
        return ViewList(
            default=views[0].name if views else None,
            views=with_limits,
            stretch=settings.stretch,
            gamma=self._gamma(campaign),
            editable=not settings.views,
            synthetic=self._resolvers.described(campaign),
        )

    def synthetic_problem(self, campaign: Campaign) -> str | None:
        """See `SuperResolvers.problem`."""
        return self._resolvers.problem(campaign)

    def model_problem(self, named: str | None) -> str | None:
        """See `SuperResolvers.problem_of`."""
        return self._resolvers.problem_of(named)

    def shown(self, campaign: Campaign, choice: ViewChoice) -> Shown:
        """What a choice means for a campaign.

        Raises:
            NotFoundError: The campaign has no such view.
        """
        views = self._views(campaign)
        view = next((view for view in views if choice.view in (None, view.name)), None)
        if view is None:
            synthetic = self._resolvers.described(campaign) if choice.view == VIEW else None
            why = f"; {synthetic.problem}" if synthetic is not None and synthetic.problem else ""
            known = ", ".join(view.name for view in views) or "none"
            raise NotFoundError("view", choice.view, f"there are {known}{why}")
        stretch = choice.stretch or campaign.settings.view.stretch
        recipe = Recipe(view.bands or (), view.expression, view.colormap)
        gamma = 1.0 if view.colormap is not None else choice.gamma or self._gamma(campaign)
        fixed = stretch == "campaign" or view.limits is not None
        made = self._resolvers.described(campaign) if view.name == VIEW else None
        return Shown(recipe, gamma, self._campaign_limits(campaign, view), fixed, campaign.band_policy, made)

    def forget(self, campaign_id: int) -> None:
        """Drop what is held in memory of a campaign."""
        self._pool_pixels.forget(campaign_id)

    def forget_files(self, campaign: Campaign) -> None:
        """Remove what is kept on the disk of a campaign's images: copies, and the sample of the pool's pixels."""
        shutil.rmtree(self._layout.pictures(campaign.folder), ignore_errors=True)

    def levels(self, campaign: Campaign, sample: Sample, path: Path) -> Levels:
        """Size and overviews of a sample's file, and how its bands are read."""
        policy = campaign.band_policy
        key = ("levels", sample.campaign_id, sample.sample_id, stamp(path), policy)
        return self._remember(key, lambda: levels_of(path, sample.path, policy))

    def begun(self, campaign: Campaign, sample: Sample, path: Path, z: int = 0) -> Future[Path | None] | None:
        """The reduced copies that pictures of a zoom are drawn from, begun if they are missing; None: none are needed.

        Raises:
            RasterError: The file is damaged.
        """
        levels = self.levels(campaign, sample, path)
        return self.copies.prepare(campaign, sample, path, levels) if levels.max_zoom - z > 1 else None

    def tile(self, campaign: Campaign, sample: Sample, path: Path, shown: Shown, z: int, x: int, y: int) -> Picture:
        """RGBA (256, 256, 4) of a part of a sample; transparent beyond it and where it has no data.

        A super-resolved view has further zooms, in which a model makes the pixels.

        Raises:
            NotFoundError: The sample does not reach there.
            RasterError, UnusableRasterError: The file is gone or damaged, or lacks a band of the view.
        """
        levels = self.levels(campaign, sample, path)
        if shown.synthetic is not None and z > levels.max_zoom:
            values = self._made_tile(campaign, path, shown, levels, z, x, y)
        else:
            window, factor = tile_window(levels, z, x, y)
            copies = self.copies.of(campaign, sample, path, levels) if factor > 2 else None
            values = read_reduced(path, sample.path, shown.recipe.read_bands, levels, factor, window, copies)
        limits = shown.limits if shown.fixed else self._image_limits(campaign, sample, path, shown)
        drawn = coloured(channels(values, shown.recipe), limits, gamma=shown.gamma, colormap=shown.recipe.colormap)
        tile = np.zeros((TILE_PX, TILE_PX, 4), np.uint8)
        tile[: drawn.shape[0], : drawn.shape[1]] = drawn
        return tile

    def whole(self, campaign: Campaign, sample: Sample, path: Path, shown: Shown, size_px: int) -> Picture:
        """RGBA (H, W, 4) of a whole sample, its longer side at most `size_px`; a smaller one keeps its size.

        Raises:
            RasterError, UnusableRasterError: As `tile`.
        """
        values = self._made_whole(campaign, sample, path, shown, size_px)
        if values is None:
            values = self._read_whole(campaign, sample, path, shown.recipe, size_px)
        shown_values = channels(values, shown.recipe)
        limits = shown.limits if shown.fixed else self._image_limits(campaign, sample, path, shown)
        return coloured(shown_values, limits, gamma=shown.gamma, colormap=shown.recipe.colormap)

    def _read_whole(
        self, campaign: Campaign, sample: Sample, path: Path, recipe: Recipe, size_px: int
    ) -> NDArray[np.float32]:
        levels = self.levels(campaign, sample, path)
        longer = max(levels.height, levels.width)
        factor = 1
        while longer > 2 * factor * size_px:
            factor *= 2
        height, width = reduced_shape(levels.height, levels.width, factor)
        copies = self.copies.of(campaign, sample, path, levels) if factor > 2 else None
        window = Window(0, 0, width, height)
        values = read_reduced(path, sample.path, recipe.read_bands, levels, factor, window, copies)
        return values if longer <= size_px else fitted(values, size_px)

    def _made_tile(
        self, campaign: Campaign, path: Path, shown: Shown, levels: Levels, z: int, x: int, y: int
    ) -> NDArray[np.float32]:
        """The bands of a recipe of a super-resolved tile, below the zoom that shows the image 1:1."""
        model, made = self._resolvers.of(campaign), shown.synthetic
        most = levels.max_zoom + (made.extra_zooms if made is not None else 0)
        if model is None or z > most:
            raise NotFoundError("zoom", z, f"there are 0 to {most}")
        times: int = 2 ** (z - levels.max_zoom)
        side = TILE_PX // times
        column, row = x * side, y * side
        if not (0 <= column < levels.width and 0 <= row < levels.height):
            raise NotFoundError("tile", f"{z}/{x}/{y}", "the image does not reach there")
        window = Window(column, row, min(side, levels.width - column), min(side, levels.height - row))
        size = levels.height, levels.width
        values = resolved_window(model, path, campaign, size, window, model.factor // times)
        return values[[model.card.bands.index(band) for band in shown.recipe.read_bands]]

    def _made_whole(
        self, campaign: Campaign, sample: Sample, path: Path, shown: Shown, size_px: int
    ) -> NDArray[np.float32] | None:
        """A whole sample super-resolved, at most `size_px`; None: the image itself is to be shown."""
        if shown.synthetic is None:
            return None
        model, levels = self._resolvers.of(campaign), self.levels(campaign, sample, path)
        longer = max(levels.height, levels.width)
        if model is None or longer > min(MOST_WHOLE_PX, size_px - 1):
            return None
        size = levels.height, levels.width
        values = resolved_window(model, path, campaign, size, Window(0, 0, levels.width, levels.height), 1)
        own = values[[model.card.bands.index(band) for band in shown.recipe.read_bands]]
        return own if model.factor * longer <= size_px else fitted(own, size_px)

    def _views(self, campaign: Campaign) -> list[View]:
        views = self._own_views(campaign)
        made = self._resolvers.view(campaign, views)
        return views if made is None else [*(view for view in views if view.name != VIEW), made]

    def _own_views(self, campaign: Campaign) -> list[View]:
        if campaign.settings.view.views:
            return list(campaign.settings.view.views)
        if campaign.source_bands is None:
            return []
        seen = self._pool_pixels.of(campaign)
        settings = campaign.settings
        return default_views(campaign.source_bands, campaign.bands, settings.sensor, seen, settings.band_names)

    def _campaign_limits(self, campaign: Campaign, view: View) -> Limits:
        """Those of the view, of the settings, or percentiles over the sample of the pool; one pair for each channel."""
        if view.limits is not None:
            return paired(view.limits)
        own = campaign.settings.view.limits
        if own is not None and view.bands is not None and (len(own) == 1 or len(own) >= max(view.bands)):
            return paired([own[0] if len(own) == 1 else own[band - 1] for band in view.bands])
        recipe = Recipe(view.bands or (), view.expression)
        seen = self._pool_pixels.of(campaign)
        if view.bands is not None and self._is_for_screens(campaign):
            return SCREEN * len(view.bands)
        if max(recipe.read_bands) > seen.pixels.shape[1]:
            return ((0.0, 1.0),) * recipe.channel_count
        values = seen.pixels[:, [band - 1 for band in recipe.read_bands]].T[:, None, :]
        return _limits(channels(values, recipe), recipe)

    def _gamma(self, campaign: Campaign) -> float:
        return campaign.settings.view.gamma or (SCREEN_GAMMA if self._is_for_screens(campaign) else GAMMA)

    def _is_for_screens(self, campaign: Campaign) -> bool:
        return campaign.source_bands == 3 and self._pool_pixels.of(campaign).is_8_bit

    def _image_limits(self, campaign: Campaign, sample: Sample, path: Path, shown: Shown) -> Limits:
        file = sample.campaign_id, sample.sample_id, stamp(path)
        key = ("limits", *file, shown.key)

        def read() -> Limits:
            values = self._read_whole(campaign, sample, path, shown.recipe, _LIMITS_PX)
            own = _limits(channels(values, shown.recipe), shown.recipe)
            return widened(own, shown.limits, LEAST_SHARE)

        return self._remember(key, read)

    def _remember(self, key: Hashable, read: Callable[[], T]) -> T:
        with self._lock:
            if key in self._remembered:
                self._remembered.move_to_end(key)
                kept: T = self._remembered[key]
                return kept
        value = read()
        with self._lock:
            self._remembered[key] = value
            while len(self._remembered) > MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        return value


def _limits(values: NDArray[np.float32], recipe: Recipe) -> Limits:
    """Percentiles of each channel; bands share one span, formulas have their own."""
    limits = percentile_limits(values)
    return limits if recipe.expression else one_span(limits)


def tile_window(levels: Levels, z: int, x: int, y: int) -> tuple[Window, int]:
    """The part of the reduced raster that a tile shows, and the factor it is reduced by.

    Raises:
        NotFoundError: The raster does not reach there.
    """
    if not 0 <= z <= levels.max_zoom:
        raise NotFoundError("zoom", z, f"there are 0 to {levels.max_zoom}")
    factor: int = 2 ** (levels.max_zoom - z)
    height, width = reduced_shape(levels.height, levels.width, factor)
    column, row = x * TILE_PX, y * TILE_PX
    if not (0 <= column < width and 0 <= row < height):
        raise NotFoundError("tile", f"{z}/{x}/{y}", "the image does not reach there")
    return Window(column, row, min(TILE_PX, width - column), min(TILE_PX, height - row)), factor
