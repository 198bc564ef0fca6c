import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from models.errors import SuperResolutionError, UnusableRasterError
from models.super_resolution import resolver as module
from models.super_resolution.card import read_super_card
from models.super_resolution.resolver import SuperResolver
from tests.models.super_resolution.fixtures import land


def test_tiles_have_no_seams(super_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image in many tiles is what it is in one, to the rounding of float32."""
    image = land(1, 150)[:, :, :130]
    image[:, 60:64, 20:90] = np.nan
    whole = SuperResolver(super_model)(image)
    monkeypatch.setattr(module, "TILE_PX", 24)
    tiled = SuperResolver(super_model)
    assert len(tiled.plan(150, 130)) == 20
    assert tiled(image) == pytest.approx(whole, abs=1e-3, nan_ok=True)
    assert whole.shape == (3, 300, 260)


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (8, 8)])
def test_small_images_are_taken(super_model: Path, size: tuple[int, int]) -> None:
    made = SuperResolver(super_model)(np.full((3, *size), 50.0, np.float32))
    assert made == pytest.approx(50.0, abs=4.0)
    assert made.shape == (3, 2 * size[0], 2 * size[1])


def test_nodata_is_answered_with_nodata(super_model: Path) -> None:
    assert np.isnan(SuperResolver(super_model)(np.full((3, 20, 20), np.nan, np.float32))).all()


def test_images_of_other_bands_are_refused(super_model: Path) -> None:
    with pytest.raises(UnusableRasterError, match="it has 12 bands, but super-resolution sr-"):
        SuperResolver(super_model).check_bands(12, "scene.tif")


def copied(super_model: Path, target: Path, better: bool) -> Path:
    """The model, with another verdict in its card."""
    shutil.copytree(super_model, target)
    card = read_super_card(target)
    report = msgspec.structs.replace(card.report, better=better, verdict="better was not shown, so it is not served")
    (target / "card.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(card, report=report)))
    return target


def test_model_that_is_not_better_than_bicubic_is_not_used_unless_asked_for(super_model: Path, tmp_path: Path) -> None:
    folder = copied(super_model, tmp_path / "worse", better=False)
    with pytest.raises(SuperResolutionError, match="is not used: better was not shown"):
        SuperResolver(folder)
    assert SuperResolver(folder, unproven=True).factor == 2


def test_changed_and_missing_files_are_refused(super_model: Path, tmp_path: Path) -> None:
    folder = copied(super_model, tmp_path / "changed", better=True)
    with (folder / "model.onnx").open("ab") as file:
        file.write(b"more")
    with pytest.raises(SuperResolutionError, match="is not the file that its card describes"):
        SuperResolver(folder)
    (folder / "model.onnx").unlink()
    with pytest.raises(SuperResolutionError, match=r"has no readable model\.onnx"):
        SuperResolver(folder)
