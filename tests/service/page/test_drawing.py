"""A person draws on the annotator page, without SCANEO; what is saved is what was drawn."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import shapely
from playwright.sync_api import expect

from al_loop.domain.geojson import covers_a_centre
from tests.service.page.fixtures_annotators import Desk
from tests.service.page.fixtures_drawing import areas, box, click, drag, drawing_desk, on_screen, only_label, shares


@pytest.fixture
def desk(open_desk: Callable[[], Desk], imagery: Path) -> Desk:
    return drawing_desk(open_desk, imagery)


def test_classes_are_listed_and_boxes_are_saved_as_drawn(desk: Desk, pictures: Path) -> None:
    page = desk.page
    expect(page.locator(".classes .class")).to_have_text([re.compile("field"), re.compile("water")])
    expect(page.get_by_role("button", name="Open in SCANEO")).to_be_hidden()
    page.keyboard.press("2")
    box(page, 8, 8, 40, 24)
    expect(page.locator(".legend-bar")).to_contain_text("13 %")
    page.keyboard.press("1")
    box(page, 24, 16, 56, 48)
    expect(page.locator(".legend-bar")).to_contain_text("25 %")
    page.screenshot(path=pictures / "annotate-drawing.png")
    page.keyboard.press("Enter")
    expect(page.locator(".finished")).to_be_visible()
    drawn = areas(only_label(desk))
    wanted = {"field": shapely.box(24, 16, 56, 48), "water": shapely.box(8, 8, 40, 24) - shapely.box(24, 16, 56, 48)}
    assert set(drawn) == set(wanted)
    for name, area in wanted.items():
        assert drawn[name].intersection(area).area / drawn[name].union(area).area > 0.97
    assert drawn["field"].intersection(drawn["water"]).area < 0.01


def test_box_is_dragged_or_clicked_at_two_corners_and_the_picture_stays_where_it_is(desk: Desk) -> None:
    page = desk.page
    page.keyboard.press("x")
    drag(page, (8, 8), (40, 24))
    expect(page.locator(".legend-bar")).to_contain_text("13 %")
    drag(page, (60, 60), (44, 44))  # towards the upper left
    expect(page.locator(".legend-bar")).to_contain_text("19 %")
    page.mouse.move(*on_screen(page, 10, 40))
    page.mouse.down()
    page.mouse.up()
    page.mouse.move(*on_screen(page, 26, 56), steps=4)
    page.mouse.down()
    page.mouse.up()  # at once: no double click, which would zoom
    expect(page.locator(".legend-bar")).to_contain_text("25 %")
    click(page, 2, 2)  # a box that is begun is given up
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    expect(page.locator(".finished")).to_be_visible()
    boxes = shapely.union_all([shapely.box(8, 8, 40, 24), shapely.box(44, 44, 60, 60), shapely.box(10, 40, 26, 56)])
    field = areas(only_label(desk))["field"]
    assert field.intersection(boxes).area / field.union(boxes).area > 0.97


def test_brush_eraser_polygon_undo_and_redo(desk: Desk) -> None:
    page = desk.page
    page.keyboard.press("1")  # takes up the brush
    page.keyboard.press("d")  # keeps it
    drag(page, (10, 32), (54, 32))
    expect(page.locator(".legend-bar li")).to_have_count(2)
    stroked = shares(page)
    page.keyboard.press("e")
    drag(page, (32, 20), (32, 44))
    page.keyboard.press("p")
    for corner in ((4, 44), (20, 44), (20, 60), (4, 60), (4, 44)):
        click(page, *corner)
    page.keyboard.press("Escape")
    drawn = shares(page)
    assert drawn != stroked
    for _ in range(2):
        page.keyboard.press("u")
    assert shares(page) == stroked
    for _ in range(2):
        page.keyboard.press("U")
    assert shares(page) == drawn
    page.keyboard.press("Enter")
    expect(page.locator(".finished")).to_be_visible()
    field = areas(only_label(desk))["field"]
    assert field.contains(shapely.box(5, 45, 19, 59))
    assert field.contains(shapely.Point(15, 32))
    assert not field.contains(shapely.Point(32, 32))


def test_rest_is_filled_and_a_region_is_chosen_relabelled_and_deleted(desk: Desk) -> None:
    page = desk.page
    box(page, 8, 8, 24, 24)
    page.keyboard.press("2")
    page.keyboard.press("i")
    expect(page.locator(".legend-bar")).to_contain_text("94 %")
    page.keyboard.press("Escape")
    click(page, 16, 16)
    page.keyboard.press("2")
    expect(page.locator(".legend-bar")).to_contain_text("100 %")
    page.keyboard.press("u")
    page.keyboard.press("Escape")
    remove = page.get_by_role("button", name="Delete this region")
    expect(remove).to_be_hidden()
    click(page, 16, 16)
    remove.click()  # a phone has no such key
    expect(remove).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.locator(".finished")).to_be_visible()
    assert areas(only_label(desk))["water"].area == pytest.approx(64 * 64 - 16 * 16, rel=0.02)


def test_rest_that_covers_the_centre_of_no_pixel_is_not_sent_as_it_would_be_refused(
    desk: Desk,
) -> None:
    """Of a rest of .8 px between two rows of centres nothing is sent, of one of .8 px across a row of them all is."""
    sent = desk.page.evaluate("""async () => {
        const { Drawing } = await import(new URL("../page/draw/drawing.js", location.href));
        const { rectangle } = await import(new URL("../page/draw/geometry.js", location.href));
        const empty = new Drawing({ width: 64, height: 64 });
        return [[39.6, 40.4], [40.1, 40.9]].map(([top, bottom]) => {
            const drawn = empty.add(rectangle(0, 0, 64, 64), "field")
                .erase(rectangle(4, top, 30, bottom)).fill("water");
            const tiny = empty.add(rectangle(4, top, 30, bottom), "water");
            return [drawn.features(), drawn.features({ slivers: true }), tiny.features()].map(({ features }) =>
                features.map(({ properties }) => properties.label));
        });
    }""")
    assert sent == [
        [["field"], ["field", "water"], ["water"]],
        [["field", "water"], ["field", "water"], ["water"]],
    ]
    on_an_edge = [
        [303.77734375, 39.6484375],
        [295.70703125, 44.58984375],
        [236.33203125, 81.9375],
        [303, 40],
        [325, 30],
        [303.77734375, 39.6484375],
    ]
    beside_it = [[x + 0.03, y] for x, y in on_an_edge]
    holds = desk.page.evaluate(
        """async (rings) => {
        const { holdsCentre } = await import(new URL("../page/draw/geometry.js", location.href));
        return rings.map((ring) => holdsCentre([ring]));
    }""",
        [on_an_edge, beside_it],
    )
    covers = [covers_a_centre(shapely.MultiPolygon([shapely.Polygon(ring)])) for ring in (on_an_edge, beside_it)]
    assert holds == covers == [False, True]


def test_refused_drawing_is_kept_and_says_which_area_is_meant_in_plain_words(desk: Desk) -> None:
    page = desk.page
    page.keyboard.press("1")
    box(page, 40, 40, 60, 60)
    page.keyboard.press("2")
    box(page, 8, 8, 40, 24)
    place = "$[0].features.features[1].geometry"
    problem = {"path": place, "detail": f"the polygon crosses itself - at `{place}`"}
    page.route("**/labels", lambda route: route.fulfill(status=400, json=problem))
    page.keyboard.press("Enter")
    said = 'The polygon crosses itself. This is about "water" around column 24, row 16.'
    expect(page.locator("#toasts")).to_contain_text(f"not saved. {said}")
    row = page.locator(".list .row").first
    expect(row).to_contain_text("not saved")
    row.click()
    expect(page.locator(".refused")).to_have_text(f"Not saved. {said}")
    expect(page.locator(".legend-bar")).to_contain_text("13 %")
    page.unroute("**/labels")
    page.keyboard.press("Enter")
    assert set(areas(only_label(desk))) == {"field", "water"}
    row.click()
    expect(page.locator(".refused")).to_be_hidden()


def test_outline_drawn_freehand_stays_where_the_hand_was_beside_other_regions(desk: Desk) -> None:
    page = desk.page
    page.keyboard.press("1")
    box(page, 8, 8, 40, 24)
    page.keyboard.press("2")
    page.keyboard.press("p")
    corners = [(8, 24.4), (18, 24.4), (18.3, 24.5), (18.6, 24.4), (40, 24.4), (40, 50), (8, 50), (8, 30)]
    page.evaluate(FREEHAND, [on_screen(page, *corner) for corner in corners])
    page.keyboard.press("Enter")
    drawn, wanted = areas(only_label(desk))["water"], shapely.Polygon(corners)
    assert drawn.intersection(wanted).area / drawn.union(wanted).area > 0.99
    assert drawn.bounds[1] > 24.2


FREEHAND = """(places) => {
    const canvas = document.querySelector(".map canvas");
    const fire = (kind, [clientX, clientY], buttons) => canvas.dispatchEvent(new PointerEvent(kind, {
        clientX, clientY, buttons, shiftKey: true, bubbles: true, cancelable: true,
        pointerId: 1, isPrimary: true, pointerType: "mouse",
    }));
    fire("pointermove", places[0], 0);
    fire("pointerdown", places[0], 1);
    for (const place of places.slice(1)) fire("pointermove", place, 1);
    fire("pointerup", places.at(-1), 0);
}"""  # with Shift held; a browser joins the moves of a frame


def test_all_background_is_confirmed_first(desk: Desk) -> None:
    page = desk.page
    page.keyboard.press("n")
    expect(page.get_by_role("dialog")).to_contain_text("saved as background")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert desk.labels() == []
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator(".finished")).to_be_visible()
    assert only_label(desk)["features"]["features"] == []


def test_box_that_is_begun_on_one_image_does_not_end_on_another(desk: Desk) -> None:
    desk.ask(query_size=1)
    page = desk.open()
    desk.wait_for_picture()
    page.keyboard.press("x")
    click(page, 4, 4)
    page.keyboard.press("j")
    expect(page.locator(".rank")).to_contain_text("2")
    click(page, 40, 40)
    click(page, 56, 56)
    page.keyboard.press("Enter")
    desk.page.wait_for_selector(".queue", state="hidden")
    assert areas(only_label(desk))["field"].area == pytest.approx(16 * 16, rel=0.05)


def test_drawing_survives_moving_and_the_overlay_is_hidden_while_held(desk: Desk) -> None:
    desk.ask(query_size=1)
    page = desk.open()
    desk.wait_for_picture()
    box(page, 8, 8, 24, 24)
    before = shares(page)
    page.keyboard.press("j")
    expect(page.locator(".legend-bar li")).to_have_count(0)
    page.keyboard.press("k")
    assert shares(page) == before
    shown = page.locator(".map").screenshot()
    page.keyboard.down("h")
    page.wait_for_timeout(200)
    assert page.locator(".map").screenshot() != shown
    page.keyboard.up("h")
    page.wait_for_timeout(200)
    assert page.locator(".map").screenshot() == shown
