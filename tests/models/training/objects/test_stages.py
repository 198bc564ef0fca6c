"""What a fit of a head draws its batches from."""

from pathlib import Path

import numpy as np
import shapely
import torch

from models.card import TaskSpec
from models.encoders.frozen import FrozenFeatures
from models.rasters.reading import read_raster
from models.tasks.detection.task import Detection
from models.training.data.augmentations import DIHEDRAL_SIZE, turn
from models.training.data.dataset import ChipReader, read_samples
from models.training.data.statistics import estimate_statistics
from models.training.objects.stages import KeptChip, KeptStages, keep_stages
from tests.models.training.fixtures import write_chips, write_snapshot

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


def test_every_view_of_a_few_images_is_kept_and_every_other_one_is_as_the_image_is(tmp_path: Path) -> None:
    paths = write_chips(tmp_path, [1, 2])
    box = [(1, shapely.to_wkb(shapely.box(4, 8, 12, 20)))]
    rows = [{"path": path, "split": "train", "detection": box} for path in paths]
    manifest = write_snapshot(tmp_path / "snapshot", rows, [TaskSpec(task="detection", classes=["ship"])])
    samples = read_samples(tmp_path / "snapshot", manifest)["train"]
    statistics = estimate_statistics([str(path) for path in paths], manifest.bands)
    features = FrozenFeatures(statistics, eight_bit=False, scale=2)
    kept = keep_stages(TASK, features, samples, ChipReader(manifest), statistics, np.random.default_rng(0))
    assert len(kept) == len(paths) * DIHEDRAL_SIZE
    originals = []
    for path in paths:
        image = torch.from_numpy(read_raster(path, manifest.bands))[None]
        originals.append(features.standard_bands(image)[0].half().numpy())
    unchanged = 0
    for bands, truth in kept.looks():
        assert truth.shape == (1, 5)
        unchanged += any(
            np.array_equal(turn(original, element), bands.numpy())
            for original in originals
            for element in range(DIHEDRAL_SIZE)
        )
    assert unchanged == len(kept) / 2
