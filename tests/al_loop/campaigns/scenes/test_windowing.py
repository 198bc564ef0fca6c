"""A scene becomes a grid of samples that stay what they are, whatever is scanned again."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
import rasterio

from al_loop.campaigns.register import register_paths, register_scan
from al_loop.campaigns.scenes import windowing
from al_loop.domain.campaigns import Campaign, CampaignSettings, ReserveSettings, WindowSettings
from al_loop.domain.scaneo_links import Link, LinkOptions
from al_loop.errors import InvalidValueError
from al_loop.store import LabelStore
from models.rasters.windows.locator import source_of
from tests.al_loop.store.fixtures import NOW
from tests.data.make_scene import make_scene

WINDOWS = WindowSettings(size_px=64, overlap_px=16)


@pytest.fixture
def campaign(make_campaign: Callable[..., Campaign]) -> Campaign:
    """Cuts scenes into windows of 64 px."""
    return make_campaign(settings=CampaignSettings(windows=WINDOWS))


def paths_of(store: LabelStore, campaign: Campaign) -> dict[str, int]:
    ids, paths = store.samples.paths(campaign.campaign_id)
    return dict(zip(paths.tolist(), ids.tolist(), strict=True))


def test_ids_stay_over_scans_and_restarts(label_store: LabelStore, campaign: Campaign, tmp_path: Path) -> None:
    make_scene(tmp_path / "big.tif", width=300, height=200)
    make_scene(tmp_path / "small.tif", width=64, height=50)
    report = register_scan(label_store, campaign, NOW)
    assert report.remarks[0].remark == "cut into 24 windows of 64 x 64 px"
    before = paths_of(label_store, campaign)
    assert len(before) == report.registered == 25
    assert "small.tif" in before
    again = register_scan(label_store, campaign, NOW + timedelta(days=1))
    assert (again.registered, again.known, again.skipped) == (0, 2, [])
    named = register_paths(label_store, campaign, ["big.tif"], NOW)
    assert [(entry.path, entry.reason) for entry in named.skipped] == [("big.tif", "registered already")]
    label_store.close()
    reopened = LabelStore.open(tmp_path / "store" / "al_loop.duckdb")
    assert paths_of(reopened, campaign) == before
    assert register_scan(reopened, campaign, NOW + timedelta(days=2)).registered == 0
    reopened.close()


def test_window_knows_its_place(label_store: LabelStore, campaign: Campaign, tmp_path: Path) -> None:
    make_scene(tmp_path / "big.tif", width=300, height=200)
    register_scan(label_store, campaign, NOW)
    for path, sample_id in paths_of(label_store, campaign).items():
        sample, window = label_store.samples.get(campaign.campaign_id, sample_id), source_of(path).window
        assert window is not None
        assert (sample.width, sample.height) == (window.width, window.height)
        assert sample.transform == [
            10.0,
            0.0,
            500_000.0 + 10 * window.column,
            0.0,
            -10.0,
            4_600_000.0 - 10 * window.row,
        ]
        assert sample.bounds is not None


def test_windows_of_nodata_are_left_out_and_counted(
    label_store: LabelStore, campaign: Campaign, tmp_path: Path
) -> None:
    content = np.ones((1, 200, 300), np.uint16)
    content[:, :, :150] = 0
    make_scene(tmp_path / "big.tif", width=300, height=200, bands=1, nodata=0, nodata_as="value", content=content)
    report = register_scan(label_store, campaign, NOW)
    assert report.registered < 24
    assert report.remarks[0].remark.endswith("that are nodata by more than 90 % were left out")
    offsets = {source_of(path).window.column for path in paths_of(label_store, campaign)}  # type: ignore[union-attr]
    assert min(offsets) > 80


def test_scene_with_one_valid_pixel_is_skipped_with_the_reason(
    label_store: LabelStore, campaign: Campaign, tmp_path: Path
) -> None:
    content = np.zeros((1, 200, 300), np.uint16)
    content[0, 177, 199] = 5
    make_scene(tmp_path / "dark.tif", width=300, height=200, bands=1, nodata=0, nodata_as="value", content=content)
    report = register_scan(label_store, campaign, NOW)
    assert [(e.path, e.reason) for e in report.skipped] == [
        ("dark.tif", "all its windows are nodata by more than 90 %")
    ]
    kept = register_paths(label_store, campaign, ["dark.tif"], NOW, WindowSettings(size_px=64, max_nodata=0.9999))
    assert kept.registered == 2  # the last window of a row is moved back over its neighbour


def test_scene_of_one_row_is_cut_along_it(label_store: LabelStore, campaign: Campaign, tmp_path: Path) -> None:
    make_scene(tmp_path / "row.tif", width=1000, height=1)
    assert register_scan(label_store, campaign, NOW).registered > 15
    assert all(source_of(path).window.height == 1 for path in paths_of(label_store, campaign))  # type: ignore[union-attr]


def test_scene_of_too_many_windows_is_skipped_and_told_what_to_do(
    label_store: LabelStore, campaign: Campaign, tmp_path: Path
) -> None:
    make_scene(tmp_path / "a.tif", width=64, height=64)
    place = {"crs": "EPSG:32631", "transform": rasterio.Affine(10, 0, 500_000, 0, -10, 4_600_000)}
    with rasterio.open(
        tmp_path / "wide.tif", "w", driver="GTiff", width=40_000, height=10_000, count=3, dtype="uint8", tiled=True,
        sparse_ok=True, **place,
    ):  # fmt: skip
        pass  # without pixels, which would be a gigabyte
    report = register_paths(label_store, campaign, ["a.tif", "wide.tif"], NOW, WindowSettings(size_px=64))
    assert report.registered == 1
    assert report.skipped[0].reason.startswith(
        "its 40,000 x 10,000 px make about 98,908 windows of 64 px, and at most 50,000"
    )
    assert "windows.size_px" in report.skipped[0].reason


def test_no_pixel_is_registered_twice(label_store: LabelStore, campaign: Campaign, tmp_path: Path) -> None:
    make_scene(tmp_path / "big.tif", width=300, height=200)
    make_scene(tmp_path / "whole.tif", width=300, height=200, seed=1)
    unset = msgspec.structs.replace(campaign, settings=CampaignSettings())
    assert register_paths(label_store, unset, ["whole.tif"], NOW).registered == 1
    assert register_paths(label_store, campaign, ["big.tif"], NOW).registered == 24
    for settings, path, reason in [
        (None, "big.tif", "registered already as 24 windows"),
        (WindowSettings(size_px=128), "big.tif", "registered already with windows of another size or overlap"),
        (WINDOWS, "whole.tif", "registered already as one sample"),
        (WINDOWS, "big.tif#xywh=1,1,64,64", "it is none of the windows that its scene is cut into"),
        (None, "big.tif#xywh=1,1,64,64", "windows are cut by the settings"),
    ]:
        report = register_paths(label_store, unset, [path], NOW, settings)
        assert report.registered == 0
        assert report.skipped[0].path == path
        assert report.skipped[0].reason.startswith(reason)


def test_removed_window_stays_away_until_it_is_named(
    label_store: LabelStore, campaign: Campaign, tmp_path: Path
) -> None:
    make_scene(tmp_path / "big.tif", width=300, height=200)
    register_scan(label_store, campaign, NOW)
    path, sample_id = next(iter(paths_of(label_store, campaign).items()))
    label_store.removals.remove_sample(campaign.campaign_id, sample_id, NOW)
    assert register_scan(label_store, campaign, NOW).registered == 0
    assert register_paths(label_store, campaign, ["big.tif"], NOW).registered == 0
    assert register_paths(label_store, campaign, [path], NOW).registered == 1


@pytest.mark.parametrize("crs", ["EPSG:32631", None])
@pytest.mark.parametrize("block_by", ["auto", "sample", "folder"])
def test_no_pixel_lies_in_the_reserve_and_in_the_pool(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path, crs: str | None, block_by: str
) -> None:
    settings = CampaignSettings(windows=WINDOWS, reserve=ReserveSettings(block_by=block_by))  # type: ignore[arg-type]
    campaign = make_campaign(settings=settings)
    for folder in "abc":
        make_scene(tmp_path / folder / "big.tif", width=500, height=500, crs=crs, seed=ord(folder))
    register_scan(label_store, campaign, NOW)
    assert label_store.samples.draw_reserve(campaign.campaign_id, NOW) > 0
    seen: dict[bool, dict[str, np.ndarray]] = {False: {}, True: {}}
    for path, sample_id in paths_of(label_store, campaign).items():
        file, window = source_of(path)
        sample = label_store.samples.get(campaign.campaign_id, sample_id)
        assert window is not None
        pixels = seen[sample.reserve].setdefault(file, np.zeros((500, 500), np.bool_))
        pixels[window.row : window.row + window.height, window.column : window.column + window.width] = True
    shared = [(seen[False][file] & seen[True][file]).sum() for file in seen[True] if file in seen[False]]
    assert sum(shared) == 0
    if block_by != "folder":
        assert shared  # scenes are spread over both sides


def test_replaced_scene_is_noticed_in_every_window(label_store: LabelStore, campaign: Campaign, tmp_path: Path) -> None:
    make_scene(tmp_path / "big.tif", width=300, height=200)
    register_scan(label_store, campaign, NOW)
    make_scene(tmp_path / "big.tif", width=150, height=200, seed=5)
    register_scan(label_store, campaign, NOW)
    problems = {entry.path: entry.reason for entry in label_store.images.problems(campaign.campaign_id)}
    outside = [path for path in paths_of(label_store, campaign) if source_of(path).window.column + 64 > 150]  # type: ignore[union-attr]
    assert sorted(problems) == sorted(outside)
    assert all("leaves the file, which has 150 x 200 px" in reason for reason in problems.values())
    (tmp_path / "big.tif").unlink()
    register_scan(label_store, campaign, NOW)
    assert len(label_store.images.problems(campaign.campaign_id)) == 24


def test_scene_that_goes_away_while_it_is_read_is_skipped(
    label_store: LabelStore, campaign: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_scene(tmp_path / "big.tif", width=300, height=200, nodata=0, nodata_as="value")
    real = windowing.nodata_shares

    def vanish(*arguments: object) -> object:
        path.unlink()
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(windowing, "nodata_shares", vanish)
    report = register_scan(label_store, campaign, NOW)
    assert (report.registered, [entry.path for entry in report.skipped]) == (0, ["big.tif"])


def test_windows_that_overlap_by_more_than_half_are_refused(label_store: LabelStore, campaign: Campaign) -> None:
    with pytest.raises(InvalidValueError, match="40 px is more than half of a window of 64 px"):
        register_paths(label_store, campaign, ["a.tif"], NOW, WindowSettings(size_px=64, overlap_px=40))


def test_campaign_that_is_linked_to_scaneo_takes_no_windows(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path
) -> None:
    made = make_campaign()
    options = LinkOptions(service_url="http://127.0.0.1:9")
    link = Link(
        campaign_id=made.campaign_id, url="http://127.0.0.1:8", scaneo_campaign="c", scaneo_name="Demo",
        options=options, models={}, prefix="", zone_offset_s=0, linked_at=NOW, signal=None, swept_at=None,
    )  # fmt: skip
    label_store.scaneo.save(link, [])
    make_scene(tmp_path / "big.tif", width=300, height=200)
    with pytest.raises(InvalidValueError, match="is linked to SCANEO, which shows whole files only"):
        register_paths(label_store, made, ["big.tif"], NOW, WINDOWS)
    assert paths_of(label_store, made) == {}
