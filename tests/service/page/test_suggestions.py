"""Suggestions of a served model on the page, and what is not drawn over an image when there is nothing to draw."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from service.app import create_app
from service.settings import Settings
from tests.e2e.campaigns import Http, running_server, serve_tiny, write_pool
from tests.service.page.fixtures_annotators import Desk

CLASSES = ["one", "two", "three"]
SUGGESTED = ".classes .class.suggested"


@pytest.fixture
def desk(start_service: Callable[[], Http], quiet_settings: Settings, page: Page, imagery: Path) -> Iterator[Desk]:
    """A desk whose campaign asks for classes, has a model, and wants suggestions to come with the samples."""
    write_pool(imagery, 6)
    http = serve_tiny(
        start_service,
        quiet_settings,
        imagery,
        classes=CLASSES,
        known=CLASSES,
        trained=("classification",),
        tasks=[{"task": "classification", "classes": CLASSES}],
        settings={"assist": {"blind_share": 0.0, "automatic": True}, "reserve": {"share": 0.0, "minimum": 0}},
    )
    http.__exit__(None, None, None)
    with running_server(create_app(quiet_settings)) as url, Desk(url, page) as made:
        assert made.http.post("/campaigns/demo/samples", json={"scan": True}).status_code == 201
        yield made


def test_suggestions_come_with_the_samples_and_enter_accepts_them(desk: Desk) -> None:
    asked: list[str] = []
    desk.page.on("request", lambda request: asked.append(request.url) if "/suggest?" in request.url else None)
    first, second, _ = (sample["sample_id"] for sample in desk.ask(query_size=3))
    page = desk.open()
    expect(page.locator(SUGGESTED)).to_have_count(1)
    page.wait_for_function(
        "() => performance.getEntriesByType('resource').filter((one) => one.name.includes('/suggest?')).length >= 2"
    )
    assert {int(re.findall(r"samples/(\d+)/suggest", url)[0]) for url in asked} == {first, second}
    name = page.locator(f"{SUGGESTED} span").text_content()
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("suggestion accepted")
    expect(page.locator(SUGGESTED)).to_have_count(1)
    (label,) = desk.labels()
    assert (label["sample_id"], label["classes"], label["annotator"]) == (first, [name], "anna")
    assert len(asked) == len(set(asked)), "each sample is asked about once"


def test_suggested_class_is_marked_and_no_box_lies_over_the_image(desk: Desk) -> None:
    desk.ask(query_size=1)
    page = desk.open()
    desk.wait_for_picture()
    page.keyboard.press("g")
    expect(page.locator(SUGGESTED)).to_have_count(1)
    expect(page.get_by_role("button", name="Suggestion", exact=True)).to_be_hidden()
    for box in (".legend-bar", ".note"):
        expect(page.locator(box)).to_be_hidden()
    page.keyboard.press("v")
    expect(page.locator(".legend-bar")).to_contain_text("unsure")
    page.keyboard.press("v")
    expect(page.locator(".legend-bar")).to_be_hidden()
    expect(page.get_by_role("button", name="Image", exact=True)).to_have_attribute("aria-pressed", "true")


def test_suggestion_that_is_withheld_on_purpose_is_no_trouble(desk: Desk) -> None:
    change = desk.http.patch("/campaigns/demo/settings", json={"assist": {"blind_share": 1.0}})
    assert change.status_code == 200, change.text
    desk.ask(query_size=1)
    page = desk.open()
    desk.wait_for_picture()
    page.keyboard.press("g")
    expect(page.locator("#toasts .done")).to_contain_text("on purpose: please label it unaided")
    expect(page.locator("#toasts .problem")).to_have_count(0)
