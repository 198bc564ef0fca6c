"""The snapshot of a round laid again, also where its images lie in another folder now."""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
import shapely

from al_loop.campaigns.labelling import record_labels
from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign, CampaignSettings
from al_loop.domain.labels import LabelInput
from al_loop.domain.rounds import Round
from al_loop.store import LabelStore
from al_loop.training.lineage.laying import LaidSnapshot, lay_snapshot
from models.card import ModelConfig
from models.manifest import SAMPLES_FILE, read_manifest
from tests.al_loop.store.fixtures import NOW
from tests.al_loop.training.test_snapshot import label, sides, take

MakeCampaign = Callable[..., Campaign]


@pytest.fixture
def layout(tmp_path: Path) -> DataLayout:
    return DataLayout(tmp_path / "data")


@pytest.fixture
def entry(label_store: LabelStore, make_campaign: MakeCampaign, layout: DataLayout) -> Round:
    """A round whose snapshot was taken."""
    campaign = make_campaign(samples=100)
    pool, reserve = sides(label_store, campaign)
    label(label_store, campaign, pool[:40], "water", "forest")
    label(label_store, campaign, reserve[:12], "water", "forest")
    entry = label_store.rounds.create(campaign.campaign_id, reason="by hand", now=NOW)
    directory = layout.round(campaign.folder, entry.number) / "snapshot"
    snapshot = take(label_store, campaign, directory)
    model = layout.models(campaign.folder) / "v1"
    model.mkdir(parents=True)
    shutil.copy(directory / "manifest.json", model)
    return msgspec.structs.replace(entry, version="v1", manifest_sha256=snapshot.sha256)


@pytest.mark.parametrize("rebuilt", [False, True], ids=["own file", "label events"])
@pytest.mark.parametrize("moved", [False, True], ids=["same folder", "moved"])
def test_snapshot_names_the_images_where_they_lie_now(
    label_store: LabelStore, layout: DataLayout, entry: Round, tmp_path: Path, rebuilt: bool, moved: bool
) -> None:
    (campaign,) = label_store.campaigns.list()
    own = layout.round(campaign.folder, entry.number) / "snapshot" / SAMPLES_FILE
    then = pq.read_table(own)
    content = own.read_bytes()
    if moved:
        label_store.campaigns.set_root(campaign.campaign_id, "/srv/elsewhere")
    if rebuilt:
        shutil.rmtree(own.parent)
    campaign = label_store.campaigns.get(campaign.name)
    directory = tmp_path / "again"
    assert lay_snapshot(label_store, layout, campaign, entry, directory) == LaidSnapshot(None, rebuilt)
    now, manifest = pq.read_table(directory / SAMPLES_FILE), read_manifest(directory)
    paths = {*now["path"].to_pylist(), *manifest.statistics_paths}
    assert {Path(path).parent for path in paths} == {Path(campaign.root)}
    assert now.drop(["path"]) == then.drop(["path"])
    assert (now == then) is not moved
    if not rebuilt:
        assert own.read_bytes() == content


def test_lines_are_laid_again_on_the_grid_of_the_round(
    label_store: LabelStore, make_campaign: MakeCampaign, layout: DataLayout, tmp_path: Path
) -> None:
    settings = CampaignSettings(model=ModelConfig(output_scale=2))
    campaign = make_campaign(samples=100, settings=settings)
    pool, reserve = sides(label_store, campaign)
    line = {"type": "LineString", "coordinates": [[0, 3.2], [8, 3.2]]}
    feature = {"type": "Feature", "properties": {"label": "road", "width_px": 0.5}, "geometry": line}
    features = {"type": "FeatureCollection", "features": [feature]}
    labels = [
        LabelInput(sample_id=number, task="segmentation", annotator="ann", features=features, crs="pixel")
        for number in (*pool[:20], *reserve[:8])
    ]
    record_labels(label_store, campaign, labels, NOW)
    entry = label_store.rounds.create(campaign.campaign_id, reason="by hand", now=NOW)
    directory = layout.round(campaign.folder, entry.number) / "snapshot"
    snapshot = take(label_store, campaign, directory)
    then = pq.read_table(directory / SAMPLES_FILE)
    areas = [shapely.from_wkb(part["wkb"]).area for part in then["segmentation"][0].as_py()]
    assert areas == [4.0]  # half of each pixel
    model = layout.models(campaign.folder) / "v1"
    model.mkdir(parents=True)
    shutil.copy(directory / "manifest.json", model)
    shutil.rmtree(directory)
    label_store.campaigns.set_settings(campaign.campaign_id, CampaignSettings())
    campaign = label_store.campaigns.get(campaign.name)
    entry = msgspec.structs.replace(entry, version="v1", manifest_sha256=snapshot.sha256)
    assert lay_snapshot(label_store, layout, campaign, entry, tmp_path / "again").problem is None
    assert pq.read_table(tmp_path / "again" / SAMPLES_FILE) == then
