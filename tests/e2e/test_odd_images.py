"""Each odd image gets its right answer from the header, from a scan beside good ones, and from the prediction route."""

from collections.abc import Callable
from pathlib import Path

import pytest

from models.errors import RasterError
from models.rasters.reading import read_header
from service.settings import Settings
from tests.data.make_scene import make_scene
from tests.data.odd.make import NOT_TAKEN, TAKEN, corpus, write
from tests.e2e.campaigns import TASKS, Http, predict, serve_tiny

CLASSES = ["class-1", "class-2", "class-3"]
CORPUS = corpus()


@pytest.mark.parametrize("name", list(CORPUS))
def test_header_of_an_odd_image(name: str, tmp_path: Path) -> None:
    odd = CORPUS[name]
    path = write(tmp_path, name, odd)
    if not odd.reason or odd.reason.endswith(("band", "bands")):  # of those, only the campaign objects
        if "bands" in odd.reason and odd.status == NOT_TAKEN:
            with pytest.raises(RasterError, match=odd.reason):
                read_header(path)
            return
        header = read_header(path)
        assert (odd.remark == "") == (header.remarks == [])
        return
    with pytest.raises(RasterError, match=odd.reason):
        read_header(path)


def test_whole_corpus_is_answered_by_scan_and_by_prediction(
    start_service: Callable[[], Http], settings: Settings, imagery: Path
) -> None:
    http = serve_tiny(start_service, settings, imagery, classes=CLASSES, known=CLASSES)
    for number in range(5):
        make_scene(imagery / f"0{number}.tif")
    names = {write(imagery, name, odd).name: name for name, odd in CORPUS.items()}
    report = http.post("/campaigns/demo/samples", json={"scan": True})
    assert report.status_code in (200, 201), report.text
    skipped = {names[entry["path"]]: entry["reason"] for entry in report.json()["skipped"]}
    assert {name for name, odd in CORPUS.items() if odd.reason} == set(skipped)
    assert {name: reason for name, reason in skipped.items() if CORPUS[name].reason not in reason} == {}
    assert report.json()["registered"] == 5 + len(CORPUS) - len(skipped)
    remarks = {names[entry["path"]]: entry["remark"] for entry in report.json()["remarks"]}
    assert {name: odd.remark for name, odd in CORPUS.items() if odd.remark}.keys() == remarks.keys()
    answers = {(name, task): predict(http, task, odd.data) for name, odd in CORPUS.items() for task in TASKS}
    wrong = {
        key: (answer.status_code, answer.text[:200])
        for key, answer in answers.items()
        if answer.status_code != (CORPUS[key[0]].status if not CORPUS[key[0]].beside else TAKEN)
    }
    assert wrong == {}
    assert not [key for key, answer in answers.items() if answer.status_code != TAKEN and str(imagery) in answer.text]
