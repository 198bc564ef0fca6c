"""Agreement of annotators over HTTP and in the terminal."""

from pathlib import Path
from typing import Any

import pytest

from al_loop.client.http import Client
from service.app import create_app
from service.cli import main
from service.settings import Settings
from tests.e2e.campaigns import Http, create, field_of, register, running_server, write_pool

TASKS: list[dict[str, Any]] = [
    {"task": "classification", "classes": ["dark", "bright"]},
    {"task": "segmentation", "classes": ["field"]},
]


@pytest.fixture
def client(http: Http, imagery: Path) -> Client:
    """Ten scenes; anna and bert answered the first eight and agree on six, golden knows the first four."""
    write_pool(imagery, 10)
    create(http, imagery, tasks=TASKS, settings={"query": {"golden": [f"scene_{n:03d}.tif" for n in range(4)]}})
    register(http)
    dark, bright = ["dark"], ["bright"]
    name(http, "anna", [dark, dark, dark, dark, bright, bright, bright, bright])
    name(http, "bert", [dark, dark, dark, bright, bright, bright, bright, dark])
    name(http, "golden", [dark, dark, bright, dark, bright])  # the fifth is not listed as golden
    return Client("http://testserver", http=http)


def name(http: Http, annotator: str, answers: list[list[str]], first: int = 1) -> list[int]:
    labels = [
        {"sample_id": first + n, "task": "classification", "annotator": annotator, "classes": classes}
        for n, classes in enumerate(answers)
    ]
    response = http.post("/campaigns/demo/labels", json=labels)
    assert response.status_code == 201, response.text
    ids: list[int] = response.json()["label_ids"]
    return ids


def draw(http: Http, annotator: str, sample_id: int, features: dict[str, Any]) -> None:
    body = {
        "sample_id": sample_id, "task": "segmentation", "annotator": annotator, "features": features, "crs": "pixel",
    }  # fmt: skip
    assert http.post("/campaigns/demo/labels", json=body).status_code == 201


def test_kappa_and_golden_scores_of_classes(client: Client) -> None:
    classes, masks = client.agreement("demo").tasks
    (pair,) = classes.pairs
    assert (classes.samples, pair.first, pair.second, pair.samples, pair.iou) == (8, "anna", "bert", 8, None)
    assert pair.kappa is not None
    assert pair.kappa.value == pytest.approx(0.5)  # 6 of 8 alike, half of all by chance
    assert pair.kappa.low < 0.5 < pair.kappa.high
    assert [(entry.name, entry.agreement) for entry in pair.classes] == [("dark", 0.75), ("bright", 0.75)]
    assert [(score.annotator, score.samples, score.score.value) for score in classes.golden] == [
        ("anna", 4, 0.75),
        ("bert", 4, 0.5),
    ]
    assert (masks.samples, masks.pairs, masks.golden) == (0, [], [])


def test_retracted_labels_do_not_count(http: Http, client: Client) -> None:
    (label_id,) = name(http, "cleo", [["dark"]])
    assert len(client.agreement("demo").tasks[0].pairs) == 3
    retracted = http.delete(f"/campaigns/demo/labels/{label_id}", params={"annotator": "cleo"})
    assert retracted.status_code < 300, retracted.text
    assert len(client.agreement("demo").tasks[0].pairs) == 1


def test_iou_of_masks(http: Http, client: Client) -> None:
    nothing = {"type": "FeatureCollection", "features": []}
    half = field_of()
    narrow = field_of()
    narrow["features"][0]["geometry"]["coordinates"] = [[[48, 0], [64, 0], [64, 64], [48, 64], [48, 0]]]
    for annotator, first, second in (("anna", half, nothing), ("bert", narrow, nothing), ("golden", half, nothing)):
        draw(http, annotator, 1, first)
        draw(http, annotator, 9, second)
    masks = client.agreement("demo").tasks[1]
    (pair,) = masks.pairs
    assert pair.iou is not None
    assert (pair.samples, pair.kappa, pair.iou.value) == (2, None, pytest.approx(0.75))
    assert [(entry.name, entry.agreement) for entry in pair.classes] == [("field", pytest.approx(0.5))]
    assert [(score.annotator, score.score.value) for score in masks.golden] == [("anna", 1.0), ("bert", 0.5)]


def test_several_labels_a_sample_have_a_kappa_of_each_class(http: Http, imagery: Path) -> None:
    write_pool(imagery, 4)
    create(http, imagery, tasks=[{"task": "classification", "classes": ["wet", "built"], "multi_label": True}])
    register(http)
    name(http, "anna", [["wet"], ["wet", "built"], ["built"], []])
    name(http, "bert", [["wet"], ["wet"], [], []])
    (pair,) = Client("http://testserver", http=http).agreement("demo").tasks[0].pairs
    assert pair.kappa is None
    wet, built = pair.classes
    assert wet.kappa is not None
    assert (wet.agreement, wet.kappa.value) == (1.0, 1.0)
    assert built.agreement == 0.0


def test_command_prints_the_report(
    http: Http,
    client: Client,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
) -> None:
    http.__exit__(None, None, None)
    with running_server(create_app(settings)) as url:
        assert main(["agreement", "demo", "--service", url]) == 0
    printed = capsys.readouterr().out
    assert "classification: 8 samples" in printed
    assert "anna, bert" in printed
    assert "0.50 [" in printed
