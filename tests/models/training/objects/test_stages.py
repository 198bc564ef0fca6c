"""What a fit of a head draws its batches from."""

import numpy as np
import torch

from models.tasks.detection.task import Detection
from models.training.objects.stages import KeptChip, KeptStages

TASK = Detection(classes=["ship"])


def kept(height: int, width: int, boxes: int) -> KeptChip:
    stages = [torch.full((size, height // 4, width // 4), float(boxes)).half() for size in (2, 3)]
    truth = np.tile(np.array([[0, 0, 4, 4, 0]], np.float32), (boxes, 1))
    return KeptChip(stages, torch.ones(1, height, width, dtype=torch.bool), truth)


def test_batches_are_of_one_size_and_pair_images_with_their_boxes() -> None:
    some, more = KeptStages(), KeptStages()
    for boxes in range(3):
        some.add(kept(32, 64, boxes))
    more.add(kept(64, 32, 1))
    joined = some.joined(more)
    assert (len(some), len(joined)) == (3, 4)
    sizes = set()
    for _, (encoded, truth) in zip(range(40), joined.batches(TASK, np.random.default_rng(0)), strict=False):
        sizes.add((encoded.height, encoded.width))
        assert encoded.valid.shape == (len(truth), 1, encoded.height, encoded.width)
        shown = encoded.stages[0][:, 0, 0, 0]
        assert ((truth[..., 4] == 0).sum(dim=1) == shown).all()
    assert sizes == {(32, 64), (64, 32)}


def test_moments_are_those_of_all_cells_whatever_the_sizes_of_images() -> None:
    stages = KeptStages()
    for height, width, boxes in ((32, 64, 1), (64, 32, 3)):
        stages.add(kept(height, width, boxes))
    means, deviations = stages.moments()
    assert [mean.tolist() for mean in means] == [[2.0] * 2, [2.0] * 3]
    assert [deviation.tolist() for deviation in deviations] == [[1.0] * 2, [1.0] * 3]
