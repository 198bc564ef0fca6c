"""A service that is killed while its round runs on a Ray cluster, and whose artefacts travel through S3."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import httpx
import msgspec
import pytest

from service.settings import Settings
from tests.al_loop.runtime.cluster.fixtures import Machines
from tests.e2e.campaigns import DEEP, Http, create, label_all, register, write_pool
from tests.waiting import PATIENCE_S, wait_for

EPOCHS = 60
"""About as many as take until the service is killed; it does not matter whether they are through at its next start."""


@pytest.fixture
def settings(settings: Settings, machines: Machines, s3: str, free_tcp_port: int) -> Settings:
    """A service on the cluster."""
    return msgspec.structs.replace(
        settings, executor="ray", ray_address=machines.address, artifacts=f"{s3}/restart", port=free_tcp_port
    )


@pytest.fixture
def killed(settings: Settings, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The same service as a process of its own, until it is killed."""
    changed = {
        name: getattr(settings, name) for name in ("data", "imagery", "port", "executor", "ray_address", "artifacts")
    }
    environment = os.environ | {f"AL_LOOP_{name.upper()}": str(value) for name, value in changed.items()}
    with (tmp_path / "service.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "service"], env=environment, stdout=log, stderr=log)
    yield process
    process.kill()
    process.wait()


def test_round_goes_on_under_its_submission_where_the_service_is_killed_and_runs_once(
    killed: "subprocess.Popen[bytes]", settings: Settings, start_service: Callable[[], Http], imagery: Path,
    machines: Machines, s3: str,
) -> None:  # fmt: skip
    write_pool(imagery / "pool", 24, size=32)
    with httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", timeout=PATIENCE_S) as client:
        wait_for(lambda: is_up(client))
        create(client, imagery / "pool", settings=deep())  # type: ignore[arg-type]
        register(client)  # type: ignore[arg-type]
        label_all(client)  # type: ignore[arg-type]
        assert client.post("/campaigns/demo/rounds", json={}).status_code == 202
        wait_for(lambda: newest(client)["state"] == "training" and (newest(client)["progress"] or {}).get("epoch"))
    programs = machines.programs()
    assert len(programs) == 1
    killed.kill()
    killed.wait()
    assert machines.programs() == programs  # it goes on without the service

    http = start_service()
    wait_for(lambda: newest(http)["state"] in ("training", "evaluating", "exporting", "gate", "scoring", "promoted"))
    seen = set[str]()
    wait_for(lambda: seen.update(machines.programs()) or newest(http)["ended_at"] is not None)
    assert seen <= set(programs)  # nothing else was begun
    ended = newest(http)
    assert (ended["number"], ended["state"], ended["error"], ended["version"]) == (1, "promoted", None, "v1")
    assert http.get("/campaigns/demo/rounds/1/log").text.count("training the network") == 1
    assert any(event["detail"] == "it goes on where it was cut off" for event in ended["history"])
    wait_for(lambda: machines.programs() == [])
    assert http.get("/health/ready").json()["cluster"] == "ok"
    files, root = fsspec.url_to_fs(f"{s3}/restart")
    assert not files.exists(f"{root}/jobs/{programs[0]}")  # what travelled is removed
    wait_for(lambda: bool(files.glob(f"{root}/serving/**/model.onnx")))  # and what serves lies there for replicas


def deep() -> dict[str, Any]:
    """Settings of a small network that is trained for some time."""
    train = DEEP["train"] | {"epochs": EPOCHS, "candidates": "deep"}  # type: ignore[operator]
    return DEEP | {"train": train, "reserve": {"share": 0.3, "minimum": 4, "block_m": 500.0, "seed": 5}}


def newest(http: Any) -> dict[str, Any]:
    """The newest round as it stands, with progress and history."""
    [entry] = http.get("/campaigns/demo/rounds", params={"limit": 1}).json()["rounds"]
    found: dict[str, Any] = http.get(f"/campaigns/demo/rounds/{entry['number']}").json()
    return found


def is_up(client: httpx.Client) -> bool:
    """Whether the service answers."""
    try:
        return client.get("/health/live").status_code == 200
    except httpx.HTTPError:
        return False
