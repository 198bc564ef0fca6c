"""A model draws for a person on the annotator page: a click on a thing, and regions of a suggestion."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import shapely
import shapely.geometry
from playwright.sync_api import Route, expect

from tests.service.page.fixtures_annotators import Desk
from tests.service.page.fixtures_drawing import areas, click, drawing_desk, only_label
from tests.waiting import wait_for


@pytest.fixture
def desk(open_desk: Callable[[], Desk], imagery: Path) -> Desk:
    return drawing_desk(open_desk, imagery)


def test_click_on_a_thing_outlines_it(desk: Desk) -> None:
    page = desk.page
    page.keyboard.press("q")
    with page.expect_response("**/predictions/sam") as answer:
        click(page, 48, 32)
    assert answer.value.status == 200
    expect(page.locator(".legend-bar li").first).to_contain_text("field")
    page.keyboard.press("Enter")
    expect(page.locator(".finished")).to_be_visible()
    field = areas(only_label(desk))["field"]
    right = shapely.box(32, 0, 64, 64)
    assert field.intersection(right).area / field.union(right).area > 0.9


def test_regions_of_a_suggestion_are_edited_and_saved_as_ones_own(desk: Desk) -> None:
    """The model's side is played by the test."""
    page = desk.page
    ring = [[0, 0], [32, 0], [32, 64], [0, 64], [0, 0]]
    far = [[40, 40], [60, 40], [60, 60], [40, 60], [40, 40]]
    features = [
        {"type": "Feature", "properties": {"label": name}, "geometry": {"type": "Polygon", "coordinates": [corners]}}
        for name, corners in (("field", ring), ("water", far))
    ]
    suggestion = {
        "prediction_id": 7, "task": "segmentation", "shares": {"field": 0.5, "water": 0.1},
        "regions": {"type": "FeatureCollection", "features": features},
    }  # fmt: skip

    def with_model(route: Route) -> None:
        route.fulfill(json=route.fetch().json() | {"current_model": {"version": "v1"}})

    page.route(re.compile(r"/campaigns/demo$"), with_model)
    page.route(re.compile(r"/learning-curve"), lambda route: route.fulfill(json={"points": []}))
    page.route(re.compile(r"/suggest\?"), lambda route: route.fulfill(json=[suggestion]))
    desk.open()
    expect(page.get_by_role("button", name="Suggest g")).to_be_enabled()
    page.keyboard.press("g")
    expect(page.locator("[data-part=suggestion]")).to_contain_text("field 50 % · water 10 %")
    expect(page.locator(".legend-bar li")).to_have_count(3)
    click(page, 50, 50)
    page.keyboard.press("Delete")
    expect(page.locator(".legend-bar li")).to_have_count(2)
    page.keyboard.press("Enter")
    expect(page.locator(".finished")).to_be_visible()
    assert {name: area.area for name, area in areas(only_label(desk)).items()} == {"field": pytest.approx(2048)}


def test_slow_suggestion_is_announced_and_leaves_the_next_image_alone(desk: Desk) -> None:
    page, waiting = desk.page, []
    desk.ask(query_size=1)
    page.route(
        re.compile(r"/campaigns/demo$"),
        lambda route: route.fulfill(json=route.fetch().json() | {"current_model": {"version": "v1"}}),
    )
    page.route(re.compile(r"/learning-curve"), lambda route: route.fulfill(json={"points": []}))
    page.route(re.compile(r"/suggest\?"), lambda route: waiting.append(route))
    desk.open()
    expect(page.get_by_role("button", name="Suggest g")).to_be_enabled()
    page.keyboard.press("g")
    expect(page.locator("#toasts")).to_contain_text("The model is being asked.")
    page.keyboard.press("j")
    expect(page.locator(".rank")).to_contain_text("2 of 2")
    regions = {"type": "FeatureCollection", "features": []}
    waiting[0].fulfill(
        json=[{"prediction_id": 7, "task": "segmentation", "shares": {"field": 0.5}, "regions": regions}]
    )
    wait_for(lambda: page.evaluate(SUGGESTED))  # it has come while the next image is shown
    toasts = expect(page.locator("#toasts"))
    toasts.not_to_contain_text("being asked", timeout=1_500)  # brief: after 4 s it would go by itself
    page.keyboard.press("k")
    expect(page.locator("[data-part=suggestion]")).to_contain_text("field 50 %")
    page.keyboard.press("j")
    expect(page.locator(".rank")).to_contain_text("2 of 2")
    expect(page.locator(".note")).to_be_hidden()


SUGGESTED = """async () => {
    const { state } = await import(new URL("../page/core/state.js", location.href));
    return state.suggestions.size;
}"""


def test_polygon_of_50000_corners_is_smoothed_and_saved(desk: Desk) -> None:
    """An outline with very many corners, as a suggestion brings it; it is joined with a stroke and saved."""
    page = desk.page
    corners = [[2 + 60 * i / 25_000, 4 + (i % 2) * 0.2] for i in range(25_000)]
    corners += [[62 - 60 * i / 25_000, 60 - (i % 2) * 0.2] for i in range(25_000)]
    geometry = {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}
    page.route(
        re.compile(r"/predictions/sam"), lambda route: route.fulfill(json={"type": "Feature", "geometry": geometry})
    )
    page.keyboard.press("q")
    click(page, 32, 32)
    expect(page.locator("#toasts")).to_contain_text("very many corners")
    page.keyboard.press("Enter")
    expect(page.locator(".finished")).to_be_visible()
    (feature,) = only_label(desk)["features"]["features"]
    shape = shapely.geometry.shape(feature["geometry"])
    assert shapely.count_coordinates(shape) < 20_000
    assert shape.area == pytest.approx(60 * 56, rel=0.02)
