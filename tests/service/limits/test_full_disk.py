"""The real app on a disk that fills up: refused with 507 and told by readiness, nothing acknowledged is lost."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient

from al_loop.store import LabelStore
from service.app import create_app
from service.settings import Settings
from tests.al_loop.store.fixtures import fill_disk
from tests.conftest import Http
from tests.data.forked_programs import at_work
from tests.e2e.campaigns import BALANCED, QUICK, create, label_all, register, run_round, write_pool
from tests.waiting import wait_for


@pytest.fixture
def http(settings: Settings, small_disk: Path) -> Iterator[Http]:
    placed = msgspec.structs.replace(settings, data=small_disk / "data")
    with TestClient(create_app(placed), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


def label(http: Http, path: str, annotator: str) -> int:
    body = {"path": path, "task": "classification", "annotator": annotator, "classes": ["dark"], "override_lease": True}
    return http.post("/campaigns/demo/labels", json=body).status_code


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
    wait_for(lambda: http.get("/health/ready").status_code == 503)
    probe = http.get("/health/ready").json()
    assert not probe["ready"]
    assert probe["store"].endswith("is full: free space, and everything goes on by itself")
    assert http.get("/health/live").status_code == 200
    assert http.get("/campaigns/demo").status_code == 200
    assert http.get("/campaigns/demo/progress", params={"annotator": "before"}).status_code == 200
    assert http.get("/campaigns/demo/labels").status_code == 200
    assert http.get("/campaigns/demo/samples/1/thumbnail.png").status_code == 200
    assert sorted(labels_after_a_kill(small_disk / "data", tmp_path / "killed")) == sorted(stored)
    filler.unlink()
    wait_for(lambda: http.get("/health/ready").status_code == 200)
    assert label(http, paths[2], "after") == 201
    stored.append("after")
    assert [entry["annotator"] for entry in http.get("/campaigns/demo/labels").json()["labels"]] == stored


@contextmanager
def full(disk: Path) -> Iterator[str]:
    """No room on the disk; gives what readiness says of it."""
    filler = fill_disk(disk)
    yield "is full: free space, and everything goes on by itself"
    filler.unlink()


@contextmanager
def read_only(disk: Path) -> Iterator[str]:
    """The data directory cannot be written any more, but for files that are open."""
    data = disk / "data"
    subprocess.run(["mount", "--bind", data, data], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", data], check=True)
        yield "cannot be written: Read-only file system"
    finally:
        subprocess.run(["umount", "--lazy", data], check=True)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (full, "is full"),
        (read_only, "training cannot be written: Read-only file system; make it writable and start a new round"),
    ],
)
def test_round_ends_with_a_sentence_when_its_disk_fails_and_the_next_one_goes_on(
    http: Http,
    imagery: Path,
    small_disk: Path,
    broken: Callable[[Path], AbstractContextManager[str]],
    said: str,
) -> None:
    write_pool(imagery / "demo", 16, size=32)
    create(http, imagery / "demo", "demo", settings=QUICK | {"reserve": BALANCED, "limits": {"least_free_mb": 0}})
    register(http, "demo")
    label_all(http)
    assert http.post("/campaigns/demo/rounds", json={}).status_code == 202

    def round_one() -> dict[str, Any]:
        found: dict[str, Any] = http.get("/campaigns/demo/rounds/1").json()
        return found

    wait_for(lambda: round_one()["progress"] is not None)  # a second of training is left
    assert at_work()
    with broken(small_disk) as problem:
        wait_for(lambda: http.get("/health/ready").status_code == 503)
        assert http.get("/health/ready").json()["store"].endswith(problem)
        wait_for(lambda: not at_work())
        time.sleep(3)  # the service looks at how it ended, and at the disk
        assert http.get("/health/live").status_code == 200
    wait_for(lambda: http.get("/health/ready").status_code == 200)
    wait_for(lambda: round_one()["state"] == "failed")
    assert said in round_one()["error"]
    assert run_round(http)["state"] in ("promoted", "rejected")
