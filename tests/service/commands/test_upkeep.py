"""Renaming, archiving and deleting campaigns from the command line."""

import pytest

from al_loop.client.operators import OperatorClient
from tests.service.commands.fixtures import Run


def test_deletion_says_what_goes_and_does_nothing_without_a_yes(
    on_land: Run, land_url: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert on_land("delete", "land") == 2
    said = capfd.readouterr().err
    assert "1 label of 1 annotator on 6 samples" in said
    assert "repeat with --yes" in said
    assert on_land("remove", "land", "2") == 2
    with OperatorClient(land_url) as client:
        assert client.campaign("land").samples.total == 6
        assert on_land("remove", "land", "2", "--yes") == 0
        assert client.campaign("land").samples.total == 5
        assert on_land("delete", "land", "--yes") == 0
        assert client.every_campaign() == []


def test_campaign_is_renamed_archived_and_brought_back(
    on_land: Run, land_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert on_land("rename", "land", "fields") == 0
    assert on_land("archive", "fields") == 0
    capfd.readouterr()
    assert on_land("query", "fields") == 2
    assert "al-loop archive fields --undo" in capfd.readouterr().err
    assert on_land("status") == 0
    assert "fields" not in capfd.readouterr().out
    assert on_land("archive", "fields", "--undo") == 0
    assert on_land("query", "fields") == 0
