from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from al_loop.campaigns.imagery.valid_points import holds_data_everywhere, on_nodata
from al_loop.domain.campaigns import Campaign
from tests.al_loop.store.fixtures import make_header
from tests.data.make_scene import make_scene


def test_pixels_without_data_are_told_in_every_window(make_campaign: Callable[..., Campaign], tmp_path: Path) -> None:
    """Of an image of several windows; its upper left quarter holds no data."""
    campaign = make_campaign()
    make_scene(tmp_path / "a.tif", width=1200, height=1200, nodata=0, nodata_as="value")
    pixels = np.array([[0, 0], [599, 599], [600, 599], [599, 600], [1199, 1199], [520, 3]])

    found = on_nodata(campaign, make_header(width=1200, height=1200, band_count=3), pixels)

    assert found.tolist() == [True, True, False, False, False, True]


@pytest.mark.parametrize(
    ("name", "creation", "everywhere"),
    [
        ("a.jpg", {"driver": "JPEG", "dtype": "uint8", "crs": None}, True),
        ("a.tif", {"dtype": "uint16"}, True),
        ("a.tif", {"dtype": "uint8", "nodata": 300, "nodata_as": None}, True),
        ("a.tif", {"dtype": "float32"}, False),
        ("a.tif", {"dtype": "uint16", "nodata": 0, "nodata_as": "value"}, False),
        ("a.tif", {"dtype": "uint16", "nodata_as": "mask"}, False),
        ("a.tif", {"dtype": "uint16", "nodata_as": "alpha"}, False),
        ("a.png", {"driver": "PNG", "dtype": "uint8", "crs": None, "nodata_as": "alpha"}, False),
    ],
)
def test_the_header_tells_whether_pixels_can_lack_data(
    make_campaign: Callable[..., Campaign], tmp_path: Path, name: str, creation: dict[str, Any], everywhere: bool
) -> None:
    make_scene(tmp_path / name, width=200, height=150, **creation)
    header = make_header(name, width=200, height=150, band_count=3)
    campaign = make_campaign()

    pixels = np.random.default_rng(0).integers(0, [200, 150], (100, 2))
    blank = on_nodata(campaign, header, pixels)

    assert holds_data_everywhere(campaign, header) == everywhere
    corner = (pixels < [100, 75]).all(axis=1)
    marked = creation.get("nodata_as") is not None
    assert blank.tolist() == (corner & marked).tolist()
    for pixel in pixels[:5]:
        assert on_nodata(campaign, header, pixel[None]).tolist() == [bool(marked and (pixel < [100, 75]).all())]
