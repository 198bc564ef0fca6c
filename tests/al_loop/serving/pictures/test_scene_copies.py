import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.samples import Sample
from al_loop.serving.pictures import scene_copies
from al_loop.serving.pictures.scene_copies import SceneCopies
from models.errors import UnreadableRasterError
from models.files import STAGING_PREFIX
from models.pictures.levels import levels_of
from tests.data.make_scene import make_hostile, make_scene

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def layout(tmp_path: Path) -> DataLayout:
    return DataLayout(tmp_path / "data")


@pytest.fixture
def copies(layout: DataLayout) -> Iterator[SceneCopies]:
    made = SceneCopies(layout, max_bytes=1)
    yield made
    made.close()


def campaign(root: Path) -> Campaign:
    return msgspec.convert(
        {
            "campaign_id": 1, "name": "demo", "tasks": [], "root": str(root), "bands": None, "source_bands": 1,
            "settings": {}, "policy": {}, "created_at": NOW, "current_version": None,
        },
        Campaign,
    )  # fmt: skip


def sample(number: int) -> Sample:
    return msgspec.convert(
        {
            "sample_id": number, "campaign_id": 1, "path": f"{number}.tif", "width": 2100, "height": 2100,
            "band_count": 1, "dtype": "uint8", "crs": None, "transform": None, "nodata": None, "bounds": None,
            "file_bytes": 1, "modified_ns": 0, "block": "", "reserve": False, "registered_at": NOW,
        },
        Sample,
    )  # fmt: skip


def make(copies: SceneCopies, folder: Path, number: int) -> Path:
    path = make_scene(folder / f"{number}.tif", width=2100, height=2100, bands=1, dtype="uint8", content="constant")
    made = copies.of(campaign(folder), sample(number), path, levels_of(path, path.name))
    assert made is not None
    return made


def test_copies_over_the_limit_are_removed_oldest_first_unless_in_use(copies: SceneCopies, tmp_path: Path) -> None:
    first, second = make(copies, tmp_path, 1), make(copies, tmp_path, 2)
    assert first.is_dir()  # looked at a moment ago
    for folder in (first, second):
        os.utime(folder, (0, 0))

    third = make(copies, tmp_path, 3)

    assert [folder.is_dir() for folder in (first, second, third)] == [False, False, True]
    copies.remove("demo", 3)
    assert not third.is_dir()


def test_copies_that_a_kill_left_half_made_are_removed(copies: SceneCopies, layout: DataLayout, tmp_path: Path) -> None:
    left = layout.pictures("demo") / "scenes" / f"{STAGING_PREFIX}dead"
    left.mkdir(parents=True)

    make(copies, tmp_path, 1)

    assert not left.exists()


def test_damaged_scene_leaves_nothing_and_says_why(copies: SceneCopies, layout: DataLayout, tmp_path: Path) -> None:
    good = make_scene(tmp_path / "good.tif", width=2100, height=2100, bands=1, dtype="uint8")
    levels = levels_of(good, "good.tif")
    bad = make_hostile("truncated", tmp_path / "1.tif")

    with pytest.raises(UnreadableRasterError):
        copies.of(campaign(tmp_path), sample(1), bad, levels)
    assert list((layout.pictures("demo") / "scenes").iterdir()) == []


def test_full_disk_costs_speed_but_no_picture(
    copies: SceneCopies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(scene_copies, "write_copies", full)
    path = make_scene(tmp_path / "1.tif", width=2100, height=2100, bands=1, dtype="uint8", content="constant")

    assert copies.of(campaign(tmp_path), sample(1), path, levels_of(path, "1.tif")) is None
