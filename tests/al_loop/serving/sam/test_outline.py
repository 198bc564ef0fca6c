"""Clicked points over HTTP, as SCANEO would send them: what comes back lies where the click was."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import rasterio
import rasterio.warp
import shapely
import shapely.geometry
from litestar.testing import TestClient
from rasterio.crs import CRS

from service.app import create_app
from service.commands.serve import run as serve
from service.settings import Settings, SettingsError
from tests.data.make_scene import make_scene
from tests.e2e.campaigns import Http, create, register
from tests.models.inference.test_promptable import write_promptable

PLACES = {
    "EPSG:32630": ((442_560.0, 4_480_000.0), 10.0),
    "EPSG:4326": ((2.0, 41.0), 1e-4),
    "EPSG:3857": ((200_000.0, 5_000_000.0), 10.0),
}
LAKE = (slice(30, 60), slice(20, 50))
"""Rows and columns."""
CLICK = (35.25, 45.5)
NODATA_FROM = 80
"""Rows from here on are nodata in the right half."""


def write_lake(path: Path, crs: str, *, dtype: str = "uint16", bands: int = 3, seed: int = 0) -> Path:
    """Bright land with a dark square lake, 86 x 96 px."""
    top = 200 if dtype == "uint8" else 3000
    data = np.random.default_rng(seed).normal(0.8 * top, 0.02 * top, (bands, 96, 86))
    data[(slice(None), *LAKE)] -= 0.6 * top
    data[:, NODATA_FROM:, 43:] = 0
    origin, gsd_m = PLACES[crs]
    make_scene(path, width=86, height=96, content=data, dtype=dtype, crs=crs, origin=origin, gsd_m=gsd_m)
    with rasterio.open(path, "r+") as dataset:
        dataset.nodata = 0
    return path


def picture_of(path: Path) -> bytes:
    """The picture that SCANEO makes of an image: bands divided by 257, nearly black."""
    with rasterio.open(path) as source:
        values = np.resize(source.read(), (3, *source.shape)).astype(np.int32) // 257
    with rasterio.MemoryFile() as memory:
        with memory.open(driver="PNG", width=values.shape[2], height=values.shape[1], count=3, dtype="uint8") as target:
            target.write(values.astype(np.uint8))
        return bytes(memory.getbuffer())


def click(http: Http, path: Path, at: Sequence[Sequence[float]] = (CLICK,), **changes: str | None) -> Any:
    with rasterio.open(path) as source:
        fields = {
            "points": json.dumps(at),
            "label": "class-1",
            "crs": str(source.crs),
            "transform": json.dumps(source.transform.to_gdal()),
        }
    data = {name: value for name, value in (fields | changes).items() if value is not None}
    files = {"image": ("image.png", picture_of(path), "image/png")}
    return http.post("/campaigns/demo/predictions/sam", data=data, files=files)


def on_earth(path: Path, corners: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """Longitude and latitude of columns and rows."""
    with rasterio.open(path) as source:
        xs, ys = zip(*(source.transform @ tuple(corner) for corner in corners), strict=True)
        longitudes, latitudes = rasterio.warp.transform(source.crs, "EPSG:4326", xs, ys)
    return list(zip(longitudes, latitudes, strict=True))


def rectangle(path: Path, left: float, top: float, right: float, bottom: float) -> shapely.Polygon:
    """A rectangle of pixels on Earth, its sides as curved as they are there."""
    outline = shapely.segmentize(shapely.box(left, top, right, bottom), 4)
    return shapely.Polygon(on_earth(path, list(outline.exterior.coords)))


def outlined(path: Path, answer: Any, points: Sequence[Sequence[float]] = (CLICK,)) -> shapely.MultiPolygon:
    """The outline of an answer, after checks that hold for every one."""
    assert answer.status_code == 200, answer.text
    feature = answer.json()
    assert (feature["type"], feature["geometry"]["type"]) == ("Feature", "MultiPolygon")
    assert feature["properties"] == {"label": "class-1", "task": "sam"}
    outline = shapely.geometry.shape(feature["geometry"])
    assert outline.is_valid
    assert all(outline.contains(shapely.Point(place)) for place in on_earth(path, points))
    assert rectangle(path, 0, 0, 86, 96).buffer(1e-7).contains(outline)
    assert outline.intersection(rectangle(path, 43, NODATA_FROM, 86, 96)).area < 1e-9  # a tenth of a pixel
    return outline


def likeness(path: Path, outline: shapely.MultiPolygon) -> float:
    """IoU of an outline and the lake."""
    lake = rectangle(path, LAKE[1].start, LAKE[0].start, LAKE[1].stop, LAKE[0].stop)
    return float(outline.intersection(lake).area / outline.union(lake).area)


def test_outline_is_the_thing_that_was_clicked(serve_scenes: Callable[..., Http], imagery: Path) -> None:
    files = [
        write_lake(imagery / f"{dtype}_{crs[5:]}.tif", crs, dtype=dtype, seed=index)
        for index, crs in enumerate(PLACES)
        for dtype in ("uint8", "uint16", "int16", "float32")
    ]
    http = serve_scenes()
    for path in files:
        assert likeness(path, outlined(path, click(http, path))) > 0.85, path.name


@pytest.mark.parametrize("bands", [1, 2, 4, 13])
def test_outline_needs_no_model(serve_scenes: Callable[..., Http], imagery: Path, bands: int) -> None:
    path = write_lake(imagery / "lake.tif", "EPSG:32630", bands=bands)
    http = serve_scenes(model=False)
    assert likeness(path, outlined(path, click(http, path))) > 0.85


def test_image_that_is_no_sample_is_outlined_by_the_picture(
    serve_scenes: Callable[..., Http], imagery: Path, tmp_path: Path
) -> None:
    write_lake(imagery / "elsewhere.tif", "EPSG:4326")
    path = write_lake(tmp_path / "lake.tif", "EPSG:32630")
    http = serve_scenes()
    answer = click(http, path)
    assert answer.status_code == 200
    outline = shapely.geometry.shape(answer.json()["geometry"])
    assert likeness(path, outline) > 0.85


def test_of_two_dates_of_a_place_the_one_like_the_picture_is_taken(
    serve_scenes: Callable[..., Http], imagery: Path
) -> None:
    wet = write_lake(imagery / "a_wet.tif", "EPSG:32630", bands=4)
    dry = imagery / "b_dry.tif"
    make_scene(dry, width=86, height=96, bands=4, origin=PLACES["EPSG:32630"][0], crs="EPSG:32630", content="constant")
    http = serve_scenes(model=False)
    assert likeness(wet, outlined(wet, click(http, wet))) > 0.85


def test_points_add_up(serve_scenes: Callable[..., Http], imagery: Path) -> None:
    path = write_lake(imagery / "lake.tif", "EPSG:32630")
    http = serve_scenes()
    points = [CLICK, (70.5, 10.5)]
    both = outlined(path, click(http, path, points), points)
    assert both.area > outlined(path, click(http, path)).area
    assert click(http, path, points).content == click(http, path, points).content


BAD_PROMPTS: list[tuple[dict[str, str | None], int, str]] = [
    ({"points": None}, 400, "points"),
    ({"points": "[]"}, 400, "0 points"),
    ({"points": "[[1]]"}, 400, "points"),
    ({"points": "here"}, 400, "points"),
    ({"points": "[[86, 3]]"}, 400, "outside of the image of 86 x 96 px"),
    ({"points": "[[-1, 3]]"}, 400, "outside"),
    ({"points": "[[1e999, 3]]"}, 400, "points"),
    ({"points": "[[80.5, 90.5]]"}, 400, "no data at this point"),
    ({"label": "lava"}, 400, "class-1, class-2"),
    ({"label": None}, 400, "class-1, class-2"),
    ({"crs": None}, 422, "no CRS"),
    ({"crs": "None"}, 422, "no CRS"),
    ({"crs": "EPSG:word"}, 400, "no CRS that PROJ knows"),
    ({"crs": 'LOCAL_CS["site",UNIT["metre",1]]'}, 422, "cannot be brought to longitude and latitude"),
    ({"transform": None}, 400, "transform"),
    ({"transform": "[1, 2]"}, 400, "transform"),
    ({"transform": "[0, 0, 0, 0, 0, 0]"}, 400, "cannot be inverted"),
    ({"transform": "[1e300, 1e300, 0, 0, 0, 1e300]"}, 400, "cannot be inverted"),
]


def test_bad_prompt_is_refused_in_one_sentence(prompted: tuple[Http, Path]) -> None:
    http, path = prompted
    for changes, status, words in BAD_PROMPTS:
        answer = click(http, path, **changes)
        assert (answer.status_code, "\n" in answer.text) == (status, False), (changes, answer.text)
        assert words in answer.text, changes


def test_crs_names_no_file_and_no_address(
    prompted: tuple[Http, Path], listener: tuple[int, list[bytes]], tmp_path: Path
) -> None:
    http, path = prompted
    port, heard = listener
    (tmp_path / "crs.wkt").write_text(CRS.from_epsg(32630).to_wkt())
    for crs in outside(port, tmp_path / "crs.wkt"):
        answer = click(http, path, crs=crs)
        assert answer.status_code == 400, crs
        assert "send a code of EPSG" in answer.text
    assert heard == []


def test_label_whose_crs_names_a_file_or_an_address_is_refused(
    prompted: tuple[Http, Path], listener: tuple[int, list[bytes]], tmp_path: Path
) -> None:
    http, _ = prompted
    port, heard = listener
    (tmp_path / "crs.wkt").write_text(CRS.from_epsg(32630).to_wkt())
    features = {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"label": "class-1"},
                "geometry": shapely.geometry.mapping(shapely.box(442_600, 4_479_100, 442_900, 4_479_900)),
            }
        ],
    }
    label = {"path": "lake.tif", "task": "segmentation", "annotator": "ann"}
    for crs in outside(port, tmp_path / "crs.wkt"):
        named = features | {"crs": {"type": "name", "properties": {"name": crs}}}
        for body, place in (
            (label | {"features": features, "crs": crs}, "$.crs"),
            (label | {"features": named}, "crs"),
        ):
            answer = http.post("/campaigns/demo/labels", json=body)
            assert answer.status_code == 400, crs
            assert "send a code of EPSG" in answer.json()["detail"]
            assert place in answer.json()["detail"]
    assert heard == []
    known = ["EPSG:32630", "urn:ogc:def:crs:EPSG::32630", CRS.from_epsg(32630).to_wkt(version="WKT2_2019")]
    for crs in known:
        answer = http.post("/campaigns/demo/labels", json=label | {"features": features, "crs": crs})
        assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    "crs",
    ["urn:ogc:def:crs:EPSG::32630", CRS.from_epsg(32630).to_wkt(), CRS.from_epsg(32630).to_wkt(version="WKT2_2019")],
)
def test_crs_may_be_a_urn_or_wkt(prompted: tuple[Http, Path], crs: str) -> None:
    http, path = prompted
    assert likeness(path, outlined(path, click(http, path, crs=crs))) > 0.85


def outside(port: int, path: Path) -> list[str]:
    """What GDAL would fetch, open or build a CRS of with files."""
    url = f"http://127.0.0.1:{port}/crs"
    header_file = f"/vsicurl?header_file%3D{path}&url%3Dhttp%3A%2F%2F127.0.0.1%3A{port}"
    return [url, f"/vsicurl/{url}", header_file, str(path), "+proj=utm +zone=30", '{"type": "GeographicCRS"}']


@pytest.fixture
def prompted(serve_scenes: Callable[..., Http], imagery: Path) -> tuple[Http, Path]:
    """A service without a model, and a scene of its campaign."""
    path = write_lake(imagery / "lake.tif", "EPSG:32630")
    return serve_scenes(model=False), path


def test_prompt_without_an_image_is_refused(prompted: tuple[Http, Path]) -> None:
    http, _ = prompted
    url = "/campaigns/demo/predictions/sam"
    assert http.post(url, data={"points": "[[1, 1]]"}).status_code == 415
    fields = {"points": "[[1, 1]]", "label": "class-1", "crs": "EPSG:32630", "transform": "[0, 1, 0, 0, 0, -1]"}
    assert http.post(url, data=fields, files={"image": ("image.png", b"no picture")}).status_code == 415
    assert http.post("/campaigns/nobody/predictions/sam", data=fields, files={"image": b"x"}).status_code == 404


def test_operators_model_decides(settings: Settings, imagery: Path) -> None:
    """The model of the test outlines what is bright, so the land and not the lake."""
    path = write_lake(imagery / "lake.tif", "EPSG:32630")
    model = write_promptable(imagery.parent / "sam.onnx")
    with TestClient(
        create_app(msgspec.structs.replace(settings, sam_model=model)), base_url="http://127.0.0.1"
    ) as http:
        create(http, imagery, tasks=[{"task": "segmentation", "classes": ["class-1"]}])
        register(http)
        points = [(70.5, 10.5)]
        outline = outlined(path, click(http, path, points), points)
    assert likeness(path, outline) < 0.1


def test_operators_model_of_another_kind_stops_the_start(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = write_promptable(tmp_path / "wrong.onnx", output="iou")
    monkeypatch.setenv("AL_LOOP_DATA", str(settings.data))
    monkeypatch.setenv("AL_LOOP_IMAGERY", settings.imagery)
    monkeypatch.setenv("AL_LOOP_SAM_MODEL", str(wrong))
    with pytest.raises(SettingsError, match="`masks`"):
        serve()
    monkeypatch.setenv("AL_LOOP_SAM_MODEL", str(tmp_path / "none.onnx"))
    with pytest.raises(SettingsError, match="there is no file"):
        serve()


def click_on_sample(http: Http, **fields: str) -> Any:
    given = {"sample_id": "1", "points": json.dumps([CLICK]), "label": "class-1"} | fields
    return http.post("/campaigns/demo/predictions/sam", files={name: (None, text) for name, text in given.items()})


def test_click_on_a_sample_is_outlined_in_its_pixels_without_a_picture(http: Http, imagery: Path) -> None:
    write_lake(imagery / "pool" / "lake.tif", "EPSG:32630")
    create(http, imagery / "pool", tasks=[{"task": "segmentation", "classes": ["class-1"]}])
    register(http)
    answer = click_on_sample(http)
    assert answer.status_code == 200, answer.text
    assert answer.json()["properties"] == {"label": "class-1", "task": "sam", "crs": "pixel"}
    found = shapely.geometry.shape(answer.json()["geometry"])
    lake = shapely.box(LAKE[1].start, LAKE[0].start, LAKE[1].stop, LAKE[0].stop)
    assert found.intersection(lake).area / found.union(lake).area > 0.9


BAD_CLICKS = [
    ("sample_id", "99", 404),
    ("sample_id", "one", 400),
    ("points", "[[900, 1]]", 400),
    ("points", "[]", 400),
    ("label", "nothing", 400),
]


def test_bad_click_on_a_sample_is_refused(http: Http, imagery: Path) -> None:
    write_lake(imagery / "pool" / "lake.tif", "EPSG:32630")
    create(http, imagery / "pool", tasks=[{"task": "segmentation", "classes": ["class-1"]}])
    register(http)
    for field, text, status in BAD_CLICKS:
        assert click_on_sample(http, **{field: text}).status_code == status, text
