"""The log: forms, request ids, a line for each request without tokens, and what a campaign's life leaves in it."""

import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from litestar.testing import TestClient

from service.access.token_file import add_token
from service.app import create_app
from service.log import set_up_logging
from service.settings import Settings
from tests.e2e.campaigns import Http, create, register, write_pool

SECRET = "a-secret-of-predictors"


class Written:
    """What was logged since it was looked at last."""

    def __init__(self, captured: pytest.CaptureFixture[str]) -> None:
        self._captured = captured

    def getvalue(self) -> str:
        return self._captured.readouterr().err


@pytest.fixture
def stream(capsys: pytest.CaptureFixture[str]) -> Iterator[Written]:
    """What is logged; the log is as before afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    yield Written(capsys)
    root.handlers[:] = handlers
    root.setLevel(level)


def client(settings: Settings, **changes: object) -> TestClient:  # type: ignore[type-arg]
    service = msgspec.structs.replace(settings, **changes)
    set_up_logging(service)
    return TestClient(create_app(service), base_url="http://127.0.0.1", raise_server_exceptions=False)


def test_json_log_is_one_object_a_line_with_the_id_of_the_request(settings: Settings, stream: Written) -> None:
    with client(settings, log_format="json", access_log=True) as http:
        answer = http.get("/campaigns/ä%0Ab?x=1", headers={"x-request-id": "abc-1"})
    assert answer.headers["x-request-id"] == "abc-1"
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    (line,) = [line for line in lines if line["logger"] == "al_loop.access"]
    assert line["request_id"] == "abc-1"
    assert (line["level"], line["message"].split(" 404 ")[0]) == ("info", "testclient GET /campaigns/%C3%A4%0Ab?x=1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line["time"])


def test_exception_is_inside_its_line(settings: Settings, stream: Written) -> None:
    set_up_logging(msgspec.structs.replace(settings, log_format="json"))
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("al_loop").exception("it failed")
    (line,) = stream.getvalue().splitlines()
    assert "ValueError: two\nlines" in json.loads(line)["exception"]


def test_libraries_that_tell_of_their_own_set_up_are_not_heard(settings: Settings, stream: Written) -> None:
    set_up_logging(settings)
    logging.getLogger("numexpr.utils").info("NumExpr defaulting to 2 threads.")
    assert stream.getvalue() == ""


NO_IDS = ["", "a b", "x" * 65, "a\r\nb: c", "é"]


def test_id_that_no_line_can_hold_is_replaced(http: Http) -> None:
    for given in NO_IDS:
        headers = {"x-request-id": given.encode("latin-1").replace(b"\r\n", b" ")}
        number = http.get("/health/live", headers=headers).headers["x-request-id"]
        assert re.fullmatch("[0-9a-f]{16}", number)


def test_line_of_a_request_has_no_token_wherever_it_stands(settings: Settings, stream: Written) -> None:
    with client(settings, access_log=True, tokens=f"predict={SECRET}") as http:
        for query in (f"token={SECRET}", f"x=1&token={SECRET}&y=2", f"TOKEN={SECRET}", f"x=1&token={SECRET}"):
            http.post(f"/campaigns/demo/predictions/sam?{query}", headers={"authorization": f"Bearer {SECRET}"})
        http.get(f"/nowhere?token={SECRET}")
    log = stream.getvalue()
    assert SECRET not in log
    assert log.count("token=***") == 4
    assert "x=1&token=***&y=2" in log
    assert "/nowhere" in log  # no route, and yet a line


def test_requests_are_not_logged_unless_asked_for(settings: Settings, stream: Written) -> None:
    with client(settings) as http:
        http.get("/campaigns")
    assert "GET" not in stream.getvalue()


def test_least_level_is_kept_to(settings: Settings, stream: Written) -> None:
    with client(settings, log_level="error", access_log=True) as http:
        http.get("/campaigns")
    assert stream.getvalue() == ""


def test_campaign_import_and_rounds_leave_a_line_each(settings: Settings, imagery: Path, stream: Written) -> None:
    write_pool(imagery, 2, size=32)
    with client(settings, tokens="ops=a-secret-of-max") as http:
        http.headers["authorization"] = "Bearer a-secret-of-max"
        create(http, imagery)
        register(http)
    log = stream.getvalue()
    assert "INFO al_loop.audit: createCampaign: campaign demo by ops [" in log
    assert "INFO al_loop.audit: registerSamples: campaign demo by ops [" in log


def test_every_change_is_one_line_with_request_campaign_and_who(
    settings: Settings, imagery: Path, stream: Written, tmp_path: Path
) -> None:
    write_pool(imagery / "pool", 4, size=32)
    file = tmp_path / "tokens.tsv"
    tokens = {
        "Max": add_token(file, "Max", "ops", datetime.now(UTC)),
        "Anna": add_token(file, "Anna", "annotate", datetime.now(UTC)),
    }
    changes: list[tuple[str, str, str, dict[str, object]]] = [
        ("Max", "POST", "", {"name": "demo", "root": str(imagery / "pool"), "tasks": [
            {"task": "classification", "classes": ["dark", "bright"]},
            {"task": "segmentation", "classes": ["field"]}]}),
        ("Max", "POST", "/demo/samples", {"scan": True}),
        ("Anna", "POST", "/demo/queries", {"annotator": "Anna", "query_size": 2}),
        ("Anna", "POST", "/demo/labels", {"sample_id": 1, "task": "segmentation", "annotator": "Anna", "features":
            {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"label": "field"}, "geometry":
             {"type": "Polygon", "coordinates": [[[1.25, 2], [9, 2], [9, 9], [1.25, 2]]]}}]}, "crs": "pixel"}),
        ("Max", "PATCH", "/demo/settings", {"lease_s": 600}),
        ("Max", "PUT", "/demo/policy", {"new_labels": 70}),
        ("Max", "PATCH", "/demo", {"archived": True}),
        ("Max", "PATCH", "/demo", {"archived": False}),
    ]  # fmt: skip
    with client(settings, log_format="json", tokens_file=file) as http:
        for number, (who, method, path, body) in enumerate(changes):
            headers = {"authorization": f"Bearer {tokens[who]}", "x-request-id": f"r{number}"}
            answer = http.request(method, f"/campaigns{path}", json=body, headers=headers)
            assert answer.is_success, answer.text
            http.get("/campaigns/demo", headers=headers)
    text = stream.getvalue()
    lines = [json.loads(line) for line in text.splitlines()]
    changed = [line for line in lines if "action" in line]
    assert [(line["request_id"], line["who"], line["campaign"]) for line in changed] == [
        (f"r{number}", who, "demo") for number, (who, *_) in enumerate(changes)
    ]
    assert [line["action"] for line in changed[:4]] == [
        "createCampaign",
        "registerSamples",
        "openQuery",
        "recordLabels",
    ]
    assert not any(token in text for token in tokens.values())
    assert "1.25" not in text  # nothing of what was drawn


def test_line_about_a_campaign_names_it(settings: Settings, stream: Written) -> None:
    set_up_logging(msgspec.structs.replace(settings, log_format="json"))
    logging.getLogger("al_loop").info("campaign %s: round %d %s", "demo", 3, "failed")
    logging.getLogger("al_loop").info("opening")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["campaign"], "campaign" in second) == ("demo", False)


def test_name_with_line_feeds_stays_in_its_line(settings: Settings, stream: Written) -> None:
    set_up_logging(settings)
    logging.getLogger("al_loop").warning("skipped %s", "a\n2026-01-01 ERROR forged\x1b[2J.tif")
    (line,) = stream.getvalue().splitlines()
    assert line.endswith(r"skipped a\n2026-01-01 ERROR forged\x1b[2J.tif")
