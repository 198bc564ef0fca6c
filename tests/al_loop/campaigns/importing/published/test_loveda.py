from pathlib import Path

import numpy as np
import pytest

from al_loop.campaigns.importing import ImportPlan, plan_import
from tests.al_loop.campaigns.importing.fixtures import write_json, write_raster
from tests.al_loop.campaigns.importing.published.painted import painted

MASK = np.repeat(np.arange(8, dtype=np.uint8)[:, None], 10, axis=1)  # a row of each value, 0 to 7


def folder(root: Path, mask: np.ndarray = MASK) -> Path:
    for split, area in (("Train", "Urban"), ("Train", "Rural"), ("Val", "Urban")):
        write_raster(root / split / area / "images_png/0.png")
        write_raster(root / split / area / "masks_png/0.png", mask)
    write_raster(root / "Test/Urban/images_png/9.png")
    return root


def reasons(plan: ImportPlan) -> list[str]:
    return [entry.reason for entry in plan.problems]


def test_published_codes_become_classes_no_data_is_ignored_and_background_is_background(tmp_path: Path) -> None:
    plan = plan_import(folder(tmp_path))
    assert plan.tasks[0].classes == ["building", "road", "water", "barren", "forest", "agriculture"]
    assert painted(plan)["Train/Urban/images_png/0.png"][:, 0].tolist() == [255, 0, 1, 2, 3, 4, 5, 6]
    assert len(plan.paths) == 4
    assert plan.label_counts == {"segmentation": 3}
    assert plan.notes[0].startswith("names and values are LoveDA's: 0 is no data (ignored), 1 background, 2 building")
    assert reasons(plan) == []


@pytest.mark.parametrize("value", [8, 255])
def test_other_values_are_not_taken_for_lovedas(tmp_path: Path, value: int) -> None:
    plan = plan_import(folder(tmp_path, np.where(MASK == 7, value, MASK).astype(np.uint8)))
    assert "building" not in plan.tasks[0].classes
    assert not any("LoveDA" in note for note in plan.notes)


def test_classes_that_are_given_go_before_the_published_ones(tmp_path: Path) -> None:
    write_json(folder(tmp_path) / "classes.json", {name: code for code, name in enumerate("abcdefgh")})
    assert plan_import(tmp_path).tasks[0].classes == list("abcdefgh")
