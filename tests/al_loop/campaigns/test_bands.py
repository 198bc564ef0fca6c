"""One decision a campaign on what is data and what is alpha, made from files of every kind."""

from pathlib import Path

import numpy as np
import pytest

from al_loop.campaigns.bands import DecidedBands, decide, look_at
from al_loop.domain.campaigns import CampaignSettings
from tests.models.rasters.test_bands import ALPHAS, RGB, with_fourth, write

AUTO = CampaignSettings()


def decided(root: Path, settings: CampaignSettings = AUTO, bands: list[int] | None = None) -> DecidedBands:
    found = decide(look_at(root, sorted(file.name for file in root.iterdir())), settings, bands)
    assert found is not None
    return found


def write_tagged(root: Path, *kinds: str, **profile: str) -> None:
    """Files of four 8-bit bands, tagged as GDAL does by default unless `profile` says otherwise."""
    for number, kind in enumerate(kinds):
        write(root / f"{number}.tif", with_fourth(ALPHAS[kind]), **profile)


@pytest.mark.parametrize("alpha", ["YES", "PREMULTIPLIED"])
@pytest.mark.parametrize(
    "kinds", [["hard"], ["blended"], ["transparent"], ["half"], ["hard", "blended", "transparent", "opaque"]]
)
def test_declared_alpha_is_alpha_whichever_tile_comes_first(tmp_path, alpha, kinds):
    write_tagged(tmp_path, *kinds, photometric="RGB", alpha=alpha)

    source_bands, decision = decided(tmp_path)
    assert (source_bands, decision.alpha) == (3, True)
    assert f"{len(kinds)} of {len(kinds)} files" in decision.reason


@pytest.mark.parametrize("first", ["noise", "opaque", "hard", "transparent"])
def test_near_infrared_that_gdal_tagged_as_alpha_is_data_for_all_files(tmp_path, first):
    write_tagged(tmp_path, first, "noise", "opaque", "hard", "noise")

    source_bands, decision = decided(tmp_path)
    assert (source_bands, decision.alpha) == (4, False)
    assert "band 4 is data" in decision.reason


@pytest.mark.parametrize("kinds", [["noise"], ["opaque"], ["hard", "transparent"]])
def test_band_that_is_declared_to_be_no_alpha_is_data(tmp_path, kinds):
    write_tagged(tmp_path, *kinds, photometric="RGB")

    assert decided(tmp_path).source_bands == 4


def test_what_is_known_otherwise_decides_before_pixels_do(tmp_path):
    write_tagged(tmp_path, "hard", "opaque")

    assert decided(tmp_path).source_bands == 3
    assert decided(tmp_path, CampaignSettings(sensor="rgb-nir")).source_bands == 4
    assert decided(tmp_path, bands=[4, 3, 2]).source_bands == 4
    assert decided(tmp_path, CampaignSettings(alpha="none")).source_bands == 4
    write(tmp_path / "9.tif", with_fourth(ALPHAS["opaque"]), photometric="RGB")
    assert decided(tmp_path).source_bands == 4


def test_alpha_of_some_files_is_told_where_most_have_three_bands(tmp_path):
    write_tagged(tmp_path, "noise", "hard")
    for number in range(4):
        write(tmp_path / f"rgb-{number}.tif", RGB)
    write(tmp_path / "nir.tif", with_fourth(ALPHAS["noise"]), photometric="RGB")

    source_bands, decision = decided(tmp_path)
    assert (source_bands, decision.alpha) == (3, True)
    assert decision.reason == "most files have 3 bands, so band 4 of those that declare it is alpha"
    assert not decided(tmp_path, CampaignSettings(alpha="none")).decision.alpha


def test_settings_name_the_last_band_alpha(tmp_path):
    write(tmp_path / "0.tif", with_fourth(ALPHAS["hard"], "uint16"))
    write(tmp_path / "1.tif", with_fourth(ALPHAS["hard"], "uint16"))
    write(tmp_path / "2.tif", RGB.astype(np.uint16))

    assert decided(tmp_path).source_bands == 4
    source_bands, decision = decided(tmp_path, CampaignSettings(alpha="last"))
    assert (source_bands, decision.alpha) == (3, True)
    assert "settings.alpha" in decision.reason


def test_grey_images_among_8_bit_rgb_ones_are_read_as_rgb(tmp_path):
    for number in range(3):
        write(tmp_path / f"{number}.png", RGB[:1], driver="PNG")
    assert decided(tmp_path)[0] == 1
    write(tmp_path / "9.tif", RGB)

    source_bands, decision = decided(tmp_path)
    assert (source_bands, decision.rgb) == (3, True)


def test_deep_rgb_takes_no_grey(tmp_path):
    write(tmp_path / "0.tif", RGB.astype(np.uint16))
    write(tmp_path / "1.png", RGB[:1], driver="PNG")

    source_bands, decision = decided(tmp_path)
    assert (source_bands, decision.rgb) == (3, False)


def test_files_that_cannot_be_read_decide_nothing(tmp_path):
    (tmp_path / "0.tif").write_bytes(b"II*\0")
    assert decide(look_at(tmp_path, ["0.tif", "gone.tif"]), AUTO, None) is None
