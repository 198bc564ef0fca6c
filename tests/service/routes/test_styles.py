"""Styles over HTTP."""

from collections.abc import Callable
from pathlib import Path

from tests.e2e.campaigns import Http, create, write_pool


def test_style_is_xml_and_what_there_is_none_of_is_told(start_service: Callable[[], Http], imagery: Path) -> None:
    write_pool(imagery, 1, size=32)
    http = start_service()
    create(http, imagery)
    found = http.get("/campaigns/demo/styles/labels")
    assert (found.status_code, found.headers["content-type"]) == (200, "application/xml; charset=utf-8")
    assert "<!DOCTYPE qgis" in found.text
    assert http.get("/campaigns/demo/styles/uncertainty", params={"task": "nothing"}).status_code == 404
    assert http.get("/campaigns/demo/styles/socks").status_code in (400, 404)
