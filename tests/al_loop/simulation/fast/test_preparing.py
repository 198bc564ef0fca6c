"""What the heads of a fast simulation see: image features and an encoder, as in a service."""

import threading
from pathlib import Path

import numpy as np
import pytest

from al_loop.campaigns.importing import plan_import
from al_loop.errors import UnsupportedError
from al_loop.simulation.fast.pool import SimulatedPool
from al_loop.simulation.fast.preparing import prepare
from al_loop.simulation.records import SimulationConfig
from tests.al_loop.campaigns.importing.fixtures import write_raster


@pytest.fixture
def labelled_folder(tmp_path: Path) -> Path:
    """24 images of two classes."""
    rng = np.random.default_rng(0)
    for name, level in (("dark", 60), ("light", 180)):
        for number in range(12):
            pixels = rng.normal(level, 20, (3, 32, 32)).clip(0, 255).astype(np.uint8)
            write_raster(tmp_path / "folder" / name / f"{number}.png", pixels)
    return tmp_path / "folder"


def prepared(folder: Path, out: Path) -> tuple[SimulatedPool, list[str]]:
    """The pool, and what was told meanwhile."""
    config = SimulationConfig(
        directory=folder, strategies=["random"], rounds=1, query_size=4, out=out, mode="fast", workers=1
    )
    told: list[str] = []
    return SimulatedPool.read(prepare(config, plan_import(folder), told.append, threading.Event())), told


@pytest.mark.shipped_encoder
def test_images_are_described_by_the_shipped_encoder(labelled_folder: Path, tmp_path: Path) -> None:
    pool, told = prepared(labelled_folder, tmp_path / "out")
    assert told == ["reading the labels", "describing the images", "describing the images with the shipped encoder"]
    assert not pool.features_only
    assert pool.embeddings.shape[0] == 24
    length = np.square(np.asarray(pool.embeddings, np.float32)).sum(axis=1)[~pool.reserve].mean()
    assert length == pytest.approx(1, abs=0.3)


def test_without_its_weights_image_features_are_left(labelled_folder: Path, tmp_path: Path) -> None:
    pool, told = prepared(labelled_folder, tmp_path / "out")
    assert told[-1] == "without the shipped encoder, on image features alone: left out by the tests"
    assert pool.features_only


def test_whole_images_with_masks_are_refused_with_what_to_use(tmp_path: Path) -> None:
    for number in range(4):
        codes = np.full((40, 40), 1 + number % 2, np.uint8)
        write_raster(tmp_path / "folder" / f"{number}.png", np.full((3, 40, 40), 90, np.uint8))
        write_raster(tmp_path / "folder" / f"{number}_mask.png", codes)
    with pytest.raises(UnsupportedError, match=r"are segmentation; use --unit point .* --mode full"):
        prepared(tmp_path / "folder", tmp_path / "out")
    assert not (tmp_path / "out").exists()
