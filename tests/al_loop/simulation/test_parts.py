from pathlib import Path

import pytest

from al_loop.campaigns.importing import plan_import
from al_loop.errors import InvalidValueError
from al_loop.querying.strategies import Power
from al_loop.simulation.fast.thinning import thin
from al_loop.simulation.oracle import Oracle
from al_loop.simulation.run import SimulationConfig, parse_strategy, run
from tests.al_loop.campaigns.importing.fixtures import write_raster


def config(directory: Path, out: Path, **changes: object) -> SimulationConfig:
    fields: dict[str, object] = {"strategies": ["random"], "rounds": 3, "query_size": 20, **changes}
    return SimulationConfig(directory=directory, out=out, **fields)  # type: ignore[arg-type]


def refuse_reports(_: object) -> None:
    pytest.fail("no round should have been played")


def test_label_counts_grow_by_the_query_size(tmp_path: Path) -> None:
    assert config(tmp_path, tmp_path).label_counts == [20, 40, 60]
    assert config(tmp_path, tmp_path, first_query_size=5).label_counts == [5, 25, 45]


def test_unknown_strategy_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=r"'nope'.* - at `\$\.strategies\[1\]`"):
        run(config(tmp_path, tmp_path, strategies=["random", "nope"]), refuse_reports)


def test_oracle_knows_readable_images_and_their_answers(tmp_path: Path) -> None:
    for name in ("forest/a.tif", "water/b.tif", "water/broken.tif"):
        write_raster(tmp_path / name)
    (tmp_path / "water/broken.tif").write_bytes(b"II*\x00")

    oracle = Oracle.read(plan_import(tmp_path))
    assert [header.path for header in oracle.headers] == ["forest/a.tif", "water/b.tif"]
    assert [label.classes for label in oracle.answer("water/b.tif")] == [["water"]]


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


def test_strategies_are_named_with_their_options() -> None:
    assert parse_strategy("power:beta=2:score=margin") == Power(beta=2, score="margin")
    with pytest.raises(InvalidValueError, match=r"beta.* - at `\$\.strategies\[0\]`"):
        parse_strategy("power:beta=-1")
    with pytest.raises(InvalidValueError, match="name:option=value"):
        parse_strategy("power:beta")
