"""Who may do what, and that a token never reaches a log or an answer."""

import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from litestar.testing import TestClient

from service.app import create_app
from service.settings import Settings
from tests.data.make_scene import make_scene
from tests.e2e.campaigns import Http, running_server

TOKENS = {role: f"{role}-secret-1" for role in ("predict", "annotate", "ops")}


@pytest.fixture
def guarded(tmp_path: Path, imagery: Path) -> Iterator[Http]:
    """A service with one token a role and a campaign."""
    tokens = ",".join(f"{role}={token}" for role, token in TOKENS.items())
    settings = Settings(data=tmp_path / "data", imagery=str(imagery), tokens=tokens)
    with TestClient(create_app(settings), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        task = {"task": "classification", "classes": ["a", "b"]}
        body = {"name": "demo", "tasks": [task], "root": str(imagery)}
        assert client.post("/campaigns", json=body, headers=bearer("ops")).status_code == 201
        yield client


def bearer(role: str) -> dict[str, str]:
    return {"authorization": f"Bearer {TOKENS[role]}"}


CALLS = {
    "predict": ("POST", "/campaigns/demo/predictions/classification", None),
    "annotate": ("POST", "/campaigns/demo/queries", {"annotator": "ann", "query_size": 1}),
    "ops": ("POST", "/campaigns/demo/rounds", {}),
}
ORDER = ("predict", "annotate", "ops")


@pytest.mark.parametrize("asked", ORDER)
@pytest.mark.parametrize("role", ORDER)
def test_role_may_do_what_the_roles_below_it_may(guarded: Http, role: str, asked: str) -> None:
    method, path, body = CALLS[asked]
    answer = guarded.request(method, path, json=body, headers=bearer(role))
    if ORDER.index(role) < ORDER.index(asked):
        assert answer.status_code == 403
        assert role in answer.text
        assert asked in answer.text
    else:
        assert answer.status_code not in (401, 403)
        assert answer.status_code < 500


@pytest.mark.parametrize("asked", ORDER)
@pytest.mark.parametrize("header", [None, "Bearer wrong-token", "Basic predict-secret-1", "Bearer "])
def test_without_a_known_token_it_is_401(guarded: Http, asked: str, header: str | None) -> None:
    method, path, body = CALLS[asked]
    answer = guarded.request(method, path, json=body, headers={} if header is None else {"authorization": header})
    assert answer.status_code == 401
    assert "token" in answer.text


def test_token_in_the_url_opens_prediction_routes_only(guarded: Http) -> None:
    token = {"token": TOKENS["ops"]}
    assert guarded.post(CALLS["predict"][1], params=token).status_code == 415  # no image, but let in
    assert guarded.get("/campaigns", params=token).status_code == 401
    wrong = guarded.post(CALLS["predict"][1], params={"token": "wrong-token"})
    assert wrong.status_code == 401
    assert wrong.headers["content-type"].startswith("text/plain")
    assert "wrong-token" not in wrong.text


def test_probes_need_no_token(guarded: Http) -> None:
    assert guarded.get("/health/live").status_code == 200


def test_token_never_reaches_a_log(
    tmp_path: Path, imagery: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = Settings(data=tmp_path / "data", imagery=str(imagery), tokens=f"ops={TOKENS['ops']}")
    image = make_scene(tmp_path / "scene.tif").read_bytes()
    with running_server(create_app(settings)) as url:
        for path in ("/campaigns/demo/predictions/classification", "/campaigns/nobody/predictions/painting"):
            answer = httpx.post(f"{url}{path}?token={TOKENS['ops']}", files={"image": image})
            assert answer.status_code == 404
            assert TOKENS["ops"] not in answer.text
        metrics = httpx.get(f"{url}/metrics", headers=bearer("ops")).text
    ours = "".join(record.getMessage() for record in caplog.records if not record.name.startswith("http"))
    assert TOKENS["ops"] not in ours + metrics + "".join(capfd.readouterr())
