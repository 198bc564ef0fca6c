"""Models from elsewhere over HTTP: measured on the reserve, gated and served as ours, or refused with the reason."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from litestar.testing import TestClient
from onnx import helper

from service.app import create_app
from service.settings import Settings
from tests.e2e.campaigns import Http, create, encoded, label_all, predict, register, truth, wait_for_round, write_pool
from tests.models.foreign.graphs import mask_graph, mean_graph, saved

CARD: dict[str, Any] = {
    "task": "classification",
    "scale": 4000,
    "clip": [0, 1],
    "source": "a colleague",
    "output": {"classes": ["dark", "bright"]},
}
"""Of `mean_graph`, which is right about every scene of the pool."""
MODELS = "/campaigns/demo/models"


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imagery")
    write_pool(folder, 30, size=64)
    return folder


@pytest.fixture(scope="module")
def http(pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Http]:
    """A service with the campaign `demo`, all of whose 30 scenes are labelled."""
    settings = Settings(data=tmp_path_factory.mktemp("data"), imagery=str(pool))
    with TestClient(create_app(settings), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        create(client, pool)
        register(client)
        label_all(client)
        yield client


def add(http: Http, file: Path, card: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
    """Add a model and wait for the end of its round."""
    files = {"model": (file.name, file.read_bytes()), "card": ("card.json", json.dumps(card or CARD).encode())}
    answer = http.post(MODELS, files=files, params={"name": file.name, **params})
    assert answer.status_code == 202, answer.text
    return wait_for_round(http, answer.json()["number"])


def test_model_is_measured_gated_and_served_as_our_own(http: Http, pool: Path, tmp_path: Path) -> None:
    file = mean_graph(tmp_path / "colleague.onnx", scale=20)
    ended = add(http, file)
    assert ended["state"] == "promoted", ended
    assert ended["started_by"] == "added"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert ended["reason"] == f"added by hand: colleague.onnx, sha256 {digest[:16]}"
    assert ended["evaluation"]["candidate"][0]["value"] == 1.0
    for number in (0, 1):
        answer = predict(http, "classification", encoded(pool / f"scene_{number:03d}.tif"))
        assert answer.status_code == 200, answer.text
        assert int(np.argmax(answer.json())) == number
        assert answer.headers["x-model-version"] == ended["version"]
    card = http.get(f"{MODELS}/{ended['version']}").json()
    assert (card["added"]["sha256"], card["added"]["file"], card["added"]["source"]) == (
        digest, "colleague.onnx", "a colleague",
    )  # fmt: skip
    assert card["added"]["images"] == 3
    assert card["added"]["seconds"] > 0
    lineage = http.get(f"{MODELS}/{ended['version']}/lineage").json()
    assert lineage["started_by"] == "added"
    assert digest[:16] in lineage["reason"]
    assert http.get(f"/campaigns/demo/rounds/{ended['number']}/report").status_code == 200
    actions = [entry["action"] for entry in http.get("/audit", params={"campaign": "demo"}).json()["entries"]]
    assert "addModel" in actions
    assert http.get("/campaigns/demo/learning-curve").json()["points"] == []


def test_batch_of_one_baked_in_is_run_image_by_image(http: Http, pool: Path, tmp_path: Path) -> None:
    ended = add(http, mean_graph(tmp_path / "baked.onnx", scale=20, baked=True))
    assert ended["state"] == "promoted", ended
    card = http.get(f"{MODELS}/{ended['version']}").json()
    assert "it takes one image at a time" in card["remarks"]
    images = np.stack([np.full((3, 32, 32), level, np.float32) for level in (900, 3000)])
    tensor = {"name": "image", "shape": list(images.shape), "datatype": "FP32", "data": images.ravel().tolist()}
    answer = http.post("/v2/models/demo/infer", json={"inputs": [tensor], "outputs": [{"name": "classification"}]})
    assert np.reshape(answer.json()["outputs"][0]["data"], (2, 2)).argmax(1).tolist() == [0, 1]


def test_worse_model_is_rejected_by_the_gate_and_promoted_by_force(http: Http, tmp_path: Path) -> None:
    turned = CARD | {"output": {"classes": ["bright", "dark"]}}
    ended = add(http, mean_graph(tmp_path / "turned.onnx", scale=20), turned)
    assert ended["state"] == "rejected"
    assert ended["evaluation"]["candidate"][0]["value"] == 0.0
    before = http.get("/campaigns/demo").json()["current_model"]["version"]
    assert before != ended["version"]


def test_person_has_the_last_word_where_it_is_asked_for(http: Http, tmp_path: Path) -> None:
    ended = add(http, mean_graph(tmp_path / "asked.onnx", scale=20), ask=True)
    assert ended["state"] == "candidate", ended
    assert http.get("/campaigns/demo").json()["challenger"]["version"] == ended["version"]
    assert http.post(f"{MODELS}/challenger/promote", json={}).status_code == 200


def bomb(path: Path) -> Path:
    """Fills 256 GiB with ones before it answers."""
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["ones"]),
        helper.make_node("ReduceMax", ["ones"], ["one"], keepdims=0),
        helper.make_node("Add", ["x", "one"], ["sum"]),
        helper.make_node("Sigmoid", ["sum"], ["mask"]),
        helper.make_node("ReduceMean", ["mask"], ["y"], axes=[2, 3], keepdims=0),
    ]
    return saved(path, nodes, ["n", 3, "h", "w"], ["n", 3], {"size": np.array([2**36], np.int64)}, names=("x", "y"))


BAD: dict[str, tuple[Any, dict[str, Any], str]] = {
    "damaged": (lambda path: path.write_bytes(b"no model") and path, CARD, "no valid ONNX model"),
    "card": (mean_graph, CARD | {"scale": None}, "the card cannot be used"),
    "task": (mask_graph, CARD | {"task": "segmentation"}, "no labels for segmentation"),
    "bands": (lambda path: mean_graph(path, bands=5), CARD, "takes 5 bands, and the campaign reads 3"),
    "no probabilities": (
        lambda path: mean_graph(path, last="Relu", scale=20),
        CARD | {"output": {"classes": ["dark", "bright"], "meaning": "probabilities"}},
        "wrong outputs: declared as probabilities",
    ),
    "masks for classes": (mask_graph, CARD | {"output": {"classes": ["dark", "bright"]}}, "wrong outputs"),
    "bomb": (bomb, CARD | {"output": {"classes": ["dark", "bright", None], "meaning": "sigmoid"}}, "does not run"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_taken_ends_its_round_with_the_reason(http: Http, tmp_path: Path, case: str) -> None:
    make, card, reason = BAD[case]
    file = tmp_path / "bad.onnx"
    make(file)
    ended = add(http, file, card)
    assert ended["state"] == "failed"
    assert reason in ended["error"]
    assert http.get("/health/live").status_code == 200


@pytest.mark.parametrize(
    ("name", "fields", "reason"),
    [
        ("../m.onnx", {"model": b"x", "card": b"{}"}, "no name of an ONNX file"),
        ("m.pt", {"model": b"x", "card": b"{}"}, "no name of an ONNX file"),
        ("m.onnx", {"model": b"", "card": b"{}"}, "the file is empty"),
        ("m.onnx", {"card": b"{}"}, "`model` is missing"),
        ("m.onnx", {"model": b"x"}, "`card` is missing"),
    ],
)
def test_malformed_requests_are_refused_at_once(http: Http, name: str, fields: dict[str, bytes], reason: str) -> None:
    answer = http.post(MODELS, files={key: (key, data) for key, data in fields.items()}, params={"name": name})
    assert answer.status_code == 400
    assert reason in answer.json()["detail"]


def test_labels_to_measure_by_are_enough_as_nothing_is_trained(http: Http, pool: Path, tmp_path: Path) -> None:
    create(http, pool, name="measured", policy={"new_labels": None})
    register(http, "measured")
    file = mean_graph(tmp_path / "m.onnx", scale=20)
    files = {"model": ("m.onnx", file.read_bytes()), "card": ("card.json", json.dumps(CARD).encode())}
    refused = http.post("/campaigns/measured/models", files=files, params={"name": "m.onnx"})
    assert "label 1 more outside the test reserve (0 of 1) and 5 more of the" in refused.json()["detail"]
    store = http.app.state.loop.store
    number = store.campaigns.get("measured").campaign_id
    outside, reserve = (store.samples.paths(number, reserve=side)[1] for side in (False, True))
    labels = [
        {"path": path, "task": "classification", "annotator": "ann", "classes": [truth(path)]}
        for path in [outside[0], *reserve]
    ]
    assert http.post("/campaigns/measured/labels", json=labels).status_code == 201
    assert http.post("/campaigns/measured/rounds", json={}).status_code == 409  # to train is another thing
    answer = http.post("/campaigns/measured/models", files=files, params={"name": "m.onnx"})
    ended = wait_for_round(http, answer.json()["number"], "measured")
    assert ended["state"] == "promoted", ended
    assert ended["labels"] == 1
    assert ended["evaluation"]["candidate"][0]["value"] == 1.0


def test_campaign_without_labels_says_what_is_missing(http: Http, pool: Path, tmp_path: Path) -> None:
    create(http, pool, name="bare")
    register(http, "bare")
    file = mean_graph(tmp_path / "m.onnx")
    files = {"model": ("m.onnx", file.read_bytes()), "card": ("card.json", b"{}")}
    answer = http.post("/campaigns/bare/models", files=files, params={"name": "m.onnx"})
    assert answer.status_code == 409
    assert "label" in answer.json()["detail"]
    assert list(http.app.state.loop.layout.temporary.glob("added-*")) == []
