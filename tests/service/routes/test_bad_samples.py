"""Files that cannot be registered are skipped with their reason."""

from pathlib import Path
from typing import Any

import pytest

from tests.data.make_scene import make_hostile, make_scene
from tests.e2e.campaigns import Http, register
from tests.service.routes.bad_input import refused


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("empty", ["empty"]),
        ("truncated", ["truncated"]),
        ("text", ["not a TIFF"]),
        ("vrt", ["not a TIFF"]),
        ("vrt_named_tif", ["not a TIFF"]),
        ("vrt_of_passwd", ["not a TIFF"]),
        ("huge", ["1000000 x 1000000"]),
    ],
)
def test_hostile_file_is_skipped_with_its_reason(
    http: Http, campaign: str, root: Path, kind: Any, words: list[str]
) -> None:
    make_hostile(kind, root / "bad.tif")
    answer = http.post(f"/campaigns/{campaign}/samples", json={"paths": ["bad.tif"]})
    assert answer.status_code == 201
    body = answer.json()
    assert body["registered"] == 0
    assert body["skipped"][0]["path"] == "bad.tif"
    for word in words:
        assert word in body["skipped"][0]["reason"]


def test_paths_outside_the_root_are_skipped(http: Http, campaign: str, imagery: Path, root: Path) -> None:
    outside = make_scene(imagery / "outside.tif")
    (root / "link.tif").symlink_to(outside)
    (root / "folder").symlink_to(imagery)
    paths = ["../outside.tif", str(outside), "link.tif", "folder/outside.tif", "missing.tif", "", "a\x00b.tif"]
    body = http.post(f"/campaigns/{campaign}/samples", json={"paths": paths}).json()
    assert body["registered"] == 0
    assert {entry["path"] for entry in body["skipped"]} == set(paths)
    assert "no `..`" in body["skipped"][0]["reason"]


def test_scan_does_not_follow_links_out_of_the_root(http: Http, campaign: str, imagery: Path, root: Path) -> None:
    outside = make_scene(imagery / "elsewhere" / "outside.tif")
    (root / "link.tif").symlink_to(outside)
    (root / "folder").symlink_to(outside.parent)
    assert register(http)["registered"] == 0


def test_wrong_band_count_is_skipped(http: Http, campaign: str, root: Path) -> None:
    make_scene(root / "four.tif", bands=4)
    body = http.post(f"/campaigns/{campaign}/samples", json={"paths": ["four.tif"]}).json()
    assert "4 bands" in body["skipped"][0]["reason"]


def test_registering_again_counts_what_is_known_and_skips_nothing(http: Http, campaign: str) -> None:
    body = register(http)
    assert (body["registered"], body["known"], body["skipped_count"], body["skipped"]) == (0, 12, 0, [])


@pytest.mark.parametrize("body", [{}, {"scan": True, "paths": ["a"]}, {"scan": False}])
def test_registration_wants_paths_or_scan(still_http: Http, still_campaign: str, body: dict[str, Any]) -> None:
    refused(still_http.post(f"/campaigns/{still_campaign}/samples", json=body), 400, "$.paths")


def test_file_that_vanished_is_named(http: Http, campaign: str, root: Path) -> None:
    sample = http.get(f"/campaigns/{campaign}/samples").json()["samples"][0]
    (root / sample["path"]).unlink()
    refused(http.get(f"/campaigns/{campaign}/samples/{sample['sample_id']}/thumbnail.png"), 404, sample["path"])
