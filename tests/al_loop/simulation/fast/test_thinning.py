"""Thinned classes are rare in the pool and whole in the reserve."""

from pathlib import Path

import pytest

from al_loop.campaigns.importing import plan_import
from al_loop.errors import InvalidValueError
from al_loop.simulation.fast.thinning import thin
from al_loop.simulation.oracle import Oracle
from al_loop.simulation.run import SimulationConfig
from tests.al_loop.campaigns.importing.fixtures import write_raster


def config(directory: Path, out: Path, **changes: object) -> SimulationConfig:
    fields: dict[str, object] = {"strategies": ["random"], "rounds": 3, "query_size": 20, **changes}
    return SimulationConfig(directory=directory, out=out, **fields)  # type: ignore[arg-type]


def test_thinned_classes_are_rare_in_the_pool_and_whole_in_the_reserve(tmp_path: Path) -> None:
    for number in range(40):
        write_raster(tmp_path / f"{'forest' if number % 2 else 'water'}/{number:02}.tif")
    plan = plan_import(tmp_path)
    oracle = Oracle.read(plan)
    paths = [header.path for header in oracle.headers]
    reserve = set(paths[::5])
    changed, fewer = thin(config(tmp_path, tmp_path, thin={"water": 0.1}), plan, oracle, reserve)
    kept = {header.path for header in fewer.headers}
    assert reserve <= kept
    assert {path for path in paths if path.startswith("forest")} <= kept
    assert len([path for path in kept - reserve if path.startswith("water")]) < 6
    assert changed.reserve_share == pytest.approx(len(reserve) / len(kept))
    with pytest.raises(InvalidValueError, match="no class 'lava'"):
        thin(config(tmp_path, tmp_path, thin={"lava": 0.1}), plan, oracle, reserve)
