"""What is looked at before labels are trained on."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from al_loop.campaigns.imagery.labelled import look_at_images
from al_loop.campaigns.labelling import record_labels
from al_loop.campaigns.register import register_paths
from al_loop.domain.campaigns import Campaign, CampaignSettings, ReserveSettings, RetrainPolicy
from al_loop.domain.labels import LabelInput
from al_loop.store import LabelStore
from models.rasters.reading import content_hash
from tests.al_loop.campaigns.imagery.fixtures import TASKS, write_scene
from tests.al_loop.campaigns.imagery.test_copies import write_picture
from tests.al_loop.store.fixtures import NOW
from tests.data.examples import examples

Add = Callable[..., list[int]]


def test_labelled_image_whose_pixels_are_damaged_is_left_out_until_it_changes(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add, record: Add
) -> None:
    picture = write_picture(coast_root / "a.png", 1)
    whole = picture.read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF  # the header and the end are fine
    picture.write_bytes(damaged)
    write_picture(coast_root / "b.png", 2)
    number, other = add_scenes("a.png", "b.png")
    paths = ("a.png", "b.png")
    record(*(LabelInput(path=path, task="classification", annotator="anna", classes=["wet"]) for path in paths))
    look_at_images(label_store, coast, NOW)
    assert label_store.images.unusable(coast.campaign_id) == {number}
    look_at_images(label_store, coast, NOW)  # nothing changed: it is not read again
    assert label_store.images.unusable(coast.campaign_id) == {number}
    assert label_store.copies.unread(coast.campaign_id, [number, other]) == [number]
    picture.write_bytes(whole)
    look_at_images(label_store, coast, NOW)
    assert label_store.images.unusable(coast.campaign_id) == set()


def test_doubled_samples_of_an_older_directory_are_noticed(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add
) -> None:
    write_scene(coast_root / "a.tif")
    shutil.copy(coast_root / "a.tif", coast_root / "b.tif")
    add_scenes("a.tif", "b.tif")
    forget = "UPDATE samples SET digest = NULL, same_as = NULL"
    label_store._database.write(lambda connection: connection.execute(forget).fetchall(), campaign_id=coast.campaign_id)
    assert label_store.copies.groups(coast.campaign_id) == []
    look_at_images(label_store, coast, NOW)
    (group,) = label_store.copies.groups(coast.campaign_id)
    assert [copy.path for copy in group] == ["a.tif", "b.tif"]


@settings(max_examples=examples(12), suppress_health_check=list(HealthCheck))
@given(
    images=st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["png", "tif", "copy"])), min_size=4, max_size=14),
    drawn_after=st.integers(0, 14),
    seed=st.integers(0, 5),
)
def test_reserve_and_pool_never_share_pixels(
    label_store: LabelStore,
    tmp_path_factory: pytest.TempPathFactory,
    images: list[tuple[int, str]],
    drawn_after: int,
    seed: int,
) -> None:
    root = tmp_path_factory.mktemp("images")
    policy = RetrainPolicy(min_labels=2, min_reserve_labels=2)
    label_store.campaigns.create(
        name=root.name, tasks=TASKS, root=str(root), bands=None, policy=policy, now=NOW,
        settings=CampaignSettings(reserve=ReserveSettings(share=0.5, minimum=0, seed=seed)),
    )  # fmt: skip
    campaign = label_store.campaigns.get(root.name)
    names = []
    for number, (content, form) in enumerate(images):
        picture = write_picture(root / f"{number}.png", content)
        if form == "tif":
            Image.open(picture).save(root / f"{number}.tif", compression="tiff_lzw")
        names.append(f"{number}.tif" if form == "tif" else f"{number}.png")
    register_paths(label_store, campaign, names[:drawn_after], NOW)
    label_store.samples.draw_reserve(campaign.campaign_id, NOW)
    register_paths(label_store, campaign, names[drawn_after:], NOW)
    label_store.samples.draw_reserve(campaign.campaign_id, NOW)
    ids = label_store.samples.paths(campaign.campaign_id)[0].tolist()
    for sample in label_store.samples.get_many(campaign.campaign_id, ids).values():
        label = LabelInput(sample_id=sample.sample_id, task="classification", annotator="a", classes=["wet"])
        record_labels(label_store, campaign, [label], NOW)
    look_at_images(label_store, campaign, NOW)
    sides: dict[bool, set[str]] = {False: set(), True: set()}
    for sample in label_store.samples.get_many(campaign.campaign_id, ids).values():
        sides[sample.reserve].add(content_hash(root / sample.path))
    assert sides[False] & sides[True] == set()
