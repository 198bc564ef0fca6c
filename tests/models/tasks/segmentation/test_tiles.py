"""The most probable class of each pixel."""

import numpy as np

from models.tasks.segmentation.tiles import most_probable


def test_most_probable_is_argmax():
    for seed in range(5):
        values = np.random.default_rng(seed).integers(0, 4, (6, 7, 8)).astype(np.float32)
        np.testing.assert_array_equal(most_probable(values), values.argmax(axis=0))
