"""Real GeoTIFFs under a real campaign: scenes of water and forest whose shore and place can be chosen."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine
from rasterio.warp import transform_geom

from al_loop.campaigns.labelling import record_labels
from al_loop.campaigns.register import register_paths
from al_loop.domain.campaigns import Campaign, CampaignSettings, RetrainPolicy
from al_loop.domain.labels import LabelInput
from al_loop.store import LabelStore
from models.card import TaskSpec
from tests.al_loop.store.fixtures import NOW

TASKS = [
    TaskSpec(task="segmentation", classes=["water", "forest"]),
    TaskSpec(task="classification", classes=["wet", "dry"]),
]
TOP, PIXEL_M = 4_650_000, 10


def left_of(number: int) -> int:
    """Easting of the left edge of a scene; scenes lie 5 km apart."""
    return 500_000 + 5_000 * number


def write_scene(
    path: Path, shore: int = 32, left: float = 500_000, *, size: int = 64, bands: int = 3, seed: int = 0,
    crs: str | None = "EPSG:32630",
) -> Path:  # fmt: skip
    """Water up to a column, forest right of it."""
    values = np.full((bands, size, size), 150, np.uint8)
    values[:, :, :shore] = 40
    values += np.random.default_rng(seed).integers(0, 10, values.shape, np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    place = {} if crs is None else {"crs": crs, "transform": Affine(PIXEL_M, 0, left, 0, -PIXEL_M, TOP)}
    profile = {"width": size, "height": size, "count": bands, "dtype": "uint8", **place}
    with rasterio.open(path, "w", driver="GTiff", **profile) as dataset:
        dataset.write(values)
    return path


def columns(left: float, first: int, last: int) -> dict[str, Any]:
    """Columns of a scene of 64 px at `left`, as a polygon in EPSG:4326."""
    west, east, south = left + PIXEL_M * first, left + PIXEL_M * last, TOP - 64 * PIXEL_M
    ring = [[west, TOP], [east, TOP], [east, south], [west, south], [west, TOP]]
    polygon: dict[str, Any] = transform_geom("EPSG:32630", "EPSG:4326", {"type": "Polygon", "coordinates": [ring]})
    return polygon


def label_shore(path: str, left: float, shore: int = 32, annotator: str = "anna") -> LabelInput:
    """Water and forest of a scene, in EPSG:4326."""
    parts = {"water": columns(left, 0, shore), "forest": columns(left, shore, 64)}
    features = [
        {"type": "Feature", "geometry": geometry, "properties": {"label": name}} for name, geometry in parts.items()
    ]
    return LabelInput(
        path=path, task="segmentation", annotator=annotator,
        features={"type": "FeatureCollection", "features": features},
    )  # fmt: skip


@pytest.fixture
def coast_root(tmp_path: Path) -> Path:
    """Of the campaign's images."""
    return tmp_path / "img"


@pytest.fixture
def coast(label_store: LabelStore, coast_root: Path) -> Campaign:
    """A campaign of both tasks without samples."""
    coast_root.mkdir()
    policy = RetrainPolicy(min_labels=2, min_reserve_labels=2)
    label_store.campaigns.create(
        name="coast", tasks=TASKS, root=str(coast_root), bands=None, settings=CampaignSettings(), policy=policy,
        now=NOW,
    )  # fmt: skip
    return label_store.campaigns.get("coast")


@pytest.fixture
def add_scenes(label_store: LabelStore, coast: Campaign) -> Callable[..., list[int]]:
    """Register files by their paths; returns the ids of all samples."""

    def register(*paths: str) -> list[int]:
        report = register_paths(label_store, coast, paths, NOW)
        assert report.skipped == []
        return [int(number) for number in label_store.samples.paths(coast.campaign_id)[0]]

    return register


@pytest.fixture
def record(label_store: LabelStore, coast: Campaign) -> Callable[..., list[int]]:
    """Record labels; returns their ids."""

    def record_all(*labels: LabelInput) -> list[int]:
        return [entry.label_id for entry in record_labels(label_store, coast, labels, NOW)]

    return record_all
