"""History, search by name, look-alikes, comments, guidelines, views and places on the annotator page."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.data.make_scene import make_scene
from tests.service.page.fixtures_annotators import Desk

CHOSEN = ".list .row[aria-current]"
TILE = re.compile(r"/tiles/\d+/\d+/\d+\.png\?")


@pytest.fixture
def desk(open_desk: Callable[[], Desk], imagery: Path) -> Desk:
    """A desk with the campaign `demo` of eight scenes."""
    made = open_desk()
    made.create(imagery / "pool")
    return made


def begin(desk: Desk, size: int = 3) -> list[dict[str, Any]]:
    asked = desk.ask(query_size=size)
    desk.open()
    desk.wait_for_picture()
    return asked


def test_own_label_is_found_in_the_history_and_changed(desk: Desk) -> None:
    first = begin(desk)[0]
    page = desk.page
    page.keyboard.press("1")
    assert len(desk.labels()) == 1
    page.get_by_role("button", name="History").click()
    row = page.locator("[data-part=found] .row")
    expect(row).to_have_count(1)
    expect(row).to_contain_text(first["path"])
    expect(row).to_contain_text("dark")
    expect(row.locator("img")).to_be_visible()
    row.click()
    expect(page.locator("[data-part=file]")).to_have_text(first["path"])
    page.keyboard.press("2")
    assert [label["classes"] for label in desk.labels()] == [["bright"]]


def test_any_sample_is_found_by_a_part_of_its_name_and_labelled(desk: Desk) -> None:
    held = {sample["path"] for sample in begin(desk)}
    page = desk.page
    wanted = next(f"scene_{number:03d}.tif" for number in range(8) if f"scene_{number:03d}.tif" not in held)
    page.get_by_label("Find an image by name").fill(wanted[:9].upper())
    row = page.locator("[data-part=found] .row")
    expect(row).to_have_count(1)
    expect(row).to_have_text(wanted)  # and no state, which would tell the test reserve
    row.click()
    expect(page.locator("[data-part=file]")).to_have_text(wanted)
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    labels = desk.labels()
    assert [(label["path"], label["classes"]) for label in labels] == [(wanted, ["bright"])]
    page.get_by_label("Find an image by name").fill("no such image")
    expect(page.locator("[data-part=found]")).to_contain_text("No sample has this in its name")
    page.get_by_label("Find an image by name").fill("")  # back to where one was
    expect(page.locator("[data-part=rows]")).to_be_visible()
    page.get_by_role("button", name="History").click()
    expect(page.locator("[data-part=found] .row")).to_have_text(re.compile(wanted))
    page.get_by_role("button", name="Get 10 more").click()  # new samples are shown, not the history
    expect(page.locator("[data-part=rows] .row[aria-current]")).to_be_visible()
    expect(page.locator("[data-part=found]")).to_be_hidden()


def test_look_alikes_get_one_class_together_and_are_taken_back_together(desk: Desk, pictures: Path) -> None:
    """What resembles what is played by the test: embeddings take a model and time."""
    held = {sample["sample_id"] for sample in begin(desk)}
    page = desk.page
    everything = desk.http.get("/campaigns/demo/samples").json()["samples"]
    others = [one for one in everything if one["sample_id"] not in held][:4]
    alike = [{"sample_id": one["sample_id"], "path": one["path"], "similarity": 0.9} for one in others]
    page.route(re.compile(r"/alike\?"), lambda route: route.fulfill(json={"samples": alike}))
    page.keyboard.press("l")
    tiles = page.locator("#alike-grid .tile")
    expect(tiles).to_have_count(4)
    expect(page.locator("#alike-grid img[src]")).to_have_count(4)
    for number in (0, 2, 3):
        tiles.nth(number).click()
    expect(page.locator("#alike-count")).to_contain_text("3 chosen")
    page.screenshot(path=pictures / "annotate-alike.png")
    page.locator("#alike-classes").get_by_role("button", name="bright").click()
    chosen = {others[number]["sample_id"] for number in (0, 2, 3)}
    assert {label["sample_id"] for label in desk.labels()} == chosen
    page.keyboard.press("u")
    assert desk.labels() == []


def test_comment_and_flag_reach_whoever_looks_after_the_campaign(desk: Desk) -> None:
    first = begin(desk)[0]
    page = desk.page
    page.keyboard.press(";")
    page.locator("#comment-field").fill("shadow of a cloud?")
    page.get_by_label("Flag it").check()
    page.get_by_role("button", name="Save comment").click()
    expect(page.locator("#toasts")).to_contain_text("Flagged")
    page.wait_for_selector(".queue", state="hidden")
    (comment,) = desk.http.get("/campaigns/demo/comments", params={"flagged": True}).json()["comments"]
    assert (comment["sample_id"], comment["text"], comment["annotator"]) == (
        first["sample_id"], "shadow of a cloud?", "anna",
    )  # fmt: skip
    page.keyboard.press(";")
    expect(page.locator("#comment-list")).to_contain_text("anna: shadow of a cloud?")


def test_image_that_has_nothing_around_it_says_so(desk: Desk) -> None:
    page = desk.page
    page.route(re.compile(r"/view$"), lambda route: route.fulfill(json=route.fetch().json() | {"neighbours": []}))
    begin(desk, size=1)
    page.keyboard.press("y")
    expect(page.locator("#toasts")).to_contain_text("No other image of this campaign lies around this one")


def test_skip_takes_a_reason_or_is_given_up(desk: Desk) -> None:
    begin(desk)
    page = desk.page
    page.keyboard.press("s")
    page.keyboard.press("Escape")
    expect(page.locator('.list .row[data-state="skipped"]')).to_have_count(0)
    page.keyboard.press("s")
    with page.expect_request("**/leases/skip") as sent:
        page.locator("#skip-field").fill("half of it is a map border")
        page.get_by_role("button", name="Skip", exact=True).click()
    assert sent.value.post_data_json["reason"] == "half of it is a map border"


def test_descriptions_and_guidelines_are_read_on_the_page(desk: Desk) -> None:
    change = {"description": "Below 1,500", "colour": "#123456"}
    assert desk.http.patch("/campaigns/demo/classes/classification/dark", json=change).status_code == 200
    guidelines = {"text": "Label what covers most of the image.\n<script>no</script>"}
    assert desk.http.put("/campaigns/demo/guidelines", json=guidelines).status_code == 200
    begin(desk)
    page = desk.page
    expect(page.locator(".class .swatch").first).to_have_css("background-color", "rgb(18, 52, 86)")
    page.get_by_role("button", name="What are they?").click()
    expect(page.get_by_role("dialog")).to_contain_text("Below 1,500")
    expect(page.get_by_role("dialog")).to_contain_text("<script>no</script>")


def tile_after(page: Page, key: str, said: str) -> None:
    """Press a key, and wait for a tile whose address says what was asked for."""
    with page.expect_request(lambda request: bool(TILE.search(request.url)) and said in request.url):
        page.keyboard.press(key)


def test_large_image_comes_in_tiles_that_sharpen_with_the_zoom(open_desk: Callable[[], Desk], imagery: Path) -> None:
    root = imagery / "pool"
    make_scene(root / "large.tif", width=1500, height=1100, bands=4)
    desk = open_desk()
    desk.create(root, scenes=0)
    begin(desk, 1)
    page = desk.page
    expect(page.locator(".scale")).to_be_visible()
    link = page.get_by_role("link", name="OpenStreetMap")
    expect(link).to_have_attribute("rel", re.compile("noopener"))
    tile_after(page, "z", "/tiles/3/")
    page.mouse.move(640, 400)
    expect(page.locator("[data-part=coordinates]")).to_contain_text("px")
    tile_after(page, "w", "stretch=image")
    tile_after(page, ".", "gamma=")
    expect(page.locator("[data-part=gamma]")).to_be_visible()
    for key in ".,,":
        page.keyboard.press(key)
    expect(page.locator("[data-part=gamma]")).to_be_hidden()  # as many steps back: as the campaign has it
    options = page.locator("[data-part=view-choice] option")
    assert options.count() > 1
    tile_after(page, "]", f"view={options.nth(1).get_attribute('value')}")
