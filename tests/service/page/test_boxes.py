"""Boxes on the annotator page: those of a suggestion are shown, corrected one by one and accepted; others are drawn."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from service.app import create_app
from service.settings import Settings
from tests.data.tiny_model import BOXES
from tests.e2e.campaigns import Http, running_server, serve_tiny, write_pool
from tests.service.page.fixtures_annotators import Desk
from tests.service.page.fixtures_drawing import click, drag, only_label

CLASSES = ["ship", "buoy"]
SHIP, BUOY = (tuple(row) for row in BOXES[:2, :4].tolist())


@pytest.fixture
def desk(start_service: Callable[[], Http], quiet_settings: Settings, page: Page, imagery: Path) -> Iterator[Desk]:
    """A desk with one scene of 64 px, and a model that finds a ship and a buoy."""
    write_pool(imagery, 1)
    http = serve_tiny(
        start_service, quiet_settings, imagery, classes=CLASSES, known=CLASSES, trained=("detection",),
        tasks=[{"task": "detection", "classes": CLASSES}],
        settings={"assist": {"blind_share": 0.0}, "reserve": {"share": 0.0, "minimum": 0}},
    )  # fmt: skip
    http.__exit__(None, None, None)
    with running_server(create_app(quiet_settings)) as url, Desk(url, page) as made:
        assert made.http.post("/campaigns/demo/samples", json={"scan": True}).status_code == 201
        made.ask(query_size=1)
        made.open()
        made.wait_for_picture()
        yield made


def boxes(label: dict[str, Any]) -> list[tuple[str, tuple[float, ...]]]:
    """Class, left, top, right and bottom of each box, rounded to whole pixels."""
    found = []
    for feature in label["features"]["features"]:
        xs, ys = zip(*feature["geometry"]["coordinates"][0], strict=True)
        assert len(xs) == 5, "it is a rectangle"
        found.append((feature["properties"]["label"], tuple(map(round, (min(xs), min(ys), max(xs), max(ys))))))
    return found


def legend(page: Page) -> Any:
    return page.locator(".legend-bar li")


def test_enter_accepts_the_boxes_of_a_suggestion(desk: Desk) -> None:
    page = desk.page
    page.keyboard.press("g")
    expect(legend(page)).to_have_text(["ship1", "buoy1"])
    expect(page.locator("[data-part=suggestion-text]")).to_have_text("1 ship · 1 buoy")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("suggestion accepted")
    assert boxes(only_label(desk)) == [("ship", SHIP), ("buoy", BUOY)]


def test_single_box_of_a_suggestion_is_removed_and_another_moved(desk: Desk) -> None:
    page = desk.page
    page.keyboard.press("g")
    expect(legend(page)).to_have_count(2)
    click(page, 37, 16)
    page.keyboard.press("Delete")
    expect(legend(page)).to_have_text(["ship1"])
    page.keyboard.press("u")
    expect(legend(page)).to_have_count(2)
    click(page, 37, 16)
    page.keyboard.press("Delete")
    expect(legend(page)).to_have_count(1)
    click(page, 12, 12)
    drag(page, (20, 18), (26, 24))  # a corner: the box is still a box
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("1 ship")
    assert boxes(only_label(desk)) == [("ship", (8, 8, 26, 24))]


def test_boxes_are_drawn_may_overlap_and_no_other_tool_is_there(desk: Desk) -> None:
    page = desk.page
    expect(page.get_by_role("button", name="Box x")).to_be_visible()
    for name in ("Brush", "Eraser", "Polygon", "Outline", "Fill rest"):
        expect(page.get_by_role("button", name=name)).to_be_hidden()
    page.keyboard.press("1")
    drag(page, (10, 10), (30, 30))
    drag(page, (40, 25), (20, 45))
    page.keyboard.press("2")
    click(page, 50, 50)
    click(page, 60, 58)
    expect(legend(page)).to_have_text(["ship2", "buoy1"])
    page.keyboard.press("Enter")
    label = only_label(desk)
    assert boxes(label) == [("ship", (10, 10, 30, 30)), ("ship", (20, 25, 40, 45)), ("buoy", (50, 50, 60, 58))]


def test_no_object_is_asked_once_more(desk: Desk) -> None:
    page = desk.page
    page.keyboard.press("n")
    expect(page.locator("#background-text")).to_contain_text("one without any object")
    page.locator("#background-dialog button[value=yes]").click()
    assert only_label(desk)["features"]["features"] == []


def test_pictures_of_the_boxes(desk: Desk, tmp_path: Path) -> None:
    """Kept to be looked at: `pytest --basetemp` says where."""
    desk.page.keyboard.press("g")
    expect(legend(desk.page)).to_have_count(2)
    assert len(desk.page.screenshot(path=tmp_path / "boxes.png")) > 10_000
