"""Every way by which a CRS comes in is sent what GDAL or PROJ would call or open: nobody is called, nothing is read.

`DOORS` is the list of them; what takes a CRS from outside belongs there. That GDAL itself would call the listener of
these tests is shown in tests/models/rasters/test_crs.py.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from rasterio.crs import CRS

from al_loop.campaigns.importing import plan_import
from al_loop.errors import AlLoopError
from models.errors import ModelsError
from tests.al_loop.campaigns.importing.fixtures import annotation, collection, square, write_json, write_raster
from tests.conftest import Http
from tests.data.make_scene import make_scene
from tests.models.rasters.opening.test_doors import GRIDS, PROJ, aux_with_crs, cited, overviews
from tests.service.routes.bad_input import polygon

SECRET = "ESRI:102001"
"""The CRS in the file that texts name: wherever it shows up, the file was read."""

TEXTS = {
    "URL": "http://127.0.0.1:{port}/x",
    "vsicurl": "/vsicurl/http://127.0.0.1:{port}/x",
    "vsicurl with a header file": "/vsicurl?header_file%3D{file}&url%3Dhttp%3A%2F%2F127.0.0.1%3A{port}",
    "vsizip": "/vsizip//vsicurl/http://127.0.0.1:{port}/x.zip/crs.wkt",
    "file": "{file}",
    "file URL": "file://{file}",
    "init file": "+init={file}:1",
    "grid": "+proj=longlat +nadgrids=/vsicurl/http://127.0.0.1:{port}/x.gsb",
    "grid of a file": "+proj=longlat +nadgrids={file}",
    "grid in WKT": GRIDS.replace("{url}", "/vsicurl/http://127.0.0.1:{port}/x.gsb"),
    "PROJ string in WKT": PROJ.replace("{url}", "/vsicurl/http://127.0.0.1:{port}/x.gsb"),
}

Door = Callable[[Http, Path, list[str]], list[httpx.Response]]
"""Brings texts in, with a fresh folder below the imagery; gives the answers."""


def sam(http: Http, folder: Path, texts: list[str]) -> list[httpx.Response]:
    image = make_scene(folder / "a.tif").read_bytes()
    form = {"points": "[[30, 30]]", "label": "dark", "transform": "[500000,10,0,4600000,0,-10]"}
    path = "/campaigns/demo/predictions/sam"
    return [http.post(path, data=form | {"crs": text}, files={"image": image}) for text in texts]


def label(http: Http, folder: Path, texts: list[str], *, member: bool = False) -> list[httpx.Response]:
    features = polygon((500_100, 4_599_900), (500_300, 4_599_900), (500_300, 4_599_700), (500_100, 4_599_900))
    body: dict[str, Any] = {"path": "scene_000.tif", "task": "segmentation", "annotator": "a"}
    bodies = [
        body | {"features": features | {"crs": {"type": "name", "properties": {"name": text}}}}
        if member
        else body | {"features": features, "crs": text}
        for text in texts
    ]
    return [http.post("/campaigns/demo/labels", json=body) for body in bodies]


def taken(http: Http, folder: Path, ending: str) -> list[httpx.Response]:
    """Files as uploads, and as those of a campaign of their own, whose samples are listed and shown."""
    name = folder.name
    tasks = [{"task": "classification", "classes": ["dark", "bright"]}]
    made = http.post("/campaigns", json={"name": name, "root": str(folder), "tasks": tasks})
    assert made.status_code == 201, made.text
    path = f"/campaigns/{name}/samples"
    uploads = [{"image": (file.name, file.read_bytes())} for file in sorted(folder.glob(f"*{ending}"))]
    assert uploads
    predicted = [http.post(f"/campaigns/{name}/predictions/segmentation", files=upload) for upload in uploads]
    scanned = http.post(path, json={"scan": True})
    listed = http.get(path)
    shown = [http.get(f"{path}/{entry['sample_id']}/thumbnail.png") for entry in listed.json()["samples"]]
    return [*predicted, scanned, listed, *shown]


def image(http: Http, folder: Path, texts: list[str], *, write: Callable[[Path, str], None]) -> list[httpx.Response]:
    for number, text in enumerate(texts):
        write(make_scene(folder / f"{number}.tif", bands=1, dtype="uint8"), text)
    return taken(http, folder, ".tif")


def beside(http: Http, folder: Path, texts: list[str], *, ending: str) -> list[httpx.Response]:
    """Sidecars that hold the text alone, beside pictures with world files."""
    for number, text in enumerate(texts):
        write_raster(folder / f"{number}.png")
        (folder / f"{number}.pgw").write_text("10\n0\n0\n-10\n500000\n4600000\n")
        (folder / f"{number}{ending}").write_text(text)
    return taken(http, folder, ".png")


def virtual(http: Http, folder: Path, texts: list[str], *, ending: str) -> list[httpx.Response]:
    make_scene(folder / "real.tif", bands=1, dtype="uint8")
    for number, text in enumerate(texts):
        quoted = text.replace("&", "&amp;").replace('"', "&quot;")
        (folder / f"{number}{ending}").write_text(
            f'<VRTDataset rasterXSize="64" rasterYSize="64"><SRS>{quoted}</SRS>'
            '<GeoTransform>0,1,0,0,0,-1</GeoTransform><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
            f'<SourceFilename relativeToVRT="0">{quoted}</SourceFilename><SourceBand>1</SourceBand>'
            "</SimpleSource></VRTRasterBand></VRTDataset>"
        )
    return taken(http, folder, ending)


def imported(http: Http, folder: Path, texts: list[str], *, kind: str) -> list[httpx.Response]:
    """Labelled folders of a kind that name a CRS of their own wherever the format has room for one."""
    for number, text in enumerate(texts):
        inner = folder / str(number)
        write_raster(inner / "a.tif")
        aux_with_crs("{url}")(inner / "a.tif", text)
        KINDS[kind](inner, text)
        with suppress(AlLoopError, ModelsError):  # of the image, whose sidecar names the CRS, too
            assert {entry.crs for entry in plan_import(inner).labels("a")} <= {None, "pixel", "EPSG:4326"}
    return taken(http, folder, "/*.tif")


def from_scaneo(folder: Path, text: str) -> None:
    crs = {"type": "name", "properties": {"name": text}}
    shape = {"type": "MultiPolygon", "coordinates": [square(1, 1)], "crs": crs}
    write_json(folder / "a.geojson", collection(annotation("water", "segmentation", shape) | {"crs": crs}, crs=crs))


def from_coco(folder: Path, text: str) -> None:
    outline = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 5, 1, 5, 5]], "crs": text}
    entry = {"id": 1, "file_name": "a.tif", "width": 10, "height": 8, "crs": text, "coco_url": text}
    content = {"images": [entry], "annotations": [outline], "categories": [{"id": 1, "name": "water"}], "crs": text}
    write_json(folder / "coco.json", content)


def from_table(folder: Path, text: str) -> None:
    quoted = text.replace('"', '""')
    (folder / "labels.csv").write_text(f'filename,label,crs\na.tif,water,"{quoted}"\n"{quoted}",land,x\n')


KINDS: dict[str, Callable[[Path, str], None]] = {"scaneo": from_scaneo, "coco": from_coco, "table": from_table}

DOORS: dict[str, Door] = {
    "field of predictions/sam": sam,
    "field of a label": label,
    "member of a label's GeoJSON": partial(label, member=True),
    ".prj": partial(beside, ending=".prj"),
    ".qpj": partial(beside, ending=".qpj"),
    "aux.xml": partial(image, write=lambda path, text: aux_with_crs("{url}")(path, text)),
    "citation of a GeoTIFF": partial(image, write=lambda path, text: cited("{url}")(path, text)),
    "overviews of an aux.xml": partial(image, write=overviews),
    ".vrt": partial(virtual, ending=".vrt"),
    "VRT named .tif": partial(virtual, ending=".tif"),
    "import from SCANEO": partial(imported, kind="scaneo"),
    "import of COCO": partial(imported, kind="coco"),
    "import of a table": partial(imported, kind="table"),
}
REFUSING = ("field of predictions/sam", "field of a label", "member of a label's GeoJSON")


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("door", list(DOORS))
def test_door_calls_nobody_and_reads_no_file(
    door: str,
    still_http: Http,
    still_campaign: str,
    still_imagery: Path,
    tmp_path: Path,
    listener: tuple[int, list[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port, heard = listener
    for name in ("GDAL_HTTP_PROXY", "CPL_VSIL_CURL_ALLOWED_FILENAME", "PROJ_NETWORK"):
        monkeypatch.delenv(name)  # what is refused here is refused whatever the network allows
    file = tmp_path / "secret.wkt"
    file.write_text(CRS.from_user_input(SECRET).to_wkt())
    texts = [text.replace("{port}", str(port)).replace("{file}", str(file)) for text in TEXTS.values()]
    folder = still_imagery / f"door-{list(DOORS).index(door)}"
    folder.mkdir()
    for answer in DOORS[door](still_http, folder, texts):
        assert answer.status_code < 500, answer.text
        assert "102001" not in answer.text
        assert "Canada_Albers" not in answer.text
        if door in REFUSING:
            assert answer.status_code == 400, answer.text
    assert heard == []
