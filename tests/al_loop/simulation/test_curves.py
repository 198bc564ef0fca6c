import io
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console
from rich.table import Table

from al_loop.simulation.curve_plot import curve_png
from al_loop.simulation.curves import CurveRuns, LearningCurves, labels_to_reach, values_of, write_curves
from al_loop.simulation.table import curve_table

CURVES = LearningCurves(
    metric="accuracy",
    labels=[20, 40, 60],
    strategies={
        "random": CurveRuns(runs=[[0.2, 0.4, 0.5], [0.3, 0.4, 0.7]]),
        "auto": CurveRuns(runs=[[None, 0.5, 0.7], [0.4, 0.5, 0.9]]),
    },
)


def test_curve_values_are_mean_and_student_interval() -> None:
    first = values_of(CurveRuns(runs=[[0.1], [0.2], [0.6]]), 1)[0]
    assert first is not None
    assert first.mean == pytest.approx(0.3)
    # t(0.975, 2 degrees of freedom) = 4.3027; standard deviation of the three = 0.26458
    assert first.low == pytest.approx(0.3 - 4.3027 * 0.26458 / 3**0.5, abs=1e-4)
    assert first.high == pytest.approx(0.3 + 4.3027 * 0.26458 / 3**0.5, abs=1e-4)


def test_curve_point_without_a_model_counts_only_the_runs_that_have_one() -> None:
    first = values_of(CURVES.strategies["auto"], 3)[0]
    assert first is not None
    assert (first.mean, first.low, first.runs) == (0.4, None, 1)
    assert values_of(CurveRuns(runs=[[None]]), 1) == [None]


def test_single_run_brings_its_own_interval() -> None:
    (value,) = values_of(CurveRuns(runs=[[0.5]], intervals=[(0.4, 0.7)]), 1)
    assert value is not None
    assert (value.low, value.high) == (0.4, 0.7)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_curve_interval_holds_the_mean(found: list[float]) -> None:
    (value,) = values_of(CurveRuns(runs=[[one] for one in found]), 1)
    assert value is not None
    assert value.low is not None
    assert value.high is not None
    assert value.low <= value.mean <= value.high


def test_labels_to_reach_interpolates_between_points() -> None:
    assert labels_to_reach([20, 40, 60], [0.2, 0.4, 0.6], 0.5) == pytest.approx(50)
    assert labels_to_reach([20, 40], [None, 0.4], 0.3) == 40
    assert labels_to_reach([20, 40], [0.3, 0.3], 0.3) == 20
    assert labels_to_reach([20, 40], [0.2, 0.3], 0.9) is None


def test_curve_file_has_the_published_shape(tmp_path: Path) -> None:
    path = write_curves(tmp_path, CURVES)
    content = msgspec.json.decode(path.read_bytes())
    assert content["labels"] == [20, 40, 60]
    assert content["strategies"]["auto"] == {"runs": [[None, 0.5, 0.7], [0.4, 0.5, 0.9]]}
    assert msgspec.json.decode((path).read_bytes(), type=LearningCurves) == CURVES


def test_curve_picture_is_dark_on_dark_pages() -> None:
    corners = {}
    for theme in ("light", "dark"):
        with Image.open(io.BytesIO(curve_png(CURVES, title="x", theme=theme))) as picture:  # type: ignore[arg-type]
            corners[theme] = sum(picture.convert("RGB").getpixel((2, 2)))  # type: ignore[arg-type]
    assert corners["light"] > 700
    assert corners["dark"] < 200


def test_curve_table_shows_means_and_intervals_and_says_where_seeds_agree() -> None:
    text = shown(curve_table(CURVES))
    assert "25.0% ± 63.5%" in text
    assert "40.0% (2 seeds agree)" in text
    assert "0.0%)" not in text
    assert "± 0.0%" not in text


def shown(table: Table) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(table)
    return " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
