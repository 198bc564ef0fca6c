"""The default strategy on a small labelled folder: real store, sampler, training and scoring."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from al_loop.errors import InvalidValueError
from al_loop.simulation.curves import LearningCurves
from al_loop.simulation.run import RunProgress, SimulationConfig, run
from models.card import TrainConfig
from tests.al_loop.campaigns.importing.fixtures import write_raster
from tests.models.training.fixtures import TINY_MODEL


@pytest.fixture
def labelled_folder(tmp_path: Path) -> Path:
    """48 images of two classes that a glance tells apart."""
    rng = np.random.default_rng(0)
    for name, level in (("dark", 60), ("light", 180)):
        for number in range(24):
            pixels = rng.normal(level, 20, (3, 32, 32)).clip(0, 255).astype(np.uint8)
            write_raster(tmp_path / "folder" / name / f"{number}.png", pixels)
    return tmp_path / "folder"


def test_simulation_writes_curves_and_goes_on_after_a_stop(labelled_folder: Path, tmp_path: Path) -> None:
    config = SimulationConfig(
        directory=labelled_folder, strategies=["auto"], rounds=2, query_size=12, seeds=1, threads=2,
        out=tmp_path / "out", model=TINY_MODEL,
        train=TrainConfig(epochs=3, device="cpu"),
    )  # fmt: skip
    seen: list[RunProgress] = []
    curves = run(config, seen.append)

    assert [(progress.strategy, progress.record.labels) for progress in seen] == [("auto", 12), ("auto", 24)]
    assert (curves.metric, curves.labels) == ("accuracy", [12, 24])
    assert all(value is not None and 0 <= value <= 1 for value in curves.strategies["auto"].runs[0])
    assert msgspec.json.decode((config.out / "curve.json").read_bytes(), type=LearningCurves) == curves
    assert (config.out / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert not (config.out / "work").exists()

    (config.out / "curve.json").unlink()
    assert run(config, seen.append) == curves
    assert len(seen) == 2
    with pytest.raises(InvalidValueError, match="other settings"):
        run(msgspec.structs.replace(config, query_size=6), seen.append)
