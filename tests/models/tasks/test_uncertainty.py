"""Known answers and laws of the acquisition functions."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.errors import AllNodataError
from models.tasks import uncertainty as acquisition
from models.tasks.region_means import RegionMeans
from tests.data.examples import examples

FUNCTIONS = [acquisition.least_confidence, acquisition.margin, acquisition.entropy]
ROWS = np.array([[1.0, 0.0, 0.0], [0.5, 0.3, 0.2], [1 / 3, 1 / 3, 1 / 3]], np.float32)


@st.composite
def probabilities(draw: st.DrawFn, maps: bool = False):
    shape = (draw(st.integers(1, 5)), draw(st.integers(2, 6)))
    if maps:
        shape += (draw(st.integers(1, 20)), draw(st.integers(1, 20)))
    weights = draw(arrays(np.float32, shape, elements=st.floats(0, 1, width=32))) + np.float32(1e-3)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (acquisition.least_confidence, [0.0, 0.5, 2 / 3]),
        (acquisition.margin, [0.0, 0.8, 1.0]),
        (acquisition.entropy, [0.0, 1.0296530, math.log(3)]),
    ],
)
def test_scores_of_three_rows_are_known(function, expected):
    np.testing.assert_allclose(function(ROWS), expected, atol=1e-6)


def test_multi_label_score_is_the_mean_over_yes_or_no_questions():
    rows = np.array([[0.5, 0.5], [0.0, 1.0], [0.9, 0.5]], np.float32)
    np.testing.assert_allclose(acquisition.least_confidence(rows, multi_label=True), [0.5, 0.0, 0.3], atol=1e-6)
    np.testing.assert_allclose(acquisition.margin(rows, multi_label=True), [1.0, 0.0, 0.6], atol=1e-6)
    entropy = [math.log(2), 0.0, (0.3250830 + math.log(2)) / 2]
    np.testing.assert_allclose(acquisition.entropy(rows, multi_label=True), entropy, atol=1e-6)


def test_scores_of_a_single_class_are_zero():
    for function in FUNCTIONS:
        assert function(np.ones((3, 1), np.float32)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("function", FUNCTIONS)
@given(data=st.data(), maps=st.booleans())
@settings(max_examples=examples(25), deadline=None)
def test_scores_permute_with_rows_and_stay_in_range(function, data, maps):
    rows = data.draw(probabilities(maps))
    order = np.array(data.draw(st.permutations(range(len(rows)))))
    scores = function(rows)
    classes = rows.shape[1]
    top = {"least_confidence": 1 - 1 / classes, "margin": 1.0, "entropy": math.log(classes)}[function.__name__]
    assert scores.shape == (len(rows),)
    assert scores.dtype == np.float32
    assert (scores >= 0).all()
    assert (scores <= top + 1e-5).all()
    np.testing.assert_array_equal(function(rows[order]), scores[order])


@pytest.mark.parametrize("function", FUNCTIONS)
@given(rows=probabilities(), multi_label=st.booleans())
@settings(max_examples=examples(25), deadline=None)
def test_scores_do_not_depend_on_class_order(function, rows, multi_label):
    reordered = function(rows[:, ::-1], multi_label=multi_label)
    np.testing.assert_allclose(reordered, function(rows, multi_label=multi_label), atol=1e-5)


@pytest.mark.parametrize("function", FUNCTIONS)
@given(data=st.data())
@settings(max_examples=examples(25), deadline=None)
def test_map_scores_ignore_nodata(function, data):
    """A whole column of cells without data changes nothing in the others."""
    height = data.draw(st.integers(8, 20))
    row = data.draw(probabilities())[:1, :, None, None]
    flat = np.broadcast_to(row, (1, row.shape[1], height, 16)).copy()
    holed = flat.copy()
    holed[:, :, :, : data.draw(st.integers(0, 14))] = np.nan
    np.testing.assert_allclose(function(holed), function(row[:, :, 0, 0]), atol=1e-5)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nodata_everywhere_names_the_rows(function):
    maps = np.full((3, 2, 4, 4), 0.5, np.float32)
    maps[[0, 2]] = np.nan
    with pytest.raises(AllNodataError) as caught:
        function(maps)
    assert caught.value.rows == [0, 2]
    with pytest.raises(AllNodataError):
        function(np.full((1, 3), np.nan, np.float32))


def test_map_score_is_the_mean_of_the_most_uncertain_quarter_of_cells():
    """64 cells of 2 x 2 px; one quarter maximally uncertain, the rest certain: the plain mean would say 0.25."""
    maps = np.zeros((1, 2, 16, 16), np.float32)
    maps[:, 0] = 1
    maps[:, :, :8, :8] = 0.5
    assert acquisition.margin(maps)[0] == pytest.approx(1.0)


def test_map_score_of_one_hard_place_exceeds_clutter():
    """An unknown object on an easy background is asked before faint doubt everywhere of twice the mean."""
    object_map = np.stack([np.full((32, 32), 0.999), np.full((32, 32), 0.001)])
    object_map[:, 8:16, 8:16] = 0.5
    clutter_map = np.stack([np.full((32, 32), 0.95), np.full((32, 32), 0.05)])
    scores = acquisition.margin(np.stack([object_map, clutter_map]).astype(np.float32))
    assert scores[0] > scores[1]


def test_nearly_empty_cell_does_not_rank_the_sample():
    """One valid, uncertain pixel in a cell of nodata is noise, not a region."""
    pixels = np.zeros((1, 32, 32), np.float32)
    pixels[0, :4, :4] = np.nan
    pixels[0, 0, 0] = 1
    regions = RegionMeans(1, 32, 32)
    regions.add(pixels)
    assert regions.most_uncertain()[0] == 0


@given(data=st.data())
@settings(max_examples=examples(40), deadline=None)
def test_region_means_are_the_same_window_by_window(data):
    height, width, step = (data.draw(st.integers(1, 40)) for _ in range(3))
    seed = data.draw(st.integers(0, 1000))
    values = np.random.default_rng(seed).random((2, height, width)).astype(np.float32)
    whole, pieces = RegionMeans(2, height, width), RegionMeans(2, height, width)
    whole.add(values)
    for row in range(0, height, step):
        for column in range(0, width, step):
            pieces.add(values[:, row : row + step, column : column + step], row, column)
    np.testing.assert_allclose(pieces.most_uncertain(), whole.most_uncertain(), rtol=1e-6)


def test_wrong_shapes_are_refused_with_the_shape():
    with pytest.raises(ValueError, match=r"\(2, 3, 4\)"):
        acquisition.entropy(np.zeros((2, 3, 4), np.float32))
    with pytest.raises(ValueError, match="multi-label"):
        acquisition.entropy(np.zeros((2, 3, 4, 4), np.float32), multi_label=True)
