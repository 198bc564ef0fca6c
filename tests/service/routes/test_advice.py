"""Advice over HTTP and in the terminal."""

from pathlib import Path

import pytest

from tests.e2e.campaigns import Http, create
from tests.service.commands.fixtures import Run


def test_campaign_without_rounds_has_no_advice_yet(http: Http, imagery: Path) -> None:
    create(http, imagery)
    answer = http.get("/campaigns/demo/advice", params={"labels": 200})
    assert answer.json() == {"more": 200, "seconds_a_label": None, "minutes": None, "tasks": [], "agreement": []}
    assert http.get("/campaigns/demo/advice", params={"labels": 0}).status_code == 400
    assert http.get("/campaigns/nope/advice").status_code == 404


def test_command_says_that_nothing_is_known_yet(on_land: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert on_land("advice", "land") == 0
    assert capfd.readouterr().out == "not known yet: no round was measured\n"
    assert on_land("advice", "land", "--json") == 0
    assert '"tasks": []' in capfd.readouterr().out
