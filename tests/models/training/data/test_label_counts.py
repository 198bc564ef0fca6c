"""How large the encoder reads images, by what the tasks ask for."""

from models.card import TaskSpec
from models.training.data.label_counts import enlarged_for, finer_features
from tests.models.training.fixtures import CLASSIFICATION, SEGMENTATION

SHIPS = TaskSpec(task="detection", classes=["ship"])


def test_images_are_read_twice_as_large_for_maps_that_are_twice_as_fine() -> None:
    assert [finer_features([CLASSIFICATION, SEGMENTATION], scale) for scale in (1, 2)] == [1, 2]
    assert [enlarged_for([CLASSIFICATION, SEGMENTATION], {}, scale) for scale in (1, 2)] == [1, 2]
    assert finer_features([CLASSIFICATION], 2) == enlarged_for([CLASSIFICATION], {}, 2) == 1


def test_images_in_which_objects_are_found_stay_as_large_as_these_need() -> None:
    assert finer_features([SEGMENTATION, SHIPS], 2) == 1
    assert enlarged_for([SEGMENTATION, SHIPS], {}, 2) == 2
