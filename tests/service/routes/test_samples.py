"""Overlays, uncertainty rasters and regions over HTTP, for every kind of scene, as a GIS and an annotator meet them."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import rasterio
import shapely
import shapely.geometry
from PIL import Image

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.predictions import ShownPrediction
from al_loop.loop import utc_now
from al_loop.store import LabelStore
from al_loop.store.mask_codec import pack
from models.rasters.reading import pixel_hash
from service.settings import Settings
from tests.data.make_scene import make_scene
from tests.e2e.campaigns import Http

Serve = Callable[..., Http]
DATE_LINE = {"crs": "EPSG:4326", "origin": (179.9, 10.0), "gsd_m": 0.002}


def scenes(folder: Path) -> None:
    """Scenes of 3 bands: every type, CRS and shape that matters, some with nodata."""
    make_scene(folder / "utm.tif", width=200, height=150, nodata_as="value")
    make_scene(
        folder / "byte.tif", dtype="uint8", crs="EPSG:3857", origin=(200_000.0, 5_000_000.0), width=33, height=70
    )
    make_scene(folder / "float.tif", dtype="float32", crs="EPSG:4326", origin=(2.0, 41.0), gsd_m=1e-4)
    make_scene(folder / "signed.tif", dtype="int16", crs=None, width=90, height=64)
    make_scene(folder / "dateline.tif", width=120, height=100, **DATE_LINE)


def turned_scenes(folder: Path) -> None:
    """Scenes whose rows do not run from north to south: at the pole, rotated, from south to north."""
    make_scene(folder / "polar.tif", crs="EPSG:3413", origin=(-20_000.0, 15_000.0), gsd_m=500, width=80, height=60)
    for name, transform in (
        ("rotated.tif", rasterio.Affine(8.0, 6.0, 500_000.0, 6.0, -8.0, 4_600_000.0)),
        ("south-up.tif", rasterio.Affine(10.0, 0.0, 500_000.0, 0.0, 10.0, 4_600_000.0)),
    ):
        with rasterio.open(make_scene(folder / name, width=70, height=48), "r+") as dataset:
            dataset.transform = transform


def samples_of(http: Http) -> dict[str, int]:
    listed = http.get("/campaigns/demo/samples").json()["samples"]
    return {sample["path"]: sample["sample_id"] for sample in listed}


def fetch(http: Http, sample_id: int, what: str) -> Any:
    return http.get(f"/campaigns/demo/samples/{sample_id}/{what}")


def png(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


@pytest.mark.parametrize("tasks", [("segmentation",), ("classification",)])
def test_uncertainty_lies_on_the_image_and_regions_on_earth(serve_scenes: Serve, imagery: Path, tasks: Any) -> None:
    scenes(imagery)
    turned_scenes(imagery)
    http = serve_scenes(tasks)
    for path, sample_id in samples_of(http).items():
        answer = fetch(http, sample_id, "uncertainty.tif")
        assert answer.status_code == 200, path
        with (
            rasterio.open(imagery / path) as image,
            rasterio.MemoryFile(answer.content) as memory,
            memory.open() as tif,
        ):
            assert (tif.dtypes, tif.shape, tif.crs) == (("float32",), image.shape, image.crs)
            assert tif.transform == image.transform
            assert tif.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert tif.units == ("nats",)
            assert tif.tags()["MODEL_VERSION"] == "v1"
            assert "v1" in tif.tags()["TIFFTAG_IMAGEDESCRIPTION"]
            values = tif.read(1)
        if path == "utm.tif":
            assert np.isnan(values[:75, :100]).all()
        assert np.nanmin(values) >= 0
        check_regions(path, fetch(http, sample_id, "uncertainty.geojson").json(), http)


def test_scene_may_be_looked_at_reduced_and_the_raster_says_so(serve_scenes: Serve, imagery: Path) -> None:
    make_scene(imagery / "scene.tif", width=205, height=303, content="gradient")
    http = serve_scenes(("segmentation",))
    (sample_id,) = samples_of(http).values()
    whole = fetch(http, sample_id, "uncertainty.tif?max_side=303")
    answer = fetch(http, sample_id, "uncertainty.tif?max_side=100")
    with (
        rasterio.open(imagery / "scene.tif") as image,
        rasterio.MemoryFile(whole.content) as first,
        rasterio.MemoryFile(answer.content) as second,
        first.open() as full,
        second.open() as tif,
    ):
        assert (full.shape, full.tags()["REDUCTION"]) == (image.shape, "1")
        assert (tif.shape, tif.crs) == ((75, 51), image.crs)
        assert tif.transform == image.transform @ rasterio.Affine.scale(4)
        assert tif.tags()["REDUCTION"] == "4"
        assert "reduced 4 times" in tif.tags()["TIFFTAG_IMAGEDESCRIPTION"]
        means = full.read(1)[:300, :204].reshape(75, 4, 51, 4).mean((1, 3))
        assert np.abs(tif.read(1) - means).max() < 0.05  # nats; the content is smooth
    check_regions("scene.tif", fetch(http, sample_id, "uncertainty.geojson?max_side=100").json(), http)
    assert fetch(http, sample_id, "uncertainty.tif?max_side=10").status_code == 400


def check_regions(path: str, collection: dict[str, Any], http: Http) -> None:
    assert collection["type"] == "FeatureCollection"
    assert collection["name"] == f"uncertainty of {path} by v1"
    features = collection["features"]
    assert [feature["properties"]["rank"] for feature in features] == list(range(1, len(features) + 1))
    uncertainties = [feature["properties"]["uncertainty"] for feature in features]
    assert uncertainties == sorted(uncertainties, reverse=True)
    bounds = next(s["bounds"] for s in http.get("/campaigns/demo/samples").json()["samples"] if s["path"] == path)
    for feature in features:
        geometry = shapely.geometry.shape(feature["geometry"])
        assert geometry.is_valid
        assert feature["properties"]["area_px"] >= 4
        if bounds is None:
            assert feature["properties"]["crs"] == "pixel"
            continue
        left, bottom, right, top = bounds
        frame = shapely.box(left, bottom, right, top) if left <= right else shapely.box(-180, bottom, 180, top)
        assert frame.buffer(1e-6).covers(geometry)
        assert feature["properties"]["area_m2"] > 0
        for part in getattr(geometry, "geoms", [geometry]):
            assert part.exterior.is_ccw
            if path != "polar.tif":
                assert part.bounds[2] - part.bounds[0] < 1  # nothing runs around the Earth


@pytest.mark.parametrize("tasks", [("segmentation",), ("classification",)])
def test_uncertainty_overlay_colours_the_thumbnail(serve_scenes: Serve, imagery: Path, tasks: Any) -> None:
    scenes(imagery)
    make_scene(imagery / "large.tif", width=2600, height=1300)
    http = serve_scenes(tasks, tile_px=512)
    for path, sample_id in samples_of(http).items():
        plain = png(fetch(http, sample_id, "thumbnail.png?size=300").content)
        answer = fetch(http, sample_id, "thumbnail.png?size=300&overlay=uncertainty")
        assert answer.status_code == 200, (path, answer.text)
        drawn = png(answer.content)
        factor = drawn.shape[0] // plain.shape[0]
        assert factor == max(1, 300 // max(plain.shape[:2]))
        enlarged = plain.repeat(factor, axis=0).repeat(factor, axis=1)
        np.testing.assert_array_equal(drawn[..., 3], enlarged[..., 3])
        assert (drawn != enlarged).any() or tasks == ("classification",)
        assert fetch(http, sample_id, "thumbnail.png?size=300&overlay=uncertainty").content == answer.content
        layer = png(fetch(http, sample_id, "overlay.png?size=300&overlay=uncertainty").content)
        assert max(layer.shape[:2]) == 300
        assert (layer[..., 3] < 255).all()
        assert layer[..., 3].any() or tasks == ("classification",)


def test_overlay_without_model_or_suggestion_says_so(serve_scenes: Serve, imagery: Path) -> None:
    make_scene(imagery / "utm.tif")
    http = serve_scenes(model=False)
    (sample_id,) = samples_of(http).values()
    for what in ("thumbnail.png?overlay=uncertainty", "uncertainty.tif", "uncertainty.geojson"):
        answer = fetch(http, sample_id, what)
        assert (answer.status_code, "no model" in answer.json()["detail"]) == (409, True)
    answer = fetch(http, sample_id, "thumbnail.png?overlay=suggestion")
    assert (answer.status_code, "no suggestion" in answer.json()["detail"]) == (404, True)
    assert fetch(http, sample_id, "thumbnail.png?overlay=rainbow").status_code == 400
    assert fetch(http, sample_id, "thumbnail.png?overlay=uncertainty&size=4096").status_code == 400


def remember(settings: Settings, imagery: Path, path: str, *, task: str, blind: bool = False, **shown: Any) -> None:
    """Store a prediction as the prediction routes do; the service must not run."""
    store = LabelStore.open(DataLayout(settings.data).database)
    campaign_id = store.campaigns.get("demo").campaign_id
    file = imagery / path
    digest = pixel_hash(file)
    sample_id = store.samples.by_paths(campaign_id, [path])[path]
    store.samples.set_pixel_hashes(campaign_id, [(sample_id, digest, file.stat().st_mtime_ns)])
    body = {"campaign_id": campaign_id, "pixel_hash": digest, "version": "v1", "shown_at": utc_now(), "task": task}
    store.predictions.record([msgspec.convert(body | shown | {"blind": blind}, ShownPrediction)])
    store.close()


def test_suggestion_is_drawn_unless_it_was_kept_back(
    serve_scenes: Serve, start_service: Callable[[], Http], settings: Settings, imagery: Path
) -> None:
    make_scene(imagery / "utm.tif", width=64, height=64, content="constant")
    http = serve_scenes()
    (sample_id,) = samples_of(http).values()
    plain = png(fetch(http, sample_id, "thumbnail.png?size=256").content).repeat(4, axis=0).repeat(4, axis=1)
    http.__exit__(None, None, None)
    codes = np.zeros((64, 64), np.uint8)
    codes[8:24, 8:24] = 3
    answer = {"pixels": {"3": 256}, "height": 64, "width": 64}
    remember(settings, imagery, "utm.tif", task="segmentation", answer=answer, mask=pack(codes))

    http = start_service()
    drawn = png(fetch(http, sample_id, "thumbnail.png?size=256&overlay=suggestion").content)
    assert drawn[32, 32, :3].tolist() == [255, 225, 25]  # of the third class
    np.testing.assert_array_equal(drawn[128:], plain[128:])
    layer = png(fetch(http, sample_id, "overlay.png?overlay=suggestion&size=128").content)
    assert layer.shape == (128, 128, 4)
    assert layer[32, 32].tolist() == [255, 225, 25, 255]
    assert not layer[64:].any()
    http.__exit__(None, None, None)
    remember(settings, imagery, "utm.tif", task="classification", answer={"probabilities": [0.1, 0.7, 0.2]})
    http = start_service()
    captioned = png(fetch(http, sample_id, "thumbnail.png?size=256&overlay=suggestion").content)
    assert captioned[32, 32, :3].tolist() == [255, 225, 25]
    assert (captioned[-10:, :10, :3] < 60).any()
    http.__exit__(None, None, None)
    for task, shown in (
        ("segmentation", {"answer": answer}),
        ("classification", {"answer": {"probabilities": [1, 0, 0]}}),
    ):
        mask = {"mask": pack(codes)} if task == "segmentation" else {}
        remember(settings, imagery, "utm.tif", task=task, blind=True, **shown, **mask)
    http = start_service()
    assert fetch(http, sample_id, "thumbnail.png?size=256&overlay=suggestion").status_code == 404
