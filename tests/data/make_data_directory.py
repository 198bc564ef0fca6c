"""Makes the data directory of an older service that `tests/al_loop/store/test_older_data_directory.py` opens.

`tests/data/data-directory-2026-11.tar.xz` and the `.json` beside it were made by

    git checkout 30f3557 && python -m tests.data.make_data_directory tests/data/data-directory-2026-11

(with this file copied there) and are never made anew by newer code: that is the point of them. To keep a directory of
another release, check that release out and run the script under a new name.

The real app is driven over HTTP; samples are scored by the real subprocess, and a pretraining is begun and cancelled.
Only training is replaced: a network takes megabytes, so `models.train` is stood in for by the ONNX model of a few
hundred bytes of `tests/data/tiny_model.py`, which goes through snapshot, gate, registry, promotion and scoring as any
model does. The service ends by SIGKILL, while its store is kept from writing: a query and a prediction that were
answered are in their journals and not in the database, and part of the database is in its write-ahead log.

The archive holds `data/` (what `--data` names) and `imagery/`. Campaign roots are absolute paths in the database: the
reader has to put its own in place of `made_in` of the JSON, by SQL, before a service opens it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import rasterio
from litestar import Litestar
from litestar.testing import TestClient

import al_loop.training.rounds
from al_loop.runtime.processes import run_supervised
from models.card import Evaluation, TaskEvaluation
from models.manifest import read_manifest
from models.registry import CARD_FILE, read_card
from service.app import create_app
from service.settings import Settings
from tests.data.make_scene import make_scene
from tests.data.tiny_model import make_tiny_onnx

Http = TestClient[Litestar]

WORK = Path("/tmp/al-loop-data-directory")  # noqa: S108  # a path that says nothing of the machine
COMMIT = "30f3557"
SIZE_PX = 32
MTIME = 1_760_000_000
CLASSES = ["dark", "bright", "striped"]
SETTINGS: dict[str, Any] = {
    "lease_s": 7 * 86400,
    "reserve": {"share": 0.3, "minimum": 4, "block_m": 500.0},
    "model": {"encoder": "test_resnet"},
}
POLICY: dict[str, Any] = {
    "new_labels": 1000, "interval_s": None, "min_labels": 4, "min_reserve_labels": 2, "tolerance": 0.02,
}  # fmt: skip
VALUES = {"land": [0.9, 0.4], "fields": [0.7]}
"""What the rounds of each campaign are said to have measured, one after the other: the second is rejected."""


def main(name: str) -> None:
    """Fill a directory in a child that kills itself, and pack it as `<name>.tar.xz` and `<name>.json`."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir()
    child = subprocess.run([sys.executable, "-m", "tests.data.make_data_directory", "--fill"], check=False)
    if child.returncode != -signal.SIGKILL:
        sys.exit(f"the service ended with {child.returncode} instead of being killed")
    with tarfile.open(f"{name}.tar.xz", "w:xz", preset=9) as archive:
        for folder in ("data", "imagery"):
            archive.add(WORK / folder, folder, filter=_anonymous)
    shutil.copy(WORK / "recorded.json", f"{name}.json")


def answer_of(response: httpx.Response) -> Any:
    """What a prediction route says: probabilities, or a mask as rows of digits."""
    response.raise_for_status()
    if response.headers["content-type"].startswith("application/json"):
        return response.json()
    with rasterio.MemoryFile(response.content) as memory, memory.open() as mask:
        return ["".join(str(code) for code in row) for row in mask.read(1)]


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def fill() -> None:
    """Make two campaigns in two lives of the service, the second of which is killed."""
    al_loop.training.rounds.run_supervised = _stand_in_for_training  # type: ignore[assignment]
    settings = Settings(data=WORK / "data", imagery=str(WORK / "imagery"))
    (WORK / "imagery").mkdir()
    with TestClient(create_app(settings)) as http:
        _land(http)
    app = create_app(settings)
    with TestClient(app) as http:
        _fields(http)
        _post(http, "land", "queries", {"annotator": "carla", "query_size": 2})
        _wait(lambda: all(_all_scored(http, name) for name in ("land", "fields")))
        app.state.loop.predictions.flush()
        recorded = _recorded(http)
        _keep_the_store_from_writing(app)
        recorded["unstored_prediction"] = _predict(http, "land", "classification", "scene_001.tif")
        recorded["unstored_query"] = _post(http, "land", "queries", {"annotator": "dora", "query_size": 2})
        (WORK / "recorded.json").write_text(json.dumps(recorded, indent=1) + "\n")
        os.kill(os.getpid(), signal.SIGKILL)


