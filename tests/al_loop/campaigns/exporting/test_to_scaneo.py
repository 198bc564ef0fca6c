"""Labels travel between the real SCANEO and us by folders, and come back as they were."""

import io
import shutil
import zipfile
from pathlib import Path
from typing import Any

import shapely

from service.cli import main
from service.scaneo.client import ScaneoClient
from tests.al_loop.scaneo.fixtures import OPS_TOKEN, Team

HOLED = [
    [[2.001, 41.002], [2.009, 41.002], [2.009, 41.006], [2.001, 41.006], [2.001, 41.002]],
    [[2.003, 41.003], [2.003, 41.005], [2.005, 41.005], [2.005, 41.003], [2.003, 41.003]],
]
ISLAND = [[[2.0095, 41.0021], [2.0099, 41.0021], [2.0099, 41.0025], [2.0095, 41.0021]]]


def annotate(team: Team) -> None:
    """A class, a mask with a hole and an island, and an image without anything."""
    team.make_campaign(scenes=3, crs="EPSG:4326", origin=(2.0, 41.008), gsd_m=0.0002)
    geometry = {"type": "MultiPolygon", "coordinates": [HOLED, ISLAND]}
    team.client.add_mask(team.image(0).id, "water", {"type": "Feature", "properties": {}, "geometry": geometry})
    team.client.add_class(team.image(0).id, "urban")
    team.client.add_class(team.image(1).id, "forest")


def content(client: ScaneoClient, campaign_id: str) -> set[tuple[str, str, str, str]]:
    """Everything annotated in a campaign: path, kind, label and normalised geometry."""
    found = set()
    for image in client.images(campaign_id):
        for row in client.annotations(image.id):
            area = shapely.geometry.shape(row.layer_data["geometry"]) if row.layer_data else None
            found.add((image.path, row.type, row.value, "" if area is None else shapely.normalize(area).wkt))
    return found


def meaning(label: dict[str, Any]) -> Any:
    """Classes of a label, or the area that it covers."""
    areas = [
        shapely.geometry.shape(feature["geometry"]) for feature in (label["features"] or {"features": []})["features"]
    ]
    return label["classes"] or shapely.normalize(shapely.union_all(areas))


def test_our_export_is_what_scaneo_imports(team: Team, tmp_path: Path) -> None:
    annotate(team)
    before = content(team.client, team.theirs.id)
    team.connect()
    team.wait_for_labels(3)
    archive = team.api.get("/campaigns/demo/export", params={"format": "scaneo"}).content
    folder = tmp_path / "again"
    shutil.copytree(team.folder, folder)
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        packed.extractall(folder)
    imported = team.client.create_campaign("Again", str(folder), [])
    assert content(team.client, imported.id) == before
    assert {label.name for label in team.client.labels(imported.id)} == {"water", "urban", "forest"}


def test_scaneos_export_is_what_we_import(team: Team, tmp_path: Path) -> None:
    annotate(team)
    team.connect()
    linked = {(label["path"], label["task"]): label for label in team.wait_for_labels(3)}
    out = team.folder / "export"
    out.mkdir()
    team.client.export(team.theirs.id, str(out))
    shutil.copy(team.folder / "spai.json", out)
    for number in range(3):
        shutil.copy(team.folder / f"scene_{number}.tif", out)
    (team.folder / "spai.json").unlink()
    assert main(["import", str(out), "--campaign", "again", "--service", team.url, "--token", OPS_TOKEN]) == 0
    labels = team.api.get("/campaigns/again/labels").json()["labels"]
    assert {(label["path"], label["task"]): meaning(label) for label in labels} == {
        key: meaning(label) for key, label in linked.items()
    }
