"""One image under several names: bytes, pixels, links and spellings, in a real store."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from al_loop.campaigns.imagery.copies import duplicates, read_contents
from al_loop.campaigns.notices import campaign_notices
from al_loop.campaigns.register import register_paths
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import LabelInput
from al_loop.store import LabelStore
from tests.al_loop.campaigns.imagery.fixtures import left_of, write_scene
from tests.al_loop.store.fixtures import NOW

Add = Callable[..., list[int]]


def write_picture(path: Path, seed: int) -> Path:
    """A PNG of noise without a place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (16, 16, 3), np.uint8)).save(path)
    return path


def sides(store: LabelStore, campaign: Campaign) -> dict[str, tuple[str, bool]]:
    ids, _ = store.samples.paths(campaign.campaign_id)
    samples = store.samples.get_many(campaign.campaign_id, ids.tolist()).values()
    return {sample.path: (sample.block, sample.reserve) for sample in samples}


def read(store: LabelStore, campaign: Campaign) -> None:
    ids, _ = store.samples.paths(campaign.campaign_id)
    read_contents(store, campaign, store.samples.get_many(campaign.campaign_id, ids.tolist()), NOW)


def test_equal_files_stand_on_one_side_of_the_reserve(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add
) -> None:
    names = [f"{number:02d}.png" for number in range(20)]
    for number, name in enumerate(names):
        write_picture(coast_root / "d" / name, number)
        (coast_root / "copies").mkdir(exist_ok=True)
        shutil.copy(coast_root / "d" / name, coast_root / "copies" / name)
    add_scenes(*(f"d/{name}" for name in names), *(f"copies/{name}" for name in names))
    assert label_store.samples.draw_reserve(coast.campaign_id, NOW) > 0
    found = sides(label_store, coast)
    assert all(found[f"d/{name}"] == found[f"copies/{name}"] for name in names)
    (line,) = campaign_notices(label_store, coast)
    assert line.startswith("20 images are copies of others")
    assert "copies/00.png (of d/00.png)" in line


def test_copy_that_comes_after_the_draw_joins_the_side_of_the_first(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add
) -> None:
    names = [f"{number:02d}.png" for number in range(20)]
    for number, name in enumerate(names):
        write_picture(coast_root / name, number)
    add_scenes(*names)
    label_store.samples.draw_reserve(coast.campaign_id, NOW)
    for name in names:
        shutil.copy(coast_root / name, coast_root / f"copy-{name}")
    add_scenes(*(f"copy-{name}" for name in names))
    found = sides(label_store, coast)
    assert all(found[name] == found[f"copy-{name}"] for name in names)
    pool, reserve = label_store.queries.available(coast.campaign_id, NOW)
    index = label_store.pool_indexes.of(coast.campaign_id, NOW)
    assert set(index.copy().free().tolist()) == set(pool.tolist())
    assert len(reserve) == 2 * sum(found[name][1] for name in names)


def test_equal_pixels_in_other_encodings_are_one_image_once_they_are_read(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add
) -> None:
    names = [f"{number:02d}" for number in range(20)]
    for number, name in enumerate(names):
        picture = write_picture(coast_root / f"{name}.png", number)
        Image.open(picture).save(coast_root / f"{name}.tif", compression="tiff_lzw")
    add_scenes(*(f"{name}.png" for name in names), *(f"{name}.tif" for name in names))
    label_store.samples.draw_reserve(coast.campaign_id, NOW)
    before = sides(label_store, coast)
    assert any(before[f"{name}.png"][1] != before[f"{name}.tif"][1] for name in names)
    read(label_store, coast)
    found = sides(label_store, coast)
    assert all(found[f"{name}.png"] == found[f"{name}.tif"] for name in names)
    assert {path for path, (_, reserve) in found.items() if reserve} >= {
        path for path, (_, reserve) in before.items() if reserve
    }  # what is tested on stays there, and takes its copies along
    assert len(label_store.copies.groups(coast.campaign_id)) == 20
    read(label_store, coast)  # again: nothing is left to read
    assert label_store.copies.unread(coast.campaign_id, list(range(1, 41))) == []


def test_equal_pixels_at_another_place_are_one_image(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add
) -> None:
    write_scene(coast_root / "a.tif", left=left_of(0))
    write_scene(coast_root / "b.tif", left=left_of(1))
    write_scene(coast_root / "c.tif", left=left_of(2), seed=1)
    add_scenes("a.tif", "b.tif", "c.tif")
    read(label_store, coast)
    (group,) = label_store.copies.groups(coast.campaign_id)
    assert [copy.path for copy in group] == ["a.tif", "b.tif"]


def test_one_file_in_four_spellings_is_one_sample(label_store: LabelStore, coast: Campaign, coast_root: Path) -> None:
    names = [f"{number:02d}.png" for number in range(20)]
    for number, name in enumerate(names):
        write_picture(coast_root / "d" / name, number)
    spellings = [spelled for name in names for spelled in (f"d/{name}", f"./d/{name}", f"d//{name}", f"d/./{name}")]
    report = register_paths(label_store, coast, spellings, NOW)
    assert report.registered == 20
    again = register_paths(label_store, coast, ["./d/00.png", "d/00.png"], NOW)
    assert [(skip.path, skip.reason.split(" as ")[0]) for skip in again.skipped] == [
        ("d/00.png", "registered already"), ("./d/00.png", "registered already"),
    ]  # fmt: skip


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_link_to_a_registered_file_is_registered_already(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add, link: Callable[[Path, Path], None]
) -> None:
    write_picture(coast_root / "a.png", 1)
    add_scenes("a.png")
    link(coast_root / "a.png", coast_root / "b.png")
    (skip,) = register_paths(label_store, coast, ["b.png"], NOW).skipped
    assert (skip.path, skip.reason) == ("b.png", "registered already as a.png")


def test_link_to_a_hidden_file_keeps_its_name(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add
) -> None:
    write_picture(coast_root / ".store" / "9f86d081.png", 1)
    (coast_root / "a.png").symlink_to(coast_root / ".store" / "9f86d081.png")
    add_scenes("a.png")
    assert list(sides(label_store, coast)) == ["a.png"]


def test_duplicates_keep_the_labelled_sample_and_leave_conflicts_to_people(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add, record: Add
) -> None:
    write_picture(coast_root / "a.png", 1)
    write_picture(coast_root / "c.png", 2)
    for name, first in (("b.png", "a.png"), ("d.png", "c.png")):
        shutil.copy(coast_root / first, coast_root / name)
    add_scenes("a.png", "b.png", "c.png", "d.png")
    record(
        *(
            LabelInput(path=path, task="classification", annotator="anna", classes=["wet"])
            for path in ("b.png", "c.png", "d.png")
        )
    )
    first, second = duplicates(label_store, coast)
    assert (first.kept.path, [copy.path for copy in first.others], first.conflict) == ("b.png", ["a.png"], False)
    assert (second.kept.path, [copy.path for copy in second.others], second.conflict) == ("c.png", ["d.png"], True)


def test_first_of_several_copies_that_is_removed_leaves_the_others_together(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add
) -> None:
    write_picture(coast_root / "a.png", 1)
    for name in ("b.png", "c.png"):
        shutil.copy(coast_root / "a.png", coast_root / name)
    first, *_ = add_scenes("a.png", "b.png", "c.png")
    label_store.removals.remove_sample(coast.campaign_id, first, NOW)
    (group,) = label_store.copies.groups(coast.campaign_id)
    assert [copy.path for copy in group] == ["b.png", "c.png"]
