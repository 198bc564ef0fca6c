from pathlib import Path

import numpy as np
import pytest

from al_loop.campaigns.importing import plan_import
from al_loop.campaigns.importing.listing import list_folder
from al_loop.campaigns.importing.published.class_tables import read_class_tables
from al_loop.errors import InvalidValueError
from tests.al_loop.campaigns.importing.fixtures import write_raster
from tests.al_loop.campaigns.importing.published.painted import painted


def roboflow(root: Path, **tables: str) -> Path:
    """Splits with an image, its mask and a table of classes."""
    for split, table in tables.items():
        write_raster(root / split / "a_jpg.rf.1f.jpg")
        write_raster(root / split / "a_jpg.rf.1f_mask.png", np.array([[0, 1, 2] + [0] * 7] * 8, np.uint8))
        (root / split / "_classes.csv").write_text(table)
    return root


def test_masks_of_roboflow_have_the_classes_of_its_tables(tmp_path: Path) -> None:
    table = "Pixel Value, Class\n0, background\n1, roof\n2, pool\n"
    plan = plan_import(roboflow(tmp_path, train=table, valid=table))
    assert plan.kind == "mask-pairs"
    assert plan.tasks[0].classes == ["roof", "pool"]
    assert painted(plan)["train/a_jpg.rf.1f.jpg"][0, :4].tolist() == [0, 1, 2, 0]
    assert plan.skipped == []


def test_tables_that_differ_are_refused_and_others_passed_over(tmp_path: Path) -> None:
    first, second = "Pixel Value, Class\n0, background\n1, roof\n", "Pixel Value, Class\n0, background\n1, pool\n"
    with pytest.raises(InvalidValueError, match="name different classes"):
        plan_import(roboflow(tmp_path / "a", train=first, valid=second))


def test_tables_of_something_else_are_passed_over(tmp_path: Path) -> None:
    for text in ("filename, roof\na.jpg, 1\n", "", "Pixel Value, Class\n300, roof\n", "name,r,g,b\nx,1,2\n"):
        (tmp_path / "_classes.csv").write_text(text)
        assert read_class_tables(list_folder(tmp_path)) is None
    (tmp_path / "_classes.csv").write_text("Pixel Value, Class\n1, roof\n2, roof\n")
    with pytest.raises(InvalidValueError, match="names roof twice"):
        read_class_tables(list_folder(tmp_path))
