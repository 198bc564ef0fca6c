import numpy as np

from models.pictures.overlays import overlay


def test_overlay_draws_classes_and_leaves_background():
    picture = np.full((4, 4, 4), 100, np.uint8)
    codes = np.array([[0, 1], [2, 255]], np.uint8)

    mixed = overlay(picture, codes, palette=[(230, 159, 0), (86, 180, 233)], opacity=1)

    assert mixed[0, 0].tolist() == [100, 100, 100, 100]
    assert mixed[0, 3].tolist() == [230, 159, 0, 100]
    assert mixed[3, 0].tolist() == [86, 180, 233, 100]
    assert mixed[3, 3].tolist() == [128, 128, 128, 100]
    assert (picture == 100).all()
