import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from al_loop.box_scores import box_scores
from al_loop.scored_pool import ScoredPool
from al_loop.strategies import ClaspPE

IDS = np.array([3, 5, 9])


def scored(samples, labels, confidences, classes=2, ids=IDS):
    return box_scores(ids, np.array(samples, np.int64), np.array(labels, np.int64), np.array(confidences), classes)


def test_one_doubtful_box_is_not_drowned_by_sure_ones_nor_is_a_crowd_worth_more():
    crowd = scored([3] * 4 + [5] * 40, [1] * 44, [0.5] + [0.99] * 3 + [0.9] * 40)
    assert crowd.scores["entropy"][0] == pytest.approx(np.log(2))
    assert crowd.scores["entropy"][1] == pytest.approx(scored([5], [1], [0.9]).scores["entropy"][1])


def test_image_without_a_box_is_sure_and_has_no_class():
    found = scored([3], [2], [0.6])
    assert [float(values[2]) for values in found.scores.values()] == [0, 0, 0]
    assert np.isnan(found.strata[2]).all()
    assert scored([], [], []).scores["margin"].tolist() == [0, 0, 0]


def test_each_class_has_its_own_most_uncertain_box():
    strata = scored([9, 9, 9, 5], [1, 1, 2, 2], [0.9, 0.6, 0.99, 0.5]).strata
    entropy = {p: -p * np.log(p) - (1 - p) * np.log(1 - p) for p in (0.6, 0.99, 0.5)}
    np.testing.assert_allclose(strata[2], [np.nan, entropy[0.6], entropy[0.99]], rtol=1e-5)
    np.testing.assert_allclose(strata[1], [np.nan, np.nan, entropy[0.5]], rtol=1e-5)


def test_classes_get_equal_shares_of_a_query():
    """Forty images with doubtful boxes of class 1, two with less doubtful ones of class 2."""
    ids = np.arange(42)
    found = box_scores(ids, ids, np.where(ids < 40, 1, 2), np.where(ids < 40, 0.5, 0.8), 2)
    pool = ScoredPool(sample_ids=ids, scores=found.scores, stratum_table=found.strata, score_rows=ids)
    picks = ClaspPE(first_beta=10_000).select(pool, 4, np.random.default_rng(0)).indices
    assert {40, 41} <= set(picks.tolist())


@given(st.lists(st.tuples(st.sampled_from([3, 5, 9]), st.integers(1, 3), st.floats(0, 1)), max_size=30), st.randoms())
def test_scores_do_not_depend_on_the_order_of_boxes(boxes, random):
    columns = tuple(zip(*boxes, strict=True)) or ((), (), ())
    shuffled = boxes.copy()
    random.shuffle(shuffled)
    others = scored(*(tuple(zip(*shuffled, strict=True)) or ((), (), ())), classes=3)
    found = scored(*columns, classes=3)
    for name, values in found.scores.items():
        np.testing.assert_allclose(values, others.scores[name], atol=1e-6)
        assert ((values >= 0) & (values <= 1)).all()
    np.testing.assert_allclose(found.strata, others.strata)


@pytest.mark.parametrize(
    ("samples", "labels", "confidences", "words"),
    [
        ([3, 5], [1], [0.5], "2 samples, 1 labels"),
        ([3], [1], [1.5], "confidences"),
        ([3], [1], [float("nan")], "confidences"),
        ([3], [3], [0.5], "labels of boxes must lie in 1 to 2"),
        ([4], [1], [0.5], "not among"),
    ],
)
def test_boxes_that_make_no_sense_are_refused(samples, labels, confidences, words):
    with pytest.raises(ValueError, match=words):
        scored(samples, labels, confidences)


def test_real_scenes_rank_by_their_doubtful_objects(shared_data):
    """Bright blobs on water as a detector: confidence by contrast."""
    samples, confidences = [], []
    files = sorted((shared_data / "s2_ships").glob("*.tif"))[:20]
    for number, file in enumerate(files):
        with rasterio.open(file) as source:
            near_infrared = source.read(8).astype(np.float32)
        contrast = (near_infrared - np.median(near_infrared)) / (near_infrared.std() + 1)
        blobs, count = ndimage.label(contrast > 1.5)
        peaks = ndimage.maximum(contrast, blobs, range(1, count + 1))
        samples += [number] * count
        confidences += (1 / (1 + np.exp(4 - np.asarray(peaks)))).tolist()
    ids = np.arange(len(files))
    found = box_scores(ids, np.array(samples), np.ones(len(samples), np.int64), np.array(confidences), 1)
    best = int(found.scores["entropy"].argmax())
    doubt = np.abs(np.array(confidences) - 0.5)
    own = np.sort(doubt[np.array(samples) == best])
    assert np.isfinite(found.scores["entropy"]).all()
    assert found.scores["entropy"].std() > 0.01
    assert own[: max(1, int(np.ceil(len(own) / 4)))].max() < np.median(doubt)
