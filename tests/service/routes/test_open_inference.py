"""The Open Inference Protocol v2: the six routes, tensors as JSON and as bytes, its errors, and a client of others."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
from litestar.testing import TestClient
from numpy.typing import NDArray

from al_loop.serving.open_inference import DATATYPES
from service.app import create_app
from service.settings import Settings
from tests.e2e.campaigns import Http, running_server, serve_tiny
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parent.parent.parent.parent
LENGTH = "Inference-Header-Content-Length"
INFER = "/v2/models/demo/infer"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a service that serves a tiny model of both tasks, 3 bands, for the campaign `demo`."""
    imagery = tmp_path_factory.mktemp("imagery")
    settings = Settings(data=tmp_path_factory.mktemp("data"), imagery=str(imagery))

    def start() -> Http:
        return TestClient(create_app(settings), base_url="http://127.0.0.1").__enter__()

    classes = ["class-1", "class-2", "class-3"]
    serve_tiny(start, settings, imagery, classes=classes, known=classes).__exit__(None, None, None)
    with running_server(create_app(settings)) as address:
        yield address


@pytest.fixture(scope="module")
def served(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=PATIENCE_S) as client:
        yield client


@pytest.fixture
def images() -> NDArray[np.float32]:
    """Two images of 3 bands, with invalid pixels."""
    images = np.random.default_rng(3).uniform(0, 3000, (2, 3, 40, 33)).astype(np.float32)
    images[1, :, :5] = np.nan
    return images


def tensor(images: NDArray[Any], datatype: str = "FP32", **more: Any) -> dict[str, Any]:
    return {"name": "image", "shape": list(images.shape), "datatype": datatype, **more}


def as_bytes(http: httpx.Client, images: NDArray[Any], datatype: str = "FP32", **more: Any) -> Any:
    entry = tensor(images, datatype, parameters={"binary_data_size": images.nbytes})
    head = json.dumps({"inputs": [entry], **more}).encode()
    return http.post(INFER, content=head + images.tobytes(), headers={LENGTH: str(len(head))})


