import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign, View
from al_loop.serving.pictures.super_resolved import SuperResolvers, resolved_window
from models.rasters.tiling import Window
from models.super_resolution.card import read_super_card
from models.super_resolution.resolver import SuperResolver
from tests.al_loop.serving.pictures.test_scene_copies import campaign
from tests.models.super_resolution.fixtures import land, write_raster
from tests.models.super_resolution.test_resolver import copied

LAYOUT = DataLayout(Path("/data"))


def of(model: Path | None, bands: int = 3) -> Campaign:
    """A campaign whose settings name a model."""
    settings: dict[str, Any] = {"view": {"super_resolution": None if model is None else str(model)}}
    made = msgspec.to_builtins(campaign(Path("/images"))) | {"settings": settings, "source_bands": bands}
    return msgspec.convert(made, Campaign)


def problem(found: Campaign) -> str:
    resolvers = SuperResolvers(LAYOUT)
    described = resolvers.described(found)
    assert resolvers.of(found) is None
    assert resolvers.view(found, []) is None
    assert described is not None
    assert described.problem is not None
    return described.problem


def test_campaign_without_a_model_has_no_such_view() -> None:
    assert SuperResolvers(LAYOUT).described(of(None)) is None


def test_view_shows_the_bands_of_the_first_view_and_says_that_it_is_synthetic(super_model: Path) -> None:
    resolvers, found = SuperResolvers(LAYOUT), of(super_model)
    described = resolvers.described(found)
    assert described is not None
    assert (described.factor, described.extra_zooms, described.problem) == (2, 1, None)
    assert (
        described.words == f"super-resolved 2x by {read_super_card(super_model).version}: synthetic, not a measurement"
    )
    views = [View(name="ndvi", title="NDVI", expression="b1/b2"), View(name="rgb", title="RGB", bands=(3, 2, 1))]
    made = resolvers.view(found, views)
    assert made is not None
    assert (made.name, made.title, made.bands) == ("super-resolved", "Super-resolved 2x (synthetic)", (3, 2, 1))
    assert resolvers.of(found) is resolvers.of(found)


def test_model_that_cannot_be_used_is_told_with_the_reason(super_model: Path, tmp_path: Path) -> None:
    assert "holds no readable card.json" in problem(of(tmp_path / "none"))
    assert "holds no readable card.json" in problem(of(Path("a\0b")))
    assert "better was not shown, so it is not served" in problem(
        of(copied(super_model, tmp_path / "worse", better=False))
    )
    assert "was trained on images of 3 bands, and those of the campaign have 12" in problem(of(super_model, 12))


def test_relative_folder_is_one_of_the_campaigns_own(super_model: Path, tmp_path: Path) -> None:
    resolvers, found = SuperResolvers(DataLayout(tmp_path)), of(Path("super-resolution/1"))
    assert resolvers.of(found) is None
    shutil.copytree(super_model, DataLayout(tmp_path).super_resolution(found.folder, 1))
    assert resolvers.of(found) is not None


def test_new_campaign_is_told_why_a_folder_cannot_be_used(super_model: Path, tmp_path: Path) -> None:
    resolvers = SuperResolvers(DataLayout(tmp_path))
    assert resolvers.problem_of(None) is None
    assert resolvers.problem_of(str(super_model)) is None
    assert "holds no readable card.json" in str(resolvers.problem_of(str(tmp_path / "none")))
    assert "a new one has no model yet" in str(resolvers.problem_of("super-resolution/1"))


def test_model_is_loaded_again_when_its_files_change(super_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(super_model, folder)
    resolvers, found = SuperResolvers(LAYOUT), of(folder)
    assert resolvers.of(found) is not None
    shutil.rmtree(folder)
    assert resolvers.of(found) is None


@pytest.mark.parametrize("reduced", [1, 2])
def test_window_is_that_part_of_the_whole(super_model: Path, tmp_path: Path, reduced: int) -> None:
    image, model = land(5, 120), SuperResolver(super_model)
    path = write_raster(tmp_path / "a.tif", image)
    part = resolved_window(model, path, of(super_model), (120, 120), Window(100, 30, 20, 16), reduced)
    whole = model(image)[:, 60:92, 200:240]
    wanted = whole.reshape(3, 32 // reduced, reduced, 40 // reduced, reduced).mean(axis=(2, 4))
    assert part == pytest.approx(np.asarray(wanted), abs=1e-2)
