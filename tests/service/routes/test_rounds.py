"""Rounds under trouble: one at a time, cancelled, killed, out of disk; and what the service says afterwards."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from litestar.testing import TestClient

from al_loop.campaigns.layout import DataLayout
from al_loop.client.errors import ServiceUnreachableError
from al_loop.client.http import Client
from al_loop.loop import utc_now
from service.app import create_app
from service.settings import Settings
from tests.data.forked_programs import at_work, forking, forks
from tests.data.tiny_model import make_tiny_onnx
from tests.e2e.campaigns import (
    CLASSES,
    Http,
    all_labels,
    create,
    encoded,
    label_all,
    register,
    run_round,
    serve_tiny,
    wait_for_round,
    write_pool,
)
from tests.waiting import PATIENCE_S, wait_for

LABEL_PAUSE_S = 0.02
"""Seconds between two labels of an annotator who never rests; without, labels take the processor that rounds need."""
SLOW = {"train": {"epochs": 2000, "batch_size": 8}, "model": {"encoder": "test_resnet"}}


@pytest.fixture
def root(imagery: Path) -> Path:
    """A pool of 24 scenes."""
    folder = imagery / "pool"
    write_pool(folder, 24)
    return folder


def prepare(http: Any, root: Path, **changes: Any) -> None:
    """A campaign with every sample labelled."""
    create(http, root, **changes)
    register(http)
    label_all(http)


def slow(root: Path) -> dict[str, Any]:
    return {"settings": SLOW | {"reserve": {"share": 0.3, "minimum": 4, "block_m": 500.0, "seed": 5}}}


def state_of(http: Any, number: int = 1) -> str:
    return str(http.get(f"/campaigns/demo/rounds/{number}").json()["state"])


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def test_second_round_is_refused_queued_once_and_the_first_can_be_cancelled(http: Http, root: Path) -> None:
    prepare(http, root, **slow(root))
    assert http.post("/campaigns/demo/rounds", json={}).json()["number"] == 1
    refused = http.post("/campaigns/demo/rounds", json={})
    assert refused.status_code == 409
    assert "round 1" in refused.json()["detail"]
    assert "`queue`" in refused.json()["detail"]
    queued = [http.post("/campaigns/demo/rounds", json={"queue": True}).json() for _ in range(3)]
    assert {(entry["number"], entry["state"]) for entry in queued} == {(2, "queued")}

    wait_for(lambda: state_of(http) == "training")
    wait_for(lambda: http.get("/campaigns/demo/rounds/1").json()["progress"] is not None)
    assert at_work()
    assert http.post("/campaigns/demo/rounds/2/cancel").json()["state"] == "cancelled"
    assert state_of(http) == "training"
    assert http.post("/campaigns/demo/rounds", json={"queue": True}).json()["number"] == 3
    assert http.post("/campaigns/demo/rounds/3/cancel").json()["state"] == "cancelled"
    assert http.post("/campaigns/demo/rounds/1/cancel").status_code == 202
    assert wait_for_round(http, 1)["state"] == "cancelled"
    assert [state_of(http, number) for number in (2, 3)] == ["cancelled", "cancelled"]
    assert http.post("/campaigns/demo/rounds/1/cancel").status_code == 409
    assert http.get("/campaigns/demo").json()["current_model"] is None


@pytest.mark.parametrize("at_once", [1, 2])
def test_as_many_campaigns_train_side_by_side_as_the_settings_allow(
    settings: Settings, root: Path, at_once: int
) -> None:
    settings = msgspec.structs.replace(settings, rounds_at_once=at_once)
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as http:
        for name in ("demo", "second"):
            create(http, root, name, **slow(root))
            register(http, name)
            label_all(http, name)
            assert http.post(f"/campaigns/{name}/rounds", json={}).status_code == 202

        def states() -> list[str]:
            return [http.get(f"/campaigns/{name}/rounds/1").json()["state"] for name in ("demo", "second")]

        wait_for(lambda: states().count("training") == at_once)
        time.sleep(0.5)
        assert states() == ["training", "training" if at_once == 2 else "queued"]
        assert http.post("/campaigns/demo/rounds", json={"queue": True}).json()["number"] == 2
        time.sleep(0.5)
        assert state_of(http, 2) == "queued"  # never two of one campaign
        for path in ("demo/rounds/2", "second/rounds/1", "demo/rounds/1"):
            assert http.post(f"/campaigns/{path}/cancel").status_code == 202
        wait_for(lambda: states() == ["cancelled"] * 2)


def test_running_and_queued_rounds_go_on_after_a_restart(start_service: Callable[[], Http], root: Path) -> None:
    http = start_service()
    prepare(http, root, **slow(root))
    for body in ({}, {"queue": True}):
        assert http.post("/campaigns/demo/rounds", json=body).status_code == 202
    wait_for(lambda: state_of(http) == "training")
    http.__exit__(None, None, None)
    again = start_service()
    wait_for(lambda: state_of(again) == "training")
    assert state_of(again, 2) == "queued"
    details = [event["detail"] for event in again.get("/campaigns/demo/rounds/1").json()["history"]]
    assert "the service was stopped; the round goes on at the next start" in details
    assert again.post("/campaigns/demo/rounds/1/cancel").status_code == 202
    wait_for(lambda: state_of(again, 2) == "training")
    again.post("/campaigns/demo/rounds/2/cancel")
    wait_for(lambda: state_of(again, 2) == "cancelled")


def test_policy_starts_a_round_by_itself_and_coalesces(http: Http, root: Path) -> None:
    policy = {"new_labels": 8, "debounce_s": 0.5, "min_labels": 6, "min_reserve_labels": 2}
    prepare(http, root, policy=policy)
    wait_for(lambda: bool(http.get("/campaigns/demo/rounds").json()["rounds"]))
    ended = wait_for_round(http, 1)
    assert ended["reason"].startswith("new labels: ")
    time.sleep(1.0)
    assert len(http.get("/campaigns/demo/rounds").json()["rounds"]) == 1


def test_service_answers_while_a_round_runs(http: Http, root: Path) -> None:
    prepare(http, root, **slow(root))
    http.post("/campaigns/demo/rounds", json={})
    wait_for(lambda: state_of(http) == "training")
    for path in ("/health/live", "/campaigns/demo", "/campaigns/demo/samples"):
        assert http.get(path).status_code == 200
        assert state_of(http) == "training"  # it did not wait for the end of the round
    http.post("/campaigns/demo/rounds/1/cancel")
    wait_for_round(http, 1)


def test_failed_round_says_why_and_leaves_the_serving_model_alone(http: Http, root: Path) -> None:
    prepare(http, root)
    assert run_round(http)["state"] == "promoted"
    for scene in root.glob("*.tif"):
        if scene.name not in ("scene_001.tif", "scene_004.tif"):
            scene.write_text("overwritten by somebody")
    label = {"path": "scene_004.tif", "task": "classification", "annotator": "b", "classes": ["dark"]}
    http.post("/campaigns/demo/labels", json=label)
    failed = run_round(http)
    assert failed["state"] == "failed"
    assert "more are labelled, but their images are damaged" in failed["error"]
    assert "scene_003.tif (" in http.get("/campaigns/demo").json()["notices"][0]
    assert http.get("/campaigns/demo").json()["current_model"]["version"] == "v1"
    image = {"image": encoded(root / "scene_001.tif")}
    assert http.post("/campaigns/demo/predictions/classification", files=image).status_code == 200


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """Mounts a disk of 1 MB over a directory that is given later; unmounts at the end."""
    target = tmp_path / "data" / "campaigns" / "demo" / "rounds"
    target.mkdir(parents=True)
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(target)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.decode().strip()}")
    yield target
    subprocess.run(["umount", "-l", str(target)], check=True)


def test_full_disk_fails_the_round_and_nothing_else(full_disk: Path, http: Http, root: Path) -> None:
    prepare(http, root)
    failed = run_round(http)
    assert failed["state"] == "failed"
    assert "full" in failed["error"] or "No space left" in failed["error"]
    assert label_all(http, annotator="second") == 24
    assert http.get("/health/ready").status_code == 200


def start_process(data: Path, imagery: Path, port: int, **environment: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "service", "--data", str(data), "--imagery", str(imagery), "--port", str(port)]
    once = os.environ | {"AL_LOOP_SCORE_TICK_S": "3600"}  # scores before there is a model are not asked for here
    with (data.parent / "service.log").open("ab") as log:
        return subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, cwd=Path(__file__).parents[3], env=once | environment
        )


@pytest.mark.parametrize(
    "phases",
    [("training",), ("snapshot", "training", "exporting", "scoring")],
    ids=["training", "one phase after the other"],
)
def test_kills_lose_no_label_and_the_round_is_accounted_for(
    imagery: Path, root: Path, tmp_path: Path, free_tcp_port: int, phases: tuple[str, ...]
) -> None:
    data, notes = tmp_path / "killed", tmp_path / "programs.txt"
    data.mkdir()
    url = f"http://127.0.0.1:{free_tcp_port}"
    acknowledged: list[int] = []
    order = ["queued", "snapshot", "training", "evaluating", "exporting", "gate", "scoring", "promoted"]

    def keep_labelling(stop: threading.Event) -> None:
        label = {"task": "classification", "classes": ["dark"]}
        with httpx.Client(base_url=url, timeout=PATIENCE_S) as writer:
            while not stop.wait(LABEL_PAUSE_S):
                scene, number = divmod(len(acknowledged), 900)  # a sample takes 1,000 annotators
                body = label | {"path": f"scene_{scene:03d}.tif", "annotator": f"annotator {number}"}
                try:
                    response = writer.post("/campaigns/demo/labels", json=body)
                except httpx.HTTPError:
                    return
                acknowledged.extend(response.json()["label_ids"])

    process = start_process(data, imagery, free_tcp_port, **forking(notes))
    try:
        for number, phase in enumerate(phases):
            with Client(url) as client, httpx.Client(base_url=url, timeout=PATIENCE_S) as http:
                client.wait_until_live()
                if number == 0:
                    prepare(http, root)
                    http.post("/campaigns/demo/rounds", json={})
                stop, known = threading.Event(), len(acknowledged)
                labelling = threading.Thread(target=keep_labelling, args=(stop,))
                labelling.start()
                wait_for(lambda phase=phase, http=http: order.index(state_of(http)) >= order.index(phase))
                wait_for(lambda known=known: len(acknowledged) > known)
                children = [program.pid for program in forks(notes) if program.parent == process.pid]
                process.send_signal(signal.SIGKILL)
                process.wait()
                stop.set()
                labelling.join()
            wait_for(lambda children=children: not any(Path(f"/proc/{child}").exists() for child in children))
            process = start_process(data, imagery, free_tcp_port, **forking(notes))
        with Client(url) as client, httpx.Client(base_url=url, timeout=PATIENCE_S) as http:
            client.wait_until_live()
            wait_for(lambda: state_of(http) == "promoted")
            entry = http.get("/campaigns/demo/rounds/1").json()
            went_on = [event["detail"] for event in entry["history"] if event["state"] == "queued"][1:]
            assert went_on
            assert all("the service ended while the round was" in detail for detail in went_on)
            assert set(acknowledged) <= {label["label_id"] for label in all_labels(http)}
            assert http.get("/health/ready").json()["models"] == {"demo": "v1"}
            again = http.post("/campaigns/demo/rounds", json={}).json()
            assert again["number"] == 2
            http.post("/campaigns/demo/rounds/2/cancel")
            wait_for_round(http, 2)
    finally:
        process.kill()
        process.wait()


def test_corrupt_model_is_replaced_by_the_last_good_one_at_the_start(
    start_service: Callable[[], Http], settings: Settings, root: Path
) -> None:
    http = serve_tiny(start_service, settings, root, classes=CLASSES, known=CLASSES)
    models = DataLayout(settings.data).models("demo")
    make_tiny_onnx(models, version="v2", campaign="demo", classes=CLASSES)
    store = http.app.state.loop.store
    store.versions.add(store.campaigns.get("demo").campaign_id, "v2", 2, utc_now())
    assert http.post("/campaigns/demo/models/v2/promote", json={}).status_code == 200
    http.__exit__(None, None, None)

    onnx = models / "v2" / "model.onnx"
    onnx.chmod(0o644)
    (models / "v2").chmod(0o755)
    onnx.write_bytes(onnx.read_bytes()[:-100] + bytes(100))

    http = start_service()
    view = http.get("/campaigns/demo").json()
    assert view["current_model"]["version"] == "v1"
    assert any(notice.startswith("v2: ") and "digest" in notice for notice in view["notices"])
    assert http.get("/health/ready").status_code == 200
    image = {"image": encoded(root / "scene_001.tif")}
    assert http.post("/campaigns/demo/predictions/classification", files=image).status_code == 200
    refused = http.post("/campaigns/demo/models/v2/promote", json={})
    assert refused.status_code == 409
    assert "corrupt" in refused.json()["detail"]


def test_second_service_on_the_same_data_is_refused(http: Http, tmp_path: Path, free_tcp_port: int) -> None:
    process = start_process(tmp_path / "data", tmp_path / "imagery", free_tcp_port)
    assert process.wait(PATIENCE_S) == 2
    assert "another process" in (tmp_path / "service.log").read_text().lower()


def test_client_names_the_remedy_when_nothing_answers(free_tcp_port: int) -> None:
    with Client(f"http://127.0.0.1:{free_tcp_port}") as client, pytest.raises(ServiceUnreachableError, match="serve"):
        client.campaigns()
