"""Asking and answering from the terminal."""

import json
import re
from pathlib import Path

import httpx
import pytest

from al_loop.client.operators import OperatorClient
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


@pytest.fixture
def on_fields(on_land: Run, land_url: str, imagery: Path) -> Run:
    """Beside `land` a campaign `fields` of the same scenes, whose pixels are to be labelled."""
    made = on_land("create", "fields", str(imagery / "pool"), "--task", "segmentation", "--classes", "field")
    assert made == 0
    return on_land


def test_points_are_asked_for_and_answered_and_shown_in_a_table(
    on_fields: Run, land_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    asking = ["query", "fields", "--size", "1", "--unit", "point", "--points", "2", "--annotator", "anna"]
    assert on_fields(*asking, "--json") == 0
    (sample,) = json.loads(capfd.readouterr().out)["samples"]
    first, second = (f"{point['column']:g},{point['row']:g}" for point in sample["points"])

    number = str(sample["sample_id"])
    assert on_fields("label", "fields", number, "field", "--point", first, "--annotator", "anna") == 0
    assert on_fields("label", "fields", number, "--none", "--point", second, "--annotator", "anna") == 0

    with OperatorClient(land_url) as client:
        assert client.leases("fields", "anna") == []
    (label,) = httpx.get(f"{land_url}/campaigns/fields/labels").json()["labels"]
    assert [part["properties"]["label"] for part in label["features"]["features"]] == ["field", None]
    capfd.readouterr()
    assert on_fields(*asking) == 0
    assert re.search(r"\d+\.5,\d+\.5 \d+\.5,\d+\.5", capfd.readouterr().out)


NO_POINTS = [
    (["label", "fields", "1", "field", "--point", "3"], "COLUMN,ROW"),
    (["label", "fields", "scene_000.tif", "field", "--point", "99,3"], "outside the image"),
    (["label", "land", "1", "dark", "--point", "3,3"], "no task that is answered for each pixel"),
    (["query", "land", "--unit", "point"], "asked about points"),
]


def test_points_that_cannot_be_are_told(on_fields: Run, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    for arguments, words in NO_POINTS:
        assert on_fields(*arguments) == 2
        assert words in " ".join(re.sub("[│╭╮╰╯─]", " ", capfd.readouterr().err).split())
