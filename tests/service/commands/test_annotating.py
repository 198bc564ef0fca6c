"""Asking and answering from the terminal."""

import json

import pytest

from service.client.operators import OperatorClient
from tests.service.commands.fixtures import Run


def test_query_and_label_as_json_and_under_the_name_of_the_account(
    on_land: Run, land_url: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "berta")
    assert on_land("query", "land", "--size", "2", "--json") == 0
    asked = json.loads(capfd.readouterr().out)["samples"]
    assert len(asked) == 2
    assert on_land("label", "land", asked[0]["path"], "bright", "--json") == 0
    assert len(json.loads(capfd.readouterr().out)["label_ids"]) == 1
    with OperatorClient(land_url) as client:
        assert {lease.sample_id for lease in client.leases("land", "berta")} == {asked[1]["sample_id"]}
    assert on_land("label", "land", str(asked[1]["sample_id"]), "dark", "--annotator", "carl") == 2
    said = capfd.readouterr().err
    assert "leased to 'berta'" in said
    assert "record it with --override" in said
    assert "override_lease" not in said
    assert on_land("label", "land", str(asked[1]["sample_id"]), "dark", "--annotator", "carl", "--override") == 0
    assert on_land("label", "land", "1", "--none") == 0
    assert on_land("label", "land", str(asked[1]["sample_id"]), "bright", "--annotator", " CARL", "--override") == 0
    with OperatorClient(land_url) as client:
        features = json.loads(client.export("land", "geojson"))["features"]
    assert {feature["properties"]["annotator"] for feature in features} == {"ann", "berta", "carl"}


def test_label_of_an_unknown_class_lists_the_classes(on_land: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert on_land("label", "land", "1", "forest") == 2
    assert capfd.readouterr().err == "al-loop: no class 'forest'; it is one of ['dark', 'bright']\n"
