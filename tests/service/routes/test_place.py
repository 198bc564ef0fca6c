"""Images that lie nowhere on Earth, or across the date line, through the service: bounds, reserve, labels, exports."""

import io
import json
import unicodedata
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from rasterio.crs import CRS
from shapely.geometry import shape

from tests.data.make_scene import make_scene
from tests.e2e.campaigns import FAST_POLICY, Http, create, register, write_pool

MARS = (
    'GEOGCS["Mars 2000",DATUM["D_Mars_2000",SPHEROID["Mars_2000_IAU_IAG",3396190,169.8944472]],'
    'PRIMEM["Reference_Meridian",0],UNIT["degree",0.0174532925199433]]'
)
SITE = 'LOCAL_CS["unnamed",UNIT["metre",1]]'
SQUARE = [[10.0, 10.0], [50.0, 10.0], [50.0, 40.0], [10.0, 40.0], [10.0, 10.0]]
TASKS = [{"task": "classification", "classes": ["a", "b"]}, {"task": "segmentation", "classes": ["water"]}]
ODD = ["far.tif", "local.tif", "mars.tif", "metres.tif"]


def drawn(ring: Any, **properties: Any) -> dict[str, Any]:
    geometry = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "geometry": geometry, "properties": {"label": "water", **properties}}
    return {"type": "FeatureCollection", "features": [feature]}


def send(http: Http, path: str, features: Any, **fields: Any) -> Any:
    body = {"path": path, "task": "segmentation", "annotator": "ann", "features": features, **fields}
    return http.post("/campaigns/demo/labels", json=body)


def labels_of(http: Http, name: str = "demo") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = http.get(f"/campaigns/{name}/labels").json()["labels"]
    return found


def exported(http: Http, kind: str) -> bytes:
    answer = http.get("/campaigns/demo/export", params={"format": kind})
    assert answer.status_code == 200
    return answer.content


def coordinates_of(value: Any) -> list[Any]:
    """Every `coordinates` member in some JSON."""
    if isinstance(value, list):
        return [found for item in value for found in coordinates_of(item)]
    if not isinstance(value, dict):
        return []
    own = [value["coordinates"]] if "coordinates" in value else []
    return own + [found for item in value.values() for found in coordinates_of(item)]


def numbers(value: Any) -> list[Any]:
    return [number for item in value for number in numbers(item)] if isinstance(value, list) else [value]


@pytest.fixture
def odd(http: Http, imagery: Path) -> Http:
    """A campaign of one ordinary image and four that have a CRS and no place, each with a polygon in pixels."""
    root = imagery / "odd"
    make_scene(root / "good.tif", height=64)
    make_scene(root / "local.tif", height=64, crs=SITE, origin=(500.0, 900.0), gsd_m=0.05)
    make_scene(root / "mars.tif", height=64, crs=MARS, origin=(10.0, 20.0), gsd_m=0.001)
    make_scene(root / "far.tif", height=64, crs="EPSG:32630", origin=(5e7, 5e7))
    make_scene(root / "metres.tif", height=64, crs="EPSG:4326", origin=(500_000.0, 4_650_000.0))
    create(http, root, tasks=TASKS)
    report = register(http)
    assert (report["registered"], report["skipped"]) == (5, [])
    for path in ["good.tif", *ODD]:
        assert send(http, path, drawn(SQUARE), crs="pixel").status_code == 201
    return http


def test_images_without_a_place_say_why_and_stand_in_one_notice(odd: Http) -> None:
    samples = {entry["path"]: entry for entry in odd.get("/campaigns/demo/samples").json()["samples"]}
    assert samples["good.tif"]["place_problem"] is None
    assert samples["good.tif"]["bounds"] is not None
    for path, reason in zip(
        ODD, ("outside of what its CRS", "no way", "no way", "perhaps they are metres"), strict=True
    ):
        assert samples[path]["bounds"] is None
        assert reason in samples[path]["place_problem"]
    one = odd.get(f"/campaigns/demo/samples/{samples['mars.tif']['sample_id']}/surroundings")
    assert one.status_code in (200, 404)
    (notice,) = odd.get("/campaigns/demo").json()["notices"]
    assert notice.startswith("4 images have no place on Earth")
    assert "far.tif (its coordinates" in notice


