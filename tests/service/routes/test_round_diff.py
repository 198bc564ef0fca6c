"""Rounds compared over HTTP and in the terminal."""

from pathlib import Path

import httpx
import pytest

from al_loop.domain.rounds import RoundState
from al_loop.loop import Loop
from service.app import create_app
from service.cli import main
from service.settings import Settings
from tests.e2e.campaigns import create, running_server
from tests.service.routes.test_round_events import begin


def test_two_rounds_are_compared_and_unknown_ones_are_not_found(
    settings: Settings, imagery: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    app = create_app(settings)
    with running_server(app) as url, httpx.Client(base_url=url) as http:
        create(http, imagery)  # type: ignore[arg-type]
        loop: Loop = app.state.loop
        for _ in range(2):
            begin(loop, RoundState.REJECTED)
        answer = http.get("/campaigns/demo/rounds/1/diff/2").json()
        assert (answer["first"], answer["second"], answer["sources"]) == (1, 2, [])
        assert http.get("/campaigns/demo/rounds/1/diff/9").status_code == 404
        assert main(["round", "diff", "demo", "1", "2", "--service", url]) == 0
        shown = capfd.readouterr().out
        assert "round 1\tround 2" in shown
        assert "reserve samples measured on\t" in shown
        assert "changes are not paired" in shown
        assert main(["round", "diff", "demo", "1", "9", "--service", url]) == 2
