"""Encoders without labels over HTTP: made, embedded with, started from, cancelled, cut off, refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from al_loop.campaigns.layout import DataLayout
from models.manifest import read_manifest
from models.pretrain_config import ENCODER_FILE
from models.pretraining.spec import read_spec
from models.scoring.embeddings import EmbeddingStore
from service.app import create_app
from service.cli import main
from service.settings import Settings
from tests.data.forked_programs import at_work
from tests.data.make_scene import make_scene
from tests.e2e.campaigns import Http, create, label_all, register, running_server, wait_for_round, write_pool
from tests.models.pretraining.fixtures import TINY
from tests.waiting import wait_for

SLOW = TINY | {"epochs": 100_000}
MODEL: dict[str, Any] = {
    "train": {"epochs": 12, "batch_size": 8},
    "model": {"encoder": "test_resnet"},
    "reserve": {"share": 0.3, "minimum": 4, "block_m": 500.0},
}


@pytest.fixture
def root(imagery: Path) -> Path:
    """A pool of 24 scenes."""
    folder = imagery / "pool"
    write_pool(folder, 24, size=32)
    return folder


def start(http: Http, **config: Any) -> dict[str, Any]:
    answer = http.post("/campaigns/demo/pretrainings", json=config)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def show(http: Http, number: int = 1) -> dict[str, Any]:
    return dict(http.get(f"/campaigns/demo/pretrainings/{number}").json())


def wait_for_state(http: Http, *states: str, number: int = 1) -> dict[str, Any]:
    wait_for(lambda: show(http, number)["state"] in states)
    return show(http, number)


def cancel_once_begun(http: Http, *, ask: bool = True) -> None:
    """Let round 1 take its snapshot, then stop it."""
    if ask:
        assert http.post("/campaigns/demo/rounds", json={}).status_code == 202
    wait_for(lambda: http.get("/campaigns/demo/rounds/1").json()["state"] == "training")
    assert http.post("/campaigns/demo/rounds/1/cancel").status_code == 202
    assert wait_for_round(http, 1)["state"] == "cancelled"


def embedded(http: Http) -> dict[str, int]:
    """Samples with an embedding, by version."""
    entries = http.get("/campaigns/demo/pretrainings").json()["embeddings"]
    return {entry["version"]: entry["samples"] for entry in entries}


def test_encoder_embeds_the_pool_and_starts_the_next_training(http: Http, root: Path, settings: Settings) -> None:
    create(http, root, settings=MODEL)
    register(http)
    first = start(http, **TINY)
    assert (first["number"], first["config"]["encoder"]) == (1, "test_resnet")
    done = wait_for_state(http, "finished", "failed")
    assert done["state"] == "finished", done
    assert (done["version"], done["error"]) == ("ssl-1", None)
    layout = DataLayout(settings.data)
    assert done["summary"]["effective_rank"] >= 1

    reserve = http.get("/campaigns/demo/samples", params={"state": "reserve"}).json()["samples"]
    seen = {Path(path).name for path in read_spec(layout.pretraining("demo", 1)).paths}
    assert reserve
    assert seen.isdisjoint(sample["path"] for sample in reserve)
    assert len(seen) + len(reserve) == 24

    ids, values, *_ = EmbeddingStore(layout.scores("demo")).load("ssl-1")
    assert len(ids) == embedded(http)["ssl-1"] == 24
    assert values.shape == (24, done["summary"]["embedding_size"])
    assert np.isfinite(values).all()
    write_pool(root, 26, size=32)  # two more
    register(http)
    wait_for(lambda: embedded(http) == {"features": 26, "ssl-1": 26})

    label_all(http)
    cancel_once_begun(http)
    manifest = read_manifest(layout.round("demo", 1) / "snapshot")
    assert manifest.trained_from == "ssl-1"
    assert manifest.model.pretrained_file == str(layout.encoders("demo") / "ssl-1" / ENCODER_FILE)


def test_second_one_is_refused_and_a_round_waits_until_the_first_is_cancelled(http: Http, root: Path) -> None:
    create(http, root, settings=MODEL)
    register(http)
    label_all(http)
    start(http, **SLOW)
    refused = http.post("/campaigns/demo/pretrainings", json=TINY)
    assert refused.status_code == 409
    assert "pretraining 1" in refused.json()["detail"]
    wait_for(lambda: (show(http)["progress"] or {}).get("loss") is not None)
    progress = show(http)["progress"]
    assert progress["phase"] == "training"
    assert 0 < progress["done"] < progress["total"]
    assert progress["seconds_left"] > 0
    assert at_work()

    assert http.post("/campaigns/demo/rounds", json={}).status_code == 202
    assert http.get("/campaigns/demo/rounds/1").json()["state"] == "queued"
    assert http.post("/campaigns/demo/pretrainings/1/cancel").status_code == 202
    assert wait_for_state(http, "cancelled")["version"] is None
    cancel_once_begun(http, ask=False)
    assert http.post("/campaigns/demo/pretrainings/1/cancel").status_code == 409
    assert http.get("/campaigns/demo/pretrainings/7").status_code == 404


def test_what_a_stop_cuts_off_is_interrupted_and_a_queued_round_goes_on(
    start_service: Callable[[], Http], root: Path
) -> None:
    http = start_service()
    create(http, root, settings=MODEL)
    register(http)
    label_all(http)
    start(http, **SLOW)
    wait_for_state(http, "training")
    assert http.post("/campaigns/demo/rounds", json={}).status_code == 202
    http.__exit__(None, None, None)
    again = start_service()
    entry = show(again)
    assert entry["state"] == "interrupted"
    assert "the service was stopped" in entry["error"]
    cancel_once_begun(again, ask=False)
    assert start(again, **SLOW)["number"] == 2
    again.post("/campaigns/demo/pretrainings/2/cancel")
    assert wait_for_state(again, "cancelled", number=2)


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"minutes": -1}, "$.minutes"),
        ({"chip_px": 50}, "$.chip_px"),
        ({"nonsense": 1}, "nonsense"),
        ({"method": "dino"}, "$.method"),
        ({"method": "pretrained"}, "$.method"),
        ({"minutes": None}, "$.minutes"),
        ({"pretrained_file": "/nowhere.safetensors"}, "$.pretrained_file"),
        ({"pairs_by": "(["}, "$.pairs_by"),
        ({"pairs_by": "scene"}, "$.pairs_by"),
        ({"pairs_by": "nowhere_(.)"}, "$.pairs_by"),
        ({"pairs_by": "place"}, "$.pairs_by"),
        ({"pairs_by": "(.)", "method": "pretrained", "encoder": "shipped"}, "$.pairs_by"),
        ({"pairs_with": "pool"}, "$.pairs_by"),
        ({"pairs_by": "place", "pairs_with": "/etc"}, "$.pairs_with"),
        ({"pairs_by": "place", "pairs_with": "nowhere"}, "$.pairs_with"),
        ({"pairs_by": "place", "pairs_with": "x\x00y"}, "$.pairs_with"),
    ],
)
def test_nonsense_is_refused_with_its_path(
    still_http: Http, still_campaign: str, config: dict[str, Any], path: str
) -> None:
    answer = still_http.post(f"/campaigns/{still_campaign}/pretrainings", json=config)
    assert answer.status_code == 400
    assert path in answer.text
    assert still_http.get(f"/campaigns/{still_campaign}/pretrainings").json()["pretrainings"] == []


def test_encoder_is_made_from_pairs_with_another_folder(
    http: Http, root: Path, imagery: Path, settings: Settings
) -> None:
    for number in range(24):
        place = (500_000.0 + 2000 * number, 4_600_000.0)
        make_scene(imagery / "radar" / f"{number}.tif", width=32, height=32, bands=2, origin=place)
    create(http, root, settings=MODEL)
    register(http)
    start(http, **TINY, pairs_by="place", pairs_with="radar")
    done = wait_for_state(http, "finished", "failed")
    assert done["state"] == "finished", done
    reserve = http.get("/campaigns/demo/samples", params={"state": "reserve"}).json()["samples"]
    assert done["summary"]["pairs"] == 24 - len(reserve)
    wait_for(lambda: embedded(http).get("ssl-1") == 24)
    spec = read_spec(DataLayout(settings.data).pretraining("demo", 1))
    numbers = [int(Path(path).stem.removeprefix("scene_")) for path in spec.paths]
    assert [int(Path(path).stem) for path in spec.partners] == numbers

    (imagery / "far").mkdir()
    make_scene(imagery / "far" / "0.tif", width=32, height=32, bands=2, origin=(300_000.0, 4_000_000.0))
    start(http, **TINY, pairs_by="place", pairs_with="far")
    failed = wait_for_state(http, "failed", "finished", number=2)
    assert "has the same footprint as one of the 1 in" in failed["error"]


def test_campaign_without_images_is_refused(http: Http, root: Path) -> None:
    create(http, root)
    answer = http.post("/campaigns/demo/pretrainings", json=TINY)
    assert answer.status_code == 409
    assert "no images" in answer.json()["detail"]


def test_failure_says_why_and_shows_the_log(http: Http, root: Path) -> None:
    create(http, root)
    register(http)
    start(http, **(TINY | {"encoder": "no_such_net"}))
    entry = wait_for_state(http, "failed", "finished")
    assert entry["state"] == "failed"
    assert "no_such_net" in entry["error"]
    assert entry["log"]
    assert embedded(http).keys() <= {"features"}


def test_command_follows_a_pretraining_to_its_end(
    settings: Settings, root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with running_server(create_app(settings)) as url:
        with httpx.Client(base_url=url) as http:
            create(http, root, settings=MODEL)  # type: ignore[arg-type]
            register(http)  # type: ignore[arg-type]
        talk = ["--service", url]
        assert main(["pretrain", "demo", "--minutes", "0.01", "--watch", *talk]) == 0
        assert "pretraining 1 finished: ssl-1:" in capfd.readouterr().err.replace("\n", "")
        assert main(["pretrain", "demo", "--minutes", "0", *talk]) == 2
        assert "(minutes)" in capfd.readouterr().err
