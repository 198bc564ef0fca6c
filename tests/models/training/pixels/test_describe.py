"""Features of random pixels of a pool, made in a subprocess."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from models.card import BandPolicy
from models.training.pixels import describe
from models.training.pixels.spec import FEATURES_FILE, PIXELS_FILE, PixelSpec
from tests.data.make_scene import make_scene


def written(folder: Path, monkeypatch: pytest.MonkeyPatch, *paths: Path) -> tuple[int, Path]:
    """Exit code and folder of a run over images."""
    monkeypatch.setattr(describe, "WINDOW_PX", 64)
    spec = PixelSpec(
        paths=[str(path) for path in paths], scaled_by=list(range(len(paths))), per_image=400, source_bands=3,
        bands=[1, 2, 3], band_policy=BandPolicy(source_bands=3),
    )  # fmt: skip
    (folder / "spec.json").write_bytes(msgspec.json.encode(spec))
    (folder / "out").mkdir()
    return describe.main([str(folder / "spec.json"), "--out", str(folder / "out")]), folder / "out"


def test_pixels_with_data_are_described_window_by_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make_scene(tmp_path / "a.tif", width=100, height=70, nodata=0, nodata_as="value")
    code, out = written(tmp_path, monkeypatch, first, tmp_path / "gone.tif", make_scene(tmp_path / "b.tif"))

    assert code == 0
    features, pixels = np.load(out / FEATURES_FILE), np.load(out / PIXELS_FILE)
    assert features.shape == (len(pixels), 448)
    assert features.dtype == np.float16
    assert np.square(features.astype(np.float64)).sum(axis=1).mean() == pytest.approx(1, abs=0.2)
    assert np.unique(pixels[:, 0]).tolist() == [0, 2]
    assert len(np.unique(pixels, axis=0)) == len(pixels)
    inside = pixels[pixels[:, 0] == 0]
    assert not (inside[:, 1:] < [35, 50]).all(axis=1).any()  # the corner without data
    assert inside[:, 1].max() > 64
    assert inside[:, 2].max() > 64
    assert (pixels[:, 0] == 2).sum() == 400


def test_no_image_that_can_be_read_is_a_failure_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out = written(tmp_path, monkeypatch, tmp_path / "gone.tif")

    assert code == 2
    assert (out / "error.txt").read_text() == "none of the images can be read\n"
