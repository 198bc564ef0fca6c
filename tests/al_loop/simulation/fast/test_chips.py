"""A fast simulation of a segmentation: image and mask pairs become chips and cells."""

from pathlib import Path

import numpy as np
import pytest

from al_loop.simulation.fast.chips import mean_embeddings
from al_loop.simulation.fast.pool import SimulatedPool
from al_loop.simulation.run import SimulationConfig, run
from tests.al_loop.campaigns.importing.fixtures import write_raster


@pytest.fixture
def masked_folder(tmp_path: Path) -> Path:
    """Twelve images of four places: dark on the left, light on the right, the upper rows unknown."""
    rng = np.random.default_rng(0)
    for number in range(12):
        codes = np.ones((260 + number, 300), np.uint8)
        codes[:, 100:] = 2
        codes[:20] = 255
        pixels = rng.normal(np.where(codes == 1, 60, 180), 20, (3, *codes.shape)).clip(0, 255).astype(np.uint8)
        write_raster(tmp_path / "folder" / f"place{number % 4}_{number}.png", pixels)
        write_raster(tmp_path / "folder" / f"place{number % 4}_{number}_mask.png", codes)
    return tmp_path / "folder"


def test_chips_of_whole_places_are_tested_and_the_rest_is_asked_about(masked_folder: Path, tmp_path: Path) -> None:
    config = SimulationConfig(
        directory=masked_folder, strategies=["random", "clasp_pe"], rounds=3, query_size=4, growth=3, seeds=1,
        out=tmp_path / "out", mode="fast", pretrain_minutes=0, workers=1,
    )  # fmt: skip
    curves = run(config, lambda progress: None)

    pool = SimulatedPool.read(config.out / "pool")
    assert pool.cells is not None
    assert len(pool.reserve) == 12 * 2 * 2
    assert pool.reserve.reshape(12, 4).all(axis=1).sum() == pool.reserve.sum() / 4 == 6  # two places of four
    assert (np.bincount(pool.cells) > 15).all()
    labelled = sum((240 + number) * 300 for number in range(12))
    assert pool.weights.sum() == labelled
    known = pool.weights > 0
    np.testing.assert_allclose(pool.targets[known].sum(axis=1), 1, atol=1e-5)
    assert (pool.targets[:, 0] == 0).all()  # every pixel has a class: none is background

    assert (curves.metric, curves.labels) == ("miou", [4, 8, 20])
    assert curves.strategies["clasp_pe"].areas is not None
    assert curves.strategies["random"].runs[0][-1] > 0.9


def test_a_chip_lies_amid_its_cells() -> None:
    embeddings = np.array([[1, 0], [0, 1], [-1, 0]], np.float16)
    means = mean_embeddings(embeddings, np.array([0, 0, 1]))
    np.testing.assert_allclose(means[0] / means[1, 0], [-0.5, -0.5], atol=1e-3)
    assert np.square(means.astype(float)).sum(axis=1).mean() == pytest.approx(1, abs=1e-2)
