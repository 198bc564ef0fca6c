from pathlib import Path

import pytest

from al_loop.errors import InvalidValueError
from al_loop.querying.strategies import Power
from al_loop.simulation.run import SimulationConfig, parse_strategy, run


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


def test_strategies_are_named_with_their_options() -> None:
    assert parse_strategy("power:beta=2:score=margin") == Power(beta=2, score="margin")
    with pytest.raises(InvalidValueError, match=r"beta.* - at `\$\.strategies\[0\]`"):
        parse_strategy("power:beta=-1")
    with pytest.raises(InvalidValueError, match=r"prob_cover was removed.*use max_herding"):
        parse_strategy("prob_cover:purity=0.9")
    with pytest.raises(InvalidValueError, match="name:option=value"):
        parse_strategy("power:beta")
