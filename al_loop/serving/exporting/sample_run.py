"""An example of what a model reads and answers: a part of an image of its campaign, and the graph's outputs."""

import io
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from al_loop.domain.campaigns import Campaign
from al_loop.store import LabelStore
from models.card import ModelCard
from models.errors import RasterError
from models.inference.predictor import Predictor
from models.rasters.reading import read_header, read_raster, resolve_inside

MOST_PX = 256
"""Side of the part."""
_LOOKED_AT = 20
"""Images that are tried: files may be gone."""


class Example(NamedTuple):
    """Files of numpy, without pickle."""

    given: bytes
    """`.npy`: float32 (1, C, H, W), stored values, NaN where invalid."""
    answered: bytes
    """`.npz`: each output of the graph by its name."""


class SampleRun:
    """Makes examples of the versions of a campaign, all of one image, which is none of the test reserve."""

    def __init__(self, store: LabelStore, campaign: Campaign, now: datetime) -> None:
        self._store, self._campaign, self._now = store, campaign, now

    def of(self, directory: Path, card: ModelCard) -> Example | None:
        """The example of a version; None where no image can be read."""
        image = next(self._images(card), None)
        if image is None:
            return None
        outputs = Predictor(directory, threads=1, device="cpu").run(image)
        given, answered = io.BytesIO(), io.BytesIO()
        np.save(given, image, allow_pickle=False)
        np.savez_compressed(answered, allow_pickle=False, **outputs)
        return Example(given.getvalue(), answered.getvalue())

    def _images(self, card: ModelCard) -> Iterator[NDArray[np.float32]]:
        page = self._store.samples.page(self._campaign.campaign_id, now=self._now, limit=_LOOKED_AT)
        policy, stride = self._campaign.reading(card), card.stride_px
        for view in page:
            if view.state == "reserve":
                continue
            try:
                path = resolve_inside(Path(self._campaign.root), view.path)
                header = read_header(path, view.path, policy=policy)
                width, height = (min(side, MOST_PX, card.tile_px) for side in (header.width, header.height))
                values = read_raster(path, card.bands, window=(0, 0, width, height), name=view.path, policy=policy)
            except (RasterError, OSError):
                continue
            sides = [-(-side // stride) * stride for side in (height, width)]
            image = np.full((1, len(card.bands), *sides), np.nan, np.float32)
            image[0, :, :height, :width] = values
            if not np.isnan(image).all():
                yield image
