import io

import numpy as np
import pytest
from PIL import Image

from models.super_resolution.examples import CELL_PX, Example, examples_png
from tests.models.super_resolution.fixtures import land


@pytest.mark.parametrize("bands", [1, 3, 6])
def test_picture_has_four_columns_and_a_row_for_each_example(bands: int) -> None:
    low, high = land(1, 32, bands), land(1, 64, bands)
    low[:, :4, :4] = np.nan
    rows = [Example(name, low, high, high, high, 31.0, 29.5) for name in ("a", "b")]
    picture = Image.open(io.BytesIO(examples_png(rows, range(1, bands + 1))))
    assert picture.size[0] == 4 * CELL_PX
    assert picture.size[1] > 2 * CELL_PX
