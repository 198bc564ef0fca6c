"""Images that change under a campaign: replaced, touched, swapped, damaged, gone and back, in a real store."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from xml.sax.saxutils import escape

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rasterio
from rasterio.crs import CRS

from al_loop.campaigns.imagery import checking
from al_loop.campaigns.imagery.checking import check_images
from al_loop.campaigns.imagery.copies import read_contents
from al_loop.campaigns.labelling import record_labels
from al_loop.campaigns.notices import campaign_notices
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import LabelInput
from al_loop.store import LabelStore
from al_loop.training.snapshot import write_snapshot
from models.manifest import read_manifest
from models.rasters.files import allow_missing_georeference
from models.rasters.masks import polygons_to_codes
from models.training.data.dataset import read_samples
from tests.al_loop.campaigns.imagery.fixtures import label_shore, left_of, write_scene
from tests.al_loop.store.fixtures import NOW, drawn_label, drawn_square, open_query

Add = Callable[..., list[int]]
LATER = NOW + timedelta(hours=1)


def wet(path: str) -> LabelInput:
    return LabelInput(path=path, task="classification", annotator="anna", classes=["wet"])


def move(path: Path, seconds: int = 5) -> None:
    """Give a file another modification time, as whatever writes it does on a clock that ticks."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + seconds * 10**9))


def replace(path: Path, **scene: object) -> None:
    write_scene(path, **scene)  # type: ignore[arg-type]
    move(path)


def test_labels_in_world_coordinates_are_burnt_where_the_new_picture_shows_them(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add, record: Add, tmp_path: Path
) -> None:
    names = [f"s{number:02d}.tif" for number in range(40)]
    for number, name in enumerate(names):
        write_scene(coast_root / name, 32, left_of(number), seed=number)
    add_scenes(*names)
    record(*(label_shore(name, left_of(number)) for number, name in enumerate(names)))
    for number, name in enumerate(names):
        replace(coast_root / name, shore=12, left=left_of(number) + 200, seed=number)
    assert len(check_images(label_store, coast, LATER)) == 40
    snapshot = tmp_path / "snapshot"
    taken = write_snapshot(
        label_store, label_store.campaigns.get("coast"), 1, snapshot, version="v1", incumbent=None,
        incumbent_version=None, now=LATER,
    )  # fmt: skip
    assert sum(taken.counts.values()) == 40
    for samples in read_samples(snapshot, read_manifest(snapshot)).values():
        for sample in samples:
            codes = polygons_to_codes(sample.targets["segmentation"], sample.height, sample.width)
            assert (codes[0] == 1).sum() == 12  # the shore of the picture
            assert (codes[0] == 2).sum() == 32
            assert (codes[0] == 255).sum() == 20  # nobody has seen it: it lay beyond the old picture
    (replaced,) = notices(label_store)
    assert replaced.startswith("40 images replaced since the last training")


def test_labels_in_pixels_and_classes_of_a_replaced_image_are_in_doubt_until_answered_again(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add, record: Add
) -> None:
    write_scene(coast_root / "a.tif")
    add_scenes("a.tif")
    drawn, classed = record(drawn_label(drawn_square("water", 1, 1, 20)), wet("a.tif"))
    replace(coast_root / "a.tif", shore=50)
    check_images(label_store, coast, LATER)
    assert label_store.images.doubted(coast.campaign_id) == {drawn, classed}
    doubts = label_store.images.open_doubts(coast.campaign_id)
    assert {(doubt.label_id, doubt.reason) for doubt in doubts} == {
        (drawn, "the image was replaced on 2026-03-01"), (classed, "the image was replaced on 2026-03-01"),
    }  # fmt: skip
    assert any(line.startswith("2 labels in doubt, as the image was replaced") for line in notices(label_store))
    record(wet("a.tif"))
    assert [doubt.label_id for doubt in label_store.images.open_doubts(coast.campaign_id)] == [drawn]


