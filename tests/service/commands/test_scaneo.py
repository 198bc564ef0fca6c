"""What `al-loop scaneo connect` and `al-loop scaneo status` say of a link."""

from datetime import UTC, datetime
from typing import Any

import pytest

from al_loop.client.http import Client
from al_loop.domain.scaneo_links import BatchView, ImageProblem, LinkStatus
from service.cli import main
from service.commands.scaneo import show

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def link(**changes: Any) -> LinkStatus:
    fields: dict[str, Any] = {
        "campaign": "fields", "url": "http://scaneo:8000", "scaneo_campaign": "Fields",
        "labelling_page": "http://scaneo:8000/campaigns/1", "models": {}, "images": 7, "images_read": 0,
        "images_unusable": 0, "labels": 0, "reachable": True, "asked_at": NOON, "swept_at": None,
        "requests_a_minute": 0.0, "problem": None, "image_problems": [], "batches": [],
    }  # fmt: skip
    return LinkStatus(**(fields | changes))


@pytest.mark.parametrize(
    "given",
    [["--tasks", "classification,segmentation"], ["--tasks", "classification", "--tasks", "segmentation"]],
)
def test_tasks_may_be_repeated_or_separated_by_commas(given: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, Any]] = []

    def connect_scaneo(_: Client, name: str, body: dict[str, Any]) -> LinkStatus:
        sent.append(body | {"as": name})
        return link()

    monkeypatch.setattr(Client, "connect_scaneo", connect_scaneo)
    assert main(["scaneo", "connect", "http://scaneo:8000", "--campaign", "Land cover", *given]) == 0
    assert [(body["as"], body["tasks"]) for body in sent] == [("land-cover", ["classification", "segmentation"])]


def test_new_link_does_not_read_like_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    show(link())
    said = capsys.readouterr().out
    assert "images\t7, none read yet\n" in said
    assert "nothing drawn there" in said
    assert "cannot be used" not in said


def test_what_is_wrong_is_counted_and_names_its_image(capsys: pytest.CaptureFixture[str]) -> None:
    problem = ImageProblem(path="north/tile_002.tif", problem="a mask of class 'water' has no outline")
    show(link(images_read=5, images_unusable=2, labels=4, image_problems=[problem]))
    said = capsys.readouterr().out
    assert "7, 5 read so far, 2 cannot be used" in said
    assert "labels that came in\t4\n" in said
    assert "north/tile_002.tif: a mask of class 'water' has no outline" in said


def test_each_address_says_to_whom_it_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    batch = BatchView(
        number=1, name="Fields for anna, 1", annotator="anna", url="http://scaneo:8000/campaigns/2", samples=10,
        labelled=3, opened_at=NOON, closed_at=None, close_reason=None,
    )  # fmt: skip
    show(link(batches=[batch]))
    said = capsys.readouterr().out
    assert "send this address to every annotator: http://scaneo:8000/campaigns/1\n" in said
    assert "send this address to anna (Fields for anna, 1): http://scaneo:8000/campaigns/2\n" in said
