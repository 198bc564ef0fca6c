"""`al-loop doctor` beside a running service, and where none runs."""

import json
from pathlib import Path

import pytest

from service.cli import main
from tests.service.commands.fixtures import Run


def test_service_in_order_is_told_with_its_version(on_land: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert on_land("doctor", "--json") == 0
    findings = json.loads(capfd.readouterr().out)
    assert [entry["verdict"] for entry in findings if entry["about"] == "service"] == ["ok"]


def test_what_is_wrong_is_counted_and_shown_with_its_remedy(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "al-loop.duckdb").write_text("no database")
    assert main(["doctor", "--data", str(tmp_path), "--service", "http://127.0.0.1:9"]) == 1
    told = capfd.readouterr()
    assert "al-loop restore" in told.out
    assert "no al-loop service answers" in told.out
    assert "1 thing is wrong" in told.err
