"""Trainings of super-resolution over HTTP and from the command line, with the real program."""

import json
import shutil
from pathlib import Path

import httpx
import pytest

from service.app import create_app
from service.cli import main
from service.settings import Settings
from tests.conftest import Http
from tests.e2e.campaigns import create, running_server
from tests.models.super_resolution.fixtures import land, write_raster
from tests.service.routes.bad_input import refused
from tests.service.routes.test_pictures import campaign
from tests.waiting import PATIENCE_S


def test_service_trains_and_says_how_the_model_does(
    settings: Settings, imagery: Path, pair_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(pair_folder, imagery / "pairs")
    with running_server(create_app(settings)) as url, httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
        create(client, imagery)  # type: ignore[arg-type]
        asked = ["super-resolution", "start", "demo", str(imagery / "pairs"), "--steps", "1", "--channels", "4"]
        assert main([*asked, "--blocks", "1", "--quiet", "--json", "--service", url]) in (0, 1)
        view = json.loads(capfd.readouterr().out)
        assert (view["number"], view["state"]) == (1, "finished"), view
        assert view["result"]["folder"] == "super-resolution/1"
        assert main(["super-resolution", "list", "demo", "--service", url]) == 0
        assert view["result"]["report"]["verdict"] in capfd.readouterr().out
        assert client.get("/campaigns/demo/super-resolutions/1").json()["result"] == view["result"]
        assert '"state":"finished"' in client.get("/campaigns/demo/super-resolutions/1/events").text
        refused(client.post("/campaigns/demo/super-resolutions/1/cancel"), 409, "has ended already")
        named = client.patch("/campaigns/demo/settings", json={"view": {"super_resolution": view["result"]["folder"]}})
        assert named.status_code == (200 if view["result"]["report"]["better"] else 400)


def test_folders_that_hold_no_pairs_or_lie_elsewhere_are_refused(http: Http, imagery: Path, tmp_path: Path) -> None:
    write_raster(imagery / "a.tif", land(5, 60))
    campaign(http, imagery)
    for pairs, why in (
        (".", "has no readable pairs.json"), ("..", "lies outside the folders"), ("gone", "is not an existing"),
        (str(tmp_path / "x"), "lies outside"),
    ):  # fmt: skip
        refused(http.post("/campaigns/demo/super-resolutions", json={"pairs": pairs}), 400, why, "$.pairs")
    answer = http.post("/campaigns/demo/super-resolutions", json={"pairs": ".", "config": {"minutes": 0}})
    refused(answer, 400, "$.config.minutes")
    assert http.get("/campaigns/demo/super-resolutions").json() == []
    assert http.get("/campaigns/demo/super-resolutions/1").status_code == 404
