"""What a web page of another site can make a browser send to a service on loopback, and what other programs send."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from litestar.testing import TestClient

from al_loop.client.http import Client
from service.app import create_app
from service.settings import Settings
from tests.e2e.campaigns import Http, create, register, running_server, write_pool

HOME = "http://127.0.0.1:8090"
LABEL = {"path": "scene_000.tif", "task": "classification", "annotator": "ann", "classes": ["dark"]}
LABELS = "/campaigns/demo/labels"
STRANGERS = [
    "evil.example",
    "evil.example:8090",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "192.168.1.7:8090",
    "0.0.0.0:8090",
    "",
    "localhost:x",
]
FOREIGN = [
    {"origin": "http://evil.example"},
    {"origin": "http://evil.example", "sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "cross-site"},
    {"origin": "null"},
    {"origin": "http://localhost:8000", "sec-fetch-site": "same-site"},
    {"origin": "http://localhost.evil.example:8090"},
    {"origin": "http://[::1"},
]


@pytest.fixture
def home(settings: Settings, imagery: Path) -> Iterator[Http]:
    """A service on loopback with a campaign, asked as a browser on the same machine asks."""
    write_pool(imagery, 2)
    with TestClient(create_app(settings), base_url=HOME, raise_server_exceptions=False) as http:
        create(http, imagery, tasks=[{"task": "classification", "classes": ["dark", "bright"]}])
        register(http)
        yield http


def test_names_of_this_machine_are_answered(home: Http) -> None:
    for host in ("localhost", "localhost:8090", "LocalHost:1", "127.0.0.1:8090", "127.3.2.1", "[::1]:8090", "[::1]"):
        assert home.get("/campaigns", headers={"host": host}).status_code == 200, host


def test_foreign_name_is_refused_for_reading_and_writing(home: Http) -> None:
    answers = [
        home.request(method, path, headers={"host": host}, json=body)
        for host in STRANGERS
        for method, path, body in (
            ("GET", "/campaigns", None),
            ("GET", "/annotate", None),
            ("GET", "/schema/openapi.json", None),
            ("POST", LABELS, LABEL),
        )
    ]
    for answer in answers:
        assert answer.status_code == 403
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert "AL_LOOP_PUBLIC_URL" in answer.json()["detail"]
    assert home.get(LABELS).json()["labels"] == []


def test_write_of_a_foreign_page_is_refused(home: Http) -> None:
    for headers in FOREIGN:
        for answer in writes(home, headers):
            assert answer.status_code == 403, (headers, answer.text)
            assert "\n" not in answer.text
    assert home.get(LABELS).json()["labels"] == []


def writes(home: Http, headers: dict[str, str]) -> Iterator[httpx.Response]:
    """With and without a body, JSON and forms."""
    yield home.post(LABELS, json=LABEL, headers=headers)
    yield home.put("/campaigns/demo/policy", json={}, headers=headers)
    yield home.post("/campaigns/demo/rounds", headers=headers)
    yield home.delete("/campaigns/demo/labels/1?annotator=a", headers=headers)
    for task in ("classification", "segmentation", "sam"):
        yield home.post(f"/campaigns/demo/predictions/{task}", files={"image": b"x"}, headers=headers)


def test_own_page_and_links_from_elsewhere_work(home: Http) -> None:
    own = {"origin": HOME, "sec-fetch-site": "same-origin"}
    assert home.post(LABELS, json=LABEL, headers=own).status_code == 201
    assert home.get("/annotate/demo", headers={"sec-fetch-site": "cross-site"}).status_code == 200


def test_json_of_another_content_type_is_refused(home: Http) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", ""):
        headers = {"content-type": kind} if kind else {}
        whole = home.post(LABELS, content=json.dumps(LABEL), headers=headers)
        in_pieces = home.post("/campaigns/demo/rounds", content=iter([b"{}"]), headers=headers)
        for answer in (whole, in_pieces):
            assert answer.status_code == 415, kind
            assert "Content-Type: application/json" in answer.json()["detail"]
    assert home.get(LABELS).json()["labels"] == []


def test_json_that_says_so_is_taken(home: Http) -> None:
    for kind in ("application/json", "Application/JSON ; charset=utf-8", "application/geo+json"):
        answer = home.post(LABELS, content=json.dumps(LABEL), headers={"content-type": kind})
        assert answer.status_code == 201, answer.text


def test_request_without_a_body_needs_no_content_type(home: Http) -> None:
    assert home.post("/campaigns/demo/rounds").status_code == 409  # too few labels; but let in
    assert home.post("/campaigns/demo/rounds", headers={"content-type": "text/plain"}).status_code == 409


def test_programs_send_no_origin_and_are_let_in(settings: Settings, imagery: Path) -> None:
    """As our client, curl and SCANEO (python-requests, a multipart form) call over a real connection."""
    write_pool(imagery, 2)
    with running_server(create_app(settings)) as url, Client(url) as client:
        for number, name in enumerate((url, url.replace("127.0.0.1", "localhost"))):
            body = {
                "name": f"c{number}",
                "root": str(imagery),
                "tasks": [{"task": "classification", "classes": ["a", "b"]}],
            }
            headers = {"content-type": "application/json", "user-agent": "curl/8"}
            assert httpx.post(f"{name}/campaigns", content=json.dumps(body), headers=headers).status_code == 201
            image = {"image": ("image", (imagery / "scene_000.tif").read_bytes())}
            path = f"/campaigns/{body['name']}/predictions/classification"
            assert httpx.post(name + path, files=image).status_code == 409  # no model yet, but let in
        assert len(client.campaigns()) == 2
        assert httpx.get(f"{url}/campaigns", headers={"host": "evil.example"}).status_code == 403


def test_public_url_is_a_name_of_the_service(settings: Settings) -> None:
    settings = msgspec.structs.replace(settings, public_url="https://Labels.example.org/")
    with TestClient(create_app(settings), base_url=HOME) as http:
        proxied = {"origin": "https://labels.example.org", "sec-fetch-site": "same-origin"}
        for host in ("labels.example.org", "localhost:8090"):  # a proxy may pass the name on, or its own
            headers = {"host": host}
            assert http.get("/campaigns", headers=headers).status_code == 200
            assert http.post("/campaigns", json={}, headers=headers | proxied).status_code == 400
            evil = {"origin": "https://evil.example"}
            assert http.post("/campaigns", json={}, headers=headers | evil).status_code == 403
        assert http.get("/campaigns", headers={"host": "evil.example"}).status_code == 403


def test_open_service_answers_by_any_name_and_asks_for_tokens(settings: Settings) -> None:
    settings = msgspec.structs.replace(settings, host="0.0.0.0", tokens="ops=a-secret-of-ops")  # noqa: S104  # as in the container
    with TestClient(create_app(settings), base_url="http://al-loop.local:8090") as http:
        assert http.get("/health/ready").status_code == 200
        assert http.get("/campaigns").status_code == 401
        assert http.post("/campaigns", json={}, headers={"origin": "http://evil.example"}).status_code == 401
        token = {"authorization": "Bearer a-secret-of-ops"}
        assert http.get("/campaigns", headers=token).status_code == 200
        assert http.post("/campaigns", content="{}", headers=token).status_code == 415


MAPS = "https://maps.example.org"
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}


@pytest.fixture
def shared_home(settings: Settings, imagery: Path) -> Iterator[Http]:
    """As `home`, for a service that lets the pages of one other origin in."""
    service = msgspec.structs.replace(settings, cors_origins=f"{MAPS}, http://localhost:3000")
    write_pool(imagery, 2)
    with TestClient(create_app(service), base_url=HOME, raise_server_exceptions=False) as http:
        create(http, imagery, tasks=[{"task": "classification", "classes": ["dark", "bright"]}])
        register(http)
        yield http


@pytest.mark.parametrize("origin", [MAPS, "http://localhost:3000"])
def test_page_of_an_allowed_origin_reads_and_writes(shared_home: Http, origin: str) -> None:
    headers = {"origin": origin, "sec-fetch-site": "cross-site"}
    asked = shared_home.options(LABELS, headers=headers | PREFLIGHT)
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, origin)
    assert {"authorization", "content-type"} <= set(asked.headers["access-control-allow-headers"].lower().split(", "))
    written = shared_home.post(LABELS, json=LABEL, headers=headers)
    assert (written.status_code, written.headers["access-control-allow-origin"]) == (201, origin)
    refused = shared_home.get("/campaigns/nothing", headers=headers)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (404, origin)  # it can read why
    assert "access-control-allow-credentials" not in written.headers


@pytest.mark.parametrize("origin", ["http://evil.example", "null", f"{MAPS}.evil.example", "http://maps.example.org"])
def test_page_of_any_other_origin_is_refused_as_before(shared_home: Http, origin: str) -> None:
    assert shared_home.options(LABELS, headers={"origin": origin} | PREFLIGHT).status_code == 400
    written = shared_home.post(LABELS, json=LABEL, headers={"origin": origin})
    assert written.status_code == 403
    assert "AL_LOOP_CORS_ORIGINS" in written.json()["detail"]
    assert "access-control-allow-origin" not in written.headers
    assert "access-control-allow-origin" not in shared_home.get("/campaigns", headers={"origin": origin}).headers


def test_without_the_setting_no_origin_is_told_that_it_may(home: Http) -> None:
    assert "access-control-allow-origin" not in home.get("/campaigns", headers={"origin": MAPS}).headers
    assert "access-control-allow-origin" not in home.options(LABELS, headers={"origin": MAPS} | PREFLIGHT).headers


def test_every_origin_may_be_let_in_where_tokens_are_asked_for(settings: Settings) -> None:
    service = msgspec.structs.replace(settings, cors_origins="*", tokens="annotate=a-secret-of-anna")
    with TestClient(create_app(service), base_url=HOME) as http:
        headers = {"origin": "http://anything.example", "sec-fetch-site": "cross-site"}
        assert http.get("/campaigns", headers=headers).status_code == 401
        answer = http.get("/campaigns", headers=headers | {"authorization": "Bearer a-secret-of-anna"})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