def outputs_of(answer: Any) -> dict[str, NDArray[np.float32]]:
    """Outputs of an answer whose tensors are bytes or JSON."""
    assert answer.status_code == 200, answer.text
    length = answer.headers.get(LENGTH)
    head = msgspec.json.decode(answer.content[: int(length)] if length else answer.content)
    rest, found = answer.content[int(length or 0) :], {}
    for output in head["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        values = output["data"] if size is None else np.frombuffer(rest[:size], "<f4")
        rest = rest[size or 0 :] if size is not None else rest
        found[output["name"]] = np.array(values, np.float32).reshape(output["shape"])
    return found


def test_server_and_model_are_described(served: httpx.Client) -> None:
    told = served.get("/v2").json()
    assert (told["name"], told["extensions"]) == ("al-loop", ["binary_tensor_data"])
    assert served.get("/v2/health/live").json()["live"] is True
    assert served.get("/v2/health/ready").status_code == 200
    model = served.get("/v2/models/demo").json()
    assert model["inputs"] == [{"name": "image", "datatype": "FP32", "shape": [-1, 3, -1, -1]}]
    shapes = {output["name"]: output["shape"] for output in model["outputs"]}
    assert shapes == {"classification": [-1, 3], "segmentation": [-1, 4, -1, -1], "embedding": [-1, 3]}
    (version,) = model["versions"]
    assert served.get(f"/v2/models/demo/versions/{version}").json() == model
    assert served.get(f"/v2/models/demo/versions/{version}/ready").json() == {"name": "demo", "ready": True}


def test_json_and_bytes_give_the_same_answer(served: httpx.Client, images: NDArray[np.float32]) -> None:
    data = msgspec.json.decode(msgspec.json.encode(images.ravel().tolist()))  # NaN becomes null
    entry = tensor(images, data=data)
    spoken = served.post(INFER, json={"id": "7", "inputs": [entry], "outputs": [{"name": "classification"}]})
    assert spoken.json()["id"] == "7"
    sent = as_bytes(served, images, parameters={"binary_data_output": True})
    assert sent.headers["content-type"] == "application/octet-stream"
    both = outputs_of(sent)
    assert both["segmentation"].shape == (2, 4, 40, 33)
    np.testing.assert_array_equal(outputs_of(spoken)["classification"], both["classification"])
    nested = served.post(INFER, json={"inputs": [tensor(images[:1], data=np.nan_to_num(images[:1]).tolist())]})
    np.testing.assert_allclose(outputs_of(nested)["classification"], both["classification"][:1], rtol=1e-5)


@pytest.mark.parametrize("kind", ["UINT8", "UINT16", "INT32", "FP16", "FP64"])
def test_values_may_come_in_the_type_of_their_file(served: httpx.Client, kind: str) -> None:
    images = np.random.default_rng(1).uniform(1, 250, (1, 3, 16, 16)).astype(DATATYPES[kind])
    sent = outputs_of(as_bytes(served, images, kind))["classification"]
    same = outputs_of(as_bytes(served, images.astype(np.float32)))["classification"]
    np.testing.assert_array_equal(sent, same)


def test_large_image_is_answered_in_tiles(served: httpx.Client) -> None:
    image = np.random.default_rng(5).uniform(0, 3000, (1, 3, 200, 150)).astype(np.float32)
    asked = [{"name": "segmentation", "parameters": {"binary_data": True}}]
    found = outputs_of(as_bytes(served, image, outputs=asked))
    assert list(found) == ["segmentation"]
    assert found["segmentation"].shape == (1, 4, 200, 150)
    assert (found["segmentation"][0].argmax(0) == image[0].argmax(0) + 1).mean() > 0.99


SMALL = np.ones((1, 3, 8, 8), np.float32)
FLAT = SMALL.ravel().tolist()
BAD: dict[str, tuple[object, int, str]] = {
    "no inputs": ({"inputs": []}, 400, "one tensor named 'image'"),
    "other name": ({"inputs": [tensor(SMALL, data=FLAT) | {"name": "x"}]}, 400, "one tensor named 'image'"),
    "no request": ([], 400, "not one of the protocol"),
    "type": ({"inputs": [tensor(SMALL, "BYTES", data=FLAT)]}, 400, "'BYTES' is none of"),
    "shape": ({"inputs": [tensor(SMALL, data=FLAT) | {"shape": [3, 8, 8]}]}, 400, "no batch of images"),
    "negative": ({"inputs": [tensor(SMALL, data=FLAT) | {"shape": [-1, 3, 8, 8]}]}, 400, "no batch of images"),
    "huge": ({"inputs": [tensor(SMALL, data=FLAT) | {"shape": [1, 2**40, 2**40, 9]}]}, 400, "192 values, but"),
    "many": ({"inputs": [tensor(SMALL, data=FLAT) | {"shape": [65, 3, 8, 8]}]}, 400, "65 images are more than 64"),
    "too few": ({"inputs": [tensor(SMALL, data=FLAT[1:])]}, 400, "191 values"),
    "words": ({"inputs": [tensor(SMALL, data=["a"])]}, 400, "no array of numbers"),
    "ragged": ({"inputs": [tensor(SMALL, data=[[1, 2], [3]])]}, 400, "no array of numbers"),
    "no data": ({"inputs": [tensor(SMALL)]}, 400, "the values are missing"),
    "bands": ({"inputs": [tensor(SMALL[:, :2], data=FLAT[:128])]}, 400, "2 bands, but model"),
    "output": ({"inputs": [tensor(SMALL, data=FLAT)], "outputs": [{"name": "boxes"}]}, 400, "no output 'boxes'"),
    "twice": ({"inputs": [tensor(SMALL, data=FLAT)], "outputs": [{"name": "embedding"}] * 2}, 400, "asked for twice"),
    "shared memory": (
        {
            "inputs": [tensor(SMALL, data=FLAT)],
            "outputs": [{"name": "embedding", "parameters": {"shared_memory_region": "x"}}],
        },
        400,
        "an extension that is not there",
    ),
    "invalid": ({"inputs": [tensor(SMALL, data=[None] * 192)]}, 422, "every pixel is nodata"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_request_is_answered_in_the_form_of_the_protocol(served: httpx.Client, case: str) -> None:
    body, status, reason = BAD[case]
    answer = served.post(INFER, json=body)
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    assert reason in answer.json()["error"]


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({LENGTH: "99999"}, 400, "says 99999"),
        ({LENGTH: "0"}, 400, "says 0"),
        ({LENGTH: "-5"}, 400, "no number of bytes"),
        ({LENGTH: "12"}, 400, "not one of the protocol"),
        ({"Content-Encoding": "gzip"}, 415, "without compression"),
    ],
)
def test_headers_that_do_not_fit_the_body_are_refused(
    served: httpx.Client, headers: dict[str, str], status: int, reason: str
) -> None:
    answer = served.post(INFER, content=b'{"inputs": []}', headers=headers)
    assert answer.status_code == status
    assert reason in answer.json()["error"]


def test_size_of_bytes_has_to_fit_shape_and_body(served: httpx.Client) -> None:
    entry = tensor(SMALL, parameters={"binary_data_size": SMALL.nbytes})
    head = json.dumps({"inputs": [entry]}).encode()
    for body in (SMALL.tobytes()[:-1], SMALL.tobytes() + b"x"):
        answer = served.post(INFER, content=head + body, headers={LENGTH: str(len(head))})
        assert answer.status_code == 400
        assert "bytes follow" in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/v2/models/sea", 404, "no campaign 'sea'"),
        ("/v2/models/sea/ready", 404, "no campaign 'sea'"),
        ("/v2/models/demo/versions/v99", 404, "serves; promote another one"),
        ("/v2/models/demo/versions/v99/ready", 404, "serves; promote another one"),
        ("/v2/repository/index", 404, "Not Found"),
    ],
)
def test_what_is_not_there_is_said_in_the_form_of_the_protocol(
    served: httpx.Client, path: str, status: int, reason: str
) -> None:
    answer = served.get(path)
    assert answer.status_code == status
    assert reason in answer.json()["error"]


