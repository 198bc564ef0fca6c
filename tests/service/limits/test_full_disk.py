"""The real app on a disk that fills up: refused with 507 and told by readiness, nothing acknowledged is lost."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from litestar.testing import TestClient

from al_loop.store import LabelStore
from service.app import create_app
from service.settings import Settings
from tests.al_loop.store.fixtures import fill_disk
from tests.conftest import Http
from tests.e2e.campaigns import create, register, write_pool


@pytest.fixture
def http(settings: Settings, small_disk: Path) -> Iterator[Http]:
    placed = msgspec.structs.replace(settings, data=small_disk / "data")
    with TestClient(create_app(placed), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


def label(http: Http, path: str, annotator: str) -> int:
    body = {"path": path, "task": "classification", "annotator": annotator, "classes": ["dark"], "override_lease": True}
    return http.post("/campaigns/demo/labels", json=body).status_code


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


def labels_after_a_kill(data: Path, elsewhere: Path) -> list[str]:
    """Who labelled, as a service finds it that starts on the files as they are now."""
    shutil.copytree(data, elsewhere)
    with closing(LabelStore.open(elsewhere / "al-loop.duckdb")) as store:
        campaign = store.campaigns.get("demo")
        return [entry.annotator for entry in store.labels.current(campaign.campaign_id)]


def test_full_disk_is_told_refused_and_survived(http: Http, imagery: Path, small_disk: Path, tmp_path: Path) -> None:
    write_pool(imagery / "demo", 3, size=32)
    create(http, imagery / "demo", "demo")
    register(http, "demo")
    paths = [entry["path"] for entry in http.get("/campaigns/demo/samples").json()["samples"]]
    assert label(http, paths[0], "before") == 201
    assert http.get("/health/ready").json()["store"].startswith("only ")
    filler = fill_disk(small_disk)
    stored = ["before"]
    for number in range(50):  # what is left of the last page of the log may hold some more
        if label(http, paths[1], f"{number:0200d}") == 201:
            stored.append(f"{number:0200d}")
        else:
            break
    refused = http.post(
        "/campaigns/demo/labels",
        json={"path": paths[1], "task": "classification", "annotator": "x" * 200, "classes": ["dark"]},
    )
    assert refused.status_code == 507
    assert "nothing was stored" in refused.json()["detail"]
    until(lambda: http.get("/health/ready").status_code == 503)
    probe = http.get("/health/ready").json()
    assert not probe["ready"]
    assert probe["store"].endswith("is full: free space, and everything goes on by itself")
    assert http.get("/health/live").status_code == 200
    assert http.get("/campaigns/demo/labels").status_code == 200
    assert http.get("/campaigns/demo/samples/1/thumbnail.png").status_code == 200
    assert sorted(labels_after_a_kill(small_disk / "data", tmp_path / "killed")) == sorted(stored)
    filler.unlink()
    until(lambda: http.get("/health/ready").status_code == 200)
    assert label(http, paths[2], "after") == 201
    stored.append("after")
    assert [entry["annotator"] for entry in http.get("/campaigns/demo/labels").json()["labels"]] == stored
