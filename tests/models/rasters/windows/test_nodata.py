"""Shares of nodata are those of each window read alone, in one pass."""

from pathlib import Path

import numpy as np
import pytest

from models.card import BandPolicy
from models.rasters.reading import read_raster
from models.rasters.windows import nodata
from models.rasters.windows.grid import cut
from models.rasters.windows.nodata import nodata_shares
from tests.data.make_scene import make_scene


@pytest.mark.parametrize("policy", [BandPolicy(), BandPolicy(nodata="any")])
def test_share_is_that_of_the_window_alone(tmp_path: Path, policy: BandPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodata, "_READ_VALUES", 2_000)  # a few rows at once
    content = np.random.default_rng(0).integers(0, 3, (2, 150, 210)).astype(np.uint16)
    content[:, 60:, :100] = 0
    path = make_scene(tmp_path / "a.tif", width=210, height=150, bands=2, nodata=0, nodata_as="value", content=content)
    windows = [entry.window for entry in cut(150, 210, 64, 16)]
    expected = [
        np.isnan(read_raster(path, [1, 2], window=tuple(window), policy=policy)).all(axis=0).mean()
        for window in windows
    ]
    np.testing.assert_allclose(nodata_shares(path, "a.tif", windows, None, policy), expected)


def test_nothing_is_read_where_the_header_rules_nodata_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodata, "read_values", None)
    path = make_scene(tmp_path / "a.tif", width=210, height=150)
    assert not nodata_shares(path, "a.tif", [entry.window for entry in cut(150, 210, 64, 0)], None).any()
