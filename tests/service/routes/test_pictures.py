"""Views and tiles over HTTP, for every kind of image that people have."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from service.settings import Settings
from tests.conftest import Http
from tests.data.make_scene import make_scene
from tests.e2e.campaigns import AIDED

TILE = 256


def campaign(http: Http, imagery: Path, **more: Any) -> dict[str, int]:
    """Make a campaign over all images; ids by path."""
    tasks = [{"task": "classification", "classes": ["water", "forest"]}]
    made = http.post("/campaigns", json={"name": "demo", "tasks": tasks, "root": str(imagery)} | more)
    assert made.status_code == 201, made.text
    assert http.post("/campaigns/demo/samples", json={"scan": True}).status_code == 201
    samples = http.get("/campaigns/demo/samples").json()["samples"]
    return {sample["path"]: sample["sample_id"] for sample in samples}


def picture(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def tile(http: Http, sample_id: int, z: int, x: int, y: int, query: str = "") -> np.ndarray:
    answer = http.get(f"/campaigns/demo/samples/{sample_id}/tiles/{z}/{x}/{y}.png{query}")
    assert answer.status_code == 200, answer.text
    return picture(answer.content)


def test_tiles_at_full_zoom_are_the_pixels_of_the_image(http: Http, imagery: Path) -> None:
    content = np.random.default_rng(0).integers(0, 256, (3, 300, 520))
    make_scene(imagery / "a.tif", width=520, height=300, dtype="uint8", content=content)
    (sample_id,) = campaign(http, imagery).values()

    mosaic = np.concatenate(
        [np.concatenate([tile(http, sample_id, 2, x, y) for x in range(3)], axis=1) for y in range(2)]
    )

    np.testing.assert_array_equal(mosaic[:300, :520, :3], content.transpose(1, 2, 0))
    assert (mosaic[..., 3] > 0).sum() == 300 * 520
    for beyond in ("2/3/0", "2/0/2", "3/0/0", "0/1/0", "2/0/1.5"):
        answer = http.get(f"/campaigns/demo/samples/{sample_id}/tiles/{beyond}.png")
        assert answer.status_code == 404, beyond


@pytest.mark.parametrize(
    ("count", "names"),
    [
        (1, ["grey"]),
        (2, ["radar", "vv", "vh"]),
        (3, ["true-colour"]),
        (4, ["true-colour", "infrared", "ndvi", "ndwi"]),
        (5, ["true-colour", "grey"]),
        (12, ["true-colour", "infrared", "swir", "ndvi", "ndwi"]),
        (13, ["true-colour", "infrared", "swir", "ndvi", "ndwi"]),
    ],
)
def test_views_fit_the_bands_and_each_can_be_drawn(http: Http, imagery: Path, count: int, names: list[str]) -> None:
    make_scene(imagery / "a.tif", bands=count)
    (sample_id,) = campaign(http, imagery).values()

    listed = http.get("/campaigns/demo/views").json()

    assert [view["name"] for view in listed["views"]] == names
    assert (listed["default"], listed["stretch"], listed["editable"]) == (names[0], "campaign", True)
    for name in names:
        for stretch in ("campaign", "image"):
            drawn = tile(http, sample_id, 0, 0, 0, f"?view={name}&stretch={stretch}")
            assert drawn[:48, :64, 3].all()
            assert drawn[:48, :64, :3].std() > 0
            assert not drawn[48:].any()
    assert http.get(f"/campaigns/demo/samples/{sample_id}/tiles/0/0/0.png?view=rainbow").status_code == 404


def test_a_picture_that_the_browser_has_is_not_sent_again(http: Http, imagery: Path) -> None:
    make_scene(imagery / "a.tif")
    (sample_id,) = campaign(http, imagery).values()
    address = f"/campaigns/demo/samples/{sample_id}/tiles/0/0/0.png"

    first = http.get(address)
    again = http.get(address, headers={"If-None-Match": first.headers["etag"]})

    assert "private" in first.headers["cache-control"]
    assert (again.status_code, again.content) == (304, b"")
    assert http.get(f"{address}?gamma=2").headers["etag"] != first.headers["etag"]


def kinds(folder: Path) -> dict[str, int]:
    """One image of each kind that people have; their bands by name."""
    make_scene(folder / "no_crs.tif", crs=None, width=300, height=280)
    make_scene(folder / "rotated.tif", width=300, height=280)
    with rasterio.open(folder / "rotated.tif", "r+") as dataset:
        dataset.transform = Affine.translation(5e5, 4.6e6) @ Affine.rotation(30) @ Affine.scale(10, -10)
    make_scene(folder / "line.tif", width=1, height=20_000)
    make_scene(folder / "column.tif", width=20_000, height=1)
    make_scene(folder / "nodata.tif", width=300, height=280, nodata_as="value")
    make_scene(folder / "float.tif", width=300, height=280, dtype="float32", nodata=float("nan"), nodata_as="value")
    make_scene(folder / "rgb.jpg", width=300, height=280, dtype="uint8", crs=None, driver="JPEG")
    make_scene(folder / "rgb.png", width=300, height=280, dtype="uint8", crs=None, driver="PNG")
    return {"line.tif": 7, "column.tif": 7}


def test_every_kind_of_image_has_tiles_at_every_zoom(http: Http, imagery: Path) -> None:
    zooms = kinds(imagery)
    for path, sample_id in campaign(http, imagery).items():
        around = http.get(f"/campaigns/demo/samples/{sample_id}/view").json()
        assert around["max_zoom"] == zooms.get(path, 1), path
        for z in range(around["max_zoom"] + 1):
            factor = 2 ** (around["max_zoom"] - z)
            width, height = -(-around["width"] // factor), -(-around["height"] // factor)
            for x, y in {(0, 0), ((width - 1) // TILE, (height - 1) // TILE)}:
                drawn = tile(http, sample_id, z, x, y)
                assert drawn.shape == (TILE, TILE, 4)
                inside = drawn[: min(TILE, height - y * TILE), : min(TILE, width - x * TILE), 3]
                assert inside.any(), (path, z, x, y)
                assert not drawn[inside.shape[0] :].any()
                assert not drawn[:, inside.shape[1] :].any()
                if path not in ("nodata.tif", "float.tif") or (x, y) != (0, 0):
                    assert inside.all()
                else:
                    assert not inside[:100, :100].any() or z == 0
        beyond = f"{around['max_zoom']}/{around['width'] // TILE + 1}/0"
        assert http.get(f"/campaigns/demo/samples/{sample_id}/tiles/{beyond}.png").status_code == 404


def test_tiles_of_a_reduced_zoom_are_means_of_the_tiles_below(http: Http, imagery: Path) -> None:
    make_scene(imagery / "a.tif", width=1200, height=1100, nodata_as="value")
    (sample_id,) = campaign(http, imagery, settings={"view": {"gamma": 1.0, "limits": [[0.0, 4000.0]]}}).values()
    finer = np.block([[[tile(http, sample_id, 3, x, y)] for x in range(4)] for y in range(4)]).astype(float)

    coarser = np.block([[[tile(http, sample_id, 2, x, y)] for x in range(2)] for y in range(2)]).astype(float)

    means = finer.reshape(512, 2, 512, 2, 4).mean((1, 3))
    np.testing.assert_allclose(coarser[..., :3], means[..., :3], atol=1.0)
    np.testing.assert_array_equal(coarser[..., 3], means[..., 3])


def test_neighbours_place_and_date_are_told(http: Http, imagery: Path) -> None:
    make_scene(imagery / "S2A_20220825T103031.tif", width=64, height=48)
    make_scene(imagery / "right.tif", width=64, height=48, origin=(500_640.0, 4_600_000.0))
    make_scene(imagery / "far.tif", width=64, height=48, origin=(560_000.0, 4_600_000.0))
    ids = campaign(http, imagery)

    around = http.get(f"/campaigns/demo/samples/{ids['S2A_20220825T103031.tif']}/view").json()

    assert around["datetime"] == "2022-08-25T10:30:31Z"
    assert around["pixel_size_m"] == pytest.approx(10, rel=1e-2)
    assert {"openstreetmap", "copernicus"} == around["links"].keys()
    assert around["neighbours"] == [
        {"sample_id": ids["right.tif"], "path": "right.tif", "dx": 64.0, "dy": 0.0, "width": 64.0, "height": 48.0}
    ]


@pytest.mark.parametrize("what", ["view", "tiles/0/0/0.png", "thumbnail.png"])
def test_file_deleted_while_it_is_on_screen_is_one_sentence(http: Http, imagery: Path, what: str) -> None:
    make_scene(imagery / "a.tif")
    (sample_id,) = campaign(http, imagery).values()
    assert http.get(f"/campaigns/demo/samples/{sample_id}/{what}").status_code == 200

    (imagery / "a.tif").unlink()

    answer = http.get(f"/campaigns/demo/samples/{sample_id}/{what}")
    assert (answer.status_code, "moved or deleted" in answer.json()["detail"]) == (404, True)


def test_damaged_file_is_no_server_error(http: Http, imagery: Path) -> None:
    make_scene(imagery / "a.tif", width=600, height=600)
    (sample_id,) = campaign(http, imagery).values()
    whole = (imagery / "a.tif").read_bytes()
    (imagery / "a.tif").write_bytes(whole[: len(whole) // 2])

    answer = http.get(f"/campaigns/demo/samples/{sample_id}/tiles/2/2/2.png")

    assert answer.status_code == 404 if "zoom" in answer.text else 415, answer.text


def test_views_of_the_settings_replace_the_derived_ones(http: Http, imagery: Path) -> None:
    make_scene(imagery / "a.tif", bands=4)
    view = {"name": "index", "title": "Index", "expression": "(b4-b3)/(b4+b3)", "colormap": "viridis", "key": "i"}
    settings = {"view": {"views": [view | {"limits": [[-1, 1]]}], "stretch": "image", "gamma": 2.0}}
    (sample_id,) = campaign(http, imagery, settings=settings).values()

    listed = http.get("/campaigns/demo/views").json()

    assert (listed["default"], listed["stretch"], listed["gamma"], listed["editable"]) == ("index", "image", 2, False)
    assert listed["views"] == [view | {"limits": [[-1.0, 1.0]], "bands": None}]
    assert len(np.unique(tile(http, sample_id, 0, 0, 0)[:48, :64, :3].reshape(-1, 3), axis=0)) > 10


@pytest.mark.parametrize(
    ("view", "path"),
    [
        ({"expression": "b1; import os"}, "expression"),
        ({"expression": "__import__('os')"}, "expression"),
        ({"expression": "b1**b2"}, "expression"),
        ({"bands": [1, 2]}, "bands"),
        ({"bands": [0]}, "bands"),
        ({"bands": [1], "expression": "b1"}, "views[0]"),
        ({}, "views[0]"),
        ({"bands": [1, 2, 3], "colormap": "viridis"}, "colormap"),
        ({"bands": [1], "colormap": "nonsense"}, "colormap"),
        ({"bands": [1], "limits": [[2, 1]]}, "limits"),
        ({"bands": [1], "limits": [[0, 1], [0, 1]]}, "limits"),
        ({"bands": [1], "name": "../x"}, "name"),
    ],
)
def test_nonsense_in_a_view_is_refused(still_http: Http, still_campaign: str, view: dict[str, Any], path: str) -> None:
    settings = {"view": {"views": [{"name": "x", "title": "X"} | view]}}

    answer = still_http.put(f"/campaigns/{still_campaign}/settings", json=settings)

    assert answer.status_code == 400, answer.text
    assert path in answer.text


def test_a_view_that_needs_a_band_the_files_lack_says_so(http: Http, imagery: Path) -> None:
    make_scene(imagery / "a.tif")
    (sample_id,) = campaign(http, imagery).values()
    assert http.put(
        "/campaigns/demo/settings", json={"view": {"views": [{"name": "x", "title": "X", "expression": "b9/b1"}]}}
    ).is_success

    answer = http.get(f"/campaigns/demo/samples/{sample_id}/tiles/0/0/0.png")

    assert (answer.status_code, "no band 9" in answer.json()["detail"]) == (422, True)
    assert http.get("/campaigns/demo/views").json()["views"][0]["limits"] == [[0.0, 1.0]]


def test_one_stretch_for_the_campaign_keeps_dark_images_dark(http: Http, imagery: Path) -> None:
    for number in range(6):
        make_scene(imagery / f"land{number}.tif", seed=number)
    random = np.random.default_rng(0)
    make_scene(imagery / "sea.tif", content=150 + random.integers(0, 9, (3, 48, 64)))
    ids = campaign(http, imagery)

    sea = tile(http, ids["sea.tif"], 0, 0, 0)[:48, :64, :3]
    alone = tile(http, ids["sea.tif"], 0, 0, 0, "?stretch=image")[:48, :64, :3]
    land = tile(http, ids["land0.tif"], 0, 0, 0)[:48, :64, :3]

    assert sea.mean() < 20 < 100 < land.mean()
    assert alone.mean() < 60  # neither grey nor noise
    assert alone.std() > sea.std()


def test_bad_parameters_of_a_picture_are_refused(http: Http, imagery: Path) -> None:
    make_scene(imagery / "a.tif")
    (sample_id,) = campaign(http, imagery, settings=AIDED).values()
    for query in ("gamma=0", "gamma=nan", "stretch=loud"):
        for what in ("tiles/0/0/0.png", "thumbnail.png"):
            assert http.get(f"/campaigns/demo/samples/{sample_id}/{what}?{query}").status_code == 400, query
    assert http.get(f"/campaigns/demo/samples/{sample_id}/overlay.png").status_code == 400
    assert http.get(f"/campaigns/demo/samples/{sample_id}/overlay.png?overlay=rainbow").status_code == 400
    assert http.get(f"/campaigns/demo/samples/{sample_id}/overlay.png?overlay=uncertainty").status_code == 409
    assert http.get(f"/campaigns/demo/samples/{sample_id}/overlay.png?overlay=suggestion").status_code == 404
    assert http.get("/campaigns/demo/samples/99999/tiles/0/0/0.png").status_code == 404


def test_large_scene_is_drawn_from_reduced_copies_in_the_data_directory(
    http: Http, imagery: Path, settings: Settings
) -> None:
    make_scene(imagery / "large.tif", width=4200, height=2100, bands=1, content="gradient")
    (sample_id,) = campaign(http, imagery).values()
    scenes = settings.data / "campaigns" / "demo" / "pictures" / "scenes"

    whole = tile(http, sample_id, 0, 0, 0)[:66, :132]

    assert {file.name for file in next(scenes.iterdir()).iterdir()} == {"4.tif", "8.tif", "16.tif", "32.tif"}
    assert whole[..., 3].all()
    assert (np.diff(whole[10, :, 0].astype(int)) >= 0).all()
    assert [path.name for path in imagery.iterdir()] == ["large.tif"]
    modified = (imagery / "large.tif").stat().st_mtime_ns + 1_000_000_000
    os.utime(imagery / "large.tif", ns=(modified, modified))
    tile(http, sample_id, 0, 0, 0)
    file_bytes = (imagery / "large.tif").stat().st_size
    assert [folder.name for folder in scenes.iterdir()] == [f"{sample_id}-{modified}-{file_bytes}"]