def _land(http: Http) -> None:
    """Classification: two annotators, a label given twice, an empty one, one withdrawn, a skip, two rounds."""
    names = _scenes("land", 16)
    _create(http, "land", [{"task": "classification", "classes": CLASSES}])
    query = _post(http, "land", "queries", {"annotator": "anna", "query_size": 5, "strategy": {"type": "random"}})
    mine = [sample["path"] for sample in query["samples"]]
    _label_classes(http, "anna", {path: [_truth(path)] for path in mine[:4]})
    _post(http, "land", "leases/skip", {"annotator": "anna", "sample_ids": [_id(query, mine[4])], "reason": "cloud"})
    others = [name for name in names if name not in mine][:8]
    _label_classes(http, "bert", {path: [_truth(path)] for path in others})
    _label_classes(http, "bert", {mine[0]: ["striped"], others[0]: ["bright"], mine[1]: []})
    _label_classes(http, "bert", {others[0]: ["dark"]})
    [withdrawn] = _label_classes(http, "anna", {others[1]: ["striped"]})
    _checked(http.delete(f"/campaigns/land/labels/{withdrawn}?annotator=anna"))
    _post(http, "land", "pretrainings", {
        "encoder": "test_resnet", "minutes": None, "epochs": 100_000, "chip_px": 32, "projector_size": 16,
        "device": "cpu",
    })  # fmt: skip
    _wait(lambda: _get(http, "land", "pretrainings")["pretrainings"][0]["state"] == "training")
    _post(http, "land", "pretrainings/1/cancel", {})
    _wait(lambda: _get(http, "land", "pretrainings")["pretrainings"][0]["state"] == "cancelled")
    _wait(lambda: bool(_get(http, "land", "pretrainings")["embeddings"]))  # of plain image features
    for number, state in ((1, "promoted"), (2, "rejected")):
        _round(http, "land", number, state)
    _predict(http, "land", "classification", names[0])


def _fields(http: Http) -> None:
    """Segmentation: polygons of two annotators, one of them empty, one given twice, one round."""
    names = _scenes("fields", 12)
    _create(http, "fields", [{"task": "segmentation", "classes": ["field", "road", "water"]}])
    labels = [_polygon(path, "anna", index % 2 * 4) for index, path in enumerate(names[:9])]
    labels += [_polygon(names[0], "bert", 6), _polygon(names[1], "bert", None)]
    _post(http, "fields", "labels", labels)
    _post(http, "fields", "labels", [_polygon(names[2], "anna", 8)])
    _wait(lambda: bool(_get(http, "fields", "pretrainings")["embeddings"]))
    _round(http, "fields", 1, "promoted")
    _predict(http, "fields", "segmentation", names[0])
    _post(http, "fields", "queries", {"annotator": "anna", "query_size": 1})


def _recorded(http: Http) -> dict[str, Any]:
    """What a service that opens the directory has to answer."""
    campaigns = {}
    for name, task in (("land", "classification"), ("fields", "segmentation")):
        view = _checked(http.get(f"/campaigns/{name}"))
        labels = _get(http, name, "labels?limit=1000")["labels"]
        campaigns[name] = {
            "view": {key: view[key] for key in ("tasks", "bands", "source_bands", "settings", "policy", "created_at")},
            "counts": {key: view["samples"][key] for key in ("labelled", "reserve", "reserve_labelled", "total")},
            "current_model": view["current_model"],
            "labels": labels,
            "histories": {
                str(number): _get(http, name, f"samples/{number}/labels")
                for number in sorted({label["sample_id"] for label in labels})
            },
            "rounds": _get(http, name, "rounds"),
            "models": _get(http, name, "models"),
            "learning_curve": _get(http, name, "learning-curve"),
            "pretrainings": _get(http, name, "pretrainings"),
            "samples": [
                {key: sample[key] for key in ("sample_id", "path", "score", "bounds", "crs")}
                for sample in _get(http, name, "samples?limit=1000")["samples"]
            ],
            "predictions": {path: _predict(http, name, task, path) for path in ("scene_002.tif", "scene_007.tif")},
            "leases": {who: _get(http, name, f"leases?annotator={who}")["leases"] for who in ("anna", "bert", "carla")},
        }
    return {"made_at_commit": COMMIT, "made_at": time.time(), "made_in": str(WORK), "campaigns": campaigns}


def _stand_in_for_training(module: str, arguments: list[str], directory: Path, **hooks: Any) -> None:
    """What `models.train` leaves in its directory, with a tiny model in place of a network."""
    if module != "models.train":
        run_supervised(module, arguments, directory, **hooks)
        return
    manifest = read_manifest(Path(arguments[0]))
    spec = manifest.tasks[0]
    published = make_tiny_onnx(
        WORK / "registry" / manifest.campaign,
        version=manifest.version,
        bands=manifest.bands,
        source_bands=manifest.source_bands,
        tasks=[spec.task],
        classes=spec.classes,
        campaign=manifest.campaign,
    )
    value = VALUES[manifest.campaign][manifest.round_number - 1]
    measured = TaskEvaluation(
        task=spec.task, metric="accuracy" if spec.task == "classification" else "miou", value=value, low=value - 0.1,
        high=value + 0.1, baseline=0.5, samples=manifest.counts["test"], per_class={spec.classes[0]: value},
        expected_calibration_error=0.1,
    )  # fmt: skip
    evaluation = Evaluation(candidate=[measured])
    card = msgspec.structs.replace(read_card(published), digests={}, evaluation=evaluation)
    hooks["on_phase"]("training")
    shutil.copytree(published, directory, dirs_exist_ok=True)
    hooks["on_phase"]("evaluating")
    (directory / "evaluation.json").write_bytes(msgspec.json.encode(evaluation))
    hooks["on_phase"]("exporting")
    (directory / CARD_FILE).chmod(0o644)
    (directory / CARD_FILE).write_bytes(msgspec.json.encode(card))


