"""A labelled folder through the label store into a training snapshot: what trains is what was drawn."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from al_loop.campaigns.exporting import ExportFormat, export_labels
from al_loop.campaigns.importing import ImportPlan, plan_import
from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign, RetrainPolicy
from al_loop.domain.samples import SampleHeader
from al_loop.store import LabelStore
from al_loop.training.snapshot import write_snapshot
from models.manifest import SAMPLES_FILE
from models.rasters.masks import polygons_to_codes
from models.rasters.reading import read_header
from tests.al_loop.campaigns.importing.fixtures import annotation, collection, square, write_json, write_raster

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
COUNT = 12


def imported(store: LabelStore, plan: ImportPlan) -> Campaign:
    """Create the campaign of a plan, register its images and record its labels."""
    reserve = msgspec.structs.replace(plan.settings.reserve, minimum=3, block_by="sample")
    campaign = store.campaigns.create(
        name="imported", tasks=plan.tasks, root=str(plan.root), bands=None,
        settings=msgspec.structs.replace(plan.settings, reserve=reserve),
        policy=RetrainPolicy(min_labels=2, min_reserve_labels=2), now=NOW,
    )  # fmt: skip
    headers = [SampleHeader(path=path, **msgspec.structs.asdict(read_header(plan.root / path))) for path in plan.paths]
    store.samples.register(campaign.campaign_id, headers, NOW)
    store.samples.draw_reserve(campaign.campaign_id, NOW)
    campaign = store.campaigns.get("imported")
    record_labels(store, campaign, list(plan.labels()), NOW)
    return campaign


def painted(
    store: LabelStore, campaign: Campaign, directory: Path, shape: tuple[int, int]
) -> dict[str, NDArray[np.uint8]]:
    """Codes of each image as a training run would paint them."""
    write_snapshot(
        store, campaign, 1, directory, version="v1", incumbent=None, incumbent_version=None, now=NOW
    )  # fmt: skip
    rows = pq.read_table(directory / SAMPLES_FILE).to_pylist()
    return {
        str(Path(row["path"]).relative_to(campaign.root)): polygons_to_codes(
            [(area["code"], area["wkb"]) for area in row["segmentation"]], *shape
        )
        for row in rows
    }


@pytest.mark.parametrize("crs", ["EPSG:4326", None])
def test_mask_reaches_training_pixel_by_pixel(label_store: LabelStore, tmp_path: Path, crs: str | None) -> None:
    rng = np.random.default_rng(1)
    masks = {f"{number}.tif": rng.choice([0, 1, 2, 255], (9, 7)).astype(np.uint8) for number in range(COUNT)}
    for name, mask in masks.items():
        write_raster(tmp_path / "in" / name, mask, crs=crs)
        write_raster(tmp_path / "in" / name.replace(".tif", "_mask.tif"), mask, crs=crs)
    write_json(tmp_path / "in/classes.json", ["roof", "road"])

    campaign = imported(label_store, plan_import(tmp_path / "in"))
    found = painted(label_store, campaign, tmp_path / "snapshot", (9, 7))
    assert found.keys() == masks.keys()
    for name, mask in masks.items():
        np.testing.assert_array_equal(found[name], mask)


def test_scaneo_polygon_reaches_training_where_it_was_drawn(label_store: LabelStore, tmp_path: Path) -> None:
    for number in range(COUNT):
        write_raster(tmp_path / "in" / f"{number}.tif")
        drawn = {"type": "MultiPolygon", "coordinates": [square(number % 8, 3)]}
        write_json(tmp_path / f"in/{number}.geojson", collection(annotation("ship", "segmentation", drawn)))

    campaign = imported(label_store, plan_import(tmp_path / "in"))
    for name, codes in painted(label_store, campaign, tmp_path / "snapshot", (8, 10)).items():
        expected = np.zeros((8, 10), np.uint8)
        column = int(name.removesuffix(".tif")) % 8
        expected[3:5, column : column + 2] = 1
        np.testing.assert_array_equal(codes, expected)


@pytest.mark.parametrize("export_format", ["scaneo", "geojson", "parquet"])
def test_labels_of_the_store_can_be_exported(
    label_store: LabelStore, tmp_path: Path, export_format: ExportFormat
) -> None:
    for number in range(COUNT):
        write_raster(tmp_path / "in" / ("forest", "water")[number % 2] / f"{number}.tif")
    campaign = imported(label_store, plan_import(tmp_path / "in"))
    labels = label_store.labels.current(campaign.campaign_id)
    samples = label_store.samples.get_many(campaign.campaign_id, [label.sample_id for label in labels])

    with (tmp_path / "out").open("wb") as target:
        summary = export_labels(target, campaign, labels, samples, export_format)
    assert (summary.labels, summary.skipped) == (COUNT, [])
    assert (tmp_path / "out").stat().st_size > 0
