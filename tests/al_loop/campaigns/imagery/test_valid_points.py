from collections.abc import Callable
from pathlib import Path

import numpy as np

from al_loop.campaigns.imagery.valid_points import on_nodata
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