def test_exports_keep_everybodys_labels_and_no_coordinate_is_null_or_off_the_earth(odd: Http) -> None:
    for _ in range(8):  # GDAL reports some failures, then no more: an answer must not depend on that
        features = json.loads(exported(odd, "geojson"))["features"]
        assert {f["properties"]["path"]: f["properties"]["crs"] for f in features} == {
            "good.tif": "EPSG:4326", **dict.fromkeys(ODD, "pixel"),
        }  # fmt: skip
        for feature in features:
            found = numbers(coordinates_of(feature))
            assert None not in found
            if feature["properties"]["crs"] == "EPSG:4326":
                assert max(map(abs, found[1::2])) <= 90
            else:
                assert feature["geometry"]["coordinates"] == [SQUARE]
    with zipfile.ZipFile(io.BytesIO(exported(odd, "scaneo"))) as archive:
        assert "good.geojson" in archive.namelist()
        left = archive.read("left-out.txt").decode()
        assert [line.partition(":")[0] for line in left.splitlines()] == ODD
        assert "without a place on Earth: its CRS 'Mars 2000' has no way" in left
    rows = pq.read_table(io.BytesIO(exported(odd, "parquet"))).to_pylist()
    assert {row["path"]: row["crs"] for row in rows} == dict.fromkeys(["good.tif", *ODD], "pixel")


def test_labels_of_an_image_without_a_place_are_taken_in_its_own_crs_and_refused_in_degrees(odd: Http) -> None:
    own = [[500.5, 899.5], [502.5, 899.5], [502.5, 898.0], [500.5, 898.0], [500.5, 899.5]]
    assert send(odd, "local.tif", drawn(own), crs=SITE).status_code == 201
    (stored,) = [entry for entry in labels_of(odd) if entry["path"] == "local.tif"]
    assert stored["crs"] == "pixel"
    assert shape(stored["features"]["features"][0]["geometry"]).bounds == pytest.approx((10, 10, 50, 40))
    refused = send(odd, "mars.tif", drawn([[10, 20], [10.01, 20], [10.01, 19.99], [10, 20]]), crs="EPSG:4326")
    assert refused.status_code == 400
    assert "the place of mars.tif on Earth is unknown" in refused.json()["detail"]


