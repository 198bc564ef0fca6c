from pathlib import Path

import pytest

from al_loop.errors import InvalidValueError
from al_loop.importing import plan_import
from al_loop.simulate import SimulationConfig, run
from al_loop.simulation.oracle import Oracle
from tests.fixtures_importing import write_raster


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
