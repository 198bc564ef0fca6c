"""The pool of a full simulation is ranked as a service ranks it: by the shipped encoder, then by light heads."""

import threading
from pathlib import Path

import numpy as np
import pytest

from al_loop.campaigns.importing import plan_import
from al_loop.querying.strategies import Auto, Random
from al_loop.scoring.pool_scores import HEAD_PREFIX, JOINED
from al_loop.simulation.one_run import SimulatedRun
from al_loop.simulation.oracle import Oracle
from al_loop.simulation.records import SimulationConfig
from tests.al_loop.campaigns.importing.fixtures import write_json, write_raster
from tests.al_loop.campaigns.importing.test_coco import coco


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


def test_boxes_that_are_drawn_are_counted_without_those_of_the_reserve(tmp_path: Path) -> None:
    names = tuple(f"{number}.jpg" for number in range(12))
    for name in names:
        write_raster(tmp_path / "folder" / name)
    boxes = [{"image_id": 10 + n, "category_id": 1, "bbox": [x, 1, 2, 3]} for n in range(12) for x in (1, 5)]
    write_json(tmp_path / "folder/_annotations.coco.json", coco(*boxes, names=names))
    plan = plan_import(tmp_path / "folder")
    config = SimulationConfig(directory=plan.root, strategies=["random"], rounds=1, query_size=4, out=tmp_path / "out")
    (tmp_path / "run").mkdir()
    run = SimulatedRun(config, plan, Oracle.read(plan), Random(), 0, tmp_path / "run", threading.Event())
    try:
        assert run.label_reserve() > 0
        assert run.boxes == 0
        assert run.spend(4) == 4
        assert (run.boxes, run.refused) == (8, 0)
    finally:
        run.store.close()
