"""Images under several names over HTTP and from the command line."""

import shutil
from pathlib import Path

import msgspec
import pytest

from al_loop.client.answers import DuplicateList
from al_loop.client.operators import OperatorClient
from tests.e2e.campaigns import Http, create, register, write_pool
from tests.service.commands.fixtures import Run


@pytest.fixture
def doubled(http: Http, imagery: Path) -> Http:
    """Three scenes, each under two names; both names of the last have a label."""
    for name in write_pool(imagery, 3):
        (imagery / "copies").mkdir(exist_ok=True)
        shutil.copy(imagery / name, imagery / "copies" / name)
    create(http, imagery)
    assert register(http)["registered"] == 6
    labels = [
        {"path": path, "task": "classification", "annotator": "ann", "classes": ["dark"]}
        for path in ("scene_000.tif", "scene_002.tif", "./copies//scene_002.tif")
    ]
    assert http.post("/campaigns/demo/labels", json=labels).status_code == 201
    return http


def test_copies_are_listed_and_those_without_labels_taken_out(doubled: Http) -> None:
    found = msgspec.convert(doubled.get("/campaigns/demo/duplicates").json(), DuplicateList)
    assert [(group.kept.path, group.conflict) for group in found.groups if group.kept.labels] == [
        ("scene_000.tif", False), (found.groups[-1].kept.path, True),
    ]  # fmt: skip
    assert any("copies of others" in line for line in doubled.get("/campaigns/demo").json()["notices"])
    assert doubled.delete("/campaigns/demo/duplicates").status_code == 400
    answer = doubled.delete("/campaigns/demo/duplicates", params={"confirm": "true"})
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["removed"]) == 2
    assert "copies/scene_000.tif" in answer.json()["removed"]
    (left,) = answer.json()["left"]
    assert (left["conflict"], left["kept"]["labels"]) == (True, 1)
    assert doubled.get("/campaigns/demo").json()["samples"]["total"] == 4
    assert register(doubled)["registered"] == 0  # a scan leaves them out


def test_duplicates_of_a_campaign_that_does_not_exist_are_not_found(http: Http) -> None:
    assert http.get("/campaigns/nope/duplicates").status_code == 404
    assert http.delete("/campaigns/nope/duplicates", params={"confirm": "true"}).status_code == 404


def test_command_lists_copies_and_takes_them_out(
    on_land: Run, land_url: str, imagery: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(imagery / "pool" / "scene_001.tif", imagery / "pool" / "spare.tif")
    assert on_land("add", "land") == 0
    capfd.readouterr()
    assert on_land("duplicates", "land") == 0
    assert capfd.readouterr().out.splitlines()[1:] == ["scene_001.tif\tspare.tif\t0"]
    assert on_land("duplicates", "land", "--remove") == 2
    assert on_land("duplicates", "land", "--remove", "--yes") == 0
    assert "1 copies are removed from land" in capfd.readouterr().err
    with OperatorClient(land_url) as client:
        assert client.campaign("land").samples.total == 6
        assert client.duplicates("land").groups == []
