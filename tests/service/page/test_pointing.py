"""A person answers points of images on the annotator page, one key each."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Request, Route, expect

from tests.data.make_scene import make_scene
from tests.service.page.fixtures_annotators import Desk, wait_until_kept
from tests.service.page.test_layout import SCHEMES, SIZES, check

TASKS = [{"task": "segmentation", "classes": ["field", "water"]}]
LABELS = re.compile(r"/campaigns/demo/labels$")
POINTS = 4
Pixel = tuple[float, float]


@pytest.fixture
def desk(open_desk: Callable[[], Desk], imagery: Path) -> Desk:
    """A desk with eight scenes of a segmentation campaign."""
    made = open_desk()
    made.create(imagery / "pool", tasks=TASKS)
    return made


def begin(desk: Desk, size: int = 2, points: int = POINTS) -> list[tuple[int, list[Pixel]]]:
    """Lease samples with points to anna and open her page; gives ids and points in the order of the list."""
    desk.ask(query_size=size, unit="point", points=points)
    desk.open()
    desk.wait_for_picture()
    asked(desk.page, 1, points)
    held = desk.http.get("/campaigns/demo/leases", params={"annotator": "anna"}).json()["leases"]
    return [(one["sample_id"], [(point["column"], point["row"]) for point in one["points"]]) for one in held]


def asked(page: Page, number: int, points: int = POINTS) -> None:
    expect(page.locator(".asked")).to_have_text(f"Point {number} of {points}")


def press(page: Page, keys: str) -> None:
    """Press keys once they can answer: after a reload the classes may come last."""
    page.wait_for_selector(".classes .class")
    for key in keys:
        page.keyboard.press(key)


def given(desk: Desk) -> dict[int, dict[Pixel, str]]:
    """Class of each labelled point, by sample."""
    found: dict[int, dict[Pixel, str]] = {}
    for label in desk.labels():
        assert label["crs"] == "pixel"
        features = label["features"]["features"]
        assert {feature["geometry"]["type"] for feature in features} <= {"Point"}
        answers = {tuple(one["geometry"]["coordinates"]): one["properties"]["label"] for one in features}
        assert len(answers) == len(features)
        found[label["sample_id"]] = answers
    return found


def under_the_middle(page: Page) -> str:
    """Column and row of the pixel in the middle of the map, as the page says it."""
    box = page.locator(".map").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2 + 3, box["y"] + box["height"] / 2)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    return page.locator("[data-part=coordinates]").text_content() or ""


def test_keys_answer_the_points_and_the_next_sample_is_shown(desk: Desk) -> None:
    (first, points), (second, others) = begin(desk)
    page = desk.page
    press(page, "12")
    asked(page, 3)
    expect(page.locator(".list .row[aria-current] .state")).to_have_text("2 of 4")
    assert desk.labels() == []
    press(page, "21")
    asked(page, 1)
    expect(page.locator(f".list .row[data-sample='{second}']")).to_have_attribute("aria-current", "true")
    press(page, "2")
    page.locator(".classes").get_by_role("button", name="water").click()
    press(page, "22")
    expect(page.locator(".finished")).to_contain_text("All done")
    assert given(desk) == {
        first: dict(zip(points, ["field", "water", "water", "field"], strict=True)),
        second: dict.fromkeys(others, "water"),
    }


def test_asked_pixel_is_in_the_middle_under_a_ring_seen_on_dark_and_bright(desk: Desk) -> None:
    samples = begin(desk, 8, points=1)  # half of the scenes are dark, half are bright
    page = desk.page
    page.locator(".toast").first.wait_for(state="detached")
    for sample_id, [(column, row)] in samples:
        page.wait_for_selector(f".map[data-shows='{sample_id}']")
        assert f" {under_the_middle(page)}".endswith(f" {int(column)}, {int(row)} px")  # the place may come after it
        page.mouse.move(5, 5)
        shot = np.asarray(Image.open(io.BytesIO(page.locator(".map").screenshot())).convert("L"), np.int16)
        across = shot[shot.shape[0] // 2 + 8, shot.shape[1] // 2 : shot.shape[1] // 2 + 40]  # below the mark
        assert across.max() > 240
        assert across.min() < 15
        page.keyboard.press("1")
    expect(page.locator(".finished")).to_be_visible()


def test_points_of_one_image_are_shown_at_the_zoom_that_the_annotator_chose(desk: Desk) -> None:
    begin(desk, 1)
    page = desk.page
    resolution = "Number(document.querySelector('.scale').style.width.slice(0, -2))"
    before = page.evaluate(resolution)
    page.keyboard.press("-")
    page.wait_for_function(f"() => {resolution} !== {before}")
    page.wait_for_timeout(400)
    chosen = page.evaluate(resolution)
    page.keyboard.press("1")
    asked(page, 2)
    assert page.evaluate(resolution) == chosen
    page.keyboard.press("z")
    page.wait_for_function(f"() => {resolution} !== {chosen}")
    whole = page.evaluate(resolution)
    page.keyboard.press("1")
    asked(page, 3)
    assert page.evaluate(resolution) == whole
    page.keyboard.press("z")
    page.wait_for_function(f"() => {resolution} === {chosen}")


def test_points_are_left_out_and_a_sample_of_such_points_is_skipped(desk: Desk) -> None:
    (first, points), (second, _) = begin(desk)
    press(desk.page, "1n")
    desk.page.get_by_role("button", name="Leave out").click()
    press(desk.page, "2")
    expect(desk.page.locator(f".list .row[data-sample='{second}']")).to_have_attribute("aria-current", "true")
    press(desk.page, "nnnn")
    expect(desk.page.locator(f".list .row[data-sample='{second}']")).to_have_attribute("data-state", "skipped")
    assert given(desk) == {first: {points[0]: "field", points[3]: "water"}}
    desk.page.keyboard.press("u")
    asked(desk.page, 4)
    press(desk.page, "1")
    expect(desk.page.locator(".finished")).to_be_visible()
    assert set(given(desk)) == {first, second}


def test_enter_saves_what_is_answered_so_far(desk: Desk) -> None:
    (first, points), _ = begin(desk)
    page = desk.page
    expect(page.get_by_role("button", name="Save 0 points")).to_be_disabled()
    press(page, "12")
    expect(page.get_by_role("button", name="Save 2 points")).to_be_enabled()
    page.keyboard.press("Enter")
    asked(page, 1)
    assert given(desk) == {first: {points[0]: "field", points[1]: "water"}}
    expect(page.locator(f".list .row[data-sample='{first}']")).to_have_attribute("data-state", "labelled")
    page.keyboard.press("u")
    asked(page, 3)


@pytest.mark.parametrize("is_sent", [False, True], ids=["before it is sent", "after it is saved"])
def test_undo_takes_back_the_last_point_also_of_the_sample_before(desk: Desk, is_sent: bool) -> None:
    (first, points), (second, others) = begin(desk)
    page = desk.page
    press(page, "11u")
    asked(page, 2)
    if not is_sent:
        page.route(LABELS, lambda route: route.abort())
    press(page, "222")
    expect(page.locator(f".list .row[data-sample='{second}']")).to_have_attribute("aria-current", "true")
    if is_sent:
        assert len(desk.labels()) == 1
    press(page, "1uu")
    asked(page, 4)
    expect(page.locator(f".list .row[data-sample='{first}']")).to_have_attribute("aria-current", "true")
    page.unroute_all()
    assert desk.labels() == []
    press(page, "u12")
    asked(page, 1)
    press(page, "1111")
    expect(page.locator(".finished")).to_be_visible()
    assert given(desk) == {
        first: dict(zip(points, ["field", "water", "field", "water"], strict=True)),
        second: dict.fromkeys(others, "field"),
    }


def test_points_of_a_second_query_join_the_first_ones_and_undo_keeps_those(
    open_desk: Callable[[], Desk], imagery: Path
) -> None:
    desk = open_desk()
    desk.create(imagery / "pool", scenes=1, tasks=TASKS)
    [(sample, points)] = begin(desk, 1)
    page = desk.page
    press(page, "1111")
    expect(page.locator(".finished")).to_be_visible()
    earlier = dict.fromkeys(points, "field")
    assert given(desk) == {sample: earlier}
    page.locator(".finished").get_by_role("button", name="Points").click()
    press(page, "m")
    asked(page, 1, 8)
    press(page, "2" * 8)
    expect(page.locator(".finished")).to_be_visible()
    found = given(desk)[sample]
    assert len(found) == 12
    assert found | earlier == found
    press(page, "u")
    asked(page, 8, 8)
    assert given(desk) == {sample: earlier}
    press(page, "2")
    expect(page.locator(".finished")).to_be_visible()
    assert given(desk)[sample] == found


def test_reload_in_the_middle_loses_no_point(desk: Desk) -> None:
    (first, points), _ = begin(desk)
    page = desk.page
    press(page, "1n2")
    page.reload()
    asked(page, 4)
    desk.wait_for_picture()
    press(page, "u")
    asked(page, 3)
    press(page, "12")
    asked(page, 1)
    assert given(desk) == {first: {points[0]: "field", points[2]: "field", points[3]: "water"}}


def test_points_answered_offline_are_sent_once_after_a_reload(desk: Desk) -> None:
    (first, points), (second, _) = begin(desk)
    page = desk.page
    arrived: list[Request] = []
    page.on("requestfinished", lambda one: arrived.append(one) if LABELS.search(one.url) else None)
    lost: list[Route] = []

    def lose(route: Route) -> None:
        if not lost:
            route.fetch()  # the service has it; the page is not told
        lost.append(route)
        route.abort()

    page.route(LABELS, lose)
    press(page, "1212")
    asked(page, 1)
    press(page, "22")
    expect(page.locator(".queue")).to_contain_text("1 answer waits")
    wait_until_kept(page, 1)
    page.wait_for_timeout(300)
    page.reload()
    asked(page, 3)
    page.unroute_all()
    page.wait_for_selector(".queue", state="hidden")
    assert len(lost) >= 1
    press(page, "11")
    expect(page.locator(".finished")).to_be_visible()
    assert set(given(desk)) == {first, second}
    assert len(desk.http.get(f"/campaigns/demo/samples/{first}/labels").json()) == 1
    assert given(desk)[first] == dict(zip(points, ["field", "water", "field", "water"], strict=True))


def test_points_of_a_skipped_image_are_saved(desk: Desk) -> None:
    (first, points), (second, _) = begin(desk)
    press(desk.page, "1ss")
    expect(desk.page.locator(f".list .row[data-sample='{second}']")).to_have_attribute("aria-current", "true")
    desk.page.wait_for_timeout(1500)  # the page looks once a second
    assert given(desk) == {first: {points[0]: "field"}}


def test_points_of_a_sample_that_is_not_asked_any_more_are_saved(desk: Desk) -> None:
    (first, points), (second, _) = begin(desk)
    press(desk.page, "12")
    body = {"annotator": "anna", "sample_ids": [first]}
    assert desk.http.post("/campaigns/demo/leases/release", json=body).is_success
    expect(desk.page.locator(f".list .row[data-sample='{second}']")).to_have_attribute("aria-current", "true")
    desk.page.wait_for_timeout(1500)
    assert given(desk) == {first: {points[0]: "field", points[1]: "water"}}


def test_annotator_chooses_between_images_and_points_and_the_page_remembers_it(desk: Desk) -> None:
    page = desk.open()
    finished = page.locator(".finished")
    expect(finished.get_by_role("button", name="Images")).to_have_attribute("aria-pressed", "true")
    finished.get_by_role("button", name="Points").click()
    page.reload()
    expect(finished.get_by_role("button", name="Points")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("m")
    asked(page, 1, 8)
    page.locator(".list").get_by_role("button", name="Images").click()
    points = page.locator(".list .units").get_by_role("button", name="Points")
    expect(points).to_have_attribute("aria-pressed", "false")
    for asks in ("annotator=bert&unit=point", "annotator=carl"):
        page.goto(f"{desk.url}/annotate/demo?{asks}")
        expect(points).to_have_attribute("aria-pressed", "true")


def test_key_pressed_before_the_campaign_is_read_asks_about_points(desk: Desk) -> None:
    page = desk.page
    held: list[Route] = []
    is_slow = True
    page.route(re.compile(r"/campaigns/demo$"), lambda route: held.append(route) if is_slow else route.continue_())
    page.goto(f"{desk.url}/annotate/demo?annotator=anna&unit=point")
    expect(page.locator("[data-part=more]").get_by_role("button", name="more")).to_be_visible()
    page.keyboard.press("m")
    page.wait_for_timeout(300)
    is_slow = False
    for route in held:
        route.continue_()
    asked(page, 1, 8)


def test_campaign_without_areas_has_no_choice_of_points(open_desk: Callable[[], Desk], imagery: Path) -> None:
    desk = open_desk()
    desk.create(imagery / "pool")
    desk.page.goto(f"{desk.url}/annotate/demo?annotator=anna&unit=point")
    expect(desk.page.locator(".finished")).to_contain_text("Ready when you are")
    expect(desk.page.get_by_role("button", name="Points")).to_have_count(0)
    desk.page.keyboard.press("m")
    desk.wait_for_picture()
    expect(desk.page.locator(".asked")).to_be_hidden()


def test_points_are_answered_without_the_models_word(desk: Desk) -> None:
    begin(desk)
    page = desk.page
    questions: list[str] = []
    page.on("request", lambda one: questions.append(one.url) if "/suggest" in one.url else None)
    for hidden in ("Suggest", "Suggestion", "Brush d", "Outline q"):
        expect(page.get_by_role("button", name=hidden)).to_have_count(0)
    press(page, "gadp")
    box = page.locator(".map").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    asked(page, 1)
    assert questions == []
    expect(page.locator(".legend-bar")).to_be_hidden()


def test_areas_are_still_drawn_where_whole_images_are_asked(desk: Desk) -> None:
    begin(desk, 1)
    page = desk.page
    desk.ask(query_size=1)
    expect(page.locator(".list .row")).to_have_count(2)
    page.keyboard.press("j")
    expect(page.get_by_role("button", name="Brush d")).to_be_visible()
    expect(page.locator(".asked")).to_be_hidden()
    press(page, "i")
    page.keyboard.press("Enter")
    asked(page, 1)


@pytest.mark.parametrize("kind", SIZES)
def test_points_fit_every_width(desk: Desk, pictures: Path, kind: str) -> None:
    (_, points), _ = begin(desk)
    page = desk.page
    press(page, "12")
    asked(page, 3)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        check(page, kind)
        page.screenshot(path=pictures / f"annotate-points-{kind}-{scheme}.png")
    width, height, _ = SIZES[kind]
    page.set_viewport_size({"width": height, "height": width})
    page.wait_for_timeout(250)
    column, row = points[2]
    assert under_the_middle(page).endswith(f" {int(column)}, {int(row)} px")


def test_tiles_of_the_next_point_are_fetched_before_it_is_asked(open_desk: Callable[[], Desk], imagery: Path) -> None:
    make_scene(imagery / "pool" / "large.tif", width=2000, height=2000)
    desk = open_desk()
    desk.create(imagery / "pool", scenes=0, tasks=TASKS)
    desk.ask(query_size=1, unit="point", points=POINTS)
    [held] = desk.http.get("/campaigns/demo/leases", params={"annotator": "anna"}).json()["leases"]
    column, row = held["points"][1]["column"], held["points"][1]["row"]
    tile = re.compile(rf"/tiles/3/{int(column // 256)}/{int(row // 256)}[.]png")
    with desk.page.expect_response(tile) as answer:
        desk.open()
    assert answer.value.ok
    asked(desk.page, 1)


def test_other_task_of_the_sample_is_not_asked_with_the_points(open_desk: Callable[[], Desk], imagery: Path) -> None:
    desk = open_desk()
    desk.create(imagery / "pool", tasks=[{"task": "classification", "classes": ["dark", "bright"]}, *TASKS])
    (first, points), (second, _) = begin(desk)
    press(desk.page, "1212")
    expect(desk.page.locator(f".list .row[data-sample='{second}']")).to_have_attribute("aria-current", "true")
    labels: list[dict[str, Any]] = desk.labels()
    assert [(label["sample_id"], label["task"]) for label in labels] == [(first, "segmentation")]
    assert set(given(desk)[first]) == set(points)
