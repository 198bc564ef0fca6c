"""The start page and what browsers ask for unbidden, as they get them; a browser looks at it in tests/service/page."""

import msgspec
import pytest
from litestar.testing import TestClient

from al_loop import __version__
from service.app import create_app
from service.settings import Settings
from tests.e2e.campaigns import Http


@pytest.mark.parametrize("path", ["/", "/docs", "/favicon.ico", "/version", "/health/live", "/health/ready"])
def test_page_and_probes_need_no_token(settings: Settings, path: str) -> None:
    service = msgspec.structs.replace(settings, tokens="ops=a-secret-of-ops")
    with TestClient(create_app(service), base_url="http://127.0.0.1") as http:
        answer = http.get(path)
        assert answer.status_code == 200
        assert "//" not in answer.text.replace("http://www.w3.org/2000/svg", "")
        assert http.get("/campaigns").status_code == 401


def test_start_page_allows_no_foreign_or_inline_code(http: Http) -> None:
    answer = http.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "<style" not in answer.text
    assert " style=" not in answer.text


def test_icon_is_the_one_of_the_pages(http: Http) -> None:
    answer = http.get("/favicon.ico")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert answer.content == http.get("/page/icon.svg").content


def test_version_is_told_on_a_route_of_its_own_and_with_the_health(http: Http) -> None:
    assert http.get("/version").json() == {"version": __version__}
    assert http.get("/health/ready").json()["version"] == __version__
