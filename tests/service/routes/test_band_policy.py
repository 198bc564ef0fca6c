"""Bands, alpha and nodata over HTTP: one decision for a campaign, followed by registration, pictures and models."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from PIL import Image

from service.settings import Settings
from tests.data.make_scene import make_scene
from tests.e2e.campaigns import Http, create, predict, register, serve_tiny
from tests.models.rasters.test_bands import ALPHAS, RGB, with_fourth, with_nodata, write

CLASSES = ["class-1", "class-2", "class-3"]


def view_of(http: Http) -> dict[str, Any]:
    view: dict[str, Any] = http.get("/campaigns/demo").json()
    return view


def opaque(http: Http, path: str) -> np.ndarray:
    """Pixels of a sample that its picture shows."""
    listed = http.get("/campaigns/demo/samples").json()["samples"]
    sample_id = next(sample["sample_id"] for sample in listed if sample["path"] == path)
    png = http.get(f"/campaigns/demo/samples/{sample_id}/thumbnail.png")
    assert png.status_code == 200, png.text
    return np.asarray(Image.open(io.BytesIO(png.content)))[..., 3] > 0


def test_tiles_of_one_mosaic_are_all_registered_and_shown_where_they_are_opaque(http: Http, imagery: Path) -> None:
    for name in ("blended", "hard", "opaque", "transparent"):
        write(imagery / f"{name}.tif", with_fourth(ALPHAS[name]), photometric="RGB", alpha="YES")
    write(imagery / "without.tif", RGB)
    create(http, imagery)

    report = register(http)
    assert (report["registered"], report["skipped"]) == (5, [])
    view = view_of(http)
    assert view["source_bands"] == 3
    assert view["band_decision"]["alpha"]
    assert "4 of 5 files" in view["band_decision"]["reason"]
    for name in ("blended", "hard", "opaque", "transparent"):
        np.testing.assert_array_equal(opaque(http, f"{name}.tif"), ALPHAS[name] > 0)
    assert opaque(http, "without.tif").all()


def test_near_infrared_is_data_in_every_file_and_a_setting_says_otherwise(http: Http, imagery: Path) -> None:
    for name in ("opaque", "hard", "noise", "transparent"):
        write(imagery / f"{name}.tif", with_fourth(ALPHAS[name]))
    create(http, imagery)

    assert register(http)["registered"] == 4
    assert view_of(http)["source_bands"] == 4
    assert "band 4 is data" in view_of(http)["band_decision"]["reason"]
    assert opaque(http, "hard.tif").all()

    assert http.patch("/campaigns/demo/settings", json={"alpha": "last"}).status_code == 200
    view = view_of(http)
    assert (view["source_bands"], view["band_decision"]["alpha"]) == (3, True)
    assert {sample["band_count"] for sample in http.get("/campaigns/demo/samples").json()["samples"]} == {3}
    np.testing.assert_array_equal(opaque(http, "hard.tif"), ALPHAS["hard"] > 0)
    assert http.patch("/campaigns/demo/settings", json={"alpha": "auto"}).status_code == 200
    assert view_of(http)["source_bands"] == 4
    assert opaque(http, "hard.tif").all()


def test_images_that_do_not_fit_a_changed_setting_are_left_out_until_they_fit_again(http: Http, imagery: Path) -> None:
    for number in range(3):
        write(imagery / f"rgb-{number}.tif", RGB)
    write(imagery / "rgba.tif", with_fourth(ALPHAS["hard"]), photometric="RGB", alpha="YES")
    grey = np.stack([RGB[0], ALPHAS["hard"].astype(np.uint8)])
    write(imagery / "grey.tif", grey, alpha="YES")
    create(http, imagery)
    assert register(http)["registered"] == 5
    np.testing.assert_array_equal(opaque(http, "rgba.tif"), ALPHAS["hard"] > 0)

    assert http.patch("/campaigns/demo/settings", json={"alpha": "none"}).status_code == 200
    register(http)  # looks at all files, as a round does before it trains
    (notice,) = [line for line in view_of(http)["notices"] if "left out" in line]
    assert notice.startswith("2 images are damaged or gone")
    assert "grey.tif (2 bands; the rasters of this campaign have 3)" in notice
    assert "rgba.tif (4 bands; the rasters of this campaign have 3)" in notice

    assert http.patch("/campaigns/demo/settings", json={"alpha": "auto"}).status_code == 200
    register(http)
    assert not [line for line in view_of(http)["notices"] if "left out" in line]
    np.testing.assert_array_equal(opaque(http, "grey.tif"), ALPHAS["hard"] > 0)


def test_alpha_that_would_take_a_band_away_is_refused(http: Http, imagery: Path) -> None:
    write(imagery / "a.tif", with_fourth(ALPHAS["noise"]))
    create(http, imagery, bands=[4, 1])
    register(http)

    answer = http.patch("/campaigns/demo/settings", json={"alpha": "last"})
    assert answer.status_code == 400
    assert "reads band 4" in answer.json()["detail"]
    assert http.patch("/campaigns/demo/settings", json={"alpha": "first"}).status_code == 400
    assert view_of(http)["source_bands"] == 4
    assert view_of(http)["settings"]["alpha"] == "auto"


def test_other_bands_are_told_as_gdal_shows_them(http: Http, imagery: Path) -> None:
    for number in range(3):
        write(imagery / f"{number}.tif", RGB)
    write(imagery / "deep.tif", RGB[:1].astype(np.uint16))
    write(imagery / "five.tif", np.concatenate([RGB, RGB[:2]]), photometric="RGB")
    create(http, imagery)

    report = register(http)
    reasons = {entry["path"]: entry["reason"] for entry in report["skipped"]}
    assert report["registered"] == 3
    wanted = "; this campaign reads 3 bands, red, green and blue in 8 bits, or 8-bit grey"
    assert reasons["deep.tif"] == f"1 band of uint16 (grey){wanted}"
    assert reasons["five.tif"] == f"5 bands of uint8 (red, green, blue, undefined, undefined){wanted}"


def test_grey_and_palette_images_are_read_as_rgb_and_said_so(
    start_service: Callable[[], Http], settings: Settings, imagery: Path
) -> None:
    colours = Image.fromarray(np.moveaxis(RGB, 0, -1)).quantize(16)
    colours.save(imagery / "palette.png")
    Image.fromarray(RGB[0]).save(imagery / "grey.png")
    write(imagery / "rgb.tif", RGB)
    http = start_service()
    create(http, imagery)

    report = register(http)
    assert report["registered"] == 3
    told = {entry["path"]: entry["remark"] for entry in report["remarks"]}
    assert told["grey.png"] == "its one grey band is read as red, green and blue, in all three"
    assert told["palette.png"] == "its one palette band is read as red, green and blue, by its colour table"
    assert {sample["band_count"] for sample in http.get("/campaigns/demo/samples").json()["samples"]} == {3}
    assert opaque(http, "palette.png").all()


def test_nodata_in_one_band_is_shown_and_a_setting_hides_it(http: Http, imagery: Path) -> None:
    kinds = {"a.tif": ("uint16", 0.0), "b.tif": ("float32", np.nan)}
    for name, (dtype, nodata) in kinds.items():
        write(imagery / name, with_nodata(dtype, nodata), nodata=nodata)
    create(http, imagery)
    register(http)

    for name in kinds:
        with rasterio.open(imagery / name) as dataset:
            np.testing.assert_array_equal(opaque(http, name), dataset.dataset_mask() > 0, err_msg=name)
    assert http.patch("/campaigns/demo/settings", json={"nodata": "any"}).status_code == 200
    for name in kinds:
        assert not opaque(http, name)[20:40, 30:50].any(), name


def test_clear_water_without_red_is_predicted_and_no_hole(
    start_service: Callable[[], Http], settings: Settings, imagery: Path, tmp_path: Path
) -> None:
    exact = {"settings": {"assist": {"min_area_px": 1}}}
    http = serve_tiny(start_service, settings, imagery, classes=CLASSES, known=CLASSES, **exact)
    values = np.stack([np.full((64, 64), level) for level in (20, 40, 90)]).astype(np.uint8)
    values[:, :, :8] = 0
    values[0, 10:40, 14:48] = 0  # deep water: no red
    scattered = values.copy()
    scattered[0][np.random.default_rng(0).random((64, 64)) < 0.1] = 0
    for image in (values, scattered):
        path = write(tmp_path / "a.tif", image, nodata=0)
        answer = predict(http, "segmentation", path.read_bytes())
        assert answer.status_code == 200, answer.text
        with rasterio.open(path) as dataset, rasterio.MemoryFile(answer.content) as memory, memory.open() as mask:
            np.testing.assert_array_equal(mask.read(1), np.where(dataset.dataset_mask() > 0, 3, 0))


def test_grey_upload_to_a_model_of_deep_rgb_is_refused_in_words(
    start_service: Callable[[], Http], settings: Settings, imagery: Path, tmp_path: Path
) -> None:
    make_scene(imagery / "a.tif")
    http = serve_tiny(start_service, settings, imagery, classes=CLASSES, known=CLASSES)
    path = write(tmp_path / "grey.tif", RGB[:1].astype(np.uint16))

    answer = predict(http, "segmentation", path.read_bytes())
    assert answer.status_code == 422, answer.text
    assert "1 band of uint16 (grey)" in answer.text
