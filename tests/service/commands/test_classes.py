"""Classes and guidelines from the command line."""

import json
from pathlib import Path

import pytest

from tests.service.commands.fixtures import Run


def test_classes_and_guidelines(on_land: Run, land_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert on_land("classes", "add", "land", "wet/land", "--description", "reeds", "--colour", "#469990") == 0
    assert on_land("classes", "change", "land", "wet/land", "--rename", "marsh") == 0
    assert on_land("classes", "change", "land", "marsh", "--retire", "--example", "1", "--example", "2") == 0
    capfd.readouterr()
    assert on_land("classes", "list", "land", "--json") == 0
    [task] = json.loads(capfd.readouterr().out)["tasks"]
    assert task["classes"][2] == {
        "name": "marsh", "description": "reeds", "colour": "#469990", "retired": True, "examples": [1, 2], "key": None,
        "formerly": ["wet/land"],
    }  # fmt: skip
    assert on_land("classes", "change", "land", "nothing", "--retire") == 2
    assert "no class 'nothing'" in capfd.readouterr().err
    (tmp_path / "how.md").write_text("# Water [deep]\n")
    assert on_land("classes", "guidelines", "land", str(tmp_path / "how.md")) == 0
    assert on_land("classes", "guidelines", "land") == 0
    assert "# Water [deep]" in capfd.readouterr().out