def test_answer_to_an_image_that_was_replaced_while_it_was_leased_is_in_doubt(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add
) -> None:
    """Which of the two its annotator saw is not known; a scan in between had taken the new one for known."""
    first = write_scene(coast_root / "a.tif").read_bytes()
    write_scene(coast_root / "b.tif", 10, left_of(1))
    numbers = add_scenes("a.tif", "b.tif")
    open_query(label_store, coast.campaign_id, "anna", numbers)
    replace(coast_root / "a.tif", shore=50)
    check_images(label_store, coast, NOW + timedelta(minutes=5))
    given = [
        wet("a.tif"),
        wet("b.tif"),
        label_shore("a.tif", left_of(0)),
        msgspec.structs.replace(drawn_label(drawn_square("water", 1, 1, 20)), annotator="bert", override_lease=True),
    ]
    classed, *_ = record_labels(label_store, coast, given, NOW + timedelta(minutes=9))
    assert label_store.images.doubted(coast.campaign_id) == {classed.label_id}
    (doubt,) = label_store.images.open_doubts(coast.campaign_id)
    assert doubt.reason == "the image was replaced on 2026-03-01, while it was being labelled"
    (coast_root / "a.tif").write_bytes(first)
    move(coast_root / "a.tif", 9)
    check_images(label_store, coast, LATER)
    assert classed.label_id not in label_store.images.doubted(coast.campaign_id)


def test_image_that_is_put_back_takes_its_labels_out_of_doubt(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add, record: Add
) -> None:
    first = write_scene(coast_root / "a.tif").read_bytes()
    add_scenes("a.tif")
    record(wet("a.tif"))
    replace(coast_root / "a.tif", shore=50)
    check_images(label_store, coast, LATER)
    assert label_store.images.doubted(coast.campaign_id)
    (coast_root / "a.tif").write_bytes(first)
    move(coast_root / "a.tif", 9)
    check_images(label_store, coast, LATER)
    assert label_store.images.doubted(coast.campaign_id) == set()


def test_contents_swapped_between_two_files_put_the_labels_of_both_in_doubt(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add, record: Add
) -> None:
    first = write_scene(coast_root / "a.tif", 10).read_bytes()
    second = write_scene(coast_root / "b.tif", 50, left_of(1)).read_bytes()
    add_scenes("a.tif", "b.tif")
    labels = record(wet("a.tif"), wet("b.tif"), label_shore("a.tif", left_of(0)))
    (coast_root / "a.tif").write_bytes(second)
    (coast_root / "b.tif").write_bytes(first)
    move(coast_root / "a.tif"), move(coast_root / "b.tif")
    check_images(label_store, coast, LATER)
    assert label_store.images.doubted(coast.campaign_id) == set(labels)  # the polygons lie 5 km from the new a.tif
    assert [file.name for file in copies_of(label_store)] == []


def copies_of(store: LabelStore) -> list[Path]:
    return [
        Path(copy.path) for group in store.copies.groups(store.campaigns.get("coast").campaign_id) for copy in group
    ]


def notices(store: LabelStore) -> list[str]:
    return campaign_notices(store, store.campaigns.get("coast"))


def test_touched_file_changes_nothing(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add, record: Add
) -> None:
    write_scene(coast_root / "a.tif")
    (number,) = add_scenes("a.tif")
    record(wet("a.tif"))
    move(coast_root / "a.tif")
    assert check_images(label_store, coast, LATER) == []
    assert label_store.images.doubted(coast.campaign_id) == set()
    assert notices(label_store) == []
    assert label_store.samples.get(coast.campaign_id, number).modified_ns == (coast_root / "a.tif").stat().st_mtime_ns


def test_image_that_is_only_compressed_anew_keeps_its_labels(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add, record: Add
) -> None:
    path = write_scene(coast_root / "a.tif")
    (number,) = add_scenes("a.tif")
    read_contents(label_store, coast, label_store.samples.get_many(coast.campaign_id, [number]), NOW)
    record(wet("a.tif"))
    with rasterio.open(path) as dataset:
        profile, values = dataset.profile, dataset.read()
    for changed, doubted in ((0, 0), (1, 1)):  # the same pixels, then one of another value
        values[0, 0, 0] += changed
        with rasterio.open(path, "w", **profile | {"compress": "deflate", "predictor": 1 + changed}) as dataset:
            dataset.write(values)
        move(path, seconds=5 + changed)
        assert check_images(label_store, coast, LATER) == [number]
        assert len(label_store.images.doubted(coast.campaign_id)) == doubted


