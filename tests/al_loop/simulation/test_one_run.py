"""The pool of a full simulation is ranked as a service ranks it: by the shipped encoder, then by light heads."""

import threading
from pathlib import Path

import numpy as np
import pytest

from al_loop.campaigns.importing import plan_import
from al_loop.querying.strategies import Auto
from al_loop.scoring.pool_scores import HEAD_PREFIX, JOINED
from al_loop.simulation.one_run import SimulatedRun
from al_loop.simulation.oracle import Oracle
from al_loop.simulation.records import SimulationConfig
from tests.al_loop.campaigns.importing.fixtures import write_raster


@pytest.mark.shipped_encoder
def test_the_shipped_encoder_ranks_first_and_heads_on_it_once_there_are_labels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, level in (("dark", 60), ("light", 180)):
        for number in range(12):
            pixels = rng.normal(level, 20, (3, 32, 32)).clip(0, 255).astype(np.uint8)
            write_raster(tmp_path / "folder" / name / f"{number}.png", pixels)
    plan = plan_import(tmp_path / "folder")
    config = SimulationConfig(directory=plan.root, strategies=["auto"], rounds=1, query_size=4, out=tmp_path / "out")
    (tmp_path / "run").mkdir()
    run = SimulatedRun(config, plan, Oracle.read(plan), Auto(), 0, tmp_path / "run", threading.Event())
    try:
        run.label_reserve()
        run.describe()
        assert run.spend(4) == 4
        assert run.spend(8) == 8
        ranked_by = [run.store.queries.explained(run.campaign.campaign_id, number).version for number in (1, 2)]
    finally:
        run.store.close()
    assert ranked_by == [JOINED, f"{HEAD_PREFIX}{JOINED}"]
