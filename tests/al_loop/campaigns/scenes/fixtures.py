"""A campaign with one scene in windows and one file that is a sample, and answers for them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from shapely.geometry import mapping

from al_loop.campaigns.register import register_scan
from al_loop.domain.campaigns import Campaign, CampaignSettings, WindowSettings
from al_loop.domain.labels import LabelInput
from al_loop.store import LabelStore
from models.rasters.masks import codes_to_polygons
from tests.al_loop.store.fixtures import NOW
from tests.data.make_scene import make_scene

CLASSES = ["field", "road"]
SIZE = (200, 300)


@pytest.fixture
def scene_campaign(label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path) -> Campaign:
    """One scene in windows that overlap, and one file that is a sample."""
    made = make_campaign(settings=CampaignSettings(windows=WindowSettings(size_px=64, overlap_px=16)))
    make_scene(tmp_path / "big.tif", height=SIZE[0], width=SIZE[1])
    make_scene(tmp_path / "small.tif", width=40, height=40)
    register_scan(label_store, made, NOW)
    return made


def blobs(seed: int = 0) -> NDArray[np.uint8]:
    """Codes 0 to 2 in blobs that cross windows."""
    coarse = np.random.default_rng(seed).integers(0, 3, (SIZE[0] // 20, SIZE[1] // 20))
    return np.kron(coarse, np.ones((20, 20))).astype(np.uint8)


def drawn(codes: NDArray[np.uint8]) -> dict[str, Any]:
    features = [
        {"type": "Feature", "geometry": mapping(area), "properties": {"label": CLASSES[code - 1]}}
        for code, area in codes_to_polygons(codes)
    ]
    return {"type": "FeatureCollection", "features": features}


def answer(path: str = "big.tif", **changes: Any) -> LabelInput:
    fields = {"path": path, "task": "segmentation", "annotator": "anna", "features": drawn(blobs()), "crs": "pixel"}
    return LabelInput(**{**fields, **changes})
