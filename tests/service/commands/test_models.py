"""`al-loop model add`: what is sent, and mistakes that are found before."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Self

import pytest

from al_loop.client.answers import CurrentModel
from service.commands import models
from tests.models.foreign.graphs import mean_graph
from tests.service.commands.fixtures import Run


class OtherPromotesFirst:
    """A client of a campaign in which v1 serves, until somebody else promotes v2 right before each promotion."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def learning_curve(self, campaign: str) -> SimpleNamespace:
        return SimpleNamespace(points=[])

    def campaign(self, campaign: str) -> SimpleNamespace:
        return self._view("v1", None)

    def promote(self, campaign: str, version: str, reason: str, *, force: bool) -> SimpleNamespace:
        return self._view(version, "v2")

    def _view(self, version: str, previous: str | None) -> SimpleNamespace:
        serving = CurrentModel(
            version=version, round_number=1, promoted_at=None, loaded=True, problem=None, previous=previous
        )
        return SimpleNamespace(name="land", current_model=serving)


def test_of_two_promotions_at_once_the_version_is_told_that_the_second_took_the_place_of(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(models, "connect", lambda *_: OtherPromotesFirst())
    models.promote("land", "v3")
    assert capfd.readouterr().err == "land: v3 serves\nland: v2 served before\n"


def test_file_and_card_reach_the_service(on_land: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    card = tmp_path / "card.json"
    card.write_text(json.dumps({"task": "classification"}))
    assert on_land("model", "add", "land", str(mean_graph(tmp_path / "m.onnx")), "--card", str(card)) != 0
    assert "label" in capfd.readouterr().err  # the campaign has one label: there is nothing to measure by


@pytest.mark.parametrize("missing", ["m.onnx", "card.json"])
def test_file_that_is_not_there_is_named(
    on_land: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str], missing: str
) -> None:
    for name in {"m.onnx", "card.json"} - {missing}:
        (tmp_path / name).write_bytes(b"{}")
    assert on_land("model", "add", "land", str(tmp_path / "m.onnx"), "--card", str(tmp_path / "card.json")) == 2
    assert missing in capfd.readouterr().err