def _keep_the_store_from_writing(app: Litestar) -> None:
    """As a disk does that takes its time: what is written from now on waits.

    The store has no verb that does so: the writer itself is stopped.
    """
    database = app.state.loop.store._database
    blocked = threading.Event()

    def block(connection: object) -> None:
        blocked.set()
        time.sleep(600)

    threading.Thread(target=database.write, args=(block,), daemon=True).start()
    blocked.wait()


def _scenes(campaign: str, count: int) -> list[str]:
    names = []
    for number in range(count):
        noise = np.random.default_rng(number).integers(-2, 3, (3, SIZE_PX, SIZE_PX))
        data = np.full((3, SIZE_PX, SIZE_PX), 180 if number % 2 else 60) + noise
        data[1, :, SIZE_PX // 2 :] += 50
        name = f"scene_{number:03d}.tif"
        path = make_scene(
            WORK / "imagery" / campaign / name, width=SIZE_PX, height=SIZE_PX, dtype="uint8", content=data,
            origin=(500_000.0 + 2000 * number, 4_600_000.0), compress="deflate",
        )  # fmt: skip
        os.utime(path, (MTIME, MTIME))  # whole seconds, which archives keep
        names.append(name)
    return names


def _truth(path: str) -> str:
    return CLASSES[int(path[6:9]) % 2]


def _id(query: dict[str, Any], path: str) -> int:
    return int(next(sample["sample_id"] for sample in query["samples"] if sample["path"] == path))


def _polygon(path: str, annotator: str, shift: int | None) -> dict[str, Any]:
    """A label in pixels: the right half of a scene, moved; None for `shift`: nothing there."""
    left, right = SIZE_PX // 2 - (shift or 0), SIZE_PX
    ring = [[left, 0], [right, 0], [right, SIZE_PX], [left, SIZE_PX], [left, 0]]
    field = {
        "type": "Feature", "properties": {"label": "field" if (shift or 0) < 8 else "road"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }  # fmt: skip
    features = {"type": "FeatureCollection", "features": [] if shift is None else [field]}
    return {
        "path": path, "task": "segmentation", "annotator": annotator, "features": features, "crs": "pixel",
        "override_lease": True,
    }  # fmt: skip


def _label_classes(http: Http, annotator: str, answers: Mapping[str, list[str]]) -> list[int]:
    labels = [
        {"path": path, "task": "classification", "annotator": annotator, "classes": classes, "override_lease": True}
        for path, classes in answers.items()
    ]
    return list(_post(http, "land", "labels", labels)["label_ids"])


def _create(http: Http, name: str, tasks: list[dict[str, Any]]) -> None:
    body = {
        "name": name, "tasks": tasks, "root": str(WORK / "imagery" / name), "settings": SETTINGS, "policy": POLICY,
    }  # fmt: skip
    _checked(http.post("/campaigns", json=body))
    _post(http, name, "samples", {"scan": True})


def _round(http: Http, name: str, number: int, state: str) -> None:
    _post(http, name, "rounds", {"reason": f"turn {number}"})
    _wait(lambda: _get(http, name, f"rounds/{number}")["ended_at"] is not None)
    found = _get(http, name, f"rounds/{number}")
    if found["state"] != state:
        sys.exit(f"round {number} of {name} is {found}")


def _all_scored(http: Http, name: str) -> bool:
    return all(sample["score"] is not None for sample in _get(http, name, "samples?limit=1000")["samples"])


def _predict(http: Http, name: str, task: str, path: str) -> Any:
    image = (WORK / "imagery" / name / path).read_bytes()
    return answer_of(http.post(f"/campaigns/{name}/predictions/{task}", files={"image": (path, image)}))


def _get(http: Http, name: str, rest: str) -> Any:
    return _checked(http.get(f"/campaigns/{name}/{rest}"))


def _post(http: Http, name: str, rest: str, body: Any) -> Any:
    return _checked(http.post(f"/campaigns/{name}/{rest}", json=body))


def _checked(answer: Any) -> Any:
    if answer.is_error:
        sys.exit(f"{answer.request.url}: {answer.text}")
    return answer.json() if answer.content else None


def _wait(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit("timed out")
        time.sleep(0.05)


if __name__ == "__main__":
    fill() if sys.argv[1] == "--fill" else main(sys.argv[1])
