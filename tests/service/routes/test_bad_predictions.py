"""Predictions that cannot be made are refused in a sentence."""

from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from service.app import create_app
from service.settings import Settings
from tests.data.make_scene import make_hostile
from tests.e2e.campaigns import Http, create, label_all
from tests.service.routes.bad_input import refused


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


def test_prediction_problem_is_json_on_request(http: Http, campaign: str, root: Path) -> None:
    files = {"image": (root / "scene_000.tif").read_bytes()}
    headers = {"accept": "application/problem+json"}
    refused(http.post(f"/campaigns/{campaign}/predictions/classification", files=files, headers=headers), 409)


@pytest.mark.parametrize(("task", "status"), [("detection", 501), ("painting", 404)])
def test_unbuilt_prediction_task_is_501(http: Http, campaign: str, task: str, status: int) -> None:
    response = http.post(f"/campaigns/{campaign}/predictions/{task}", files={"image": b"x"})
    assert response.status_code == status
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
