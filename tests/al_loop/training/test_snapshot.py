"""Label store -> snapshot directory, as the training subprocess will read it."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from al_loop.campaigns.classes import change_class
from al_loop.campaigns.labelling import record_labels
from al_loop.campaigns.readiness import readiness
from al_loop.domain.campaigns import Campaign, CampaignSettings, ClassChange, ReserveSettings, RetrainPolicy
from al_loop.domain.labels import LabelInput
from al_loop.errors import NotEnoughLabelsError
from al_loop.store import LabelStore
from al_loop.training.snapshot import Snapshot, write_snapshot
from al_loop.training.snapshots.rows import split_samples
from models.card import TaskSpec
from models.manifest import read_manifest
from tests.al_loop.store.fixtures import CLASSES, NOW, make_header

MakeCampaign = Callable[..., Campaign]


def label(store: LabelStore, campaign: Campaign, sample_ids: list[int], *classes: str, annotator: str = "ann") -> None:
    """Classify the samples, the classes taken in turn."""
    inputs = [
        LabelInput(sample_id=sample_id, task="classification", annotator=annotator, classes=[classes[i % len(classes)]])
        for i, sample_id in enumerate(sample_ids)
    ]
    record_labels(store, campaign, inputs, NOW)


def sides(store: LabelStore, campaign: Campaign) -> tuple[list[int], list[int]]:
    store.samples.draw_reserve(campaign.campaign_id, NOW)
    pool, reserve = store.queries.available(campaign.campaign_id, NOW)
    return pool.tolist(), reserve.tolist()


def take(store: LabelStore, campaign: Campaign, directory: Path, *, trains: bool = True) -> Snapshot:
    return write_snapshot(
        store, store.campaigns.get(campaign.name), 1, directory, version="v1", incumbent=None, incumbent_version=None,
        now=NOW, trains=trains,
    )  # fmt: skip


def rows_of(directory: Path) -> dict[int, dict[str, Any]]:
    return {row["sample_id"]: row for row in pq.read_table(directory / "samples.parquet").to_pylist()}


def test_snapshot_holds_every_labelled_sample_on_its_side(
    label_store: LabelStore, make_campaign: MakeCampaign, tmp_path: Path
) -> None:
    campaign = make_campaign(samples=100, settings=CampaignSettings(sensor="rgb-nir"))
    pool, reserve = sides(label_store, campaign)
    label(label_store, campaign, pool[:40], "water", "forest")
    label(label_store, campaign, reserve[:10], "water", "forest")
    snapshot = take(label_store, campaign, tmp_path / "snapshot")
    manifest = read_manifest(tmp_path / "snapshot")
    assert manifest == snapshot.manifest
    data = (tmp_path / "snapshot" / "samples.parquet").read_bytes()
    assert manifest.samples_sha256 == hashlib.sha256(data).hexdigest()
    assert snapshot.sha256 == hashlib.sha256((tmp_path / "snapshot" / "manifest.json").read_bytes()).hexdigest()
    assert manifest.label_event_id == label_store.labels.newest_event(campaign.campaign_id)
    assert (manifest.source_bands, manifest.bands, manifest.version) == (4, [1, 2, 3, 4], "v1")
    assert (manifest.band_policy, manifest.sensor) == (campaign.band_policy, "rgb-nir")
    assert manifest.reading.source_bands == 4
    assert [spec.task for spec in manifest.tasks] == ["classification"]
    rows = rows_of(tmp_path / "snapshot")
    assert set(rows) == {*pool[:40], *reserve[:10]}
    assert {sample_id for sample_id, row in rows.items() if row["split"] == "test"} == set(reserve[:10])
    assert manifest.counts == snapshot.counts
    assert manifest.counts["test"] == 10
    assert 1 <= manifest.counts["calibration"] <= 12
    assert rows[pool[0]]["classification"] == [CLASSES.index("water")]
    assert rows[pool[0]]["segmentation"] is None
    assert Path(rows[pool[0]]["path"]) == tmp_path / f"img_{pool[0] - 1:05}.png"
    assert len(manifest.statistics_paths) == 70
    assert all(Path(path).is_absolute() for path in manifest.statistics_paths)


def test_samples_of_a_retired_class_are_left_out_and_the_others_keep_their_codes(
    label_store: LabelStore, make_campaign: MakeCampaign, tmp_path: Path
) -> None:
    campaign = make_campaign(samples=100)
    pool, reserve = sides(label_store, campaign)
    names = campaign.tasks[0].classes
    label(label_store, campaign, pool[:45], *names[:3])
    label(label_store, campaign, reserve[:9], *names[:3])
    change_class(label_store, campaign, "classification", names[0], ClassChange(retired=True))
    change_class(label_store, campaign, "classification", names[1], ClassChange(name="renamed"))
    snapshot = take(label_store, campaign, tmp_path / "snapshot")
    given = [row["classification"] for row in rows_of(tmp_path / "snapshot").values()]
    assert sorted({code for codes in given for code in codes}) == [1, 2]
    assert sum(snapshot.counts.values()) == len(given) == 36
    assert snapshot.manifest.tasks[0].classes == [names[0], "renamed", *names[2:]]
    assert snapshot.manifest.former_names == {"classification": {names[1]: "renamed"}}


def test_newest_annotator_wins_and_later_labels_stay_out(
    label_store: LabelStore, make_campaign: MakeCampaign, tmp_path: Path
) -> None:
    campaign = make_campaign(samples=100)
    pool, reserve = sides(label_store, campaign)
    label(label_store, campaign, [*pool[:20], *reserve[:5]], "water", "forest")
    label(label_store, campaign, pool[:1], "urban", annotator="bob")
    take(label_store, campaign, tmp_path / "first")
    label(label_store, campaign, pool[20:25], "urban")
    take(label_store, campaign, tmp_path / "second")
    first, second = rows_of(tmp_path / "first"), rows_of(tmp_path / "second")
    assert first[pool[0]]["classification"] == [CLASSES.index("urban")]
    assert set(second) - set(first) == set(pool[20:25])
    assert {sample_id: second[sample_id]["split"] for sample_id in first} == {
        sample_id: row["split"] for sample_id, row in first.items()
    }


def test_polygons_become_coded_pixel_areas_in_order(
    label_store: LabelStore, make_campaign: MakeCampaign, tmp_path: Path
) -> None:
    campaign = make_campaign(samples=60, tasks=[TaskSpec(task="segmentation", classes=["field", "road"])])
    pool, reserve = sides(label_store, campaign)
    strokes = [("road", 0), ("field", 8), (None, 60)]
    features = [
        {
            "type": "Feature",
            "properties": {"label": name, "ignore": name is None},
            "geometry": {"type": "Polygon", "coordinates": [[[x, 1], [x + 6, 1], [x + 6, 7], [x, 7], [x, 1]]]},
        }
        for name, x in strokes
    ]
    answers = [
        LabelInput(
            sample_id=sample_id, task="segmentation", annotator="ann",
            features={"type": "FeatureCollection", "features": features if i % 2 else []},
        )
        for i, sample_id in enumerate([*pool[:10], *reserve[:5]])
    ]  # fmt: skip
    record_labels(label_store, campaign, answers, NOW)
    take(label_store, campaign, tmp_path / "snapshot")
    rows = rows_of(tmp_path / "snapshot")
    assert rows[pool[0]]["segmentation"] == []
    painted = [(part["code"], shapely.from_wkb(part["wkb"])) for part in rows[pool[1]]["segmentation"]]
    assert [(code, area.geom_type, area.bounds) for code, area in painted] == [
        (2, "Polygon", (0, 1, 6, 7)),
        (1, "Polygon", (8, 1, 14, 7)),
        (255, "Polygon", (60, 1, 64, 7)),
    ]


def test_blocks_are_never_shared_between_splits(
    label_store: LabelStore, make_campaign: MakeCampaign, tmp_path: Path
) -> None:
    folders = CampaignSettings(reserve=ReserveSettings(block_by="folder"))
    campaign = make_campaign(samples=[make_header(f"s{i % 12}/{i}.tif") for i in range(120)], settings=folders)
    pool, reserve = sides(label_store, campaign)
    label(label_store, campaign, [*pool, *reserve], "water", "forest", "urban")
    take(label_store, campaign, tmp_path / "snapshot")
    splits: dict[str, set[str]] = {}
    for row in rows_of(tmp_path / "snapshot").values():
        splits.setdefault(row["block"], set()).add(row["split"])
    assert len(splits) == 12
    assert all(len(found) == 1 for found in splits.values())
    assert {split for found in splits.values() for split in found} == {"train", "calibration", "test"}


def test_one_place_is_split_by_sample(label_store: LabelStore, make_campaign: MakeCampaign, tmp_path: Path) -> None:
    folders = CampaignSettings(reserve=ReserveSettings(block_by="folder", minimum=0))
    headers = [make_header(f"big/{i}.tif") for i in range(60)] + [make_header(f"small/{i}.tif") for i in range(12)]
    campaign = make_campaign(samples=headers, settings=folders)
    pool, reserve = sides(label_store, campaign)
    label(label_store, campaign, [*pool[:30], *reserve], "water", "forest")
    snapshot = take(label_store, campaign, tmp_path / "snapshot")
    assert snapshot.counts["train"] > 0
    assert snapshot.counts["calibration"] > 0
    blocks = [row["block"] for row in rows_of(tmp_path / "snapshot").values() if row["split"] != "test"]
    assert len(set(blocks)) == 30


def test_readiness_says_what_to_label(label_store: LabelStore, make_campaign: MakeCampaign, tmp_path: Path) -> None:
    def reason(campaign: Campaign) -> tuple[str, int] | None:
        error = readiness(label_store, campaign, NOW)
        return None if error is None else (error.reason, error.missing)

    assert reason(make_campaign("empty")) == ("register samples first; the campaign has none", 15)
    few = make_campaign("few", samples=6)
    assert reason(few) == (
        "the test reserve holds 3 samples, a round needs 5 labelled ones; register more samples, choose "
        "smaller blocks (`reserve.block_by`) or lower `min_reserve_labels`",
        5,
    )
    campaign = make_campaign(samples=100)
    pool, reserve = sides(label_store, campaign)
    assert reason(campaign) == (
        "label 10 more for training (0 of 10) and 5 more of the test reserve (0 of 5)",
        15,
    )
    label(label_store, campaign, pool[:8], "water")
    label(label_store, campaign, reserve[:5], "water", "forest")
    assert reason(campaign) == ("label 2 more for training (8 of 10)", 2)
    label(label_store, campaign, pool[8:10], "water")
    assert reason(campaign) == (
        "the training labels of classification name only 'water'; label a sample of another class",
        1,
    )
    with pytest.raises(NotEnoughLabelsError):
        take(label_store, campaign, tmp_path / "never")
    assert not (tmp_path / "never").exists()
    label(label_store, campaign, pool[10:11], "forest")
    assert reason(campaign) is None


def test_model_from_elsewhere_needs_a_reserve_to_measure_it_by_and_one_other_label(
    label_store: LabelStore, make_campaign: MakeCampaign, tmp_path: Path
) -> None:
    campaign = make_campaign(samples=60)
    pool, reserve = sides(label_store, campaign)
    error = readiness(label_store, campaign, NOW, trains=False)
    assert error is not None
    assert error.reason == "label 1 more outside the test reserve (0 of 1) and 5 more of the test reserve (0 of 5)"
    label(label_store, campaign, [*pool[:1], *reserve[:5]], "water")
    assert readiness(label_store, campaign, NOW, trains=False) is None
    assert readiness(label_store, campaign, NOW) is not None
    snapshot = take(label_store, campaign, tmp_path / "snapshot", trains=False)
    assert snapshot.counts["train"] + snapshot.counts["calibration"] == 1
    assert snapshot.counts["test"] == 5


@pytest.mark.parametrize(("unlabelled", "ready"), [("background", True), ("ignore", False)])
def test_background_counts_as_a_class_where_it_is_one(
    label_store: LabelStore, make_campaign: MakeCampaign, unlabelled: Any, ready: bool
) -> None:
    campaign = make_campaign(
        samples=60,
        tasks=[TaskSpec(task="segmentation", classes=["field"])],
        settings=CampaignSettings(unlabelled=unlabelled),
        policy=RetrainPolicy(min_labels=2, min_reserve_labels=2),
    )
    pool, reserve = sides(label_store, campaign)
    area = {"type": "Polygon", "coordinates": [[[1, 1], [9, 1], [9, 9], [1, 1]]]}
    features = [{"type": "Feature", "properties": {"label": "field"}, "geometry": area}]
    answers = [
        LabelInput(
            sample_id=sample_id, task="segmentation", annotator="ann",
            features={"type": "FeatureCollection", "features": features},
        )
        for sample_id in [*pool[:3], *reserve[:3]]
    ]  # fmt: skip
    record_labels(label_store, campaign, answers, NOW)
    assert (readiness(label_store, campaign, NOW) is None) == ready


@given(st.lists(st.integers(0, 20), max_size=120), st.integers(-5, 5))
def test_calibration_is_whole_blocks_and_neither_split_is_empty(blocks: list[int], seed: int) -> None:
    names = [f"block {block}" for block in blocks]
    held = split_samples(names, seed)
    assert {name for name, out in zip(names, held, strict=True) if out}.isdisjoint(
        name for name, out in zip(names, held, strict=True) if not out
    )
    assert sum(held) <= len(names) / 2
    if len(names) >= 10 and len(set(names)) > 1:
        assert any(held)
        assert not all(held)
