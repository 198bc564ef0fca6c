"""`al-loop model add`: what is sent, and mistakes that are found before."""

import json
from pathlib import Path

import pytest

from tests.models.foreign.graphs import mean_graph
from tests.service.commands.fixtures import Run


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
