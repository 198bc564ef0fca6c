"""Fixtures of the label store: a real DuckDB file, a campaign, and headers of rasters that need not exist."""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from al_loop.domain.campaigns import Campaign, CampaignSettings, RetrainPolicy
from al_loop.domain.labels import LabelInput
from al_loop.domain.predictions import RememberedPrediction
from al_loop.domain.queries import OpenedQuery, Pick
from al_loop.domain.samples import SampleHeader
from al_loop.store import LabelStore
from al_loop.store.database import Database
from al_loop.store.tables.predictions import remembered
from al_loop.store.tables.queries import Choice
from models.card import TaskSpec
from tests.data.empty_store import lay_empty_store

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CLASSES = ["forest", "water", "urban"]
ONE_TASK = [TaskSpec(task="classification", classes=CLASSES)]


def make_header(path: str = "a.tif", **changes: object) -> SampleHeader:
    """Header of a 64 x 64 px, 4-band UTM raster of 10 m pixels; `changes` replace its fields."""
    fields: dict[str, object] = {
        "path": path,
        "width": 64,
        "height": 64,
        "band_count": 4,
        "dtype": "uint16",
        "crs": "EPSG:32631",
        "transform": [10.0, 0.0, 500_000.0, 0.0, -10.0, 5_000_000.0],
        "nodata": 0.0,
        "bounds": [3.0, 45.1474, 3.00814, 45.1532],
        "file_bytes": 1000,
        "modified_ns": 1,
    }
    return SampleHeader(**{**fields, **changes})  # type: ignore[arg-type]


def plain_headers(count: int, start: int = 0) -> list[SampleHeader]:
    """Headers without georeference: every sample is a block of its own."""
    names = (f"img_{i:05}.png" for i in range(start, start + count))
    return [make_header(name, crs=None, transform=None, bounds=None) for name in names]


def every_answer(campaign: Campaign, sample_id: int, annotator: str, *classes: str) -> list[LabelInput]:
    """Labels of all tasks of a sample: these classes, and masks with nothing drawn."""
    nothing = {"type": "FeatureCollection", "features": []}
    return [
        LabelInput(
            sample_id=sample_id,
            task=spec.task,
            annotator=annotator,
            classes=list(classes) if spec.task == "classification" else None,
            features=nothing if spec.task == "segmentation" else None,
        )
        for spec in campaign.tasks
    ]


def drawn_square(name: str | None, left: float, top: float, size: float) -> dict[str, Any]:
    """GeoJSON feature of a square in pixels; name None: "ignore"."""
    right, bottom = left + size, top + size
    ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
    properties = {"label": name, "ignore": name is None}
    return {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def drawn_label(*features: dict[str, Any], **changes: object) -> LabelInput:
    """Segmentation label of `features` in pixels; `changes` replace its fields."""
    fields: dict[str, object] = {
        "path": "a.tif",
        "task": "segmentation",
        "annotator": "ann",
        "features": {"type": "FeatureCollection", "features": list(features)},
        "crs": "pixel",
    }
    return LabelInput(**{**fields, **changes})  # type: ignore[arg-type]


def stored_predictions(store: LabelStore, campaign_id: int) -> list[RememberedPrediction]:
    """All predictions of a campaign as the store has them, newest first.

    By SQL on a running service's own file: no verb gives predictions whose pixels belong to no sample.
    """
    rows = store._database.read(
        "SELECT * FROM predictions WHERE campaign_id = $campaign_id ORDER BY prediction_id DESC",
        campaign_id=campaign_id,
    )
    return [remembered(row) for row in rows]


@pytest.fixture
def store_database(tmp_path: Path) -> Database:
    """The file of `label_store`, for what no verb of the store says or does."""
    return Database(lay_empty_store(tmp_path / "store" / "al_loop.duckdb"))


@pytest.fixture
def label_store(store_database: Database) -> Iterator[LabelStore]:
    store = LabelStore(store_database)
    yield store
    store.close()


@pytest.fixture
def make_campaign(label_store: LabelStore, tmp_path: Path) -> Callable[..., Campaign]:
    """Factory of campaigns with both tasks; registers `samples` plain headers (or those given) at once."""

    def make(
        name: str = "demo",
        samples: int | list[SampleHeader] = 0,
        settings: CampaignSettings | None = None,
        policy: RetrainPolicy | None = None,
        tasks: list[TaskSpec] | None = None,
        bands: list[int] | None = None,
    ) -> Campaign:
        campaign = label_store.campaigns.create(
            name=name,
            tasks=tasks
            or [
                TaskSpec(task="classification", classes=CLASSES),
                TaskSpec(task="segmentation", classes=["field", "road"]),
            ],
            root=str(tmp_path),
            bands=bands,
            settings=settings or CampaignSettings(),
            policy=policy or RetrainPolicy(),
            now=NOW,
        )
        headers = plain_headers(samples) if isinstance(samples, int) else samples
        if headers:
            label_store.samples.register(campaign.campaign_id, headers, NOW)
        return label_store.campaigns.get(name)

    return make


def open_query(
    store: LabelStore, campaign_id: int, annotator: str, picks: Sequence[int | Pick], *,
    lease_s: float = 60, now: datetime = NOW, version: str | None = None,
) -> OpenedQuery:  # fmt: skip
    """Lease these samples as the sampler does, without asking the pool index whether they may be."""
    chosen = [Pick(pick, 0.5, "random") if isinstance(pick, int) else pick for pick in picks]
    query = store.queries.grant(
        campaign_id, lambda _: Choice(chosen, version), annotator=annotator, strategy='{"type":"random"}',
        query_size=len(picks), lease_s=lease_s, now=now,
    )  # fmt: skip
    assert query is not None
    return query


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MiB, to be filled."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    mount = tmp_path / "disk"
    mount.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", mount], check=False, capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small tmpfs here: {mounted.stderr.strip()}")
    yield mount
    subprocess.run(["umount", "--lazy", mount], check=True)


def fill_disk(directory: Path) -> Path:
    """Leave no room on a small disk; the file that takes it all."""
    filler = directory / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            block = bytes(size)
            with suppress(OSError):
                while file.write(block):
                    continue
    assert os.statvfs(directory).f_bavail == 0
    return filler
