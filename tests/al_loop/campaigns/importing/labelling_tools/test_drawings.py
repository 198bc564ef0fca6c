from pathlib import Path

import pytest

from al_loop.campaigns.importing.labelling_tools.drawings import Drawing, drawings_plan
from al_loop.campaigns.importing.labelling_tools.shapes import Shape, polygon
from al_loop.campaigns.importing.listing import list_folder
from al_loop.errors import InvalidValueError
from models.card import TaskName
from tests.al_loop.campaigns.importing.fixtures import write_raster

FIELD = Shape("field", polygon([(1, 1), (5, 1), (5, 4)]))


def plan(root: Path, task: TaskName | None = None, **drawings: Drawing) -> dict[str, list[str]]:
    """Task -> its classes."""
    for name in ("a", "b", "c"):
        write_raster(root / f"{name}.png")
    listing = list_folder(root)
    found = {f"{name}.png": drawing for name, drawing in drawings.items()}
    planned = drawings_plan("cvat", listing, listing.files, ["field", "sun", "never"], found, task)
    return {spec.task: spec.classes for spec in planned.tasks}


def test_class_belongs_to_the_tasks_that_use_it_and_an_unused_one_to_all(tmp_path: Path) -> None:
    tags, shapes = Drawing(["sun"], None), Drawing(None, [FIELD])
    assert plan(tmp_path, a=tags, b=shapes) == {
        "classification": ["sun", "never"],
        "segmentation": ["field", "never"],
    }


def test_only_the_wanted_task_is_taken(tmp_path: Path) -> None:
    both = Drawing(["sun"], [FIELD])
    assert list(plan(tmp_path, "classification", a=both)) == ["classification"]
    assert list(plan(tmp_path, "detection", a=both)) == ["detection"]
    with pytest.raises(InvalidValueError, match="no label for segmentation"):
        plan(tmp_path, "segmentation", a=Drawing(["sun"], None))


def test_empty_answers_alone_are_no_labels(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="no label of an image"):
        plan(tmp_path, a=Drawing(None, []))