def test_header_of_an_image_of_another_size_and_crs_is_renewed_in_store_and_cache(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add
) -> None:
    write_scene(coast_root / "a.tif")
    (number,) = add_scenes("a.tif")
    assert label_store.samples.headers(coast.campaign_id, [number])[number].width == 64
    replace(coast_root / "a.tif", size=96, crs="EPSG:32631")
    check_images(label_store, coast, LATER)
    header = label_store.samples.headers(coast.campaign_id, [number])[number]
    assert (header.width, CRS.from_string(header.crs or "").to_epsg()) == (96, 32631)
    assert label_store.samples.get(coast.campaign_id, number).bounds == header.bounds


def test_image_with_other_bands_is_left_out_and_says_why(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add
) -> None:
    write_scene(coast_root / "a.tif")
    (number,) = add_scenes("a.tif")
    replace(coast_root / "a.tif", bands=5)
    check_images(label_store, label_store.campaigns.get("coast"), LATER)
    (problem,) = label_store.images.problems(coast.campaign_id)
    assert problem.reason == "5 bands; the rasters of this campaign have 3"
    assert number in label_store.images.unusable(coast.campaign_id)


@pytest.mark.parametrize("damage", ["gone", "cut off", "empty"])
def test_image_that_cannot_be_used_is_left_out_until_it_is_back(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add, record: Add, damage: str
) -> None:
    first = write_scene(coast_root / "a.tif").read_bytes()
    write_scene(coast_root / "b.tif", seed=1)
    number, other = add_scenes("a.tif", "b.tif")
    record(wet("a.tif"))
    open_query(label_store, coast.campaign_id, "bert", [number, other])
    (coast_root / "a.tif").unlink()
    if damage != "gone":
        (coast_root / "a.tif").write_bytes(first[: len(first) // 2] if damage == "cut off" else b"")
    assert check_images(label_store, coast, NOW) == [number]
    assert [lease.sample_id for lease in label_store.queries.leases(coast.campaign_id, NOW)] == [other]
    index = label_store.pool_indexes.of(coast.campaign_id, NOW)
    assert not index.may_be_labelled_again(number, "cleo")
    assert number not in label_store.queries.available(coast.campaign_id, NOW)[0]
    assert label_store.campaigns.counts(coast.campaign_id, NOW).unusable == 1
    assert label_store.images.left_out(coast.campaign_id).training == 1
    assert [path for _, path in label_store.scores.unscored(coast.campaign_id, "v1")] == ["b.tif"]
    (line,) = notices(label_store)
    assert line.startswith("1 image is damaged or gone, and left out until the file is back")
    assert "a.tif (" in line
    (coast_root / "a.tif").write_bytes(first)
    assert check_images(label_store, coast, LATER) == [number]
    assert label_store.images.unusable(coast.campaign_id) == set()
    assert label_store.images.doubted(coast.campaign_id) == set()
    assert label_store.campaigns.counts(coast.campaign_id, NOW).unusable == 0
    assert notices(label_store) == []


def put_scores(store: LabelStore, campaign: Campaign, numbers: list[int], file: Path) -> None:
    """Scores of samples by version v1, with hashes of their pixels."""
    many = len(numbers)
    scored = {
        "sample_id": numbers,
        "task": [""] * many,
        **dict.fromkeys(("least_confidence", "margin", "entropy"), [0.0] * many),
    }
    hashes = {"pixel_hash": ["11", "33"][:many], "content_hash": ["22", "44"][:many], "modified_ns": [1] * many}
    pq.write_table(pa.table(scored | hashes), file)
    store.scores.ingest(campaign.campaign_id, "v1", file, NOW)


def test_scores_and_hashes_of_a_replaced_image_are_forgotten(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add, tmp_path: Path
) -> None:
    write_scene(coast_root / "a.tif")
    (number,) = add_scenes("a.tif")
    put_scores(label_store, coast, [number], tmp_path / "scores.parquet")
    assert label_store.scores.unscored(coast.campaign_id, "v1") == []
    before = label_store.campaign_version(coast.campaign_id)
    replace(coast_root / "a.tif", shore=50)
    check_images(label_store, coast, LATER)
    assert label_store.scores.unscored(coast.campaign_id, "v1") == [(number, "a.tif")]
    assert label_store.samples.of_pixels(coast.campaign_id, "11") == []
    assert label_store.campaign_version(coast.campaign_id) > before


def test_directory_made_before_there_were_digests_gets_them_and_doubts_nothing(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add, record: Add
) -> None:
    write_scene(coast_root / "a.tif")
    (number,) = add_scenes("a.tif")
    record(wet("a.tif"))
    digest = label_store.samples.get(coast.campaign_id, number).digest
    label_store._database.write(lambda connection: connection.execute("UPDATE samples SET digest = NULL").fetchall())
    move(coast_root / "a.tif")
    assert check_images(label_store, coast, LATER) == []
    assert label_store.samples.get(coast.campaign_id, number).digest == digest
    assert label_store.images.doubted(coast.campaign_id) == set()


PLACE = "10\n0\n0\n-10\n{left}\n4649995\n"


def write_mask(path: Path) -> None:
    """An external mask of a scene: its upper half is invalid."""
    valid = np.full((64, 64), 255, np.uint8)
    valid[:32] = 0
    with rasterio.open(path, "w", driver="GTiff", width=64, height=64, count=1, dtype="uint8") as dataset:
        dataset.write(valid, 1)
        dataset.update_tags(INTERNAL_MASK_FLAGS_1=2)


@pytest.mark.parametrize("many", [1, 1000], ids=["folder listed", "each name asked for"])
@pytest.mark.parametrize("age", [5, -5_000_000], ids=["newer", "older"])
def test_mask_that_appears_beside_an_image_makes_its_scores_old_and_doubts_nothing(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add, record: Add, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, many: int, age: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(checking, "_MANY", many)
    write_scene(coast_root / "a.tif"), write_scene(coast_root / "b.tif", 10, left_of(1))
    number, other = add_scenes("a.tif", "b.tif")
    record(wet("a.tif"), label_shore("a.tif", left_of(0)))
    put_scores(label_store, coast, [number, other], tmp_path / "scores.parquet")
    write_mask(coast_root / "a.tif.msk")
    move(coast_root / "a.tif.msk", age)
    assert check_images(label_store, coast, LATER) == [number]
    assert label_store.scores.unscored(coast.campaign_id, "v1") == [(number, "a.tif")]
    assert label_store.images.doubted(coast.campaign_id) == set()
    assert check_images(label_store, coast, LATER) == []
    (coast_root / "a.tif.msk").unlink()
    assert check_images(label_store, coast, LATER) == [number]


def test_world_file_that_changes_alone_moves_the_image_under_labels_on_the_ground(
    label_store: LabelStore, coast: Campaign, coast_root: Path, add_scenes: Add, record: Add
) -> None:
    place = coast_root / "a.tfw"
    allow_missing_georeference()
    write_scene(coast_root / "a.tif", crs=None)
    srs = CRS.from_epsg(32630).to_wkt()
    (coast_root / "a.tif.aux.xml").write_text(f"<PAMDataset><SRS>{escape(srs)}</SRS></PAMDataset>")
    place.write_text(PLACE.format(left=500_005))
    (number,) = add_scenes("a.tif")
    on_ground, drawn, classed = record(
        label_shore("a.tif", left_of(0)), drawn_label(drawn_square("water", 1, 1, 20)), wet("a.tif")
    )
    place.write_text(PLACE.format(left=500_205))
    move(place)
    assert check_images(label_store, coast, LATER) == [number]
    header = label_store.samples.headers(coast.campaign_id, [number])[number]
    assert header.transform == [10.0, 0.0, 500_200.0, 0.0, -10.0, 4_650_000.0]
    assert label_store.images.doubted(coast.campaign_id) == set()  # part of it is still seen
    assert [was.transform[2] for was in label_store.images.before(coast.campaign_id, [number])[number]] == [500_000.0]
    place.write_text(PLACE.format(left=900_005))
    move(place, 9)
    check_images(label_store, coast, LATER)
    assert label_store.images.doubted(coast.campaign_id) == {on_ground}
    place.write_text(PLACE.format(left=500_005))
    move(place, 12)
    check_images(label_store, coast, LATER)
    assert label_store.images.doubted(coast.campaign_id) == set()
    assert {drawn, classed} <= {label.label_id for label in label_store.labels.current(coast.campaign_id)}
