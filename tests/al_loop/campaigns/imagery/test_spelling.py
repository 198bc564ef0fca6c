"""One path for one file, however it is named."""

from collections.abc import Callable
from pathlib import Path

import pytest

from al_loop.campaigns.imagery.spelling import find_samples, spelled
from al_loop.domain.campaigns import Campaign
from al_loop.store import LabelStore
from tests.al_loop.campaigns.imagery.fixtures import write_scene


@pytest.mark.parametrize("path", ["d/a.tif", "./d/a.tif", "d//a.tif", "d/./a.tif", "link/a.tif", "d/link.tif"])
def test_every_spelling_leads_to_one_path(tmp_path: Path, path: str) -> None:
    write_scene(tmp_path / "d" / "a.tif")
    (tmp_path / "link").symlink_to(tmp_path / "d")
    (tmp_path / "d" / "link.tif").symlink_to("a.tif")
    assert spelled(tmp_path, path) == "d/a.tif"


def test_root_may_be_a_link_itself(tmp_path: Path) -> None:
    write_scene(tmp_path / "real" / "a.tif")
    (tmp_path / "root").symlink_to(tmp_path / "real")
    assert spelled(tmp_path / "root", "./a.tif") == "a.tif"


@pytest.mark.parametrize("path", ["gone.tif", "../a.tif", "/etc/passwd", "a\0.tif", "x" * 300, "d\udce4.tif"])
def test_path_that_leads_nowhere_stays_as_it_is(tmp_path: Path, path: str) -> None:
    assert spelled(tmp_path, path) == path


def test_samples_are_found_by_any_spelling(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Callable[..., list[int]]
) -> None:
    write_scene(coast_root / "d" / "a.tif")
    (number,) = add_scenes("d/a.tif")
    asked = ["d/a.tif", "./d//a.tif", "d/b.tif"]
    assert find_samples(label_store, coast, asked) == {"d/a.tif": number, "./d//a.tif": number}
