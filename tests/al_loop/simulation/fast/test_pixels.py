"""A fast simulation that asks about points: image and mask pairs become pixels, cost is counted in clicks."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from al_loop.errors import InvalidValueError, UnsupportedError
from al_loop.simulation.curves import LearningCurves
from al_loop.simulation.fast.points import PointPool
from al_loop.simulation.run import SimulationConfig, run
from al_loop.simulation.table import area_table, comparison_table, curve_table
from models.card import IGNORE
from tests.al_loop.campaigns.importing.fixtures import write_raster


@pytest.fixture
def masked_folder(tmp_path: Path) -> Path:
    """Eight images of four places: dark on the left, light on the right, the upper rows unknown."""
    rng = np.random.default_rng(0)
    for number in range(8):
        codes = np.ones((90, 120), np.uint8)
        codes[:, 50:] = 2
        codes[:10] = 255
        pixels = rng.normal(np.where(codes == 2, 180, 60), 15, (3, *codes.shape)).clip(0, 255).astype(np.uint8)
        write_raster(tmp_path / "folder" / f"place{number % 4}_{number}.png", pixels)
        write_raster(tmp_path / "folder" / f"place{number % 4}_{number}_mask.png", codes)
    return tmp_path / "folder"


def config(folder: Path, out: Path, *strategies: str, **more: object) -> SimulationConfig:
    known = {"rounds": 3, "query_size": 8, "seeds": 1, "mode": "fast", "unit": "point", "workers": 1}
    return SimulationConfig(directory=folder, strategies=list(strategies), out=out, **(known | more))  # type: ignore[arg-type]


@pytest.mark.shipped_encoder
def test_points_are_simulated_against_clicks_and_area(masked_folder: Path, tmp_path: Path) -> None:
    asked = config(masked_folder, tmp_path / "out", "random", "margin:click_cost=0.5")
    seen: list[int] = []
    curves = run(asked, lambda progress: seen.append(progress.record.labels))

    pool = PointPool.read(asked.out / "pool")
    assert pool.reserved == 4  # two places of four
    assert len(pool.codes) == 8 * 3000
    unknown = pool.places[:, 0] < 10
    assert (pool.codes[unknown] == IGNORE).all()
    assert (pool.codes[~unknown] == np.where(pool.places[~unknown, 1] < 50, 1, 2)).all()
    assert pool.weights.sum() == pytest.approx(8 * 90 * 120)

    assert (curves.counted_in, curves.metric, curves.labels) == ("clicks", "miou", [8, 16, 24])
    assert msgspec.json.decode((asked.out / "curve.json").read_bytes(), type=LearningCurves) == curves
    assert curves.strategies["random"].points == [8, 16, 24]
    assert curves.strategies["margin:click_cost=0.5"].points == [8, 24, 40]
    areas = curves.strategies["margin:click_cost=0.5"].areas
    assert areas is not None
    assert areas[0] == pytest.approx([points / (4 * 90 * 120) for points in (8, 24, 40)])
    assert all(run[-1] is not None and run[-1] > 0.8 for curve in curves.strategies.values() for run in curve.runs)
    assert (asked.out / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert set(curves.comparisons) == {"margin:click_cost=0.5"}
    assert str(comparison_table(curves).columns[1].header) == "clicks saved at 8"
    assert list(area_table(curves).columns[2].cells)[-1] == "40 (0.093 %)"
    assert curve_table(curves).renderables[0].columns[0].header == "clicks"  # type: ignore[attr-defined]

    before = len(seen)
    assert run(asked, lambda progress: seen.append(progress.record.labels)) == curves
    assert len(seen) == before == 6
    with pytest.raises(InvalidValueError, match="other settings"):
        run(msgspec.structs.replace(asked, unit="image", strategies=["random"]), lambda progress: None)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"mode": "full"}, "fast mode only"),
        ({"pretrain_minutes": 1.0}, "the shipped encoder"),
        ({"thin": {"1": 0.5}}, "all samples"),
        ({}, "left out by the tests"),
    ],
)
def test_what_cannot_be_simulated_with_points_is_refused(
    masked_folder: Path, tmp_path: Path, more: dict[str, object], words: str
) -> None:
    with pytest.raises(UnsupportedError, match=words):
        run(config(masked_folder, tmp_path / "out", "random", **more), lambda progress: None)


def test_folders_of_whole_image_classes_have_no_points(tmp_path: Path) -> None:
    for name, level in (("dark", 60), ("light", 180)):
        for number in range(4):
            write_raster(tmp_path / "folder" / name / f"{number}.png", np.full((3, 32, 32), level, np.uint8))
    with pytest.raises(UnsupportedError, match="classification"):
        run(config(tmp_path / "folder", tmp_path / "out", "random"), lambda progress: None)