def test_metres_tagged_as_degrees_get_a_reserve(http: Http, imagery: Path) -> None:
    root = imagery / "metres"
    for number in range(60):
        origin = (500_000.0 + number % 10 * 320, 4_650_000.0 - number // 10 * 320)
        make_scene(root / f"f{number:02d}.tif", width=32, height=32, crs="EPSG:4326", origin=origin, seed=number)
    create(http, root, tasks=TASKS[:1], settings={}, policy=FAST_POLICY)
    register(http)
    asked = http.post("/campaigns/demo/queries", json={"annotator": "ann", "query_size": 2})
    assert asked.status_code == 201
    assert http.get("/campaigns/demo").json()["samples"]["reserve"] == 30


@pytest.mark.parametrize(
    ("crs", "origin", "gsd"),
    [
        ("EPSG:32660", (780_000.0, 7_000_000.0), 100.0),
        ("EPSG:3832", (3_338_000.0, 100_000.0), 100.0),
        ("EPSG:4326", (179.97, 10.0), 0.001),
        ("EPSG:4326", (-180.03, 10.0), 0.001),
        ("EPSG:3857", (20_035_000.0, 100_000.0), 100.0),
    ],
)
def test_polygon_across_the_date_line_is_cut_in_exports_and_comes_back_as_the_same_pixels(
    http: Http, imagery: Path, crs: str, origin: tuple[float, float], gsd: float
) -> None:
    if crs == "EPSG:32660":  # 180 degrees lies 151 km east of the zone's meridian there
        origin = (651_000.0 - 3_000.0, 7_000_000.0)
    make_scene(imagery / "line" / "a.tif", height=64, crs=crs, origin=origin, gsd_m=gsd)
    create(http, imagery / "line", tasks=TASKS)
    register(http)
    assert send(http, "a.tif", drawn(SQUARE), crs="pixel").status_code == 201

    (feature,) = json.loads(exported(http, "geojson"))["features"]

    assert feature["geometry"]["type"] == "MultiPolygon"
    parts = [part.bounds for part in shape(feature["geometry"]).geoms]
    assert len(parts) == 2
    assert all(-180 <= west < east <= 180 and east - west < 1 for west, _, east, _ in parts)
    properties = {"label": feature["properties"]["label"]}
    again = {"type": "FeatureCollection", "features": [{**feature, "properties": properties}]}
    assert send(http, "a.tif", again, annotator="ben").status_code == 201
    masks = [_mask(http, annotator) for annotator in ("ann", "ben")]
    assert masks[0].sum() == 40 * 30
    np.testing.assert_array_equal(*masks)
    with zipfile.ZipFile(io.BytesIO(exported(http, "scaneo"))) as archive:
        (annotation,) = json.loads(archive.read("a.geojson"))["features"]
    assert len(annotation["geometry"]["coordinates"]) == 2


def _mask(http: Http, annotator: str) -> np.ndarray[Any, Any]:
    """Which pixels of the sample an annotator's label covers."""
    from al_loop.campaigns.exporting.coordinates import pixel_geometry
    from models.rasters.masks import polygons_to_codes

    loop = http.app.state.loop
    campaign = loop.store.campaigns.get("demo")
    (sample,) = loop.store.samples.headers(campaign.campaign_id, [1]).values()
    labels = http.get("/campaigns/demo/labels", params={"annotator": annotator}).json()["labels"]
    (feature,) = labels[0]["features"]["features"]
    area = shape(pixel_geometry(feature["geometry"], labels[0]["crs"], sample))
    return polygons_to_codes([(1, area.wkb)], sample.height, sample.width)


def test_speck_is_refused_or_drawn_as_the_pixels_that_it_touches(http: Http, imagery: Path) -> None:
    speck = drawn([[10.1, 10.1], [10.2, 10.1], [10.2, 10.2], [10.1, 10.1]])
    make_scene(imagery / "one" / "a.tif", height=64)
    create(http, imagery / "one", tasks=TASKS)
    register(http)
    refused = send(http, "a.tif", speck, crs="pixel")
    assert refused.status_code == 400
    assert "covers the centre of no pixel" in refused.json()["detail"]
    create(http, imagery / "one", "fine", tasks=TASKS, settings={"all_touched": True})
    register(http, "fine")
    body = {"path": "a.tif", "task": "segmentation", "annotator": "ann", "features": speck, "crs": "pixel"}
    answer = http.post("/campaigns/fine/labels", json=body).json()
    assert "cover the centre of no pixel and are stored as the pixels they touch" in answer["notices"][0]
    (stored,) = labels_of(http, "fine")
    assert stored["features"]["features"][0]["properties"] == {"label": "water", "all_touched": True}


def test_accents_may_be_spelled_either_way_in_classes_and_paths(http: Http, imagery: Path) -> None:
    composed, apart = (unicodedata.normalize(form, "For\u00eat") for form in ("NFC", "NFD"))
    make_scene(imagery / "mac" / f"{apart}.tif")
    create(http, imagery / "mac", tasks=[{"task": "classification", "classes": [apart, "Eau"]}])
    register(http)
    assert http.get("/campaigns/demo").json()["tasks"][0]["classes"] == [composed, "Eau"]
    for path, name in ((f"{composed}.tif", apart), (f"{apart}.tif", composed)):
        body = {"path": path, "task": "classification", "annotator": "ann", "classes": [name]}
        answer = http.post("/campaigns/demo/labels", json=body)
        assert answer.status_code == 201, answer.text
        assert labels_of(http)[0]["classes"] == [composed]
    twice = {"name": "two", "tasks": [{"task": "classification", "classes": [apart, composed]}]}
    refused = http.post("/campaigns", json=twice | {"root": str(imagery / "mac")})
    assert refused.status_code == 400
    assert "listed twice" in refused.json()["detail"]


@pytest.fixture(scope="module")
def still_sea(still_http: Http, still_imagery: Path) -> Http:
    write_pool(still_imagery / "sea", 1)
    create(still_http, still_imagery / "sea", tasks=TASKS)
    register(still_http)
    return still_http


@pytest.mark.parametrize("door", ["crs", "member"])
@pytest.mark.parametrize(
    "template", ["http://127.0.0.1:{port}/x", "/vsicurl/http://127.0.0.1:{port}/x", "{path}", "+init={path}"]
)
def test_crs_of_a_label_calls_no_address_and_reads_no_file(
    still_sea: Http, tmp_path: Path, listener: tuple[int, list[bytes]], door: str, template: str
) -> None:
    port, heard = listener
    file = tmp_path / "crs.wkt"
    file.write_text(CRS.from_epsg(32631).to_wkt())
    name = template.format(port=port, path=file)
    features = drawn(
        [[500_100.0, 4_599_900.0], [500_300.0, 4_599_900.0], [500_300.0, 4_599_700.0], [500_100.0, 4_599_900.0]]
    )
    if door == "member":
        features["crs"] = {"type": "name", "properties": {"name": name}}
    refused = send(still_sea, "scene_000.tif", features, **({"crs": name} if door == "crs" else {}))
    assert refused.status_code == 400
    assert "is no CRS that PROJ knows" in refused.json()["detail"]
    assert heard == []