def test_many_values_are_not_written_as_json(served: httpx.Client) -> None:
    image = np.ones((1, 3, 600, 600), np.float32)
    answer = as_bytes(served, image, outputs=[{"name": "segmentation"}])
    assert answer.status_code == 400
    assert "ask for them with `binary_data` true" in answer.json()["error"]


def test_tokens_are_asked_for_and_health_needs_none(settings: Settings) -> None:
    closed = msgspec.structs.replace(settings, tokens="predict=p-p-p-p-p,ops=o-o-o-o-o")
    with TestClient(create_app(closed), base_url="http://127.0.0.1") as http:
        assert http.get("/v2").status_code == http.get("/v2/health/ready").status_code == 200
        refused = http.get("/v2/models/demo")
        assert refused.status_code == 401
        assert "needs a token" in refused.json()["error"]
        asked = http.get("/v2/models/demo", headers={"Authorization": "Bearer p-p-p-p-p"})
        assert asked.status_code == 404


TRITON = """
import sys
import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException
client = triton.InferenceServerClient(sys.argv[1])
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("demo")
assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
model = client.get_model_metadata("demo")
version = model["versions"][0]
images = np.random.default_rng(3).uniform(0, 3000, (2, 3, 40, 33)).astype(np.float32)
images[1, :, :5] = np.nan
answers = []
for binary_in in (True, False):
    for binary_out in (True, False):
        given = triton.InferInput("image", images.shape, "FP32")
        given.set_data_from_numpy(images if binary_in else np.nan_to_num(images), binary_data=binary_in)
        wanted = [triton.InferRequestedOutput(name, binary_data=binary_out) for name in ("embedding", "segmentation")]
        result = client.infer("demo", [given], outputs=wanted, model_version=version, request_id="a")
        assert result.get_response()["id"] == "a" and result.get_response()["model_version"] == version
        answers.append(result.as_numpy("segmentation"))
assert all(answer.shape == (2, 4, 40, 33) for answer in answers)
np.testing.assert_array_equal(answers[0], answers[1])
np.testing.assert_array_equal(answers[2], answers[3])
given.set_data_from_numpy(images, binary_data=True)
assert set(o["name"] for o in client.infer("demo", [given]).get_response()["outputs"]) == {
    "classification", "segmentation", "embedding"}
try:
    client.infer("sea", [given])
except InferenceServerException as error:
    assert error.status() == "404" and "no campaign 'sea'" in error.message()
    print("tritonclient is content")
"""


@pytest.fixture(scope="module")
def tritons_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An environment of its own with `tritonclient`, whose gevent and greenlet do not suit what is here."""
    folder = tmp_path_factory.mktemp("triton") / "env"
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "-q", "-p", sys.executable, str(folder)], check=True)
    python = str(folder / "bin" / "python")
    lock = ROOT / "tests" / "data" / "tritonclient.lock"
    subprocess.run([*uv, "pip", "install", "-q", "--python", python, "--require-hashes", "-r", str(lock)], check=True)
    return python


def test_client_of_triton_asks_everything_that_the_protocol_has(address: str, tritons_python: str) -> None:
    command = [tritons_python, "-W", "ignore", "-c", TRITON, address.removeprefix("http://")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "tritonclient is content\n", done.stderr
