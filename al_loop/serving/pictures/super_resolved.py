"""The view that a model of super-resolution makes: which model a campaign has, and what a tile of it is made from."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign, View
from models.arrays import Floats
from models.errors import ModelsError
from models.pictures.levels import block_means
from models.rasters.opening.sidecars import Stamp, stamp
from models.rasters.reading import read_raster
from models.rasters.tiling import Window
from models.super_resolution.card import CARD_FILE
from models.super_resolution.resolver import SuperResolver
from models.super_resolution.scene import synthetic_words

logger = logging.getLogger(__name__)

VIEW = "super-resolved"
MOST_WHOLE_PX = 512
"""Pictures of a whole sample are super-resolved up to this longer side; tiles are of any."""
_LOADED_AT_ONCE = 16
"""Networks of some megabytes at most; more than there are campaigns with one, as every look at a campaign asks."""


LoadResolver = Callable[[Path], SuperResolver]
"""Loads the model of a folder; raises `ModelsError`."""


class SyntheticView(msgspec.Struct, frozen=True, kw_only=True):
    """The view of a campaign that shows what a model of super-resolution made up from the pixels."""

    name: str
    """Of the view among the others; it is not there while there is a `problem`."""
    factor: int | None = None
    """Pixels it makes along one of the image: 2 or 4."""
    extra_zooms: int = 0
    """Zooms that its tiles have beyond `max_zoom` of a sample; up to there the image itself is shown."""
    version: str | None = None
    """Of the model."""
    words: str
    """What to say beside every such picture."""
    problem: str | None = None
    """Why the model of the settings is not used; null: it is."""


class SuperResolvers:
    """The models of all campaigns, loaded when they are first asked for, and again when their files change."""

    def __init__(self, layout: DataLayout, load: LoadResolver = SuperResolver) -> None:
        """Load nothing yet.

        Args:
            layout: Where the models lie that trainings of the service made.
            load: Loads a model, on the device that is wanted.
        """
        self._layout, self._load = layout, load
        self._loaded: dict[tuple[str, Stamp], SuperResolver | str] = {}
        self._lock = Lock()

    def of(self, campaign: Campaign) -> SuperResolver | None:
        """The model of a campaign's settings; None: there is none, or it cannot be used."""
        found = self._find(campaign)
        return found if isinstance(found, SuperResolver) else None

    def problem(self, campaign: Campaign) -> str | None:
        """Why the model that the settings name cannot be used; None: it can, or they name none."""
        found = self._find(campaign)
        return found if isinstance(found, str) else None

    def problem_of(self, named: str | None) -> str | None:
        """Why a folder that the settings of a new campaign name cannot be used; None: it can, or they name none."""
        if named is None:
            return None
        if not Path(named).is_absolute():
            return f"{named!r} is of a campaign's own folder, and a new one has no model yet"
        found = self._loaded_from(Path(named))
        return found if isinstance(found, str) else None

    def described(self, campaign: Campaign) -> SyntheticView | None:
        """What is said of it; None: the settings name none."""
        found = self._find(campaign)
        if found is None:
            return None
        if isinstance(found, str):
            return SyntheticView(name=VIEW, words="", problem=found)
        card = found.card
        return SyntheticView(
            name=VIEW, factor=card.factor, extra_zooms=card.factor.bit_length() - 1, version=card.version,
            words=synthetic_words(card.version, card.factor),
        )  # fmt: skip

    def view(self, campaign: Campaign, views: Sequence[View]) -> View | None:
        """The view itself, of the bands that the first view shows whose bands the model makes."""
        model = self.of(campaign)
        if model is None:
            return None
        made = model.card.bands
        shown = next((v.bands for v in views if v.bands and set(v.bands) <= set(made)), None)
        bands = shown or tuple(made[:3] if len(made) >= 3 else made[:1])  # red, green, blue
        return View(name=VIEW, title=f"Super-resolved {model.factor}x (synthetic)", bands=bands)

    def _find(self, campaign: Campaign) -> SuperResolver | str | None:
        named = campaign.settings.view.super_resolution
        if named is None:
            return None
        found = self._loaded_from(self._layout.campaign(campaign.folder) / named)  # an absolute one is itself
        if isinstance(found, SuperResolver) and campaign.source_bands not in (None, found.card.source_bands):
            return (
                f"{found.card.version} was trained on images of {found.card.source_bands} bands, and those of the "
                f"campaign have {campaign.source_bands}"
            )
        return found

    def _loaded_from(self, folder: Path) -> SuperResolver | str:
        try:
            key = str(folder), stamp(folder / CARD_FILE)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", error)
            return f"{str(folder)!r} holds no readable {CARD_FILE} on the service's machine: {why}"
        with self._lock:
            if key not in self._loaded:
                while len(self._loaded) >= _LOADED_AT_ONCE:
                    self._loaded.pop(next(iter(self._loaded)))
                self._loaded[key] = self._read(folder)
            return self._loaded[key]

    def _read(self, folder: Path) -> SuperResolver | str:
        try:
            return self._load(folder)
        except ModelsError as error:
            logger.warning("super-resolution by %s is not shown: %s", folder, error)
            return str(error)


def resolved_window(
    model: SuperResolver, path: Path, campaign: Campaign, size: tuple[int, int], window: Window, reduced: int
) -> NDArray[np.float32]:
    """A part of a super-resolved raster, all bands of the model, (C, H, W).

    Args:
        model: That makes it.
        path: The raster.
        campaign: Whose sample it is.
        size: Height and width of the raster.
        window: The part, in pixels of the raster.
        reduced: Made pixels that become one of the result, along each side; a divisor of the model's factor.

    Raises:
        RasterError, UnusableRasterError: The file is damaged, or has values that the model cannot digest.
    """
    margin = model.card.overlap_px
    left, top = max(0, window.column - margin), max(0, window.row - margin)
    right = min(size[1], window.column + window.width + margin)
    bottom = min(size[0], window.row + window.height + margin)
    seen: Floats = read_raster(
        path, model.card.bands, window=(left, top, right - left, bottom - top), policy=campaign.band_policy
    )
    made = model(seen)
    row, column = (window.row - top) * model.factor, (window.column - left) * model.factor
    part = made[:, row : row + window.height * model.factor, column : column + window.width * model.factor]
    return block_means(np.ascontiguousarray(part), reduced)
