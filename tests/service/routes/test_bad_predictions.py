"""Predictions that cannot be made are refused in a sentence."""

import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient

from service.app import create_app
from service.settings import Settings
from tests.data.make_scene import make_hostile
from tests.e2e.campaigns import FAST_POLICY, Http, create, label_all, register, running_server
from tests.service.routes.bad_input import refused
from tests.waiting import PATIENCE_S


@pytest.mark.parametrize("kind", ["empty", "truncated", "text", "vrt_of_passwd", "huge"])
def test_hostile_upload_is_a_plain_sentence(http: Http, campaign: str, tmp_path: Path, kind: Any) -> None:
    label_all(http)
    file = make_hostile(kind, tmp_path / "bad.tif")
    response = http.post(f"/campaigns/{campaign}/predictions/classification", files={"image": file.read_bytes()})
    assert response.status_code in (409, 413, 415)
    assert response.headers["content-type"].startswith("text/plain")
    assert "{" not in response.text


def test_prediction_without_a_model_says_what_to_label(http: Http, campaign: str, root: Path) -> None:
    files = {"image": (root / "scene_000.tif").read_bytes()}
    response = http.post(f"/campaigns/{campaign}/predictions/classification", files=files)
    assert response.status_code == 409
    assert response.text == "No trained model for this campaign yet: label 8 more images."


def test_prediction_and_progress_say_alike_that_there_are_too_few_images(http: Http, root: Path) -> None:
    create(http, root, policy=FAST_POLICY | {"min_reserve_labels": 12})
    register(http)
    files = {"image": (root / "scene_000.tif").read_bytes()}
    response = http.post("/campaigns/demo/predictions/classification", files=files)
    told = http.get("/campaigns/demo/progress", params={"annotator": "ann"}).json()["next_round"]["sentence"]
    assert response.status_code == 409
    assert told.startswith("too few images to train on")
    assert response.text == f"No trained model for this campaign yet: {told}."


def test_prediction_problem_is_json_on_request(http: Http, campaign: str, root: Path) -> None:
    files = {"image": (root / "scene_000.tif").read_bytes()}
    headers = {"accept": "application/problem+json"}
    refused(http.post(f"/campaigns/{campaign}/predictions/classification", files=files, headers=headers), 409)


@pytest.mark.parametrize("task", ["detection", "painting"])
def test_task_that_the_campaign_does_not_ask_is_not_found(http: Http, campaign: str, task: str) -> None:
    response = http.post(f"/campaigns/{campaign}/predictions/{task}", files={"image": b"x"})
    assert response.status_code == 404
    assert task in response.text


def test_prediction_without_a_file_says_so(http: Http, campaign: str) -> None:
    url = f"/campaigns/{campaign}/predictions/classification"
    for response, status in (
        (http.post(url), 415),
        (http.post(url, json={}), 415),
        (http.post(url, files={"picture": b"x"}), 400),
    ):
        assert response.status_code == status
        assert "`image`" in response.text


def test_upload_over_the_limit_is_413(imagery: Path, root: Path, tmp_path: Path) -> None:
    small = Settings(data=tmp_path / "other", imagery=str(imagery), max_upload_mb=1)
    with TestClient(create_app(small), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        create(client, root)
        response = client.post("/campaigns/demo/predictions/classification", files={"image": bytes(2_000_000)})
        assert response.status_code == 413


HEAD = (
    b"POST /campaigns/demo/predictions/classification HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\n%s\r\n\r\n"
    b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n'
)


def test_form_that_says_it_is_too_large_is_refused_before_it_is_sent(settings: Settings) -> None:
    limited = msgspec.structs.replace(settings, max_upload_mb=256)
    with running_server(create_app(limited)) as url, connected(url) as client:
        client.sendall(HEAD % b"Content-Length: 300000000")
        assert client.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_chunked_form_is_refused_once_it_is_too_large(settings: Settings) -> None:
    chunk = b"%x\r\n%s\r\n" % (100_000, bytes(100_000))
    small = msgspec.structs.replace(settings, max_upload_mb=1)
    with running_server(create_app(small)) as url, connected(url) as client:
        start = HEAD % b"Transfer-Encoding: chunked"
        head, _, part = start.partition(b"\r\n\r\n")
        client.sendall(head + b"\r\n\r\n%x\r\n%s\r\n" % (len(part), part))
        for _ in range(9):
            client.sendall(chunk)
        client.settimeout(0.3)  # brief: no answer comes
        with pytest.raises(TimeoutError):
            client.recv(1000)  # the limit is not reached
        client.settimeout(PATIENCE_S)
        client.sendall(chunk * 2)
        assert client.recv(1000).startswith(b"HTTP/1.1 413 ")


def connected(url: str) -> socket.socket:
    """A raw connection to a service."""
    return socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), PATIENCE_S)
