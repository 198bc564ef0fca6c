"""What labels were worth, from the command line."""

import json

import pytest

from tests.service.commands.fixtures import Run


def test_reports_of_a_campaign_without_models_are_empty(on_land: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert on_land("curve", "land", "--json") == 0
    assert json.loads(capfd.readouterr().out) == []
    assert on_land("relabels", "land", "--json") == 0
    assert json.loads(capfd.readouterr().out)["relabels"] == []
    assert on_land("savings", "land") == 0
    assert "not known yet" in capfd.readouterr().out
    assert on_land("model", "list", "land") == 0
    assert "metric" in capfd.readouterr().out
