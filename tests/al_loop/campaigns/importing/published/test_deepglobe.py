from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_loop.campaigns.importing import plan_import
from al_loop.campaigns.importing.mask_meaning import nearest_pure
from al_loop.errors import InvalidValueError
from tests.al_loop.campaigns.importing.fixtures import write_raster
from tests.al_loop.campaigns.importing.published.painted import painted

COLOURS = [(0, 255, 255), (255, 255, 0), (255, 0, 255), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)]


def folder(root: Path, *colours: tuple[int, int, int], ending: str = "_mask") -> Path:
    """One pair whose mask has a row of each colour, the last one down to the bottom."""
    mask = np.zeros((3, 8, 10), np.uint8)
    for row, colour in enumerate(colours):
        mask[:, row:] = np.array(colour, np.uint8)[:, None, None]
    write_raster(root / "train/100_sat.jpg")
    write_raster(root / f"train/100{ending}.png", mask)
    return root


def test_land_cover_is_known_by_its_colours_also_where_they_are_not_pure(tmp_path: Path) -> None:
    plan = plan_import(folder(tmp_path, *COLOURS[:6], (3, 127, 0), (0, 0, 0)))
    assert plan.tasks[0].classes == [
        "urban land", "agriculture land", "rangeland", "forest land", "water", "barren land",
    ]  # fmt: skip
    assert painted(plan)["train/100_sat.jpg"][:, 0].tolist() == [1, 2, 3, 4, 5, 6, 255, 255]
    assert plan.notes[0].startswith("names and colours are those of DeepGlobe's land cover: #00ffff urban land")
    assert plan.notes[1] == "1 masks hold colours between: each channel is taken as 0 or 255"


def test_black_and_white_is_asked_about_and_named(tmp_path: Path) -> None:
    roads = folder(tmp_path, (0, 0, 0), (250, 255, 251), (0, 2, 0))
    with pytest.raises(InvalidValueError, match="say which class is white, --classes road for its roads"):
        plan_import(roads)
    plan = plan_import(roads, classes=["road"])
    assert painted(plan)["train/100_sat.jpg"][:, 0].tolist() == [0, 1, 0, 0, 0, 0, 0, 0]
    assert plan.tasks[0].classes == ["road"]


def test_table_of_colours_goes_before_the_published_ones(tmp_path: Path) -> None:
    folder(tmp_path, (0, 255, 255), (255, 255, 255), (0, 0, 0))
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\ncity,0,255,255\nbare,255,255,255\nunknown,0,0,0\n")
    plan = plan_import(tmp_path)
    assert plan.tasks[0].classes == ["city", "bare"]
    assert painted(plan)["train/100_sat.jpg"][:4, 0].tolist() == [1, 2, 255, 255]
    assert plan.problems == []


def test_other_names_or_colours_are_not_taken_for_deepglobes(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=r"name the colours in classes\.json"):
        plan_import(folder(tmp_path / "names", *COLOURS[:4], ending="_gt"))
    with pytest.raises(InvalidValueError, match=r"name the colours in classes\.json"):
        plan_import(folder(tmp_path / "colours", *COLOURS[:4], (255, 0, 0)))


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_nearest_pure_colour_is_nearest_and_pure(colour: tuple[int, int, int]) -> None:
    found = nearest_pure(int.from_bytes(bytes(colour))).to_bytes(3)
    assert set(found) <= {0, 255}
    assert all(abs(pure - value) <= 127 for pure, value in zip(found, colour, strict=True))
    assert nearest_pure(int.from_bytes(found)) == int.from_bytes(found)
