"""`al-loop import` against a real service: what it says, how it ends, and what stays of what people did."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from al_loop.client.errors import ServiceError
from al_loop.client.operators import OperatorClient
from al_loop.domain.campaigns import ClassRequest
from al_loop.domain.labels import LabelInput
from service.app import create_app
from service.cli import main
from service.settings import Settings
from tests.al_loop.campaigns.importing.fixtures import write_raster
from tests.e2e.campaigns import running_server

Import = Callable[..., tuple[int, str]]


@pytest.fixture
def address(settings: Settings) -> Iterator[str]:
    with running_server(create_app(settings)) as url:
        yield url


@pytest.fixture
def client(address: str) -> Iterator[OperatorClient]:
    with OperatorClient(address) as client:
        yield client


@pytest.fixture
def run(address: str, capfd: pytest.CaptureFixture[str]) -> Import:
    """Import a folder into the campaign `land`; exit code and what was said."""

    def run_import(folder: Path, *options: str) -> tuple[int, str]:
        capfd.readouterr()
        code = main(["import", str(folder), "--campaign", "land", *options, "--service", address])
        said = capfd.readouterr()
        return code, said.out + said.err

    return run_import


@pytest.fixture
def folder(imagery: Path) -> Path:
    """Two class folders of three images each, all different."""
    for number, name in enumerate(["forest", "forest", "forest", "water", "water", "water"]):
        write_raster(imagery / "in" / name / f"{number}.tif", np.full((3, 8, 10), 10 * number + 5, np.uint8))
    return imagery / "in"


def correct(client: OperatorClient, path: str, name: str) -> None:
    label = LabelInput(path=path, task="classification", annotator="anna", classes=[name], override_lease=True)
    client.record_labels("land", [label])


def exported(client: OperatorClient) -> dict[str, str]:
    """Class of each image in the three formats, which must agree."""
    archive = zipfile.ZipFile(io.BytesIO(client.export("land", "scaneo")))
    scaneo = {
        name.replace(".geojson", ".tif"): json.loads(archive.read(name))["features"][0]["properties"]["label"]
        for name in archive.namelist()
        if name.endswith(".geojson")
    }
    features = [entry["properties"] for entry in json.loads(client.export("land", "geojson"))["features"]]
    geojson = {entry["path"]: entry["classes"][0] for entry in features if entry["counts"]}
    rows = pq.read_table(io.BytesIO(client.export("land", "parquet"))).to_pylist()
    parquet = {row["path"]: row["classes"][0] for row in rows if row["counts"]}
    assert scaneo == geojson == parquet
    return scaneo


def test_importing_again_leaves_what_people_corrected(run: Import, folder: Path, client: OperatorClient) -> None:
    code, said = run(folder)
    assert (code, "6 images (6 new), classification labels: 6 new" in said) == (0, True)
    correct(client, "forest/0.tif", "water")
    before = client.export("land", "parquet")
    code, said = run(folder)
    assert code == 0
    assert "6 images (0 new, 6 known), classification labels: 0 new, 6 unchanged" in said
    assert "1 labels do not count, as people answered" in said
    assert pq.read_table(io.BytesIO(client.export("land", "parquet"))) == pq.read_table(io.BytesIO(before))
    assert exported(client)["forest/0.tif"] == "water"

    code, said = run(folder, "--overwrite")
    assert (code, "1 answers of people no longer count" in said) == (0, True)
    assert exported(client)["forest/0.tif"] == "forest"
    correct(client, "forest/0.tif", "water")
    run(folder)
    assert exported(client)["forest/0.tif"] == "water"


def test_importing_again_under_another_spelling_of_the_name_is_the_same_import(
    run: Import, folder: Path, client: OperatorClient
) -> None:
    run(folder, "--annotator", "Survey 2026")
    code, said = run(folder, "--annotator", "survey 2026 ")
    assert (code, "classification labels: 0 new, 6 unchanged" in said) == (0, True)
    features = json.loads(client.export("land", "geojson"))["features"]
    assert {feature["properties"]["annotator"] for feature in features} == {"Survey 2026"}


def test_class_added_to_the_folder_is_refused_or_added_and_summary_tells_what_was_stored(
    run: Import, folder: Path, client: OperatorClient
) -> None:
    run(folder)
    for number in range(2):
        write_raster(folder / "urban" / f"{number}.tif", np.full((3, 8, 10), 100 + number, np.uint8))
    code, said = run(folder)
    assert code == 3
    assert "classification labels: 0 new, 6 unchanged, 2 refused" in said
    assert "land has no class 'urban'" in said
    assert "--add-classes" in said
    code, said = run(folder, "--add-classes")
    assert (code, "classification labels: 2 new, 6 unchanged" in said) == (0, True)
    assert exported(client)["urban/0.tif"] == "urban"


def test_renamed_class_is_known_by_its_former_name(run: Import, folder: Path, client: OperatorClient) -> None:
    run(folder)
    client.change_class("land", "classification", "forest", {"name": "wood"})
    code, said = run(folder)
    assert (code, "0 new, 6 unchanged" in said) == (0, True)


def test_folder_that_was_renamed_is_told_with_the_images_that_moved(run: Import, folder: Path) -> None:
    run(folder)
    (folder / "forest").rename(folder / "wood")
    code, said = run(folder, "--add-classes")
    assert code == 0
    assert "3 images of land have no file any more, 3 of which have the name of a new image" in said
    assert "forest/0.tif -> wood/0.tif" in said


def test_sub_folder_of_the_campaigns_images_goes_in_under_its_path_and_another_folder_does_not(
    run: Import, folder: Path, client: OperatorClient, imagery: Path
) -> None:
    run(folder)
    for name in ("forest", "water"):
        write_raster(folder / "more" / name / "9.tif", np.full((3, 8, 10), 200, np.uint8))
        write_raster(imagery / "other" / name / "0.tif", np.full((3, 8, 10), 210, np.uint8))
    code, said = run(folder / "more")
    assert (code, "2 images (2 new), classification labels: 2 new" in said) == (0, True)
    assert exported(client)["more/water/9.tif"] == "water"
    code, said = run(imagery / "other")
    assert (code, "import it under another name" in said) == (2, True)


def test_import_that_is_refused_or_comes_to_nothing_leaves_no_campaign(
    run: Import, imagery: Path, client: OperatorClient
) -> None:
    for name in ("crops", "water"):
        (imagery / "bad" / name).mkdir(parents=True)
        (imagery / "bad" / name / "0.tif").write_text("no raster")
    code, said = run(imagery / "bad")
    assert (code, "land was removed again" in said) == (2, True), said
    write_raster(imagery / "thumbs/scenes/0.tif")
    write_raster(imagery / "thumbs/thumbnails/0.png")
    assert run(imagery / "thumbs")[0] == 2
    with pytest.raises(ServiceError, match="land"):
        client.campaign("land")


def test_dry_run_prints_the_plan_and_creates_nothing(run: Import, imagery: Path, client: OperatorClient) -> None:
    root = imagery / "masks"
    for number in range(3):
        write_raster(root / "images" / f"{number}.tif", np.full((3, 8, 10), 9 + number, np.uint8))
    mask = np.zeros((8, 10), np.uint8)
    mask[2:5, 2:5] = 255
    write_raster(root / "masks/0.png", mask)
    write_raster(root / "masks/1.png", mask[:4])
    code, said = run(root, "--dry-run", "--classes", "field")
    assert code == 3
    assert "layout: mask-pairs" in said
    assert "images: 3" in said
    assert "labels: 1 segmentation" in said
    assert "field: in 1 images" in said
    assert "255 is field" in said
    assert "mask is 10 x 4 px, its image 10 x 8 px" in said
    assert client.campaigns() == []
    code, said = run(root, "--classes", "field")
    assert (code, "3 images (3 new), segmentation labels: 1 new" in said) == (3, True)
    assert run(root, "--classes", "field")[0] == 3
    assert "0 new, 1 unchanged" in run(root, "--classes", "field")[1]


def test_scan_after_an_import_takes_no_masks_for_images(run: Import, imagery: Path, client: OperatorClient) -> None:
    write_raster(imagery / "in/images/0.tif", np.full((1, 8, 10), 9, np.uint8))
    write_raster(imagery / "in/masks/0.tif", np.eye(8, 10, dtype=np.uint8))
    assert run(imagery / "in")[0] == 0
    report = client.register("land")
    assert (report.registered, report.known, report.skipped) == (0, 1, [])


def test_ambiguous_folder_is_decided_by_layout(run: Import, imagery: Path, client: OperatorClient) -> None:
    for number, name in enumerate(("train", "bus")):
        write_raster(imagery / "in" / name / "0.tif", np.full((3, 8, 10), 9 + number, np.uint8))
    assert run(imagery / "in")[0] == 2
    assert run(imagery / "in", "--layout", "class-folders")[0] == 0
    assert client.classes("land").tasks[0].classes[1].name == "train"


def test_unused_class_of_the_service_can_be_added_by_hand(run: Import, folder: Path, client: OperatorClient) -> None:
    run(folder)
    client.add_class("land", ClassRequest(task="classification", name="urban"))
    write_raster(folder / "urban/0.tif", np.full((3, 8, 10), 100, np.uint8))
    assert run(folder)[0] == 0


def test_emoji_and_text_from_right_to_left_come_back_equal(run: Import, imagery: Path, client: OperatorClient) -> None:
    names = ["🌊🌲 wet forest", "مياه عميقة", "יער", "Überschwemmungsgebiet"]
    for number, name in enumerate(names):
        write_raster(imagery / "in" / name / f"{number}.tif", np.full((3, 8, 10), 10 * number + 5, np.uint8))
    assert run(imagery / "in")[0] == 0
    before, labels = client.campaign("land"), exported(client)
    assert sorted(labels.values()) == sorted(names)
    with zipfile.ZipFile(io.BytesIO(client.export("land", "scaneo"))) as archive:
        archive.extractall(imagery / "exported")
    client.delete_campaign("land")
    code, said = run(imagery / "exported", "--images", str(imagery / "in"))
    assert code == 0, said
    after = client.campaign("land")
    assert exported(client) == labels
    assert after.settings == before.settings
    assert sorted(after.tasks[0].classes) == sorted(before.tasks[0].classes) == sorted(names)
