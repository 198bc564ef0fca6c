"""Which head held-out labels prefer."""

import numpy as np

from models.heads.best_head import LEAST_IMAGES, fit_best_head
from models.heads.kernel_head import KernelHead
from models.heads.linear_head import Head
from tests.models.heads.test_kernel_head import rings
from tests.models.heads.test_whitened import weak_axis


def test_held_out_labels_choose_between_planes_and_closeness() -> None:
    curved, answers = rings(200)
    chosen = fit_best_head(curved, answers, curved, np.arange(200))
    assert isinstance(chosen, KernelHead)
    assert chosen.linear is not None
    straight, answers = weak_axis(200)  # closeness cannot tell which axis says something
    assert isinstance(fit_best_head(straight, answers, straight, np.arange(200)), Head)


def test_few_images_leave_the_linear_head() -> None:
    embeddings, targets = rings(2 * LEAST_IMAGES - 2)
    numbers = np.arange(len(embeddings)) % (LEAST_IMAGES - 1)  # two views of each image
    assert isinstance(fit_best_head(embeddings, targets, embeddings, numbers), Head)
